import type { AuditNote } from '../audit/audit-record.js';
import type { RevocationNote } from '../feed/revocation-feed.js';
import type { SessionPosition } from '../util/session-cursor.js';

export type { SessionCountStep, SessionPosition } from '../util/session-cursor.js';

/**
 * The key of a session. The tenant is part of it: a handle of one tenant is unknown in another.
 *
 * @publicApi
 */
export interface SessionKey {
  readonly tenantId: string;
  readonly sessionHandle: string;
}

/**
 * The condition of an update. An absent member is not checked, so `{}` accepts every row.
 *
 * @publicApi
 */
export interface SessionCondition {
  /** Must be the current hash. */
  readonly refreshTokenHash2?: string;
  /** Must be exactly the stored text. */
  readonly sessionData?: string;
  /** Must be exactly the stored text. */
  readonly accessTokenPayload?: string;
  /** `expiresAtMs` must not be earlier, milliseconds since the epoch. */
  readonly minExpiresAtMs?: number;
}

/**
 * The columns that an update sets. An absent member stays as it is; there is at least one.
 *
 * @publicApi
 */
export interface SessionChange {
  readonly refreshTokenHash2?: string;
  readonly prevRefreshTokenHash2?: string;
  /** Milliseconds since the epoch. */
  readonly rotatedAtMs?: number;
  /** Milliseconds since the epoch. */
  readonly expiresAtMs?: number;
  readonly useStaticKey?: boolean;
  readonly sessionData?: string;
  readonly accessTokenPayload?: string;
  /** No column: with a note, the same step writes a record of the change to `SessionStore.audit`. */
  readonly audit?: AuditNote | undefined;
}

/**
 * An update that is made while a session is looked up.
 *
 * @publicApi
 */
export interface UpdateOnRead {
  readonly where: SessionCondition;
  readonly change: SessionChange;
  /** Names of claims; a row whose payload contains one of them, as text in double quotes, is only read. */
  readonly unlessMentioned: readonly string[];
}

/**
 * The largest number of live rows of some users.
 *
 * @publicApi
 */
export interface RowLimit {
  /** The users whose rows count: the login methods of one account. */
  readonly userIds: readonly string[];
  /** At least 1. */
  readonly max: number;
  readonly whenExceeded: 'refuse' | 'end-oldest';
  readonly nowMs: number;
  /** With a note, the same step writes a record of each removed row to `SessionStore.revocations`. */
  readonly note?: RevocationNote | undefined;
  /** With notes, the same step writes records to `SessionStore.audit`: of the new row, and of each removed one. */
  readonly audit?: { readonly created: AuditNote; readonly ended: AuditNote } | undefined;
}

/**
 * The result of `SessionStore.insertSessionWithinLimit`, with the sessions that were removed to make room.
 *
 * @publicApi
 */
export type LimitedInsert =
  { readonly isInserted: true; readonly removedHandles: string[] } | { readonly isInserted: false };

/**
 * The sessions that a call of the store is about.
 *
 * @publicApi
 */
export interface SessionsOfUsers {
  readonly userIds: readonly string[];
  /** undefined: all tenants. */
  readonly tenantId: string | undefined;
  readonly nowMs: number;
  /** Only rows that were created before, milliseconds since the epoch. Default: all. */
  readonly createdBeforeMs?: number | undefined;
}

/** The sessions that end at once. @publicApi */
export interface SessionCutOff {
  /** undefined: all tenants. */
  readonly tenantId: string | undefined;
  /** Milliseconds since the epoch. */
  readonly createdBeforeMs: number;
  /**
   * Whether rows end, too, that exist now and seem to be created later, because the clock of the instance that made them is
   * ahead.
   */
  readonly includesPresent: boolean;
}

/**
 * The sessions that a list or a count is about: those that fulfil every condition that is given.
 *
 * @publicApi
 */
export interface SessionSearch {
  /** undefined: all tenants. */
  readonly tenantId: string | undefined;
  /** undefined: all users. */
  readonly userIds: readonly string[] | undefined;
  /** Created then or later, milliseconds since the epoch; undefined: whenever. */
  readonly createdSinceMs: number | undefined;
  /** Only rows that live then, milliseconds since the epoch. */
  readonly nowMs: number;
  /** The end of the page before; undefined: at the newest row. */
  readonly after: SessionPosition | undefined;
  /** The largest number of rows of a page, or of rows that a count looks at; at least 1. */
  readonly limit: number;
}

/**
 * The place of a stored key. `algorithm` is absent where `StoredDynamicKey` has none.
 *
 * @publicApi
 */
export type StoredKeyPlace =
  | { readonly kind: 'refresh-token' }
  | { readonly kind: 'dynamic'; readonly createdAtMs: number; readonly algorithm?: string }
  | { readonly kind: 'static'; readonly kid: string; readonly algorithm: string };
