import { Clock } from '../util/clock.js';
import { refuseProduction } from './refuse-production.js';

/**
 * A clock that stands still until it is moved.
 *
 * @example
 * const clock = new TestClock();
 * clock.advanceSeconds(3600); // every access token of the default length has expired
 * @publicApi
 */
export class TestClock extends Clock {
  private timeMs: number;

  /**
   * @param startMs milliseconds since the epoch; default the time of creation
   * @throws {Error} `NODE_ENV` is `production`
   */
  constructor(startMs: number = Date.now()) {
    refuseProduction('TestClock');
    super();
    this.timeMs = startMs;
  }

  /** @returns the time of this clock, milliseconds since the epoch */
  override now(): number {
    return this.timeMs;
  }

  /** Moves the clock forward by milliseconds; a negative number moves it back. */
  advance(ms: number): void {
    this.timeMs += ms;
  }

  /** Moves the clock forward by seconds, the unit of most options. */
  advanceSeconds(seconds: number): void {
    this.advance(seconds * 1000);
  }

  /** Sets the clock, milliseconds since the epoch. */
  set(ms: number): void {
    this.timeMs = ms;
  }
}
