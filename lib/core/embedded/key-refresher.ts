import type { SigningKeys } from './signing-keys.js';

/** The share of the interval by which it is shortened at random, so that instances do not ask all at once. */
const JITTER = 0.25;

/**
 * Reads the signing keys again at an interval: a key that was removed from the store stops verifying here within it, and
 * the successor of a rotating key is there before it is needed, also where nobody signs in for days.
 */
export class KeyRefresher {
  private timer: NodeJS.Timeout | undefined;
  private refreshing: Promise<void> | undefined;

  /** @param random a number from 0 to 1 */
  constructor(
    private readonly keys: SigningKeys,
    private readonly intervalMs: number,
    private readonly random: () => number = Math.random,
  ) {}

  start(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(
      () => {
        this.start();
        this.refreshing ??= this.refresh(); // unless the store has not answered the last time yet
      },
      this.intervalMs * (1 - JITTER * this.random()),
    ).unref();
  }

  /** At once. @returns when the reading under way has ended */
  async stop(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    await this.refreshing;
  }

  private async refresh(): Promise<void> {
    try {
      await this.keys.renew();
    } catch {
      // Asked again at the next interval; until then the known keys prove what they signed.
    } finally {
      this.refreshing = undefined;
    }
  }
}
