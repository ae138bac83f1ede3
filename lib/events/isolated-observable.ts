import { Observable, Subscriber, type Observer, type OperatorFunction, type Subscription } from 'rxjs';

type Listener<T> = Partial<Observer<T>> | ((value: T) => void) | null;

/**
 * An observable that reports what its listeners throw, those of piped observables included. rxjs would throw it again
 * from a timer, where it cannot be caught and ends the process.
 */
export class IsolatedObservable<T> extends Observable<T> {
  constructor(
    private readonly origin: Observable<T>,
    private readonly report: (error: unknown) => void,
  ) {
    super((subscriber) => origin.subscribe(subscriber));
  }

  override pipe(...operators: OperatorFunction<never, unknown>[]): Observable<never> {
    const piped = operators.reduce<Observable<unknown>>(
      (source, operator) => operator(source as Observable<never>),
      this.origin,
    );
    return new IsolatedObservable(piped as Observable<never>, this.report);
  }

  override subscribe(
    observerOrNext?: Listener<T>,
    error?: ((error: unknown) => void) | null,
    complete?: (() => void) | null,
  ): Subscription {
    // A subscriber is a step of rxjs between this observable and a listener.
    if (observerOrNext instanceof Subscriber) return super.subscribe(observerOrNext);
    const listener =
      typeof observerOrNext === 'object' && observerOrNext !== null
        ? observerOrNext
        : { next: observerOrNext, error, complete };
    return super.subscribe({
      next: (value) => this.isolate(() => listener.next?.(value)),
      error: (reason: unknown) =>
        listener.error ? this.isolate(() => listener.error?.(reason)) : this.report(reason),
      complete: () => this.isolate(() => listener.complete?.()),
    });
  }

  private isolate(listen: () => unknown): void {
    try {
      const result = listen();
      if (result instanceof Promise) result.catch(this.report); // an asynchronous listener can fail later
    } catch (error) {
      this.report(error);
    }
  }
}
