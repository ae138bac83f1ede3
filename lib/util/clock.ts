/**
 * The source of the time for the whole library. Tests inject a clock that they move.
 *
 * @publicApi
 */
export abstract class Clock {
  /** @returns milliseconds since the epoch */
  abstract now(): number;
}

/**
 * The system's wall clock.
 *
 * @publicApi
 */
export class SystemClock extends Clock {
  override now(): number {
    return Date.now();
  }
}

/** The longest delay that Node's timers take. */
const MAX_DELAY_MS = 2 ** 31 - 1;

/** A timer that calls back once when a clock has reached a time. It does not keep the process alive. */
export class Deadline {
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly clock: Clock) {}

  /** Sets the time, replacing an earlier one. @param atMs milliseconds since the epoch */
  set(atMs: number, onReached: () => void): void {
    this.clear();
    const delay = Math.min(Math.max(atMs - this.clock.now(), 1), MAX_DELAY_MS);
    this.timer = setTimeout(() => {
      // The timer can be ahead of the clock, and a long wait needs several timers.
      if (this.clock.now() < atMs) this.set(atMs, onReached);
      else onReached();
    }, delay).unref();
  }

  clear(): void {
    clearTimeout(this.timer);
  }
}
