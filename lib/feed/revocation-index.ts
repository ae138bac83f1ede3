import { parentHandles } from '../util/delegation-claims.js';
import type { JsonObject } from '../util/json.js';
import { MAX_CLOCK_DIFFERENCE_MS, type Revocation } from './revocation-feed.js';

/** The share of the sessions, or of the records of cut-offs, that leaves a full index at once. */
const DROPPED_SHARE = 1 / 4;

/** Records of one cut-off that are recognised when they come again; one that is not costs a question for each session. */
const MAX_SEEN = 1000;

/** The facts of a token that decide. */
export interface RevocationSubject {
  readonly sessionHandle: string;
  readonly userId: string;
  readonly recipeUserId: string;
  readonly tenantId: string;
  /** When the token was issued, milliseconds since the epoch. */
  readonly timeCreatedMs: number;
  /** The payload of the token, which names the sessions that this one ends with. */
  readonly payload?: JsonObject;
}

/** `ask`: only the core knows whether the session has ended. */
export type RevocationVerdict = 'valid' | 'ended' | 'ask';

/** The records of a page that were not known before. */
export interface NewRevocations {
  readonly sessionHandles: readonly string[];
  /** Records of a user, of a tenant or of everybody. */
  readonly cutOffs: readonly Revocation[];
  /** True if sessions or cut-offs had to leave the index to make room: then everybody is in doubt. */
  readonly isFull: boolean;
}

interface CutOff {
  readonly notBeforeMs: number;
  readonly untilMs: number;
  /** The {@link RevocationIndex.age} that it has brought: a response to an earlier question does not count. */
  readonly age: number;
  /** The times of the last records that it stands for: a feed repeats some. */
  readonly seen: ReadonlySet<string>;
}

type CutOffTimes = Pick<Revocation, 'notBeforeMs' | 'untilMs'>;

/** The key of the cut-off of everybody. */
const ALL = 'all';

/**
 * The sessions that have ended while tokens of them may still be valid. Its size is bounded: where it is full, the oldest
 * sessions and cut-offs become one of everybody, for which the core is asked about more tokens than necessary, and never about
 * fewer.
 */
export class RevocationIndex {
  /** When the last token of an ended session expires. */
  private readonly sessions = new Map<string, number>();
  private readonly cutOffs = new Map<string, CutOff>();
  /** Records that the cut-offs stand for, those of everybody not counted, which are {@link MAX_SEEN} at most. */
  private cutOffRecords = 0;
  /** The sessions that the core has confirmed, with the {@link age} at which it was asked. */
  private readonly confirmed = new Map<string, number>();
  private changes = 0;

  /** @param maxSessions number of sessions that are kept one by one, and of records of cut-offs */
  constructor(private readonly maxSessions: number) {}

  /** Sessions and cut-offs that are kept. */
  get size(): number {
    return this.sessions.size + this.cutOffs.size;
  }

  /** Grows with each cut-off. */
  get age(): number {
    return this.changes;
  }

  judge(subject: RevocationSubject): RevocationVerdict {
    if (this.sessions.size > 0 && this.hasEnded(subject)) return 'ended';
    return this.cutOffs.size > 0 && this.isInDoubt(subject) ? 'ask' : 'valid';
  }

  /** Adds the records that are new and still matter. */
  add(records: readonly Revocation[], nowMs: number): NewRevocations {
    const sessionHandles: string[] = [];
    const cutOffs: Revocation[] = [];
    for (const record of records) {
      if (record.untilMs < nowMs) continue;
      if (record.kind === 'session') {
        if (!this.sessions.has(record.id)) sessionHandles.push(record.id);
        this.keep(record.id, record.untilMs);
      } else if (this.setCutOff(keyOf(record), record)) cutOffs.push(record);
    }
    const isFull =
      (this.sessions.size > this.maxSessions || this.cutOffRecords > this.maxSessions) &&
      this.makeRoom(nowMs);
    return { sessionHandles, cutOffs, isFull };
  }

  /**
   * Remembers what the core said about a session.
   *
   * @param untilMs when its last known token expires
   * @param askedAt the {@link age} before the core was asked: cut-offs that came since may have ended the session
   */
  noteState(sessionHandle: string, isLive: boolean, untilMs: number, askedAt: number): void {
    if (!isLive) this.keep(sessionHandle, untilMs + MAX_CLOCK_DIFFERENCE_MS);
    else if (this.cutOffs.size > 0) {
      if (this.confirmed.size >= this.maxSessions) this.confirmed.clear();
      this.confirmed.set(sessionHandle, Math.max(askedAt, this.confirmed.get(sessionHandle) ?? askedAt));
    }
  }

