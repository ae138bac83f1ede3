/** The times of a clock between which a call was served, milliseconds since the epoch. */
export interface Span {
  readonly earliest: number;
  readonly latest: number;
}

/** The clock of the instance that served a call, with all steps that were made meanwhile. */
export interface ServedAt extends Span {
  /** The latest time that any clock had shown until then: of an instance, or of the database. */
  readonly highest: number;
}

/** An access token, as its client reads it. Refresh tokens have the names `r0`, `r1` and so on, in the order in which they were seen. */
export interface AccessToken {
  /** The refresh token that it came with. */
  readonly of: string;
  /** Whether it came with a refresh, and was not exchanged since: its use makes its refresh token current. */
  readonly isOfRefresh: boolean;
  readonly expiresAtMs: number;
  /** Names in its payload that calls stored there, sorted. */
  readonly claims: readonly string[];
}

export type Asked =
  | { readonly kind: 'sign-in' }
  | { readonly kind: 'refresh'; readonly token: string }
  | { readonly kind: 'request'; readonly token: AccessToken; readonly checksDatabase: boolean }
  /** A guarded route that stores a claim in the session of the request. */
  | { readonly kind: 'claim-by-token'; readonly token: AccessToken; readonly name: string }
  | { readonly kind: 'sign-out'; readonly token: AccessToken }
  | { readonly kind: 'merge' | 'claim'; readonly name: string }
  | { readonly kind: 'read' }
  | { readonly kind: 'revoke' | 'revoke-user' | 'revoke-all' };

export interface CallResult {
  readonly status: 'OK' | 'GONE' | 'UNAUTHORISED' | 'TRY_REFRESH' | 'THEFT';
  /** The tokens that came with it. */
  readonly refreshToken?: string;
  readonly accessToken?: AccessToken;
  /** Names in the session data and in the payload, sorted: the response to a read. */
  readonly data?: readonly string[];
  readonly claims?: readonly string[];
}

/** The owner keeps to the protocol of a browser; whatever the others do with tokens makes them a second party. */
export type Actor = 'owner' | 'thief' | 'administrator' | 'auditor';

/** A call as its client saw it. Times are of the client's one monotonic clock, milliseconds. */
export interface Call {
  readonly id: number;
  readonly actor: Actor;
  /** The instance and how often it had been started: `2.1`. */
  readonly instance: string;
  readonly beganMs: number;
  /** undefined: no response came, or one that says that the outcome is unknown. It may have happened since, or may happen later. */
  readonly endedMs?: number | undefined;
  readonly clock: ServedAt;
  /**
   * Whether the instance ended sessions of some tenant meanwhile, which it cannot name: then it sends no tokens to anybody whose
   * request it had taken before.
   */
  readonly isInDoubt?: boolean;
  readonly asked: Asked;
  readonly result?: CallResult | undefined;
}

export interface Rules {
  readonly accessValidityMs: number;
  readonly refreshValidityMs: number;
  /** How long an instance may accept access tokens of a session after the response to its revocation. */
  readonly feedBoundMs: number;
  /** How long sessions may live after their sign-in; undefined: no such limit. */
  readonly absoluteMs?: number | undefined;
}

/** All that was recorded about one session. */
export interface History {
  readonly session: string;
  readonly rules: Rules;
  /** Each refresh token with the one it was exchanged for, null for `r0`, which comes first. */
  readonly line: readonly (readonly [token: string, parent: string | null])[];
  readonly calls: readonly Call[];
}

export interface Violation {
  readonly property: string;
  readonly message: string;
  /** Ids of the calls that show it. */
  readonly calls: readonly number[];
}

/** A call whose response is known. */
export type KnownCall = Call & { readonly endedMs: number; readonly result: CallResult };

export function isKnown(call: Call): call is KnownCall {
  return call.endedMs !== undefined && call.result !== undefined;
}

/** Returns the number of each refresh token in the line: 0 for that of the sign-in. */
export function generations({ line }: Pick<History, 'line'>): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  for (const [token, parent] of line) found.set(token, parent === null ? 0 : (found.get(parent) ?? 0) + 1);
  return found;
}
