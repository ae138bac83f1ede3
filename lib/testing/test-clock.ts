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
   * @param startMs milliseconds since the epoch; default the moment at which the clock is made
   * @throws {Error} `NODE_ENV` is `production`
   */
  constructor(startMs: number = Date.now()) {
    refuseProduction('TestClock');
    super();
    this.timeMs = startMs;
  }

  /** @returns where the clock stands, milliseconds since the epoch */
  override now(): number {
    return this.timeMs;
  }

  /** Moves the clock on by milliseconds; a negative number moves it back. */
  advance(ms: number): void {
    this.timeMs += ms;
  }

  /** Moves the clock on by seconds, the unit of most options. */
  advanceSeconds(seconds: number): void {
    this.advance(seconds * 1000);
  }

  /** Puts the clock to a moment, milliseconds since the epoch. */
  set(ms: number): void {
    this.timeMs = ms;
  }
}
