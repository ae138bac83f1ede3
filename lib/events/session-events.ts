import { Observable, Subscriber, type Observer, type OperatorFunction, type Subscription } from 'rxjs';
import { isolate, type Listeners } from './listeners.js';
import type { SessionEvent } from './session-event.js';
import { SessionEventHub } from './session-event-hub.js';

/**
 * The stream of session events of one `SessionModule`. Also the injection token.
 *
 * Listeners get an event in a later turn of the event loop, in order, so that a slow listener does not delay the request
 * that caused it. An error that a listener throws, or rejects with, is reported as a process warning.
 *
 * @example
 * sessionEvents.stream.pipe(filter((event) => event.type === 'session.theft-detected')).subscribe(alert);
 * @publicApi
 */
export class SessionEvents extends SessionEventHub {
  /** Hot stream; completes when the application shuts down, after all events have been delivered. */
  readonly stream: Observable<SessionEvent>;

  /** @internal See {@link SessionEventHub.atOnce}. */
  readonly immediate: Observable<SessionEvent>;

  /** @internal See {@link SessionEventHub.ended}. */
  readonly endings: Observable<string>;

  /** @internal @param reportListenerError gets what a listener throws; without it, it is a process warning */
  constructor(reportListenerError?: (error: unknown) => void) {
    super(reportListenerError);
    const observe = <T>(listeners: Listeners<T>): Observable<T> =>
      new IsolatedObservable(fromListeners(listeners), this.reportListenerError);
    this.stream = observe(this.later);
    this.immediate = observe(this.atOnce);
    this.endings = observe(this.ended);
  }
}

function fromListeners<T>(listeners: Listeners<T>): Observable<T> {
  return new Observable((subscriber) =>
    listeners.add({ next: (value) => subscriber.next(value), complete: () => subscriber.complete() }),
  );
}

type Listener<T> = Partial<Observer<T>> | ((value: T) => void) | null;

/**
 * An observable that reports what its listeners throw, those of piped observables included. rxjs would throw it again
 * from a timer, where it cannot be caught and ends the process.
 */
class IsolatedObservable<T> extends Observable<T> {
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
