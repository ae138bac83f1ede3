/**
 * The rules of a session as pure functions: what each request may return, and what it does to the session, as if it happened in one
 * moment. The explorer compares the real engine with this text at every step. No part of `lib/` is used here.
 *
 * A session is a line of refresh tokens: token 0 comes with the sign-in, token n + 1 is the successor of token n, and there is one.
 * `current` is the token that the store knows. Its successor may be given out any number of times without a write; the first *use* of
 * the successor, or of the access token that came with it, makes it current. From then on the tokens before it are retired.
 */
export interface Session {
  readonly current: number;
  /** When `current` became current; undefined for the token of the sign-in. */
  readonly rotatedAtMs: number | undefined;
  readonly expiresAtMs: number;
  /** Names in the session data, sorted. */
  readonly data: readonly string[];
  /** Names in the access token payload, sorted. */
  readonly claims: readonly string[];
}

/** An access token: it came with refresh token `generation`. */
export interface AccessToken {
  readonly generation: number;
  /** Whether it came with a refresh, and was not exchanged since: its use makes its refresh token current. */
  readonly isOfRefresh: boolean;
  readonly expiresAtMs: number;
  readonly claims: readonly string[];
}

export type Request =
  | { readonly kind: 'refresh'; readonly generation: number }
  | { readonly kind: 'verify'; readonly token: AccessToken; readonly checkDatabase: boolean }
  | { readonly kind: 'regenerate'; readonly token: AccessToken; readonly claim: string }
  | RequestWithoutToken;

export type RequestWithoutToken =
  | { readonly kind: 'merge'; readonly name: string }
  | { readonly kind: 'claim'; readonly name: string }
  | { readonly kind: 'revoke' }
  | { readonly kind: 'revoke-user' }
  | { readonly kind: 'sweep' };

export interface Rules {
  readonly refreshValidityMs: number;
  /** How long the token before the current one still gets the same successor; 0: not at all. */
  readonly gracePeriodMs: number;
  /** The absolute end of the session; undefined: none. */
  readonly endsAtMs: number | undefined;
}

/** A response that a request may give in one moment, and the session after it; undefined: it has ended. */
export interface Outcome {
  readonly response: string;
  readonly after: Session | undefined;
}

/** When a request came, by which its access token is judged, and the moment at which the session is looked at. */
export interface Moment {
  readonly cameMs: number;
  readonly nowMs: number;
}

/** Returns what the rules allow. There are two outcomes only for a theft: the session ends with it, or had ended before. */
export function outcomes(
  session: Session | undefined,
  request: Request,
  { cameMs, nowMs }: Moment,
  rules: Rules,
): readonly Outcome[] {
  const only = (response: string, after: Session | undefined = session): readonly Outcome[] => [
    { response, after },
  ];
  switch (request.kind) {
    case 'refresh':
      return refresh(session, request.generation, nowMs, rules);
    case 'verify':
      return only(...verify(session, request, { cameMs, nowMs }, rules));
    case 'regenerate': {
      // In its last millisecond a session can be refreshed, and neither read nor changed.
      if (session === undefined || session.expiresAtMs <= nowMs) return only('UNAUTHORISED');
      const after = { ...session, claims: withName(session.claims, request.claim) };
      return only(request.token.expiresAtMs < cameMs ? 'OK' : 'OK, new access token', after);
    }
    case 'merge':
      if (session === undefined || session.expiresAtMs <= nowMs) return only('GONE');
      return only('OK', { ...session, data: withName(session.data, request.name) });
    case 'claim':
      if (session === undefined || session.expiresAtMs <= nowMs) return only('GONE');
      return only('OK', { ...session, claims: withName(session.claims, request.name) });
    case 'revoke':
      return session === undefined ? only('GONE') : [{ response: 'OK', after: undefined }];
    case 'revoke-user':
      return isLive(session, nowMs) ? [{ response: 'OK', after: undefined }] : only('GONE');
    case 'sweep':
      return session !== undefined && session.expiresAtMs <= nowMs
        ? [{ response: 'OK', after: undefined }]
        : only('OK');
  }
}

