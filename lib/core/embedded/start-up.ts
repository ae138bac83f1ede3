const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 15_000;

/** Repeats what failed while the application started, in the background, until it has worked once. */
export class StartUp {
  private timer: NodeJS.Timeout | undefined;
  private attempt: Promise<void> | undefined;

  /** @param random a number from 0 to 1, so that instances that started together do not ask all at once */
  constructor(
    private readonly prepare: () => Promise<void>,
    private readonly random: () => number = Math.random,
  ) {}

  /** @param pauseMs the longest time until the next attempt */
  tryAgainLater(pauseMs = FIRST_PAUSE_MS): void {
    clearTimeout(this.timer);
    const timer = setTimeout(
      () => {
        this.attempt = this.prepare().catch(() => {
          // Only unless it was stopped meanwhile, or is to be repeated already.
          if (this.timer === timer) this.tryAgainLater(Math.min(LONGEST_PAUSE_MS, pauseMs * 2));
        });
      },
      pauseMs * (0.5 + 0.5 * this.random()),
    ).unref();
    this.timer = timer;
  }

  /** At once. @returns when the attempt under way has ended */
  async stop(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    await this.attempt;
  }
}
