/** The runs of one key: one that works, and one that waits for it. */
interface Runs<T> {
  last: Promise<unknown>;
  waiting: Promise<T> | undefined;
}

/**
 * Runs that callers with the same key share if they come before a run begins. The result is thus never older than the
 * question: a caller that comes while a run works shares the next one. However many ask at the same time, one run works for
 * all of them, and one more for those that came too late for it.
 */
export class SharedRuns<T> {
  private readonly byKey = new Map<string, Runs<T>>();

  /** @param work used only by the caller for whom a run is planned */
  run(key: string, work: () => Promise<T>): Promise<T> {
    let runs = this.byKey.get(key);
    if (runs === undefined) this.byKey.set(key, (runs = { last: Promise.resolve(), waiting: undefined }));
    return (runs.waiting ??= this.plan(key, runs, work));
  }

  /** Begins after the run before, however that ends, and at the earliest when all callers of this moment have asked. */
  private plan(key: string, runs: Runs<T>, work: () => Promise<T>): Promise<T> {
    const begin = async (): Promise<T> => {
      runs.waiting = undefined;
      return work();
    };
    const run = runs.last.then(begin, begin);
    runs.last = run;
    const forget = (): void => {
      if (runs.last === run) this.byKey.delete(key);
    };
    run.then(forget, forget);
    return run;
  }
}
