export interface SingleFlightOptions {
  /** Whether a value stays after the run that made it, so that later callers get it without another run. Default false. */
  readonly keepsValue?: boolean;
}

/**
 * One run of an async function at a time: callers that come while it runs share its promise. A failure is never kept, so
 * the next caller tries again.
 */
export class SingleFlight<T, Args extends readonly unknown[] = []> {
  private shared: Promise<T> | undefined;
  private running = false;

  constructor(
    private readonly work: (...args: Args) => Promise<T>,
    private readonly options: SingleFlightOptions = {},
  ) {}

  /** Whether a run is under way. */
  get isRunning(): boolean {
    return this.running;
  }

  /** The promise that callers share now: of the run under way, or of a kept value. */
  get current(): Promise<T> | undefined {
    return this.shared;
  }

  /**
   * Joins the run under way, or begins one.
   *
   * @param args used only by the call that begins a run
   */
  run(...args: Args): Promise<T> {
    return this.shared ?? this.begin(args);
  }

  /** Waits for the run under way, if there is one, however it ends. */
  async settle(): Promise<void> {
    await this.shared?.catch(() => undefined);
  }

  /** Drops a kept value; a run under way goes on, but later callers do not join it. */
  forget(): void {
    this.shared = undefined;
    this.running = false;
  }

  private begin(args: Args): Promise<T> {
    const run = this.work(...args);
    this.shared = run;
    this.running = true;
    // These handlers come first, so the state is up to date before a caller continues.
    const end = (isKept: boolean): void => {
      if (this.shared !== run) return; // it was forgotten meanwhile
      this.running = false;
      if (!isKept) this.shared = undefined;
    };
    run.then(
      () => end(this.options.keepsValue === true),
      () => end(false),
    );
    return run;
  }
}
