import { CoreUnavailableError } from '../errors.js';
import { withTimeout } from './with-timeout.js';

/** Limits for work that may also run in parallel. Without limits, work waits without end. */
export interface TurnLimits {
  /** The longest wait for earlier work, milliseconds; after it, the work begins in parallel. */
  readonly waitMs: number;
  /** The largest number of waiting calls of one key. */
  readonly waiting: number;
}

/** Runs the work of one key one after the other, within the limits; other keys do not wait. */
export class KeyedMutex {
  private readonly last = new Map<string, Promise<unknown>>();
  private readonly waiting = new Map<string, number>();

  constructor(private readonly limits?: TurnLimits) {}

  /** @throws {CoreUnavailableError} too many calls are waiting; the work is not done */
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
    await ended.catch(() => undefined); // the caller of the earlier work gets its error
    const left = (this.waiting.get(key) ?? 0) - 1;
    if (left > 0) this.waiting.set(key, left);
    else this.waiting.delete(key);
  }
}