/** A refresh gives the one successor of the current token, or of the successor of the current token, which becomes current. */
function refresh(
  session: Session | undefined,
  generation: number,
  nowMs: number,
  rules: Rules,
): readonly Outcome[] {
  if (!isLive(session, nowMs)) return [{ response: 'UNAUTHORISED', after: session }];
  const after = generation === session.current + 1 ? promoted(session, nowMs, rules) : session;
  if (generation === after.current || isInGrace(after, generation, nowMs, rules))
    return [{ response: `OK, refresh token ${generation + 1}`, after }];
  // The token was retired, so two parties hold tokens of the line.
  return [
    { response: 'THEFT', after },
    { response: 'THEFT', after: undefined },
  ];
}

/** A verification looks at the session if the access token is of a refresh, or if it is told to. */
function verify(
  session: Session | undefined,
  { token, checkDatabase }: Extract<Request, { kind: 'verify' }>,
  { cameMs, nowMs }: Moment,
  rules: Rules,
): [response: string, after: Session | undefined] {
  if (token.expiresAtMs <= cameMs) return ['TRY_REFRESH', session];
  if (!token.isOfRefresh && !checkDatabase) return ['OK', session];
  if (!isLive(session, nowMs)) return ['UNAUTHORISED', session];
  if (token.isOfRefresh && token.generation === session.current + 1)
    return ['OK, new access token', promoted(session, nowMs, rules)];
  const isChanged = checkDatabase && !isSame(token.claims, session.claims);
  const isCurrent = token.isOfRefresh && token.generation === session.current;
  return [isCurrent || isChanged ? 'OK, new access token' : 'OK', session];
}

/** Returns whether requests may go on; a session lives through its last millisecond. */
export function isLive(session: Session | undefined, nowMs: number): session is Session {
  return session !== undefined && session.expiresAtMs >= nowMs;
}

/** Returns the session after the first use of the successor of its current token: the one thing that gives it time. */
export function promoted(session: Session, nowMs: number, rules: Rules): Session {
  return {
    ...session,
    current: session.current + 1,
    rotatedAtMs: nowMs,
    expiresAtMs: Math.min(nowMs + rules.refreshValidityMs, rules.endsAtMs ?? Number.POSITIVE_INFINITY),
  };
}

/** Returns whether a token was current a moment ago, so that it still gets its successor, which is the current token. */
export function isInGrace(session: Session, generation: number, nowMs: number, rules: Rules): boolean {
  return (
    rules.gracePeriodMs > 0 &&
    generation === session.current - 1 &&
    session.rotatedAtMs !== undefined &&
    nowMs <= session.rotatedAtMs + rules.gracePeriodMs
  );
}

/** The knowledge of an instance from the feed of revocations. */
export interface Knowledge {
  /** When the last read began that was successful; undefined: none yet. */
  readonly provenMs: number | undefined;
  /** Whether the record of the session has been read, or the instance ended the session itself. */
  readonly knowsTheEnd: boolean;
}

/**
 * Returns what an instance does with a genuine access token of a session, without the database, with the feed read every `pollMs`:
 * knowledge that is older than two reads is no knowledge, and the store is asked.
 */
export function judgeByFeed(
  { provenMs, knowsTheEnd }: Knowledge,
  nowMs: number,
  pollMs: number,
): 'refuse' | 'accept' | 'ask' {
  if (knowsTheEnd) return 'refuse';
  return provenMs !== undefined && nowMs - provenMs <= 2 * pollMs ? 'accept' : 'ask';
}

function withName(names: readonly string[], name: string): readonly string[] {
  return names.includes(name) ? names : [...names, name].sort();
}

export function isSame(some: readonly string[], others: readonly string[]): boolean {
  return some.length === others.length && some.every((name, n) => name === others[n]);
}
