import type { Clock } from './clock.js';

/** The longest delay that Node's timers take. */
const MAX_DELAY_MS = 2 ** 31 - 1;

/** Calls back once when a clock has reached a moment. It does not keep the process alive. */
export class Deadline {
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly clock: Clock) {}

  /** Replaces an earlier moment. @param atMs milliseconds since the epoch */
  set(atMs: number, onReached: () => void): void {
    this.clear();
    const delay = Math.min(Math.max(atMs - this.clock.now(), 1), MAX_DELAY_MS);
    this.timer = setTimeout(() => {
      // Timers and the clock may differ, and a long wait is made of several.
      if (this.clock.now() < atMs) this.set(atMs, onReached);
      else onReached();
    }, delay).unref();
  }

  clear(): void {
    clearTimeout(this.timer);
  }
}
