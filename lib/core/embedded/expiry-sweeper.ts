import { setImmediate as nextTurn } from 'node:timers/promises';
import type { SessionStore } from '../../stores/session-store.js';
import type { Clock } from '../../util/clock.js';
import { Repeat, shortenPause } from '../../util/repeat.js';
import { SingleFlight } from '../../util/single-flight.js';
import type { AuditNotes } from './audit-notes.js';
import type { SigningKeys } from './signing-keys.js';

const BATCH = 5000;
const KEY_SWEEP_INTERVAL_MS = 24 * 3600 * 1000;
/** The earliest first sweep, because a process that starts has other work. */
const EARLIEST_SWEEP_MS = 60_000;
/** The share of the interval by which it is shortened at random, and within which the first sweep begins. */
const JITTER = 0.1;

/**
 * Removes expired rows in small batches, with pauses between them for requests. It has one timer, whatever the number of
 * sessions. The first sweep comes soon after the start, because many processes do not live for a whole interval.
 */
export class ExpirySweeper {
  private readonly sweeps = new SingleFlight(async () => this.run(this.stopping.signal));
  private readonly timer: Repeat;
  /** Whether a caller waits for the sweep under way; a sweep of the timer alone does not keep the process alive. */
  private isAwaited = false;
  private pause: NodeJS.Timeout | undefined;
  private endPause: (() => void) | undefined;
  /** Unknown after a restart, so the first sweep removes keys, too. */
  private lastKeySweepMs = Number.NEGATIVE_INFINITY;
  private stopping = new AbortController();

  /** @param random returns a number from 0 to 1, so that instances that started together do not sweep all at once */
  constructor(
    private readonly store: SessionStore,
    private readonly keys: SigningKeys,
    private readonly clock: Clock,
    intervalMs: number,
    private readonly audit: AuditNotes,
    random: () => number = Math.random,
  ) {
    const firstPauseMs = (): number =>
      Math.min(EARLIEST_SWEEP_MS + JITTER * intervalMs * random(), shortenPause(intervalMs, JITTER, random));
    this.timer = new Repeat(async () => this.sweeps.run(), {
      pauseMs: (runs) => (runs === 0 ? firstPauseMs() : shortenPause(intervalMs, JITTER, random)),
    });
  }

  start(): void {
    if (this.timer.isStarted) return;
    this.stopping = new AbortController();
    this.timer.start();
  }

  /** Runs one whole sweep, or joins the one under way. The process stays alive until it is done. */
  async sweep(): Promise<void> {
    this.isAwaited = true;
    this.pause?.ref();
    return this.sweeps.run();
  }

  /** Begins a sweep in the background, unless the core is closed. */
  async sweepSoon(): Promise<void> {
    if (this.timer.isStarted) await this.sweeps.run().catch(() => undefined); // the next one removes the rest
  }

  /** Stops at once, also within a sweep. @returns when the step under way has ended */
  async stop(): Promise<void> {
    const stopped = this.timer.stop();
    this.stopping.abort();
    this.endPause?.();
    await stopped;
    await this.sweeps.settle();
  }

  private async run(stopping: AbortSignal): Promise<void> {
    try {
      if (!this.keys.doubts.mayDelete) return;
      await this.inSteps(stopping, async (nowMs) =>
        this.store.deleteExpiredSessions(nowMs, BATCH, this.audit.swept()),
      );
      const { audit } = this.store;
      if (this.audit.isOn && audit !== undefined && !stopping.aborted)
        await this.inSteps(stopping, async (nowMs) => audit.sweep(nowMs, BATCH));
      if (!stopping.aborted && this.clock.now() - this.lastKeySweepMs >= KEY_SWEEP_INTERVAL_MS) {
        await this.keys.deleteExpired();
        this.lastKeySweepMs = this.clock.now();
      }
    } finally {
      this.isAwaited = false;
    }
  }

  private async inSteps(
    stopping: AbortSignal,
    step: (nowMs: number) => Promise<{ readonly mayHaveMore: boolean }>,
  ): Promise<void> {
    let mayHaveMore: boolean;
    do {
      const beganMs = performance.now();
      ({ mayHaveMore } = await step(this.clock.now()));
      await this.rest(mayHaveMore ? performance.now() - beganMs : 0, stopping);
    } while (mayHaveMore && !stopping.aborted);
  }

  /**
   * Pauses for as long as the last step took, so that the store, and this process where the store works in it, has time for
   * other calls. The pause keeps the process alive only if a caller waits for the sweep.
   */
  private async rest(pauseMs: number, stopping: AbortSignal): Promise<void> {
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
