/** A function that gets what is sent, and one that is called after the last. */
interface Listener<T> {
  readonly next?: (value: T) => unknown;
  readonly complete?: () => void;
}

/** The listeners to one thing. One that throws does not keep the others from hearing. */
export class Listeners<T> {
  /** A new list with each change, because a listener may come or leave while others are told. */
  private listeners: readonly Listener<T>[] = [];
  private isComplete = false;

  /** @param report gets what a listener throws, or rejects with */
  constructor(private readonly report: (error: unknown) => void) {}

  get size(): number {
    return this.listeners.length;
  }

  /** Adds a listener; after the end it is only told of that. @returns a function that removes it */
  add(listener: Listener<T>): () => void {
    if (this.isComplete) isolate(() => listener.complete?.(), this.report);
    else this.listeners = [...this.listeners, listener];
    return () => {
      this.listeners = this.listeners.filter((each) => each !== listener);
    };
  }

  send(value: T): void {
    for (const listener of this.listeners) isolate(() => listener.next?.(value), this.report);
  }

  /** Tells all listeners that nothing more comes, and lets them go. */
  complete(): void {
    this.isComplete = true;
    const all = this.listeners;
    this.listeners = [];
    for (const listener of all) isolate(() => listener.complete?.(), this.report);
  }
}

/** Calls a listener, and reports what it throws or rejects with. */
export function isolate(listen: () => unknown, report: (error: unknown) => void): void {
  try {
    const result = listen();
    if (result instanceof Promise) result.catch(report); // an asynchronous listener can fail later
  } catch (error) {
    report(error);
  }
}
