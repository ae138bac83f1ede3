import { hrtime } from 'node:process';
import { Clock } from '../../../lib/util/clock.js';

/** Returns the machine's monotonic clock, which all processes share, in milliseconds. */
export function monotonicMs(): number {
  return Number(hrtime.bigint()) / 1e6;
}

/** A clock that goes on with the machine's, and can be set ahead or back at any time. */
export class SteppedClock extends Clock {
  constructor(
    private readonly epochMs: number,
    public offsetMs: number,
  ) {
    super();
  }

  override now(): number {
    return Math.floor(this.epochMs + monotonicMs() + this.offsetMs);
  }
}
