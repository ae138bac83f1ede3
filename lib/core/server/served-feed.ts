import { randomInt } from 'node:crypto';
import { FeedSweep, type RevocationFeed, type RevocationPage } from '../../feed/revocation-feed.js';
import type { Clock } from '../../util/clock.js';

/** The longest time for which a caller is kept waiting, milliseconds. */
const LONGEST_WAIT_MS = 25_000;
/** The number of callers that may wait at once; further ones are answered at once. */
const MAX_WAITING = 1000;

/** The question of a reader. */
export interface FeedQuestion {
  /** The position of its last page; undefined at the beginning. */
  readonly after: string | undefined;
  /** The last announcement that it knows of; another one here is a reason not to wait. */
  readonly seen: string | undefined;
  readonly waitMs: number;
}

/** The answer of a served core to a reader. */
export interface ServedPage extends RevocationPage {
  /** The last announcement before the page was read. */
  readonly seen: string;
  /** Whether records of other processes are announced at once; those of this one are in any case. */
  readonly isPushing: boolean;
}

/** The feed of a served core: many callers wait for one subscription. */
export class ServedFeed {
  private readonly waiting = new Set<() => void>();
  /** Begins anywhere, so that the numbers of the process before are not taken for those of this one. */
  private announcements = randomInt(2 ** 40);
  private readonly sweep: FeedSweep;
  private unsubscribe: (() => Promise<void>) | undefined;

  constructor(
    private readonly feed: RevocationFeed,
    clock: Clock,
  ) {
    this.sweep = new FeedSweep(feed, clock);
  }

  start(): void {
    this.unsubscribe = this.feed.subscribe(() => this.announce());
  }

  /** Tells the waiting callers what this process itself has written, where the feed does not announce it. */
  announceOwn(): void {
    if (!this.feed.isPushing) this.announce();
  }

  async stop(): Promise<void> {
    this.release();
    await this.unsubscribe?.();
  }

  /** Waits for an announcement where that is asked for, and then reads. */
  async read({ after, seen, waitMs }: FeedQuestion): Promise<ServedPage> {
    if (seen === String(this.announcements) && waitMs > 0) await this.wait(waitMs);
    const announced = String(this.announcements); // before the read, so that a later one is not taken for read
    this.sweep.run();
    const { records, position, mayHaveMore = false } = await this.feed.read(after);
    return { records, position, mayHaveMore, seen: announced, isPushing: this.feed.isPushing };
  }

  private async wait(waitMs: number): Promise<void> {
    if (this.waiting.size >= MAX_WAITING) return;
    await new Promise<void>((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        this.waiting.delete(end);
        resolve();
      };
      const timer = setTimeout(end, Math.min(waitMs, LONGEST_WAIT_MS)).unref();
      this.waiting.add(end);
    });
  }

  private announce(): void {
    this.announcements += 1;
    this.release();
  }

  private release(): void {
    for (const end of this.waiting) end();
  }
}
