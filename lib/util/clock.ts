/**
 * Where every part of the library reads the time. Tests inject a movable one.
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
