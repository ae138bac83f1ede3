import { StoreFullError } from '../errors.js';
import { cutOffEntry, noteOfCutOff, type AuditNote } from '../audit/audit-record.js';
import { MemoryTrail } from '../audit/memory-trail.js';
import { MemoryValues } from '../audit/shared-values.js';
import { MemoryFeed } from '../feed/memory-feed.js';
import { cutOffRevocation, sessionRevocation, type RevocationNote } from '../feed/revocation-feed.js';
import { selectSurplus } from '../util/session-cap.js';
import { CreationIndex } from './creation-index.js';
import {
  meetsCondition,
  type SessionStore,
  type LimitedInsert,
  type RowLimit,
  type SessionChange,
  type SessionCondition,
  type SessionCountStep,
  type SessionCutOff,
  type SessionKey,
  type SessionPage,
  type SessionPosition,
  type SessionRow,
  type SessionSearch,
  type SessionsOfUsers,
} from './session-store.js';
import { MemoryKeyStore } from './memory-keys.js';
import { MEMORY_STORE_OPTIONS, readStoreOptions, type MemoryStoreOptions } from './store-options.js';

/** The description of a store that a restart empties. */
export const MEMORY_DESCRIPTION = 'the memory of this process as its store';
/** The name of all tenants among the cut-offs; no tenant has an empty id. */
const EVERYBODY = '';
const FULL_STORE_SWEEP_PAUSE_MS = 1000;
/** Rows that one page looks at, because other work of the process waits meanwhile. */
const MAX_LOOKED_AT = 5000;

/**
 * Keeps sessions in this process. They end with it, so use it for development, for tests, and where users may have to sign
 * in again after a restart.
 *
 * @publicApi
 */
export class MemoryStore extends MemoryKeyStore {
  private readonly rows = new Map<string, SessionRow>();
  /** A plain text for users with one session, because a Set would add half to the memory of that session. */
  private readonly handlesByUser = new Map<string, string | Set<string>>();
  private readonly creations = new CreationIndex();
  private readonly values = new MemoryValues();
  private readonly maxSessions: number;
  private readonly feed = new MemoryFeed();
  private readonly trail = new MemoryTrail();
  /** The cut-off of each tenant that has one, and of all tenants under the empty text; milliseconds since the epoch. */
  private readonly cutOffs = new Map<string, number>();
  private sweepPosition: IterableIterator<SessionRow> | undefined;
  private lastFullSweepMs = Number.NEGATIVE_INFINITY;

  override get description(): string {
    return MEMORY_DESCRIPTION;
  }

  constructor(options: MemoryStoreOptions = {}) {
    super();
    this.maxSessions = readStoreOptions('memoryStore', MEMORY_STORE_OPTIONS, options).maxSessions;
  }

  /** The number of sessions, including expired ones that are not swept yet. */
  get size(): number {
    return this.rows.size;
  }

  override async insertSession(row: SessionRow, audit?: AuditNote): Promise<void> {
    this.trail.note([this.insert(row, 0, audit)], audit);
  }

  /** @param leaving number of rows that the caller removes right after the insertion */
  private insert(row: SessionRow, leaving: number, audit: AuditNote | undefined): SessionRow {
    if (this.rows.has(row.sessionHandle)) throw new Error('The session handle exists already');
    if (this.rows.size - leaving >= this.maxSessions) this.makeRoom(row.createdAtMs, audit);
    const createdAtMs = Math.max(row.createdAtMs, this.cutOffOf(row.tenantId));
    const kept = compactRow({ ...row, createdAtMs, sessionHandle: flatText(row.sessionHandle) });
    this.rows.set(kept.sessionHandle, kept);
    this.creations.add(kept);
    this.addHandle(kept);
    return kept;
  }

  override async insertSessionWithinLimit(row: SessionRow, limit: RowLimit): Promise<LimitedInsert> {
    const live = this.liveRowsOfUsers({ ...limit, tenantId: row.tenantId }).sort(byOldest);
    const surplus = selectSurplus(live, limit.max);
    if (surplus.length > 0 && limit.whenExceeded === 'refuse') return { isInserted: false };
    const inserted = this.insert(row, surplus.length, limit.audit?.created);
    this.removeNoted(surplus, limit.note, limit.audit?.ended);
    this.trail.note([inserted], limit.audit?.created);
    return { isInserted: true, removedHandles: surplus.map(({ sessionHandle }) => sessionHandle) };
  }

  override async findSession(key: SessionKey): Promise<SessionRow | undefined> {
    return this.findRow(key);
  }

  override async update(
    key: SessionKey,
    where: SessionCondition,
    change: SessionChange,
  ): Promise<SessionRow | undefined> {
    const row = this.findRow(key);
    if (row === undefined || !meetsCondition(row, where)) return undefined;
    const changed = compactRow({ ...row, ...change });
    this.rows.set(row.sessionHandle, changed);
    this.trail.note([changed], change.audit);
    return changed;
  }

