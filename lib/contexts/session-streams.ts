import { Inject, Injectable } from '@nestjs/common';
import { Observable, type MonoTypeOperatorFunction } from 'rxjs';
import { SessionEvents } from '../observability/session-events.js';
import type { SessionContainer } from '../recipe/session-container.js';
import { expiryOf, handleEndedBy, type ConnectionTimes } from './session-end.js';
import { RESOLVED_SESSION_OPTIONS } from '../session.tokens.js';
import { Clock } from '../shared/clock.js';
import { Deadline } from '../shared/deadline.js';

/**
 * Ends streams with their session, for server-sent events and other answers that take long.
 *
 * @publicApi
 */
@Injectable()
export class SessionStreams {
  constructor(
    @Inject(RESOLVED_SESSION_OPTIONS)
    private readonly options: ConnectionTimes,
    private readonly clock: Clock,
    private readonly events: SessionEvents,
  ) {}

  /**
   * Completes a stream when the session is revoked in this process, and at the latest when the access token that it was
   * opened with expires: a browser's `EventSource` then connects again, with the token of its last refresh.
   *
   * @example
   * @Sse('prices') prices(@Session() session: SessionContainer) {
   *   return this.prices.pipe(this.streams.untilSessionEnds(session));
   * }
   */
  untilSessionEnds<T>(session: SessionContainer): MonoTypeOperatorFunction<T> {
    return (source) =>
      new Observable<T>((subscriber) => {
        const deadline = new Deadline(this.clock);
        subscriber.add(() => deadline.clear());
        subscriber.add(
          this.events.immediate.subscribe((event) => {
            if (handleEndedBy(event) === session.getHandle()) subscriber.complete();
          }),
        );
        deadline.set(expiryOf(session) + this.options.clockToleranceSec * 1000, () => subscriber.complete());
        subscriber.add(source.subscribe(subscriber));
      });
  }
}
