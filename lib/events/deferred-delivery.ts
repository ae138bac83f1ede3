import { setImmediate } from 'node:timers';

/** Listeners are far too slow when more items wait; then the newest are dropped, counted and reported. */
const MAX_WAITING = 10_000;
/** Other work gets a turn after this time; a single listener that takes longer is not interrupted. */
const TURN_BUDGET_MS = 5;

/**
 * Delivers items in a later turn of the event loop, in order and a few milliseconds at a time, so that the code which adds
 * an item does not wait for its listeners.
 */
export class DeferredDelivery<T> {
  private waiting: T[] = [];
  private next = 0;
  private lost = 0;

  /**
   * @param deliver must not throw
   * @param reportLoss gets the number of dropped items, after all others have been delivered
   */
  constructor(
    private readonly deliver: (item: T) => void,
    private readonly reportLoss: (lost: number) => void,
    private readonly maxWaiting = MAX_WAITING,
  ) {}

  add(item: T): void {
    if (this.waiting.length - this.next >= this.maxWaiting) {
      this.lost += 1;
      return;
    }
    this.waiting.push(item);
    if (this.waiting.length === 1) this.schedule();
  }

  /** Resolves when no items wait. */
  async drained(): Promise<void> {
    while (this.waiting.length > 0) await new Promise((resolve) => setImmediate(resolve));
  }

  /** Delivers all items at once, for a shutdown. */
  drainNow(): void {
    this.deliverUntil(Number.POSITIVE_INFINITY);
  }

  private schedule(): void {
    setImmediate(() => this.deliverUntil(performance.now() + TURN_BUDGET_MS));
  }

  private deliverUntil(endMs: number): void {
    while (this.next < this.waiting.length) {
      const item = this.waiting[this.next] as T;
      this.next += 1; // before the listeners run, because one of them may shut the application down
      this.deliver(item);
      if (performance.now() >= endMs) break;
    }
    // Not at each turn, because with slow listeners each turn would move all that wait.
    if (this.next * 2 >= this.waiting.length) {
      this.waiting = this.waiting.slice(this.next);
      this.next = 0;
    }
    if (this.waiting.length > 0) this.schedule();
    else if (this.lost > 0) this.reportLosses();
  }

  private reportLosses(): void {
    const { lost } = this;
    this.lost = 0;
    this.reportLoss(lost);
  }
}
