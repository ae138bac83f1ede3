import { Observable, Subscriber, type Observer, type OperatorFunction, type Subscription } from 'rxjs';
import { isolate } from './listeners.js';

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
      next: (value) => isolate(() => listener.next?.(value), this.report),
      error: (reason: unknown) =>
        listener.error ? isolate(() => listener.error?.(reason), this.report) : this.report(reason),
      complete: () => isolate(() => listener.complete?.(), this.report),
    });
  }
}
