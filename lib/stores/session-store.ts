/**
 * Which session: the tenant is part of the key, a handle of one tenant is unknown in another.
 *
 * @publicApi
 */
export interface SessionKey {
  readonly tenantId: string;
  readonly sessionHandle: string;
}

/**
 * A session as it is stored. Column names of a SuperTokens Core's tables stand in docs/protocol/core.md C.
 *
 * @publicApi
 */
export interface SessionRow extends SessionKey {
  /** Recipe user id. */
  readonly userId: string;
  /** Second hash of the current refresh token: no usable token is stored. */
  readonly refreshTokenHash2: string;
  /** JSON text of the session data. */
  readonly sessionData: string;
  /** JSON text of the access token payload. */
  readonly accessTokenPayload: string;
  /** Milliseconds since the epoch. */
  readonly expiresAtMs: number;
  /** Milliseconds since the epoch. */
  readonly createdAtMs: number;
  readonly useStaticKey: boolean;
  /** Second hash of the refresh token before the current one; undefined until the first promotion. */
  readonly prevRefreshTokenHash2: string | undefined;
  /** When the current refresh token became current, milliseconds since the epoch. */
  readonly rotatedAtMs: number | undefined;
}

/**
 * Makes the child of a current refresh token the current one.
 *
 * @publicApi
 */
export interface Promotion extends SessionKey {
  /** The hash that must be current for the promotion to happen; it becomes the previous one. */
  readonly fromHash2: string;
  readonly toHash2: string;
  /** New expiry, milliseconds since the epoch. */
  readonly expiresAtMs: number;
  /** undefined leaves the kind of key as it is. */
  readonly useStaticKey: boolean | undefined;
  readonly nowMs: number;
}

/**
 * What {@link SessionStore.findAndPromote} found.
 *
 * @publicApi
 */
export interface FoundSession {
  /** undefined: there is no such session. */
  readonly row: SessionRow | undefined;
  /** Whether the session was promoted on the way; the row is the one after it then. */
  readonly isPromoted: boolean;
}

/**
 * A rotating signing key: `createdAtMs` is its identity.
 *
 * @publicApi
 */
export interface StoredDynamicKey {
  readonly createdAtMs: number;
  /** `<public>|<private>`, each base64 DER (SubjectPublicKeyInfo and PKCS#8). */
  readonly value: string;
  /** Absent for RS256, the only one that a SuperTokens Core knows. */
  readonly algorithm?: string;
}

/**
 * A signing key that never changes.
 *
 * @publicApi
 */
export interface StoredStaticKey {
  readonly kid: string;
  readonly createdAtMs: number;
  readonly value: string;
  readonly algorithm: string;
}

/**
 * Thrown by a store that cannot work as it is set up, whatever is tried again: tables that are not those of sessions, an
 * account that may not use them, a driver that is missing. It ends the start of the application; other failures of a
 * store do not.
 *
 * @publicApi
 */
export class StoreSetupError extends Error {
  override readonly name = 'StoreSetupError';
}

/**
 * Where the embedded core keeps sessions and keys. Also the injection token.
 *
 * Every method is atomic. What is absent is no error: reads answer undefined or an empty list, conditional writes
 * answer undefined or false, removal of what is not there removes nothing. **Expired rows are ordinary rows** to every
 * method that does not say otherwise: the engine judges expiry, with its own clock. Nothing ever brings a removed row
 * back: all updates are conditional on the row, only `insertSession` makes one, and a handle is never inserted twice.
 * A rejection means that the store failed (and nobody knows whether the write happened), never an ordinary outcome.
 *
 * @publicApi
 */
export abstract class SessionStore {
  /** Adds a row. Rejects when the handle exists, and with a `StoreFullError` when the store is full. */
  abstract insertSession(row: SessionRow): Promise<void>;

  /**
   * Adds a row where users may have so many live rows (`expiresAtMs >= nowMs`) at most, in the row's tenant. Where that
   * many are there, it adds none, or removes those that were created first to make room. Of several at once for the same
   * users each counts what the others did. Rejects as {@link insertSession}, and has removed nothing then.
   */
  abstract insertSessionWithinLimit(row: SessionRow, limit: RowLimit): Promise<LimitedInsert>;

  abstract findSession(key: SessionKey): Promise<SessionRow | undefined>;

  /**
   * Compare-and-set of the current refresh token: happens iff the row exists, `fromHash2` is current and the row has
   * not expired (`expiresAtMs >= nowMs`). Sets the previous hash and the time of rotation, too.
   *
   * @returns the row after the promotion, or undefined if it did not happen
   */
  abstract promote(promotion: Promotion): Promise<SessionRow | undefined>;

