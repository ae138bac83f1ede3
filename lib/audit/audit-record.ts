import type { DelegationFacts } from '../util/delegation-claims.js';
import { parseJsonObject } from '../util/json.js';

/** The kinds of {@link AuditKind}. */
export const AUDIT_KINDS = [
  'session.created',
  'session.promoted',
  'session.data-changed',
  'session.payload-changed',
  'session.theft-detected',
  'session.revoked',
  'session.expired',
  'sessions.ended-before',
  'delivery.failed',
] as const;

/**
 * The event that happened to a session, or to the records themselves.
 *
 * - `session.created`: a sign-in.
 * - `session.promoted`: a new refresh token became the current one, which lengthens the life of the session.
 * - `session.data-changed`, `session.payload-changed`: the server-side data or the access token payload; `names` says which members.
 * - `session.theft-detected`: a retired refresh token came back; `presented` and `current` name both branches.
 * - `session.revoked`: it was ended by a call, by the limit of sessions, or by a cut-off (then `reason` is `ended-before`).
 * - `session.expired`: its time was over. Written by the step that removes it, so once among all instances.
 * - `sessions.ended-before`: all sessions of a tenant, or of everybody, that were created before `createdBeforeMs`.
 * - `delivery.failed`: a record was given up by a delivery, which `delivery` names.
 *
 * @publicApi
 */
export type AuditKind = (typeof AUDIT_KINDS)[number];

/** The kinds that end a session: they are kept as its history. */
export const ENDING_KINDS: readonly AuditKind[] = ['session.revoked', 'session.expired'];

/** The kinds that are kept as long as such a history. */
export const HISTORY_KINDS: readonly AuditKind[] = [...ENDING_KINDS, 'sessions.ended-before'];

/** The reasons of the ends that a user has asked for. */
export const ENDED_BY_USER = ['sign-out', 'ended-by-user'] as const;

/**
 * One branch of a session's refresh tokens. The texts are short digests, from which no token can be made: equal texts are equal
 * tokens, also in the `token` of `session.promoted`.
 *
 * @publicApi
 */
export interface AuditBranch {
  readonly token: string;
  /** The token that it was exchanged for; absent where it is not known. */
  readonly parent?: string;
  /** Since when the token has been the current one, milliseconds since the epoch; absent where it never was, or is not any more. */
  readonly sinceMs?: number;
}

/**
 * The facts of a record that depend on its kind. No text of them is trusted: a reason, an agent and names of members may come from
 * clients and hold any characters but NUL.
 *
 * @publicApi
 */
export interface AuditDetails extends DelegationFacts {
  /** The account that the login belonged to, if it was known without another call. */
  readonly userId?: string;
  readonly reason?: string;
  /** The person or the program that ended the sessions. */
  readonly initiator?: string;
  /** The client's address, as precisely as the option `devices` keeps it; without the option its network. */
  readonly ip?: string;
  /** The client's user agent, likewise; without the option browser and system. */
  readonly userAgent?: string;
  /** Names of the members that were written, never their values; at most 64 of at most 128 characters each. */
  readonly names?: readonly string[];
  /** Digest of the refresh token that is current from now on. */
  readonly token?: string;
  readonly presented?: AuditBranch;
  readonly current?: AuditBranch;
  /** Milliseconds since the epoch. */
  readonly createdBeforeMs?: number;
  /** The name of a delivery. */
  readonly delivery?: string;
  /** How often it was tried. */
  readonly attempts?: number;
  /** The record that could not be delivered. */
  readonly record?: AuditRecord;
}

/**
 * The subject of a record: a session, a tenant, or everybody.
 *
 * @publicApi
 */
export interface AuditSubject {
  readonly sessionHandle?: string;
  readonly tenantId?: string;
  /** The login method, as the session is stored. */
  readonly recipeUserId?: string;
  /** Milliseconds since the epoch. */
  readonly sessionCreatedAtMs?: number;
  /** The end of the session as it stood after the change, milliseconds since the epoch. */
  readonly sessionExpiresAtMs?: number;
}

/**
 * A record of the audit trail. It holds no token, no payload and no session data.
 *
 * @publicApi
 */
export interface AuditRecord extends AuditSubject, AuditDetails {
  /** Names the record, the same however often it is read; at most 100 letters, digits, `_` and `-`. */
  readonly id: string;
  readonly kind: AuditKind;
  /** When it was written, milliseconds since the epoch, by the clock of the instance. */
  readonly timeMs: number;
}

/**
 * The note that a store writes beside a change: one record for each session that it changed.
 *
 * @publicApi
 */
export interface AuditNote {
  readonly kind: AuditKind;
  readonly timeMs: number;
  /** The record may be removed from then on, milliseconds since the epoch. */
  readonly keepUntilMs: number;
  readonly details: AuditDetails;
}

/**
 * A record to be written.
 *
 * @publicApi
 */
export interface AuditEntry extends AuditNote {
  readonly subject: AuditSubject;
}

/** Returns the note of one session that a step removes: its time may have been over before. */
export function noteOfRemoved(note: AuditNote, expiresAtMs: number): AuditNote {
  const isOver = note.kind === 'session.revoked' && expiresAtMs <= note.timeMs;
  return isOver ? { ...note, kind: 'session.expired', details: {} } : note;
}

/** Returns the entry of a cut-off. @param tenantId undefined: of all tenants */
export function cutOffEntry(note: AuditNote, tenantId: string | undefined): AuditEntry {
  return { ...note, subject: tenantId === undefined ? {} : { tenantId } };
}

/** Returns the note of the sessions that a cut-off ends, one by one. */
export function noteOfCutOff({ timeMs, keepUntilMs }: Pick<AuditNote, 'timeMs' | 'keepUntilMs'>): AuditNote {
  return { kind: 'session.revoked', timeMs, keepUntilMs, details: { reason: 'ended-before' } };
}

/** Reads the stored text of details; what is no object is none. */
export function parseDetails(text: string): AuditDetails {
  return parseJsonObject(text) ?? {};
}

/** The facts of a session in a record. */
export interface AuditedRow {
  readonly sessionHandle: string;
  readonly tenantId: string;
  readonly userId: string;
  readonly createdAtMs: number;
  readonly expiresAtMs: number;
}

/** Returns the subject of a record about a session. */
export function subjectOfRow(row: AuditedRow): AuditSubject {
  return {
    sessionHandle: row.sessionHandle,
    tenantId: row.tenantId,
    recipeUserId: row.userId,
    sessionCreatedAtMs: row.createdAtMs,
    sessionExpiresAtMs: row.expiresAtMs,
  };
}
