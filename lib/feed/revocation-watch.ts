import { CoreUnavailableError } from '../errors.js';
import type { SessionEvents } from '../events/session-events.js';
import type { Clock } from '../util/clock.js';
import { shortenPause } from '../util/repeat.js';
import { SingleFlight } from '../util/single-flight.js';
import { tenantIdOfHandle } from '../util/tenant-id.js';
import { withTimeout } from '../util/with-timeout.js';
import type { RevocationFeedConfig } from './feed-options.js';
import {
  cutOffRevocation,
  readRevocation,
  sessionRevocation,
  type Revocation,
  type RevocationDetails,
  type RevocationFeed,
} from './revocation-feed.js';
import {
  MAX_CLOCK_DIFFERENCE_MS,
  RevocationIndex,
  type RevocationSubject,
  type RevocationVerdict,
} from './revocation-index.js';

/**
 * How an instance learns of ended sessions: at once (`live`), by a read each second or so (`polling`), or not at present
 * (`stale`).
 *
 * @publicApi
 */
export type RevocationState = 'live' | 'polling' | 'stale';

/** The shortest time between two reads, so that many revocations in a row share one. */
const MIN_PAUSE_MS = 10;
/** The longest time between two attempts while the feed fails. */
const LONGEST_RETRY_MS = 5000;
const RETRY_JITTER = 0.5;
/** The longest wait for one read; a database that is frozen gives no answer at all. */
const READ_TIMEOUT_MS = 5000;
/** The longest wait of a start for the first read. */
const START_TIMEOUT_MS = 5000;
const SWEEP_INTERVAL_MS = 60_000;
/** How long records stay beyond the last token that they are about, for readers whose clocks are behind. */
const SWEEP_MARGIN_MS = 600_000;
/** How long the core is asked about every token because of a record that cannot be read. */
const UNREADABLE_MS = 24 * 3_600_000;
/** The largest number of unreadable records that are recognised when they come again. */
const MAX_UNREADABLE = 1000;

export interface RevocationWatchParts {
  readonly feed: RevocationFeed;
  readonly config: Omit<RevocationFeedConfig, 'feed'>;
  /** True if revocations of this process are recorded here, because the core has another feed or none. */
  readonly isPublisher: boolean;
  readonly clock: Clock;
  readonly events: SessionEvents;
  /** Ends all work for sessions in this process, and forgets their tokens. */
  onEnded(sessionHandles: readonly string[]): void;
  /** Forgets all tokens, because some of them are in doubt. */
  onDoubt(): void;
  /** Ends the work for those sessions of a cut-off that the core does not know any more. @throws try again later */
  onCutOff(cutOff: Revocation): Promise<void>;
}

/**
 * Follows a feed: reads it when something is announced, and at an interval that proves that it works. Each verification asks
 * {@link judge}, which looks at the clock first, so that no session is accepted by knowledge that is too old.
 */
export class RevocationWatch {
  private readonly index: RevocationIndex;
  private readonly unreadable = new Set<string>();
  private readonly openCutOffs = new Set<Revocation>();
  private readonly reads = new SingleFlight(async () => this.readOnce());
  private readonly settlements = new SingleFlight(async () => this.settleCutOffs());
  private stopping = new AbortController();
  private running: Promise<void> = Promise.resolve();
  private unsubscribe: (() => Promise<void>) | undefined;
  private position: string | undefined;
  /** When the last successful read began, milliseconds since the epoch. */
  private provenMs = Number.NEGATIVE_INFINITY;
  private announced: RevocationState = 'stale';
  private isWoken = false;
  private wake: (() => void) | undefined;
  private lastSweepMs = Number.NEGATIVE_INFINITY;
  private readonly staleAfterMs: number;
  /** The longest life of an access token that is known, milliseconds. */
  private tokenLifeMs: number;

  constructor(private readonly parts: RevocationWatchParts) {
    this.index = new RevocationIndex(parts.config.maxSessions);
    this.staleAfterMs = 2 * parts.config.pollMs;
    this.tokenLifeMs = parts.config.accessTokenValiditySec * 1000;
  }

