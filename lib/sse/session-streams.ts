import { Inject, Injectable, Logger } from '@nestjs/common';
import { AsyncSubject, delayWhen, Observable, type MonoTypeOperatorFunction, type Subscriber } from 'rxjs';
import { CoreClient } from '../core/core-client.js';
import { SessionEvents } from '../events/session-events.js';
import type { SessionContainer } from '../sessions/session-container.js';
import { sessionEndTime, type ConnectionTimes } from '../websocket/session-end.js';
import { RESOLVED_SESSION_OPTIONS } from '../session.constants.js';
import { Clock, Deadline } from '../util/clock.js';
import { errorReason } from '../events/printable.js';

/**
 * Ends streams with their session, for server-sent events and other answers that take long.
 *
 * @publicApi
 */
@Injectable()
export class SessionStreams {
  private readonly logger = new Logger('SessionModule');
  /** What ends the open streams of each session. */
  private readonly ends = new Map<string, Set<() => void>>();

  constructor(
    @Inject(RESOLVED_SESSION_OPTIONS)
    private readonly options: ConnectionTimes,
    private readonly clock: Clock,
    events: SessionEvents,
    private readonly core: CoreClient,
  ) {
    // One listener for all: an event of one session must not cost something for every stream that is open.
    events.endings.subscribe((sessionHandle) => this.endStreams(sessionHandle));
  }

  /** @internal Sessions that have an open stream. */
  get sessionCount(): number {
    return this.ends.size;
  }

  /**
   * Completes a stream when the session is revoked in this process, and at the latest when the access token that it was
   * opened with expires: a browser's `EventSource` then connects again, with the token of its last refresh.
   *
   * When the stream is opened the core is asked once whether the session still exists, for it may have ended since it was
   * verified. Until it answers, what the source emits waits; where it cannot be asked, the verification stands.
   *
   * @example
   * @Sse('prices') prices(@Session() session: SessionContainer) {
   *   return this.prices.pipe(this.streams.untilSessionEnds(session));
   * }
   */
  untilSessionEnds<T>(session: SessionContainer): MonoTypeOperatorFunction<T> {
    return (source) =>
      new Observable<T>((subscriber) => {
        const end = (): void => this.end(subscriber);
        const deadline = new Deadline(this.clock);
        subscriber.add(() => deadline.clear());
        subscriber.add(this.listen(session.getHandle(), end)); // before the core is asked, so that nothing is missed
        deadline.set(sessionEndTime(session) + this.options.clockToleranceSec * 1000, end);
        const standing = new AsyncSubject<true>();
        const decide = async (): Promise<void> => {
          if (!(await this.doesExist(session))) return end();
          standing.next(true);
          standing.complete();
        };
        void decide();
        subscriber.add(source.pipe(delayWhen(() => standing)).subscribe(subscriber));
      });
  }

  private async doesExist(session: SessionContainer): Promise<boolean> {
    try {
      return (await this.core.getSessionInformation(session.getHandle(), {})) !== undefined;
    } catch {
      return true; // nothing was learnt: an outage of the core ends no stream of a session that was verified
    }
  }

  private listen(sessionHandle: string, end: () => void): () => void {
    const ofSession = this.ends.get(sessionHandle) ?? new Set();
    this.ends.set(sessionHandle, ofSession.add(end));
    return () => {
      ofSession.delete(end);
      if (ofSession.size === 0 && this.ends.get(sessionHandle) === ofSession) this.ends.delete(sessionHandle);
    };
  }

  private endStreams(sessionHandle: string): void {
    const ofSession = this.ends.get(sessionHandle);
    this.ends.delete(sessionHandle); // who reads a stream may open it again as soon as it ends, and is looked at then
    for (const end of ofSession ?? []) end();
  }

  /** What a source throws when nobody reads it any longer keeps no other stream open, and ends no process. */
  private end(stream: Subscriber<unknown>): void {
    try {
      stream.complete();
    } catch (failure) {
      this.logger.error(errorReason(failure));
    }
  }
}
