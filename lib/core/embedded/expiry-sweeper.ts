import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '../../shared/clock.js';
import type { SessionStore } from './session-store.js';
import type { SigningKeys } from './signing-keys.js';

const BATCH = 5000;
const KEY_SWEEP_INTERVAL_MS = 24 * 3600 * 1000;

/** Removes what has expired, in small batches between which requests get their turn. One timer, whatever the number of sessions. */
export class ExpirySweeper {
  private timer: NodeJS.Timeout | undefined;
  private sweeping: Promise<void> | undefined;
  private lastKeySweepMs: number;
  private isStopped = false;

  constructor(
    private readonly store: SessionStore,
    private readonly keys: SigningKeys,
    private readonly clock: Clock,
    private readonly intervalMs: number,
  ) {
    this.lastKeySweepMs = clock.now();
  }

  start(): void {
    this.isStopped = false;
    this.timer ??= setInterval(() => {
      // A store that fails now is tried again at the next interval; expiry never depends on sweeping.
      this.sweep().catch(() => undefined);
    }, this.intervalMs).unref();
  }

  /** Runs one whole sweep; a second call while one is running joins it. */
  async sweep(): Promise<void> {
    this.sweeping ??= this.run().finally(() => {
      this.sweeping = undefined;
    });
    return this.sweeping;
  }

  /** At once, in the middle of a sweep too. @returns when the step under way has ended */
  async stop(): Promise<void> {
    clearInterval(this.timer);
    this.timer = undefined;
    this.isStopped = true;
    await this.sweeping?.catch(() => undefined);
  }

  private async run(): Promise<void> {
    let mayHaveMore: boolean;
    do {
      ({ mayHaveMore } = await this.store.deleteExpiredSessions(this.clock.now(), BATCH));
      await nextTurn();
    } while (mayHaveMore && !this.isStopped);
    if (!this.isStopped && this.clock.now() - this.lastKeySweepMs >= KEY_SWEEP_INTERVAL_MS) {
      await this.keys.deleteExpired();
      this.lastKeySweepMs = this.clock.now();
    }
  }
}
