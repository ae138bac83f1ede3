import { Observable } from 'rxjs';
import { IsolatedObservable } from './isolated-observable.js';
import type { Listeners } from './listeners.js';
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
