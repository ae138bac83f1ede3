import type { SessionEvents } from '../events/session-events.js';
import type { Clock } from '../util/clock.js';

const ROTATING_KEY_ID = /^d-(\d+)$/;

/** Emits an event for each rotating key that appears after the start of this process. */
export class KeyRotations {
  private newestKid: string;

  constructor(
    private readonly events: SessionEvents,
    private readonly clock: Clock,
  ) {
    // Keys that were made before are not reported.
    this.newestKid = `d-${clock.now() - 1}`;
  }

  /** @param kids of the published keys, in any order; only those of rotating keys count */
  note(kids: readonly string[]): void {
    const [newest, previousKid] = kids.filter((kid) => ROTATING_KEY_ID.test(kid)).toSorted(byAge);
    if (newest === undefined || byAge(newest, this.newestKid) >= 0) return;
    this.newestKid = newest;
    this.events.emit({ type: 'key.rotated', timeMs: this.clock.now(), kid: newest, previousKid });
  }
}

/** Newest first. */
function byAge(a: string, b: string): number {
  return keyCreationTime(b) - keyCreationTime(a);
}

function keyCreationTime(kid: string): number {
  return Number(ROTATING_KEY_ID.exec(kid)?.[1]);
}