  override get revocations(): MemoryFeed {
    return this.feed;
  }

  override get sharedValues(): MemoryValues {
    return this.values;
  }

  override get audit(): MemoryTrail {
    return this.trail;
  }

  override async deleteSessions(
    keys: readonly SessionKey[],
    note?: RevocationNote,
    audit?: AuditNote,
  ): Promise<string[]> {
    const rows = keys.map((key) => this.findRow(key)).filter((row) => row !== undefined);
    return this.removeNoted(rows, note, audit);
  }

  override async deleteSessionsOfUsers(
    input: SessionsOfUsers,
    note?: RevocationNote,
    audit?: AuditNote,
  ): Promise<string[]> {
    const { createdBeforeMs = Number.POSITIVE_INFINITY } = input;
    return this.removeNoted(
      this.liveRowsOfUsers(input).filter((row) => row.createdAtMs < createdBeforeMs),
      note,
      audit,
    );
  }

  override async endSessionsCreatedBefore(
    { tenantId, createdBeforeMs, includesPresent }: SessionCutOff,
    note?: RevocationNote,
    audit?: AuditNote,
  ): Promise<void> {
    const known = this.cutOffs.get(tenantId ?? EVERYBODY) ?? 0;
    this.cutOffs.set(tenantId ?? EVERYBODY, Math.max(known, createdBeforeMs));
    const isAhead = (row: SessionRow): boolean =>
      row.createdAtMs >= createdBeforeMs && (tenantId === undefined || row.tenantId === tenantId);
    if (audit) await this.trail.append([cutOffEntry(audit, tenantId)]);
    const ahead = includesPresent ? [...this.rows.values()].filter(isAhead) : [];
    this.removeNoted(ahead, undefined, audit && noteOfCutOff(audit));
    if (note) this.feed.add([cutOffRevocation(tenantId, note)]);
  }

  private removeNoted(
    rows: readonly SessionRow[],
    note: RevocationNote | undefined,
    audit: AuditNote | undefined,
  ): string[] {
    const removed = rows.filter((row) => this.remove(row));
    this.trail.note(removed, audit);
    if (note) this.feed.add(removed.map((row) => sessionRevocation(row, note)));
    return removed.map(({ sessionHandle }) => sessionHandle);
  }

  private cutOffOf(tenantId: string): number {
    if (this.cutOffs.size === 0) return 0;
    return Math.max(this.cutOffs.get(EVERYBODY) ?? 0, this.cutOffs.get(tenantId) ?? 0);
  }

  private isCutOff({ tenantId, createdAtMs }: SessionRow): boolean {
    return createdAtMs < this.cutOffOf(tenantId);
  }

  override async findSessionHandlesOfUsers(input: SessionsOfUsers): Promise<string[]> {
    return this.liveRowsOfUsers(input).map((row) => row.sessionHandle);
  }

  override async searchSessions(search: SessionSearch): Promise<SessionPage> {
    const rows: SessionRow[] = [];
    let last: SessionRow | undefined;
    let left = MAX_LOOKED_AT;
    for (const row of this.rowsBefore(search)) {
      if (rows.length === search.limit || left-- === 0) return { rows, next: last && positionOf(last) };
      if (isMatch(row, search) && !this.isCutOff(row)) rows.push(row);
      last = row;
    }
    return { rows, next: undefined };
  }

  override async countSessions(search: SessionSearch): Promise<SessionCountStep> {
    let count = 0;
    let last: SessionRow | undefined;
    let left = search.limit;
    for (const row of this.rowsBefore(search)) {
      if (left-- === 0) return { count, next: last && positionOf(last) };
      if (isMatch(row, search) && !this.isCutOff(row)) count++;
      last = row;
    }
    return { count, next: undefined };
  }

  /** The sessions of users are few; all others are read by the index, the newest first, until they are too old. */
  private *rowsBefore(search: SessionSearch): Generator<SessionRow, void> {
    const { userIds, tenantId, after, createdSinceMs = Number.NEGATIVE_INFINITY, nowMs } = search;
    if (userIds !== undefined) {
      const rows = this.liveRowsOfUsers({ userIds, tenantId, nowMs }).sort((a, b) => byOldest(b, a));
      yield* after === undefined ? rows : rows.filter((row) => byOldest(row, after) < 0);
      return;
    }
    for (const handle of this.creations.handlesBefore(after, tenantId)) {
      const row = this.rows.get(handle);
      if (row === undefined || row.createdAtMs < createdSinceMs) return;
      yield row;
    }
  }

