import { setImmediate } from 'node:timers';

/** More than this wait only when listeners are far too slow; then the newest are dropped, counted and reported. */
const MAX_WAITING = 10_000;
/** Listeners may take this long before everything else gets a turn; a single one that takes longer is not interrupted. */
const TURN_BUDGET_MS = 5;

/**
 * Hands on items in a later turn of the event loop, in order, a few milliseconds at a time: whoever adds one does not
 * wait for those who receive it.
 */
export class DeferredDelivery<T> {
  private waiting: T[] = [];
  private next = 0;
  private isScheduled = false;
  private lost = 0;
  private readonly whenDrained: (() => void)[] = [];

  /**
   * @param deliver must not throw
   * @param reportLoss gets the number of items that were dropped, once the others have been handed on
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
    this.schedule();
  }

  /** Resolves when nothing waits any more. */
  async drained(): Promise<void> {
    if (this.isEmpty) return;
    await new Promise<void>((resolve) => this.whenDrained.push(resolve));
  }

  /** Hands on everything at once; for a shutdown. */
  drainNow(): void {
    this.deliverUntil(Number.POSITIVE_INFINITY);
  }

  private get isEmpty(): boolean {
    return this.next === this.waiting.length;
  }

  private schedule(): void {
    if (this.isScheduled) return;
    this.isScheduled = true;
    setImmediate(() => {
      this.isScheduled = false;
      this.deliverUntil(performance.now() + TURN_BUDGET_MS);
      if (this.isEmpty) return;
      this.waiting = this.waiting.slice(this.next);
      this.next = 0;
      this.schedule();
    });
  }

  private deliverUntil(endMs: number): void {
    do {
      const item = this.waiting[this.next];
      if (item === undefined) break;
      this.next += 1;
      this.deliver(item);
    } while (performance.now() < endMs);
    if (this.isEmpty) this.finish();
  }

  private finish(): void {
    this.waiting = [];
    this.next = 0;
    const { lost } = this;
    this.lost = 0;
    if (lost > 0) this.reportLoss(lost);
    for (const resolve of this.whenDrained.splice(0)) resolve();
  }
}
