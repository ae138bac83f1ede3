import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '../../util/clock.js';
import type { SessionStore } from '../../stores/session-store.js';
import type { SigningKeys } from './signing-keys.js';

const BATCH = 5000;
const KEY_SWEEP_INTERVAL_MS = 24 * 3600 * 1000;
/** A process that starts has other things to do. */
const EARLIEST_SWEEP_MS = 60_000;
/** The share of the interval by which it is shortened at random, and within which the first sweep begins. */
const JITTER = 0.1;

/**
 * Removes what has expired, in small batches between which requests get their turn. One timer, whatever the number of
 * sessions. The first sweep comes soon after the start, because many processes do not live for a whole interval.
 */
export class ExpirySweeper {
  private timer: NodeJS.Timeout | undefined;
  private sweeping: Promise<void> | undefined;
  /** Whether somebody asked for the sweep that is running, and not only the timer. */
  private isAwaited = false;
  private pause: NodeJS.Timeout | undefined;
  private endPause: (() => void) | undefined;
  /** Nobody knows when a process before this one did it. */
  private lastKeySweepMs = Number.NEGATIVE_INFINITY;
  private stopping = new AbortController();

  /** @param random a number from 0 to 1, so that instances that started together do not sweep all at once */
  constructor(
    private readonly store: SessionStore,
    private readonly keys: SigningKeys,
    private readonly clock: Clock,
    private readonly intervalMs: number,
    private readonly random: () => number = Math.random,
  ) {}

  start(): void {
    if (this.timer !== undefined) return;
    this.stopping = new AbortController();
    this.scheduleSweep(
      Math.min(EARLIEST_SWEEP_MS + JITTER * this.intervalMs * this.random(), this.nextPauseMs()),
    );
  }

  /** Runs one whole sweep; a second call while one is running joins it. The process stays until it is done. */
  async sweep(): Promise<void> {
    this.isAwaited = true;
    this.pause?.ref();
    return this.runOnce();
  }

  /** At once, in the middle of a sweep too. @returns when the step under way has ended */
  async stop(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.stopping.abort();
    this.endPause?.();
    await this.sweeping?.catch(() => undefined);
  }

  private scheduleSweep(pauseMs: number): void {
    this.timer = setTimeout(() => {
      this.scheduleSweep(this.nextPauseMs());
      // A store that fails now is tried again at the next interval; expiry never depends on sweeping.
      this.runOnce().catch(() => undefined);
    }, pauseMs).unref();
  }

  private nextPauseMs(): number {
    return this.intervalMs * (1 - JITTER * this.random());
  }

  private async runOnce(): Promise<void> {
    this.sweeping ??= this.run(this.stopping.signal).finally(() => {
      this.sweeping = undefined;
      this.isAwaited = false;
    });
    return this.sweeping;
  }

  private async run(stopping: AbortSignal): Promise<void> {
    let mayHaveMore: boolean;
    do {
      const beganMs = performance.now();
      ({ mayHaveMore } = await this.store.deleteExpiredSessions(this.clock.now(), BATCH));
      await this.breathe(mayHaveMore ? performance.now() - beganMs : 0, stopping);
    } while (mayHaveMore && !stopping.aborted);
    if (!stopping.aborted && this.clock.now() - this.lastKeySweepMs >= KEY_SWEEP_INTERVAL_MS) {
      await this.keys.deleteExpired();
      this.lastKeySweepMs = this.clock.now();
    }
  }

  /**
   * Leaves the store, and the process where the store works in it, to others for as long as the last step took. A process
   * that wants to end need not stay for it.
   */
  private async breathe(pauseMs: number, stopping: AbortSignal): Promise<void> {
    await nextTurn();
    if (pauseMs < 1 || stopping.aborted) return;
    await new Promise<void>((resolve) => {
      this.endPause = resolve;
      this.pause = setTimeout(resolve, pauseMs);
      if (!this.isAwaited) this.pause.unref();
    });
    clearTimeout(this.pause);
    this.pause = undefined;
  }
}
