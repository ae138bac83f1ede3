import { randomInt } from 'node:crypto';
import { FeedSweep, type RevocationFeed, type RevocationPage } from './revocation-feed.js';
import type { Clock } from '../util/clock.js';
import type { JsonObject } from '../util/json.js';

/** The longest time for which a caller is kept waiting, milliseconds. */
const LONGEST_WAIT_MS = 25_000;
/** The number of callers that may wait at once; further ones get a response at once. */
const MAX_WAITING = 1000;

/** The question of a reader. */
export interface FeedQuestion {
  /** The position of its last page; undefined at the beginning. */
  readonly after: string | undefined;
  /** The last announcement that it knows of; another one here is a reason not to wait. */
  readonly seen: string | undefined;
  readonly waitMs: number;
}

/** The response of a served core to a reader. */
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
  private isEnding = false;

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

  /**
   * Responds to the waiting callers now, and later ones without a wait. Called before the server closes, which waits for responses and
   * for the connections that callers keep.
   */
  endWaiting(): void {
    this.isEnding = true;
    this.release();
  }

  /** The headers of a response: while the server closes, the connection ends with it. */
  get headers(): Readonly<Record<string, string>> {
    return { 'Cache-Control': 'no-store', ...(this.isEnding && { Connection: 'close' }) };
  }

  async stop(): Promise<void> {
    this.endWaiting();
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
    if (this.isEnding || this.waiting.size >= MAX_WAITING) return;
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

/** A position of any feed: that of a Redis cluster has up to 256 parts of about 30 characters. */
const POSITION = /^[!-~]{0,16384}$/;

/** Reads the question of a reader. @returns what is wrong with it, if it is none */
export function readFeedQuestion({ after, seen, waitMs = 0 }: JsonObject): FeedQuestion | string {
  if (!isAbsentOrText(after)) return "Field name 'after' is invalid in JSON input";
  if (!isAbsentOrText(seen)) return "Field name 'seen' is invalid in JSON input";
  if (typeof waitMs !== 'number' || !Number.isInteger(waitMs) || waitMs < 0)
    return 'waitMs must be a whole number of milliseconds';
  if (after !== undefined && !POSITION.test(after))
    return 'after must be the position of the page before: at most 16384 ASCII characters without blanks and control characters';
  return { after, seen, waitMs };
}

function isAbsentOrText(value: unknown): value is string | undefined {
  return value === undefined || typeof value === 'string';
}
