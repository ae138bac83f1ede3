import {
  Observable,
  Subscriber,
  type Observer,
  type Operator,
  type Subscription,
  type TeardownLogic,
} from 'rxjs';

/**
 * An observable whose listeners cannot hurt anybody else: what one of them throws is reported. Left to rxjs it would be thrown again from a timer, where nobody can catch it, and end the process. Piped ones inherit it.
 */
export class IsolatedObservable<T> extends Observable<T> {
  constructor(
    private readonly report: (error: unknown) => void,
    subscribe?: (subscriber: Subscriber<T>) => TeardownLogic,
  ) {
    super(subscribe);
  }

  /** rxjs makes every piped observable through this method. */
  override lift<R>(operator?: Operator<T, R>): Observable<R> {
    const lifted = new IsolatedObservable<R>(this.report);
    lifted.source = this;
    lifted.operator = operator;
    return lifted;
  }

  override subscribe(
    observerOrNext?: Partial<Observer<T>> | ((value: T) => void) | null,
    error?: ((error: unknown) => void) | null,
    complete?: (() => void) | null,
  ): Subscription {
    // A subscriber is a step between us and the listener; the listener's own subscription comes here as well.
    if (observerOrNext instanceof Subscriber) return super.subscribe(observerOrNext);
    const listener: Partial<Observer<T>> =
      typeof observerOrNext === 'object' && observerOrNext !== null
        ? observerOrNext
        : {
            ...(observerOrNext ? { next: observerOrNext } : {}),
            ...(error ? { error } : {}),
            ...(complete ? { complete } : {}),
          };
    return super.subscribe({
      next: (value) => this.isolated(() => listener.next?.(value)),
      error: (reason: unknown) => {
        if (listener.error) this.isolated(() => listener.error?.(reason));
        else this.report(reason);
      },
      complete: () => this.isolated(() => listener.complete?.()),
    });
  }

  private isolated(listen: () => unknown): void {
    try {
      const result = listen();
      if (result instanceof Promise) result.catch(this.report); // a listener may be asynchronous, and fail later
    } catch (error) {
      this.report(error);
    }
  }
}
