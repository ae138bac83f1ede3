import type { SigningKeys } from './signing-keys.js';

/** The share of the interval by which it is shortened at random, so that instances do not ask all at once. */
const JITTER = 0.25;

/**
 * Reads the signing keys again at an interval: a key that was removed from the store stops verifying here within it, and
 * the successor of a rotating key is there before it is needed, also where nobody signs in for days.
 */
export class KeyRefresher {
  private timer: NodeJS.Timeout | undefined;
  private isBusy = false;

  /** @param random a number from 0 to 1 */
  constructor(
    private readonly keys: SigningKeys,
    private readonly intervalMs: number,
    private readonly random: () => number = Math.random,
  ) {}

  start(): void {
    this.stop();
    this.timer = setTimeout(
      () => {
        this.start();
        void this.refresh();
      },
      this.intervalMs * (1 - JITTER * this.random()),
    ).unref();
  }

  stop(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  private async refresh(): Promise<void> {
    if (this.isBusy) return; // the store has not answered the last time yet
    this.isBusy = true;
    try {
      await this.keys.renew(this.intervalMs);
    } catch {
      // Asked again at the next interval; until then the known keys prove what they signed.
    } finally {
      this.isBusy = false;
    }
  }
}
