import { performance, type EventLoopUtilization } from 'node:perf_hooks';

/** The shortest time over which the load is measured, milliseconds. */
const WINDOW_MS = 20;
/** The part of the time from which the loop counts as busy. */
const BUSY = 0.5;

/**
 * The load of this thread's event loop, by which a short computation is made on the main thread or on the thread pool. The
 * pool costs a hand-over each way, which takes the main thread up to half as long as an RSA signature; but while
 * other requests wait, a computation of that length would keep them waiting.
 *
 * @see test/benchmark/README.md, "Refreshing"
 */
export class EventLoop {
  private before: EventLoopUtilization;
  private wasBusy = false;
  private isTurnTaken = false;

  /** @param measure as `performance.eventLoopUtilization` */
  constructor(private readonly measure: typeof performance.eventLoopUtilization) {
    this.before = measure();
  }

  /** Whether the loop was at work for most of the time since it was last asked, {@link WINDOW_MS} or longer ago. */
  get isBusy(): boolean {
    const now = this.measure();
    const { idle, active, utilization } = this.measure(now, this.before);
    if (idle + active >= WINDOW_MS) {
      this.before = now;
      this.wasBusy = utilization >= BUSY;
    }
    return this.wasBusy;
  }

  /**
   * Takes the spare time of this turn of the loop for one computation, so that a burst of requests in one turn does not add up.
   *
   * @returns false if the loop is busy or the time is taken: the thread pool should do the work
   */
  takeTurn(): boolean {
    if (this.isTurnTaken || this.isBusy) return false;
    this.isTurnTaken = true;
    setImmediate(() => (this.isTurnTaken = false));
    return true;
  }
}

/** The loop of this thread. */
export const eventLoop: EventLoop = new EventLoop(performance.eventLoopUtilization.bind(performance));
