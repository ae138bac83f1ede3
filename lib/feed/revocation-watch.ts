import { CoreUnavailableError } from '../errors.js';
import type { SessionEvent } from '../events/session-event.js';
import { warnProcess } from '../util/process-warning.js';
import { parentHandles } from '../util/delegation-claims.js';
import { shortenPause } from '../util/repeat.js';
import { SingleFlight } from '../util/single-flight.js';
import { releaseTimer } from '../util/timers.js';
import { withTimeout } from '../util/with-timeout.js';
import { CutOffScope } from './cut-off-scope.js';
import { FeedSweep, NoRevocationFeedError, readRevocation, type Revocation } from './revocation-feed.js';
import { RevocationPublisher, type RevocationPublisherParts } from './revocation-publisher.js';
import { RevocationIndex, type RevocationSubject, type RevocationVerdict } from './revocation-index.js';

/**
 * How an instance learns of ended sessions: at once (`live`), by a read each second or so (`polling`), or not at present
 * (`stale`). `none`: the core has no feed, so access tokens of ended sessions are good until they expire.
 *
 * @publicApi
 */
export type RevocationState = 'live' | 'polling' | 'stale' | 'none';

/** The shortest time between two reads, so that many revocations in a row share one. */
const MIN_PAUSE_MS = 10;
/** The longest time between two attempts while the feed fails. */
const LONGEST_RETRY_MS = 5000;
const RETRY_JITTER = 0.5;
/** The longest time between two questions to a core that has no feed: it may be replaced by one that has. */
const MISSING_RETRY_MS = 60_000;
const WARNING = { type: 'NestSessionsWarning', code: 'NEST_SESSIONS_NO_FEED' };
/** The longest wait for one read; a database that is frozen does not respond at all. */
const READ_TIMEOUT_MS = 5000;
/** The longest wait of a start for the first read. */
const START_TIMEOUT_MS = 5000;
/** How long the core is asked about every token because of a record that cannot be read. */
const UNREADABLE_MS = 24 * 3_600_000;
/** The largest number of unreadable records that are recognised when they come again. */
const MAX_UNREADABLE = 1000;

export interface RevocationWatchParts extends RevocationPublisherParts {
  readonly events: { emit(event: SessionEvent): void };
  /** Ends all work for sessions in this process, and forgets their tokens. */
  onEnded(sessionHandles: readonly string[]): void;
  /** Forgets the tokens of these sessions, because some of them are in doubt. */
  onDoubt(scope: CutOffScope): void;
  /** Notes new cut-offs, for {@link settle}. */
  onCutOffs(scope: CutOffScope): void;
  /** Ends the work for those sessions of cut-offs that the core does not know any more. @throws try again later */
  settle(): Promise<void>;
}

/**
 * Follows a feed: reads it when something is announced, and at an interval that proves that it works. Each verification asks
 * {@link judge}, which looks at the clock first, so that no session is accepted by knowledge that is too old.
 */
export class RevocationWatch extends RevocationPublisher {
  private readonly index: RevocationIndex;
  private readonly unreadable = new Set<string>();
  private readonly reads = new SingleFlight(async () => this.readOnce());
  private readonly settlements = new SingleFlight(async () => this.parts.settle());
  private stopping = new AbortController();
  private running: Promise<void> = Promise.resolve();
  private unsubscribe: (() => Promise<void>) | undefined;
  private position: string | undefined;
  /** When the last successful read began, milliseconds since the epoch. */
  private provenMs = Number.NEGATIVE_INFINITY;
  private announced: RevocationState = 'stale';
  /** Whether the core has said that it has no feed. */
  private isMissing = false;
  private isWoken = false;
  private wake: (() => void) | undefined;
  private readonly sweep: FeedSweep;
  private readonly staleAfterMs: number;

  constructor(private readonly parts: RevocationWatchParts) {
    super(parts);
    this.index = new RevocationIndex(parts.config.maxSessions);
    this.staleAfterMs = 2 * parts.config.pollMs;
    this.sweep = new FeedSweep(parts.feed, parts.clock);
  }

