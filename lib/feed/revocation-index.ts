import { MAX_CLOCK_DIFFERENCE_MS, type Revocation } from './revocation-feed.js';

/** The share of the sessions that leave a full index at once. */
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
}

/** `ask`: only the core knows whether the session has ended. */
export type RevocationVerdict = 'valid' | 'ended' | 'ask';

/** The records of a page that were not known before. */
export interface NewRevocations {
  readonly sessionHandles: readonly string[];
  /** Records of a user, of a tenant or of everybody. */
  readonly cutOffs: readonly Revocation[];
  /** True if sessions had to leave the index to make room. */
  readonly isFull: boolean;
}

interface CutOff {
  readonly notBeforeMs: number;
  readonly untilMs: number;
  /** The times of the last records that it stands for: a feed repeats some. */
  readonly seen: ReadonlySet<string>;
}

/**
 * The sessions that have ended while tokens of them may still be valid. Its size is bounded: where it is full, the oldest
 * sessions become one cut-off, for which the core is asked about more tokens than necessary, and never about fewer.
 */
export class RevocationIndex {
  /** When the last token of an ended session expires. */
  private readonly sessions = new Map<string, number>();
  private readonly cutOffs = new Map<string, CutOff>();
  /** The sessions that the core has confirmed since the last cut-off. */
  private readonly confirmed = new Set<string>();
  private changes = 0;

  /** @param maxSessions number of sessions that are kept one by one */
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
    if (this.sessions.size > 0 && this.sessions.has(subject.sessionHandle)) return 'ended';
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
    const isFull = this.sessions.size > this.maxSessions;
    if (isFull) this.makeRoom(nowMs);
    return { sessionHandles, cutOffs, isFull };
  }

  /**
   * Remembers what the core said about a session.
   *
   * @param untilMs when its last known token expires
   * @param askedAt the {@link age} before the core was asked: a cut-off that came since may have ended the session
   */
  noteAnswer(sessionHandle: string, isLive: boolean, untilMs: number, askedAt: number): void {
    if (!isLive) this.keep(sessionHandle, untilMs + MAX_CLOCK_DIFFERENCE_MS);
    else if (this.cutOffs.size > 0 && askedAt === this.changes) {
      if (this.confirmed.size >= this.maxSessions) this.confirmed.clear();
      this.confirmed.add(sessionHandle);
    }
  }

  /** Forgets what no longer matters, because every token that it is about has expired. */
  prune(nowMs: number): void {
    for (const [handle, untilMs] of this.sessions) if (untilMs < nowMs) this.sessions.delete(handle);
    for (const [key, { untilMs }] of this.cutOffs) if (untilMs < nowMs) this.cutOffs.delete(key);
    if (this.cutOffs.size === 0) this.confirmed.clear();
  }

  private isInDoubt({
    sessionHandle,
    userId,
    recipeUserId,
    tenantId,
    timeCreatedMs,
  }: RevocationSubject): boolean {
    const isBefore = (key: string): boolean => {
      const cutOff = this.cutOffs.get(key);
      // Negated, because a time that is not a number must not pass.
      return cutOff !== undefined && !(timeCreatedMs >= cutOff.notBeforeMs + MAX_CLOCK_DIFFERENCE_MS);
    };
    if (this.confirmed.has(sessionHandle)) return false;
    const users = userId === recipeUserId ? [userId] : [userId, recipeUserId];
    return (
      isBefore('all') ||
      isBefore(`tenant ${tenantId}`) ||
      users.some((user) => isBefore(`user ${user}`) || isBefore(`user ${user} ${tenantId}`))
    );
  }

  /** An answer about an older token must not shorten what a record or a younger token has said. */
  private keep(sessionHandle: string, untilMs: number): void {
    this.sessions.set(sessionHandle, Math.max(untilMs, this.sessions.get(sessionHandle) ?? untilMs));
  }

  /**
   * Each record that was not seen before puts every session in doubt again, whatever time it says: the clock of its instance may
   * be behind.
   *
   * @returns whether it was not seen before
   */
  private setCutOff(
    key: string,
    { notBeforeMs, untilMs }: Pick<Revocation, 'notBeforeMs' | 'untilMs'>,
  ): boolean {
    const known = this.cutOffs.get(key);
    const identity = `${notBeforeMs} ${untilMs}`;
    if (known?.seen.has(identity) === true) return false;
    this.cutOffs.set(key, {
      notBeforeMs: Math.max(notBeforeMs, known?.notBeforeMs ?? notBeforeMs),
      untilMs: Math.max(untilMs, known?.untilMs ?? untilMs),
      seen: new Set([...(known?.seen ?? []), identity].slice(-MAX_SEEN)),
    });
    this.confirmed.clear();
    this.changes += 1;
    return true;
  }

  private makeRoom(nowMs: number): void {
    this.prune(nowMs);
    const surplus = this.sessions.size - Math.floor(this.maxSessions * (1 - DROPPED_SHARE));
    let untilMs = Number.NEGATIVE_INFINITY;
    let dropped = 0;
    for (const [handle, endMs] of this.sessions) {
      if (dropped++ >= surplus) break;
      untilMs = Math.max(untilMs, endMs);
      this.sessions.delete(handle);
    }
    // Every token of a session that has ended by now was issued before now.
    if (dropped > 0) this.setCutOff('all', { notBeforeMs: nowMs, untilMs });
  }
}

function keyOf({ kind, id, tenantId }: Revocation): string {
  if (kind === 'all') return 'all';
  return kind === 'user' && tenantId !== undefined ? `user ${id} ${tenantId}` : `${kind} ${id}`;
}
