import { CoreUnavailableError } from '../errors.js';
import { withTimeout } from './with-timeout.js';

/** For work that had better wait, but need not. Without them, the wait has no end. */
export interface TurnLimits {
  /** How long work waits for what was called before it; then it begins all the same. */
  readonly waitMs: number;
  /** How many of one key may wait. */
  readonly waiting: number;
}

/** Runs the work of one key strictly one after the other, as far as the limits allow; other keys do not wait. */
export class KeyedMutex {
  private readonly last = new Map<string, Promise<unknown>>();
  private readonly waiting = new Map<string, number>();

  constructor(private readonly limits?: TurnLimits) {}

  /** @throws {CoreUnavailableError} too many wait already: this work will not be done */
  async run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const previous = this.last.get(key);
    if (previous !== undefined) this.assertMayWait(key);
    const mine = previous === undefined ? work() : this.waitUntilDone(previous, key).then(work);
    this.last.set(key, mine);
    try {
      return await mine;
    } finally {
      if (this.last.get(key) === mine) this.last.delete(key);
    }
  }

  private assertMayWait(key: string): void {
    if (this.limits === undefined || (this.waiting.get(key) ?? 0) < this.limits.waiting) return;
    throw new CoreUnavailableError(`${this.limits.waiting} already wait for their turn`);
  }

  private async waitUntilDone(previous: Promise<unknown>, key: string): Promise<void> {
    this.waiting.set(key, (this.waiting.get(key) ?? 0) + 1);
    const ended = this.limits ? withTimeout(previous, this.limits.waitMs, 'It is late') : previous;
    await ended.catch(() => undefined); // how the one before ended is its caller's business
    const left = (this.waiting.get(key) ?? 0) - 1;
    if (left > 0) this.waiting.set(key, left);
    else this.waiting.delete(key);
  }
}