  /**
   * Looks a session up and makes the promotion on the way, if that would happen now ({@link promote}): two steps in one
   * where a store can do that. A session whose payload mentions one of the names is only looked up, because the engine has
   * to know its limits before it writes. Of one that is being changed at the moment, the answer may be what was there before.
   *
   * @returns the row as it is after it, and whether it was promoted
   */
  async findAndPromote(promotion: Promotion, unlessMentioned: readonly string[]): Promise<FoundSession> {
    const row = await this.findSession(promotion);
    const isWanted =
      row?.refreshTokenHash2 === promotion.fromHash2 &&
      !unlessMentioned.some((name) => row.accessTokenPayload.includes(`"${name}"`));
    const promoted = isWanted ? await this.promote(promotion) : undefined;
    return { row: promoted ?? row, isPromoted: promoted !== undefined };
  }

  /** Changes which kind of key signs the session's access tokens. Absent: nothing happens. */
  abstract setUseStaticKey(key: SessionKey, useStaticKey: boolean): Promise<void>;

  /** Replaces the session data of a live row (`expiresAtMs > nowMs`). @returns false when there is none */
  abstract updateSessionData(key: SessionKey, sessionData: string, nowMs: number): Promise<boolean>;

  /**
   * Compare-and-set of the session data of a live row (`expiresAtMs > nowMs`): happens iff the data is exactly `from`, so
   * that parallel writers can merge without losing each other's keys.
   *
   * @returns false when there is no such row or its data is another
   */
  abstract replaceSessionData(
    key: SessionKey,
    change: { readonly from: string; readonly to: string },
    nowMs: number,
  ): Promise<boolean>;

  /** Replaces the payload of a live row (`expiresAtMs > nowMs`). @returns the row after it, or undefined */
  abstract updateAccessTokenPayload(
    key: SessionKey,
    accessTokenPayload: string,
    nowMs: number,
  ): Promise<SessionRow | undefined>;

  /**
   * Compare-and-set of the payload of a live row (`expiresAtMs > nowMs`), as {@link replaceSessionData}. There is no
   * default, for one that reads and then writes would not be atomic: what another request changed between would be lost.
   *
   * @returns the row after it; undefined when there is no such row or its payload is another
   */
  abstract replaceAccessTokenPayload(
    key: SessionKey,
    change: { readonly from: string; readonly to: string },
    nowMs: number,
  ): Promise<SessionRow | undefined>;

  /** Removes rows, expired ones included. @returns the handles of those that existed, in any order */
  abstract deleteSessions(keys: readonly SessionKey[]): Promise<string[]>;

  /** Removes the live rows (`expiresAtMs >= nowMs`) of users, of all tenants where none is given. @returns as above */
  abstract deleteSessionsOfUsers(input: SessionsOfUsers): Promise<string[]>;

  /** Handles of the live rows (`expiresAtMs >= nowMs`) of users, in any order. */
  abstract findSessionHandlesOfUsers(input: SessionsOfUsers): Promise<string[]>;

  /**
   * One bounded step of cleaning: removes at most `limit` rows with `expiresAtMs <= nowMs`.
   *
   * @returns whether another step may find more
   */
  abstract deleteExpiredSessions(nowMs: number, limit: number): Promise<{ mayHaveMore: boolean }>;

  /** The refresh-token key, which the first caller ever sets; all callers of all times get the same. */
  abstract getOrSetRefreshTokenKey(candidate: string, nowMs: number): Promise<string>;

  /** Rotating keys of all algorithms with `createdAtMs >= sinceMs`, newest first. */
  abstract findDynamicKeys(sinceMs: number): Promise<StoredDynamicKey[]>;

  /**
   * Adds a rotating key unless one of its algorithm with `createdAtMs >= unlessSinceMs` exists: of several instances one
   * wins. Nor is it added where one of any algorithm has the same `createdAtMs`.
   */
  abstract addDynamicKey(key: StoredDynamicKey, unlessSinceMs: number): Promise<void>;

  /** Removes rotating keys with `createdAtMs < beforeMs`. */
  abstract deleteDynamicKeys(beforeMs: number): Promise<void>;

  /** All static keys, newest first. */
  abstract findStaticKeys(): Promise<StoredStaticKey[]>;

  /** Adds a static key unless one of its algorithm exists. */
  abstract addStaticKey(key: StoredStaticKey): Promise<void>;

  /** Releases what the store opened. */
  async close(): Promise<void> {}
}

/**
 * How many live rows of some users there may be.
 *
 * @publicApi
 */
export interface RowLimit {
  /** Whose rows count: the login methods of one account. */
  readonly userIds: readonly string[];
  /** At least 1. */
  readonly max: number;
  readonly whenExceeded: 'refuse' | 'end-oldest';
  readonly nowMs: number;
}

/**
 * What became of an insertion, and which sessions were removed for it.
 *
 * @publicApi
 */
export type LimitedInsert =
  { readonly isInserted: true; readonly removedHandles: string[] } | { readonly isInserted: false };

/**
 * Which sessions a call of the store is about.
 *
 * @publicApi
 */
export interface SessionsOfUsers {
  readonly userIds: readonly string[];
  /** undefined: all tenants. */
  readonly tenantId: string | undefined;
  readonly nowMs: number;
}
