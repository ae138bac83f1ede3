import { SingleFlight } from './single-flight.js';
import { releaseTimer } from './timers.js';

type Timer = ReturnType<typeof setTimeout>;

export interface RepeatOptions {
  /**
   * The pause before a run, milliseconds, counted from the start of the run before it. It is called with the number of
   * runs since the start.
   */
  readonly pauseMs: (runs: number) => number;
  /** Stops after the first run that succeeds; pauses are counted from the end of a failed run then. Default false. */
  readonly untilSuccess?: boolean;
}

/**
 * Repeats work in the background. Runs never overlap: one that is due while another is under way is left out. A failure is
 * ignored, because the next run tries again. The timer does not keep the process alive.
 */
export class Repeat {
  private timer: Timer | undefined;
  private runs = 0;
  private readonly run: SingleFlight<void>;

  constructor(
    work: () => Promise<void>,
    private readonly options: RepeatOptions,
  ) {
    this.run = new SingleFlight(work);
  }

  get isStarted(): boolean {
    return this.timer !== undefined;
  }

  /** Begins to count the first pause; a second call begins anew. */
  start(): void {
    clearTimeout(this.timer);
    this.runs = 0;
    this.schedule();
  }

  /** Stops at once. @returns when the run under way has ended */
  async stop(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    await this.run.settle();
  }

  private schedule(): void {
    const timer: Timer = setTimeout(() => this.fire(timer), this.options.pauseMs(this.runs++));
    releaseTimer(timer);
    this.timer = timer;
  }

  private fire(timer: Timer): void {
    const run = this.run.run();
    if (this.options.untilSuccess !== true) {
      this.schedule();
      run.catch(() => undefined);
      return;
    }
    run.then(
      () => this.endCount(timer, false),
      () => this.endCount(timer, true),
    );
  }

  /** Does nothing when it was stopped or started anew meanwhile. */
  private endCount(timer: Timer, hasFailed: boolean): void {
    if (this.timer !== timer) return;
    if (hasFailed) this.schedule();
    else this.timer = undefined;
  }
}

/** Waits, or until the signal comes. The wait does not keep the process alive, and leaves no listener on the signal behind. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = releaseTimer(setTimeout(end, ms));
    signal.addEventListener('abort', end);
  });
}

/**
 * Shortens a pause by a random share, so that instances that started together do not call all at once.
 *
 * @param jitter the largest share by which it is shortened, from 0 to 1
 * @param random returns a number from 0 to 1
 */
export function shortenPause(pauseMs: number, jitter: number, random: () => number = Math.random): number {
  return pauseMs * (1 - jitter * random());
}