  /** What the feed is worth at this moment. */
  get state(): RevocationState {
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

  /** Returns the function that takes the core's answer about a session, to be called before the core is asked. */
  beforeAsking({
    sessionHandle,
    expiryMs,
  }: {
    sessionHandle: string;
    expiryMs: number;
  }): (isLive: boolean) => void {
    const { age } = this.index;
    return (isLive) => {
      this.index.noteAnswer(sessionHandle, isLive, expiryMs, age);
      if (!isLive) this.parts.onEnded([sessionHandle]);
    };
  }

  /** Records ended sessions, unless the core has done so with their removal. @throws they are not recorded */
  async publishSessions(sessionHandles: readonly string[], details: RevocationDetails): Promise<void> {
    if (!this.parts.isPublisher || sessionHandles.length === 0) return;
    const note = this.note(details);
    await this.parts.feed.publish(
      sessionHandles.map((sessionHandle) =>
        sessionRevocation({ sessionHandle, tenantId: tenantIdOfHandle(sessionHandle) }, note),
      ),
    );
  }

  /** As {@link publishSessions}, for all sessions of a user. */
  async publishUser(
    { userId, tenantId }: { readonly userId: string; readonly tenantId: string | undefined },
    details: RevocationDetails,
  ): Promise<void> {
    if (this.parts.isPublisher)
      await this.parts.feed.publish([{ kind: 'user', id: userId, tenantId, ...this.note(details) }]);
  }

  /** As {@link publishSessions}, for all sessions of a tenant or of everybody. */
  async publishCutOff(tenantId: string | undefined, details: RevocationDetails): Promise<void> {
    if (this.parts.isPublisher)
      await this.parts.feed.publish([cutOffRevocation(tenantId, this.note(details))]);
  }

  /** A record that ends before the last token of its session would let that token be accepted again. */
  private noteLife(lifeMs: number): void {
    if (!(lifeMs > this.tokenLifeMs) || !this.parts.isPublisher) return;
    this.tokenLifeMs = lifeMs;
    process.emitWarning(
      `The core issues access tokens that live ${Math.ceil(lifeMs / 1000)} s, longer than revocationFeed.accessTokenValiditySec: ` +
        'set that option, because an instance that has not seen such a token lets records of ended sessions end too early',
      { type: 'NestSessionsWarning' },
    );
  }

  private note({ reason, initiator }: RevocationDetails) {
    const now = this.parts.clock.now();
    const untilMs = now + this.tokenLifeMs + MAX_CLOCK_DIFFERENCE_MS;
    return {
      notBeforeMs: now,
      untilMs,
      ...(reason === undefined ? {} : { reason }),
      ...(initiator === undefined ? {} : { initiator }),
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

  /** Reads the feed now, or joins the read under way. @returns whether it succeeded */
  async read(): Promise<boolean> {
    return this.reads.run();
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
    const { clock, feed } = this.parts;
    this.isWoken = false;
    const askedMs = clock.now();
    try {
      const page = await withTimeout(feed.read(this.position), READ_TIMEOUT_MS, 'The feed gave no answer', {
        keepsProcess: false,
      });
      this.take(page.records);
      this.position = page.position;
      this.provenMs = askedMs;
      void this.settlements.run().catch(() => undefined); // the next read tries again
      void this.sweep().catch(() => undefined);
      return true;
    } catch {
      return false; // the state tells it, once it is too long ago
    } finally {
      this.announceState();
    }
  }

  private take(raw: readonly unknown[]): void {
    const now = this.parts.clock.now();
    const records = raw
      .map((value) => readRevocation(value) ?? this.standIn(value, now))
      .filter((record) => record !== undefined);
    const { sessionHandles, cutOffs, isFull } = this.index.add(records, now);
    if (sessionHandles.length > 0) this.parts.onEnded(sessionHandles);
    if (cutOffs.length > 0 || isFull) this.parts.onDoubt();
    for (const cutOff of cutOffs) this.openCutOffs.add(cutOff);
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

  /** A cut-off whose connections could not be checked stays open for the next read. */
  private async settleCutOffs(): Promise<void> {
    for (const cutOff of this.openCutOffs) {
      await this.parts.onCutOff(cutOff);
      this.openCutOffs.delete(cutOff);
    }
  }

  private async sweep(): Promise<void> {
    const now = this.parts.clock.now();
    const elapsed = now - this.lastSweepMs;
    if (elapsed >= 0 && elapsed < SWEEP_INTERVAL_MS) return;
    this.lastSweepMs = now;
    this.index.prune(now);
    await this.parts.feed.sweep(now - SWEEP_MARGIN_MS);
  }

  private isFresh(): boolean {
    const age = this.parts.clock.now() - this.provenMs;
    return age >= 0 && age <= this.staleAfterMs; // a clock that was set back is no proof
  }

  private announceState(): void {
    const { state, announced } = this;
    if (state === announced) return;
    this.announced = state;
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
      await this.pause(shortenPause(Math.min(LONGEST_RETRY_MS, pollMs * 2 ** (failures - 1)), RETRY_JITTER));
      return;
    }
    const untilMs = performance.now() + pollMs;
    await this.pause(MIN_PAUSE_MS, true);
    if (this.isWoken || signal.aborted) return;
    await this.pause(untilMs - performance.now());
  }

  private async pause(ms: number, isWhole = false): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, Math.max(ms, 0)).unref();
      if (isWhole) return;
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.wake = undefined;
  }
}
