import type { Clock } from '../../util/clock.js';
import { OccasionalWarning } from '../../util/occasional-warning.js';
import type { SessionStore, StoredDynamicKey } from '../../stores/session-store.js';
import { MAX_CLOCK_SKEW_MS } from '../key-rotations.js';

/** The time for which a process whose clock may be far ahead deletes nothing. */
const DOUBTED_MS = 24 * 3600 * 1000;

/** Judges by the stored signing keys the clock of this process, and the clocks of the processes that made them. */
export class ClockDoubts {
  private gapNotedAtMs: number | undefined;
  private warnedOfMs: number | undefined;
  private readonly warning: OccasionalWarning;

  constructor(private readonly clock: Clock) {
    this.warning = new OccasionalWarning(clock);
  }

  /**
   * Whether this process may delete what has expired. Not in its first day if its clock may be far ahead: a clock that is put
   * right within that day has then ended no session.
   */
  get mayDelete(): boolean {
    if (this.gapNotedAtMs === undefined) return true;
    const elapsedMs = this.clock.now() - this.gapNotedAtMs;
    if (elapsedMs >= 0 && elapsedMs < DOUBTED_MS) return false;
    this.gapNotedAtMs = undefined;
    return true;
  }

  /** Returns the latest creation time of a rotating key that counts. */
  latestMs(): number {
    return this.clock.now() + MAX_CLOCK_SKEW_MS;
  }

  /** Warns, once for each, of a key that does not count yet. */
  noteNewest(createdAtMs: number): void {
    if (createdAtMs <= this.latestMs() || createdAtMs === this.warnedOfMs) return;
    this.warnedOfMs = createdAtMs;
    this.warning.warn(
      `The store has a signing key of ${new Date(createdAtMs).toISOString()}: the clock of the process that made it, or of this ` +
        'one, is or was wrong. Until that time has come the key does not count',
    );
  }

  /**
   * Notes that a process which starts finds old keys only: it is the first one after a long pause, or its clock is ahead of the
   * others.
   *
   * @param keys those that are still published
   */
  async noteGap(
    store: SessionStore,
    keys: readonly StoredDynamicKey[],
    stillSigningMs: number,
  ): Promise<void> {
    if (keys.some(({ createdAtMs }) => createdAtMs >= stillSigningMs)) return;
    const now = this.clock.now();
    if ((await store.findDynamicKeys(0)).some(({ createdAtMs }) => createdAtMs <= now))
      this.gapNotedAtMs ??= now;
  }
}
