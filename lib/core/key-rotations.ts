import type { SessionEventHub } from '../events/session-event-hub.js';
import type { Clock } from '../util/clock.js';
import { rotatingKeyMs } from '../util/verification-keys.js';

/**
 * The longest time by which the clocks of two machines may differ. A rotating key that is made later than that from now was made
 * under a wrong clock, and does not count until its time has come.
 */
export const MAX_CLOCK_SKEW_MS = 2 * 3600 * 1000;

/** Emits an event for each rotating key that appears after the start of this process. */
export class KeyRotations {
  private newestKid: string;

  constructor(
    private readonly events: SessionEventHub,
    private readonly clock: Clock,
  ) {
    // Keys that were made before are not reported.
    this.newestKid = `d-${clock.now() - 1}`;
  }

  /** @param kids of the published keys, in any order; only those of rotating keys count */
  note(kids: readonly string[]): void {
    const latestMs = this.clock.now() + MAX_CLOCK_SKEW_MS;
    if (keyCreationTime(this.newestKid) > latestMs) this.newestKid = `d-${this.clock.now() - 1}`; // the clock was set back
    const [newest, previousKid] = kids.filter((kid) => keyCreationTime(kid) <= latestMs).toSorted(byAge);
    if (newest === undefined || byAge(newest, this.newestKid) >= 0) return;
    this.newestKid = newest;
    this.events.emit({ type: 'key.rotated', timeMs: this.clock.now(), kid: newest, previousKid });
  }
}

/** Newest first. */
function byAge(a: string, b: string): number {
  return keyCreationTime(b) - keyCreationTime(a);
}

/** Not a number for keys that do not rotate. */
function keyCreationTime(kid: string): number {
  return rotatingKeyMs(kid) ?? Number.NaN;
}