  /** The worth of the feed at this moment. */
  get state(): RevocationState {
    if (this.isMissing) return 'none';
    if (!this.isFresh()) return 'stale';
    return this.parts.feed.isPushing ? 'live' : 'polling';
  }

  /** How old the knowledge of this process may be, milliseconds; infinite before the first read. */
  get ageMs(): number {
    return this.parts.clock.now() - this.provenMs;
  }

  /** Ended sessions and cut-offs that are kept. */
  get size(): number {
    return this.index.size;
  }

  get description(): string {
    return this.parts.feed.description;
  }

  /** Returns whether a token may be remembered, so that {@link judgeRemembered} is enough from then on. */
  isClear(subject: RevocationSubject & { readonly expiryMs: number }): boolean {
    this.noteLife(subject.expiryMs - subject.timeCreatedMs);
    // The end of a parent names no token of its children, so each use of theirs is judged.
    if (parentHandles(subject.payload).length > 0) return false;
    return this.index.judge(subject) === 'valid';
  }

  /**
   * Returns whether the session of a genuine token may go on.
   *
   * @throws {CoreUnavailableError} the state is stale, and `whenStale` is `refuse`
   */
  judge(subject: RevocationSubject): RevocationVerdict {
    const verdict = this.index.judge(subject);
    return verdict === 'valid' ? this.judgeRemembered() : verdict;
  }

  /**
   * The same for a token that was clear when it was remembered: it is forgotten as soon as that changes, so only the age of what
   * this process knows decides.
   */
  judgeRemembered(): 'valid' | 'ask' {
    if (this.isFresh()) return 'valid';
    this.announceState();
    const { whenStale } = this.parts.config;
    if (whenStale === 'accept') return 'valid';
    if (whenStale === 'check-store') return 'ask';
    throw new CoreUnavailableError(
      'The feed of revocations does not respond, so it is unknown which sessions have ended',
    );
  }

  /** Returns the function that takes the core's response about a session, to be called before the core is asked. */
  beforeAsking({
    sessionHandle,
    expiryMs,
  }: {
    sessionHandle: string;
    expiryMs: number;
  }): (isLive: boolean) => void {
    const { age } = this.index;
    return (isLive) => {
      this.index.noteState(sessionHandle, isLive, expiryMs, age);
      if (!isLive) this.parts.onEnded([sessionHandle]);
    };
  }

  /** Begins to follow the feed. @returns when the first read is over, or after five seconds at most */
  async start(): Promise<void> {
    this.stopping = new AbortController();
    const { signal } = this.stopping;
    this.unsubscribe = this.parts.feed.subscribe(() => this.wakeUp());
    const first = this.reads.run();
    this.running = first.then(async (isRead) => this.run(signal, isRead));
    await withTimeout(first, START_TIMEOUT_MS, 'late', { keepsProcess: false }).catch(() => undefined);
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    this.wake?.();
    await this.unsubscribe?.();
    this.unsubscribe = undefined;
    await this.running;
  }

  /**
   * Reads the feed now, or joins the read under way, and waits until the connections of what it brought are closed.
   *
   * @returns whether it was read
   */
  async read(): Promise<boolean> {
    const isRead = await this.reads.run();
    await this.settlements.settle();
    return isRead;
  }

  private async run(signal: AbortSignal, isFirstRead: boolean): Promise<void> {
    let failures = isFirstRead ? 0 : 1;
    while (!signal.aborted) {
      await this.rest(failures, signal);
      if (signal.aborted) return;
      failures = (await this.reads.run()) ? 0 : failures + 1;
    }
  }