  /** Forgets what no longer matters, because every token that it is about has expired. */
  prune(nowMs: number): void {
    for (const [handle, untilMs] of this.sessions) if (untilMs < nowMs) this.sessions.delete(handle);
    for (const [key, cutOff] of this.cutOffs) if (cutOff.untilMs < nowMs) this.removeCutOff(key, cutOff);
    if (this.cutOffs.size === 0) this.confirmed.clear();
  }

  private hasEnded({ sessionHandle, payload }: RevocationSubject): boolean {
    return (
      this.sessions.has(sessionHandle) || parentHandles(payload).some((handle) => this.sessions.has(handle))
    );
  }

  private isInDoubt({
    sessionHandle,
    userId,
    recipeUserId,
    tenantId,
    timeCreatedMs,
    payload,
  }: RevocationSubject): boolean {
    const confirmedAt = this.confirmed.get(sessionHandle) ?? -1;
    // A cut-off may have ended a session that this one ends with, of another user and tenant, whenever the token was issued.
    if (confirmedAt < this.changes && parentHandles(payload).length > 0) return true;
    const isBefore = (key: string): boolean => {
      const cutOff = this.cutOffs.get(key);
      if (cutOff === undefined || confirmedAt >= cutOff.age) return false;
      // Negated, because a time that is not a number must not pass.
      return !(timeCreatedMs >= cutOff.notBeforeMs + MAX_CLOCK_DIFFERENCE_MS);
    };
    const users = userId === recipeUserId ? [userId] : [userId, recipeUserId];
    return (
      isBefore(ALL) ||
      isBefore(`tenant ${tenantId}`) ||
      users.some((user) => isBefore(`user ${user}`) || isBefore(`user ${user} ${tenantId}`))
    );
  }

  /** A response about an older token must not shorten what a record or a younger token has said. */
  private keep(sessionHandle: string, untilMs: number): void {
    this.sessions.set(sessionHandle, Math.max(untilMs, this.sessions.get(sessionHandle) ?? untilMs));
  }

  /**
   * Each record that was not seen before puts its sessions in doubt again, whatever time it says: the clock of its instance may
   * be behind.
   *
   * @returns whether it was not seen before
   */
  private setCutOff(key: string, { notBeforeMs, untilMs }: CutOffTimes): boolean {
    const identity = `${notBeforeMs} ${untilMs}`;
    const seen = this.cutOffs.get(key)?.seen ?? new Set();
    if (seen.has(identity)) return false;
    this.extendCutOff(key, { notBeforeMs, untilMs }, new Set([...seen, identity].slice(-MAX_SEEN)));
    return true;
  }

  private extendCutOff(key: string, times: CutOffTimes, seen: ReadonlySet<string>): void {
    const known = this.cutOffs.get(key);
    if (known !== undefined) this.removeCutOff(key, known); // so that the order is that of the last records
    if (key !== ALL) this.cutOffRecords += seen.size;
    this.cutOffs.set(key, {
      notBeforeMs: Math.max(times.notBeforeMs, known?.notBeforeMs ?? times.notBeforeMs),
      untilMs: Math.max(times.untilMs, known?.untilMs ?? times.untilMs),
      age: ++this.changes,
      seen,
    });
  }

  private removeCutOff(key: string, { seen }: CutOff): void {
    this.cutOffs.delete(key);
    if (key !== ALL) this.cutOffRecords -= seen.size;
  }

  /** @returns whether more had to go than no longer matters */
  private makeRoom(nowMs: number): boolean {
    this.prune(nowMs);
    const kept = Math.floor(this.maxSessions * (1 - DROPPED_SHARE));
    // Every token of a session that has ended by now was issued before now, and a cut-off may name a later moment.
    let notBeforeMs = nowMs;
    let untilMs = Number.NEGATIVE_INFINITY;
    if (this.sessions.size > this.maxSessions) {
      for (const [handle, endMs] of this.sessions) {
        if (this.sessions.size <= kept) break;
        untilMs = Math.max(untilMs, endMs);
        this.sessions.delete(handle);
      }
    }
    if (this.cutOffRecords > this.maxSessions) {
      for (const [key, cutOff] of this.cutOffs) {
        if (this.cutOffRecords <= kept) break;
        if (key === ALL) continue;
        notBeforeMs = Math.max(notBeforeMs, cutOff.notBeforeMs);
        untilMs = Math.max(untilMs, cutOff.untilMs);
        this.removeCutOff(key, cutOff);
      }
    }
    if (untilMs === Number.NEGATIVE_INFINITY) return false;
    // Not by its times, which an earlier one may have had: what leaves now has to be asked about in any case.
    this.extendCutOff(ALL, { notBeforeMs, untilMs }, this.cutOffs.get(ALL)?.seen ?? new Set());
    return true;
  }
}

function keyOf({ kind, id, tenantId }: Revocation): string {
  if (kind === 'all') return ALL;
  return kind === 'user' && tenantId !== undefined ? `user ${id} ${tenantId}` : `${kind} ${id}`;
}