  /** Looks at `limit` rows, beginning where the last step ended, so that each step is short. */
  override async deleteExpiredSessions(
    nowMs: number,
    limit: number,
    audit?: AuditNote,
  ): Promise<{ mayHaveMore: boolean }> {
    const rows = (this.sweepPosition ??= this.rows.values());
    for (let looked = 0; looked < limit; looked++) {
      const next = rows.next();
      if (next.done === true) {
        this.sweepPosition = undefined;
        return { mayHaveMore: false };
      }
      if (next.value.expiresAtMs <= nowMs || this.isCutOff(next.value))
        this.removeNoted([next.value], undefined, audit);
    }
    return { mayHaveMore: true };
  }

  private findRow({ tenantId, sessionHandle }: SessionKey): SessionRow | undefined {
    const row = this.rows.get(sessionHandle);
    return row?.tenantId === tenantId && !this.isCutOff(row) ? row : undefined;
  }

  private liveRowsOfUsers({ userIds, tenantId, nowMs }: SessionsOfUsers): SessionRow[] {
    return [...new Set(userIds)]
      .flatMap((userId) => this.userHandles(userId))
      .map((sessionHandle) => this.rows.get(sessionHandle))
      .filter((row) => row !== undefined)
      .filter(
        (row) =>
          !this.isCutOff(row) &&
          row.expiresAtMs >= nowMs &&
          (tenantId === undefined || row.tenantId === tenantId),
      );
  }

  private remove(row: SessionRow | undefined): boolean {
    if (row === undefined || !this.rows.delete(row.sessionHandle)) return false;
    this.creations.remove(row);
    const handles = this.handlesByUser.get(row.userId);
    if (handles instanceof Set) handles.delete(row.sessionHandle);
    if (!(handles instanceof Set) || handles.size === 0) this.handlesByUser.delete(row.userId);
    return true;
  }

  private userHandles(userId: string): string[] {
    const handles = this.handlesByUser.get(userId);
    if (handles === undefined) return [];
    return typeof handles === 'string' ? [handles] : [...handles];
  }

  private addHandle({ userId, sessionHandle }: SessionRow): void {
    const handles = this.handlesByUser.get(userId);
    if (handles === undefined) this.handlesByUser.set(userId, sessionHandle);
    else if (typeof handles === 'string') this.handlesByUser.set(userId, new Set([handles, sessionHandle]));
    else handles.add(sessionHandle);
  }

  /** Sweeps at most once per second, because a full sweep is expensive and many sign-ins may come at the limit. */
  private makeRoom(nowMs: number, audit: AuditNote | undefined): void {
    if (nowMs - this.lastFullSweepMs >= FULL_STORE_SWEEP_PAUSE_MS) {
      this.lastFullSweepMs = nowMs;
      const expired = [...this.rows.values()].filter((row) => row.expiresAtMs <= nowMs);
      this.removeNoted(expired, undefined, audit && noteOfCutOff(audit));
    }
    if (this.rows.size >= this.maxSessions) {
      throw new StoreFullError(
        `The in-memory store holds ${this.rows.size} sessions, which is its limit (maxSessions)`,
      );
    }
  }
}

/** Copies a row member by member, so that all rows have one hidden class and no spare room for members. */
function compactRow(row: SessionRow): SessionRow {
  return {
    tenantId: row.tenantId,
    sessionHandle: row.sessionHandle,
    userId: row.userId,
    refreshTokenHash2: row.refreshTokenHash2,
    sessionData: row.sessionData,
    accessTokenPayload: row.accessTokenPayload,
    expiresAtMs: row.expiresAtMs,
    createdAtMs: row.createdAtMs,
    useStaticKey: row.useStaticKey,
    prevRefreshTokenHash2: row.prevRefreshTokenHash2,
    rotatedAtMs: row.rotatedAtMs,
  };
}

/** Copies a text into one piece: the concatenated text that `randomUUID()` returns takes twice the memory. */
function flatText(text: string): string {
  return Buffer.from(text, 'utf8').toString('utf8');
}

const byOldest = (a: SessionPosition, b: SessionPosition): number =>
  a.createdAtMs - b.createdAtMs ||
  (a.sessionHandle < b.sessionHandle ? -1 : Number(a.sessionHandle > b.sessionHandle));

function isMatch(
  row: SessionRow,
  { createdSinceMs = Number.NEGATIVE_INFINITY, nowMs }: SessionSearch,
): boolean {
  return row.expiresAtMs >= nowMs && row.createdAtMs >= createdSinceMs;
}

function positionOf({ tenantId, createdAtMs, sessionHandle }: SessionRow): SessionPosition {
  return { tenantId, createdAtMs, sessionHandle };
}

/**
 * Makes a store that keeps sessions in the memory of this process: it needs no setup, and the sessions end with the process.
 *
 * @publicApi
 */
export function memoryStore(options?: MemoryStoreOptions): SessionStore {
  return new MemoryStore(options);
}
