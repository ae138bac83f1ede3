import { CoreBadInputError } from '../errors.js';
import { recogniseCopies } from '../util/copies.js';
import type { AuditEntry, AuditKind, AuditRecord } from './audit-record.js';

/**
 * Which records a page is about: those that fulfil every condition that is given.
 *
 * @publicApi
 */
export interface AuditSearch {
  readonly sessionHandle?: string | undefined;
  /** Recipe user ids. */
  readonly userIds?: readonly string[] | undefined;
  readonly tenantId?: string | undefined;
  readonly kinds?: readonly AuditKind[] | undefined;
  /** False: from the oldest record on. */
  readonly newestFirst: boolean;
  /** The `next` of the page before; undefined: from the beginning. */
  readonly after: string | undefined;
  /** The largest number of records of a page; at least 1. */
  readonly limit: number;
}

/**
 * The same with an account in place of its login methods.
 *
 * @publicApi
 */
export interface AuditSearchByAccount extends Omit<AuditSearch, 'userIds'> {
  /** Primary user id. */
  readonly userId?: string | undefined;
}

/**
 * One page of the audit trail.
 *
 * @publicApi
 */
export interface AuditPage {
  /** May be fewer than asked for, or none, although there are more. */
  readonly records: readonly AuditRecord[];
  /**
   * The argument `after` of the next page. From the oldest on there is always one, and a later read with it brings what was written
   * since; from the newest on it is absent after the last page.
   */
  readonly next?: string;
  /** Whether another page may be had at once. */
  readonly mayHaveMore: boolean;
}

/** Records that one page looks at, at most, so that a rare condition does not make it long. */
export const LOOKED_AT = 5000;

/**
 * How far back a reader begins where its place is not certain any more, because the server was started anew or replaced, milliseconds:
 * longer than a transaction that writes a record.
 */
export const OVERLAP_MS = 900_000;

/**
 * The records of what changed or ended sessions, in the order in which it happened to each session. A store writes them with the
 * change itself, for the methods that take an `AuditNote`; this is the rest.
 *
 * @publicApi
 */
export abstract class AuditTrail {
  static {
    recogniseCopies(this, 'AuditTrail');
  }

  /** Writes records that belong to no change, all or none. */
  abstract append(entries: readonly AuditEntry[]): Promise<void>;

  /**
   * Returns a page. From the oldest on, no record is left out that is committed before the page begins or after it, whatever else is
   * being written, and the records of one session are in their order. After the database was started anew or replaced, records of
   * the quarter of an hour before may come again. From the newest on, records that are committed after the first page are left out.
   *
   * @throws {TypeError} `after` is of another trail or none at all
   */
  abstract read(search: AuditSearch): Promise<AuditPage>;

  /**
   * Removes at most `limit` records with `keepUntilMs <= nowMs`.
   *
   * @returns whether another step may find more
   */
  abstract sweep(nowMs: number, limit: number): Promise<{ readonly mayHaveMore: boolean }>;
}

/** @throws {TypeError} always: the text is the position of no page */
export function refusePosition(): never {
  throw new TypeError('after: this is none. Pass the next of the page before as it is, or nothing to begin');
}

/** @throws {CoreBadInputError} always: no records are kept */
export function refuseAudit(): never {
  throw new CoreBadInputError('There is no audit trail: set the option audit, with an embedded core');
}
