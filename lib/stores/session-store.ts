import { CoreBadInputError } from '../errors.js';
import { recogniseCopies } from '../util/copies.js';
import { withPlainCause } from '../util/plain-error.js';
import type { ReplayStore } from '../options/replay-store.js';
import type { AuditNote } from '../audit/audit-record.js';
import type { AuditTrail } from '../audit/audit-trail.js';
import type { SharedValues } from '../audit/shared-values.js';
import type { RevocationFeed, RevocationNote } from '../feed/revocation-feed.js';
import type {
  LimitedInsert,
  RowLimit,
  SessionChange,
  SessionCondition,
  SessionCountStep,
  SessionCutOff,
  SessionKey,
  SessionPosition,
  SessionSearch,
  SessionsOfUsers,
  StoredKeyPlace,
  UpdateOnRead,
} from './store-inputs.js';

export type * from './store-inputs.js';

/**
 * A session as it is stored. docs/protocol/core.md C lists the column names of a SuperTokens Core's tables.
 *
 * @publicApi
 */
export interface SessionRow extends SessionKey {
  /** Recipe user id. */
  readonly userId: string;
  /** Second hash of the current refresh token; the token itself is not stored. */
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
 * The result of {@link SessionStore.findAndUpdate}.
 *
 * @publicApi
 */
export interface FoundSession {
  /** undefined: there is no such session. */
  readonly row: SessionRow | undefined;
  /** Whether the update happened; `row` is the row after it then. */
  readonly isUpdated: boolean;
}

/**
 * Some of the sessions that a search is about.
 *
 * @publicApi
 */
export interface SessionPage {
  readonly rows: readonly SessionRow[];
  /** The beginning of the next page; undefined after the last one. */
  readonly next: SessionPosition | undefined;
}

/**
 * Returns whether every database keeps a text as it is. PostgreSQL refuses NUL, and half a surrogate pair has no UTF-8, so
 * it would come back as another character.
 */
export function isStorableText(text: string): boolean {
  return !/[\0\p{Surrogate}]/u.test(text);
}

/** Returns whether a row meets a condition; for stores that hold rows in memory. */
export function meetsCondition(row: SessionRow, where: SessionCondition): boolean {
  return (
    row.expiresAtMs >= (where.minExpiresAtMs ?? Number.NEGATIVE_INFINITY) &&
    row.refreshTokenHash2 === (where.refreshTokenHash2 ?? row.refreshTokenHash2) &&
    row.sessionData === (where.sessionData ?? row.sessionData) &&
    row.accessTokenPayload === (where.accessTokenPayload ?? row.accessTokenPayload)
  );
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
  /** Absent for RS256, the only algorithm that a SuperTokens Core knows. */
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
 * Thrown by a store that cannot work as it is set up, however often it is tried: the tables belong to another program, the
 * account may not use them, a driver is missing. It ends the start of the application; other failures of a store do not.
 *
 * @publicApi
 */
export class StoreSetupError extends Error {
  static {
    recogniseCopies(this, 'StoreSetupError');
  }
  override readonly name = 'StoreSetupError';

  constructor(message: string, options?: ErrorOptions) {
    super(message, withPlainCause(options));
  }
}

/**
 * The place where the embedded core keeps sessions and keys. Also the injection token.
 *
 * Rules for all methods:
 * - Each call is atomic.
 * - Absence is no error: reads return undefined or an empty list, an update of an absent row returns undefined, and
 *   removing an absent row does nothing.
 * - **Expired rows are ordinary rows** unless a method says otherwise, because the engine decides about expiry with its
 *   own clock.
 * - A removed row never comes back: only the two inserting methods add rows, a handle is never inserted twice, and an
 *   update changes an existing row only (a conditional UPDATE in SQL, never an upsert).
 * - A rejection means that the store failed, and that the write may or may not have happened.
 *
 * @publicApi
 */
export abstract class SessionStore {
  static {
    recogniseCopies(this, 'SessionStore');
  }

  /** Describes the store for the lines at the start: a name and a host, never a secret. */
  get description(): string {
    return this.constructor.name;
  }

  /** The feed that the deleting methods write to; undefined for a store that has none. */
  get revocations(): RevocationFeed | undefined {
    return undefined;
  }

  /**
   * The records of what happens to sessions; undefined for a store that keeps none. With an `AuditNote` a method writes a record of each
   * row that it changed in the same step, so that both happen or neither. A removed row whose time was over is noted as expired.
   */
  get audit(): AuditTrail | undefined {
    return undefined;
  }

  /** The place that keeps used DPoP proofs, so that no instance accepts one twice; undefined for a store that has no such place. */
  get replays(): ReplayStore | undefined {
    return undefined;
  }

  /** Small texts that all instances share; undefined for a store that keeps none. */
  get sharedValues(): SharedValues | undefined {
    return undefined;
  }

  /**
   * Whether new handles carry a tag of their user (`lib/util/handle-tag.ts`), by which a cluster finds the place of a session and of
   * its user's others at once. False unless a store needs it.
   */
  get tagsHandles(): boolean {
    return false;
  }

  /** Adds a row. Rejects when the handle exists, and with a `StoreFullError` when the store is full. */
  abstract insertSession(row: SessionRow, audit?: AuditNote): Promise<void>;

  /**
   * Adds a row if its users have fewer than `limit.max` live rows (`expiresAtMs >= nowMs`) in the row's tenant. At the
   * limit it adds none, or first removes the rows that were created first. Concurrent calls for the same users count each
   * other's rows. Rejects as {@link insertSession}, without having removed a row.
   */
  abstract insertSessionWithinLimit(row: SessionRow, limit: RowLimit): Promise<LimitedInsert>;

  /** Returns the row, expired or not; undefined when it is absent. */
  abstract findSession(key: SessionKey): Promise<SessionRow | undefined>;

  /**
   * Changes some columns of one row if it exists and meets a condition: the one compare-and-set. Of concurrent updates that
   * expect the same text, one happens. An empty condition overwrites, and the last of several wins.
   *
   * @returns the row after the update; undefined when the row is absent or does not meet the condition
   */
  abstract update(
    key: SessionKey,
    where: SessionCondition,
    change: SessionChange,
  ): Promise<SessionRow | undefined>;

  /**
   * Reads a row, and makes an update first if that would happen now. This default takes two calls; override it where the
   * database does both in one statement, which saves a round trip in every refresh that promotes. While another call
   * changes the row, the result may be the row before that change.
   */
  async findAndUpdate(
    key: SessionKey,
    { where, change, unlessMentioned }: UpdateOnRead,
  ): Promise<FoundSession> {
    const row = await this.findSession(key);
    const isWanted =
      row !== undefined &&
      meetsCondition(row, where) &&
      !unlessMentioned.some((name) => row.accessTokenPayload.includes(`"${name}"`));
    const updated = isWanted ? await this.update(key, where, change) : undefined;
    return { row: updated ?? row, isUpdated: updated !== undefined };
  }

  /**
   * Removes rows, expired ones included.
   *
   * @param note with a note, the same step writes a record of each removed row to {@link revocations}
   * @returns the handles of the rows that existed, in any order
   */
  abstract deleteSessions(
    keys: readonly SessionKey[],
    note?: RevocationNote,
    audit?: AuditNote,
  ): Promise<string[]>;

  /**
   * Removes the live rows (`expiresAtMs >= nowMs`) of users. A row that is inserted meanwhile may stay.
   *
   * @param note as for {@link deleteSessions}
   * @returns the handles of the removed rows, in any order
   */
  abstract deleteSessionsOfUsers(
    input: SessionsOfUsers,
    note?: RevocationNote,
    audit?: AuditNote,
  ): Promise<string[]>;

  /**
   * Ends many rows with few writes: from then on, every method treats rows of the tenant whose `createdAtMs` is before the cut-off
   * as absent, and {@link deleteExpiredSessions} removes them. A cut-off never goes back. A row that is inserted later counts
   * as created at the cut-off at least, whatever the clock of its instance says. This default refuses, for stores that cannot.
   *
   * @param _note as for {@link deleteSessions}, of the cut-off
   * @param _audit likewise: one record of the cut-off
   */
  async endSessionsCreatedBefore(
    _cutOff: SessionCutOff,
    _note?: RevocationNote,
    _audit?: AuditNote,
  ): Promise<void> {
    throw new CoreBadInputError(`${this.description} ends sessions by handle and by user only`);
  }

  /** Returns the handles of the live rows (`expiresAtMs >= nowMs`) of users, in any order. */
  abstract findSessionHandlesOfUsers(input: SessionsOfUsers): Promise<string[]>;

  /**
   * Returns live rows (`expiresAtMs >= nowMs`) of any user: the newest first, and rows of one millisecond in an order of the store's
   * own that stays. A call looks at a bounded number of rows, so that a page may be short, or empty, where there is more. Rows
   * that are added or removed between two pages neither repeat nor hide another. This default refuses, for stores without an index.
   */
  async searchSessions(_search: SessionSearch): Promise<SessionPage> {
    throw new CoreBadInputError(`${this.description} finds sessions by handle and by user only`);
  }

  /** Counts what {@link searchSessions} finds among the next `limit` rows. This default reads them; override it. */
  async countSessions(search: SessionSearch): Promise<SessionCountStep> {
    const { rows, next } = await this.searchSessions(search);
    return { count: rows.length, next };
  }

  /**
   * Removes at most `limit` rows with `expiresAtMs <= nowMs`: one bounded step of cleaning.
   *
   * @returns whether another step may find more
   */
  abstract deleteExpiredSessions(
    nowMs: number,
    limit: number,
    audit?: AuditNote,
  ): Promise<{ mayHaveMore: boolean }>;

  /** Returns the refresh-token key. The first call sets it to `candidate`; every later call returns that one. */
  abstract getOrSetRefreshTokenKey(candidate: string, nowMs: number): Promise<string>;

  /** Returns the rotating keys of all algorithms with `createdAtMs >= sinceMs`, newest first. */
  abstract findDynamicKeys(sinceMs: number): Promise<StoredDynamicKey[]>;

  /**
   * Adds a rotating key, unless a key of its algorithm with `createdAtMs >= unlessSinceMs` exists or a key of any algorithm
   * has the same `createdAtMs`. Of several instances that add at once, one wins.
   */
  abstract addDynamicKey(key: StoredDynamicKey, unlessSinceMs: number): Promise<void>;

  /** Removes rotating keys with `createdAtMs < beforeMs`. */
  abstract deleteDynamicKeys(beforeMs: number): Promise<void>;

  /** Returns all static keys, newest first. */
  abstract findStaticKeys(): Promise<StoredStaticKey[]>;

  /** Adds a static key, unless a key of its algorithm exists. */
  abstract addStaticKey(key: StoredStaticKey): Promise<void>;

  /**
   * Writes another text in the place of a stored key, if the text there is still `from`: that of the refresh-token key, or the
   * `value` of a signing key. A store that does not override it changes none.
   *
   * @returns whether the text was replaced
   */
  async replaceKey(_place: StoredKeyPlace, _from: string, _to: string): Promise<boolean> {
    return false;
  }

  /** Returns whether a SuperTokens Core made the tables, so that one may be at work on the same keys. */
  async hasCoreTables(): Promise<boolean> {
    return false;
  }

  /** Releases the resources that the store opened. */
  async close(): Promise<void> {}
}
