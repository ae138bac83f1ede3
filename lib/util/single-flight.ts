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

  private begin(args: Args): Promise<T> {
    const run = this.work(...args);
    this.shared = run;
    this.running = true;
    // These handlers come first, so the state is up to date before a caller continues.
    run.then(
      () => this.end(this.options.keepsValue === true ? run : undefined),
      () => this.end(undefined),
    );
    return run;
  }

  private end(kept: Promise<T> | undefined): void {
    this.shared = kept;
    this.running = false;
  }
}