  private async readOnce(): Promise<boolean> {
    const { clock } = this.parts;
    this.isWoken = false;
    try {
      for (let mayHaveMore = true; mayHaveMore;) {
        const askedMs = clock.now();
        mayHaveMore = await this.readPage();
        if (mayHaveMore && this.stopping.signal.aborted) return false;
        if (!mayHaveMore) this.provenMs = askedMs; // only then nothing is unknown that ended before
      }
      this.isMissing = false;
      void this.settlements.run().catch(() => undefined); // the next read tries again
      return true;
    } catch (error) {
      // A core that had a feed a moment ago has one: then something stands in between.
      this.isMissing = error instanceof NoRevocationFeedError && this.provenMs === Number.NEGATIVE_INFINITY;
      return false; // the state tells it, once it is too long ago
    } finally {
      if (this.sweep.run()) this.index.prune(clock.now()); // also where the core has no feed
      this.announceState();
    }
  }

  /** Each page has a limit of its own, so that a first read of many records comes to its end. @returns whether there may be more */
  private async readPage(): Promise<boolean> {
    const work = this.parts.feed.read(this.position);
    const page = await withTimeout(work, READ_TIMEOUT_MS, 'The feed gave no response', {
      keepsProcess: false,
    });
    this.take(page.records);
    this.position = page.position;
    return page.mayHaveMore === true;
  }

  private take(raw: readonly unknown[]): void {
    const now = this.parts.clock.now();
    const records = raw
      .map((value) => readRevocation(value) ?? this.standIn(value, now))
      .filter((record) => record !== undefined);
    this.admit(records);
  }

  protected override admit(records: readonly Revocation[]): void {
    const now = this.parts.clock.now();
    const { sessionHandles, cutOffs, isFull } = this.index.add(records, now);
    if (sessionHandles.length > 0) this.parts.onEnded(sessionHandles);
    const scope = new CutOffScope(cutOffs);
    if (cutOffs.length > 0 || isFull) this.parts.onDoubt(isFull ? CutOffScope.everybody() : scope);
    if (cutOffs.length > 0) this.parts.onCutOffs(scope);
    if (isFull) this.parts.events.emit({ type: 'revocations.overflow', timeMs: now, kept: this.index.size });
  }

  /** Takes a record that cannot be read for one of everybody, because a newer version may have written it: then the core decides. */
  private standIn(value: unknown, now: number): Revocation | undefined {
    const text = JSON.stringify([value]);
    if (this.unreadable.has(text)) return undefined;
    if (this.unreadable.size >= MAX_UNREADABLE) this.unreadable.clear();
    this.unreadable.add(text);
    return { kind: 'all', id: '', tenantId: undefined, notBeforeMs: now, untilMs: now + UNREADABLE_MS };
  }

  private isFresh(): boolean {
    if (this.isMissing) return true;
    const age = this.parts.clock.now() - this.provenMs;
    return age >= 0 && age <= this.staleAfterMs; // a clock that was set back is no proof
  }

  private announceState(): void {
    const { state, announced } = this;
    if (state === announced) return;
    this.announced = state;
    if (state === 'none') warnProcess(new NoRevocationFeedError(this.description).message, WARNING);
    const { clock, events, feed } = this.parts;
    events.emit({
      type: 'revocations.state',
      timeMs: clock.now(),
      state,
      previousState: announced,
      feed: feed.description,
    });
  }

  private wakeUp(): void {
    this.isWoken = true;
    this.wake?.();
  }

  /** Waits for the next read: shortly after an announcement, at the interval without one, and longer after failures. */
  private async rest(failures: number, signal: AbortSignal): Promise<void> {
    const { pollMs } = this.parts.config;
    if (failures > 0) {
      const longestMs = this.isMissing ? MISSING_RETRY_MS : LONGEST_RETRY_MS;
      await this.pause(shortenPause(Math.min(longestMs, pollMs * 2 ** (failures - 1)), RETRY_JITTER));
      return;
    }
    const untilMs = performance.now() + pollMs;
    await this.pause(MIN_PAUSE_MS, true);
    if (this.isWoken || signal.aborted) return;
    await this.pause(untilMs - performance.now());
  }

  private async pause(ms: number, isWhole = false): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = releaseTimer(setTimeout(resolve, Math.max(ms, 0)));
      if (isWhole) return;
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.wake = undefined;
  }
}
