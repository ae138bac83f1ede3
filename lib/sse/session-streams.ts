import { Inject, Injectable, Logger } from '@nestjs/common';
import { AsyncSubject, delayWhen, Observable, type MonoTypeOperatorFunction, type Subscriber } from 'rxjs';
import { CoreClient } from '../core/core-client.js';
import { SessionEvents } from '../events/session-events.js';
import { readArguments } from '../options/call-arguments.js';
import { CONNECTION_CALLS } from '../sessions/call-inputs.js';
import { isLive } from '../sessions/connection-checks.js';
import type { SessionContainer } from '../sessions/session-container.js';
import type { ResolvedSessionOptions } from '../session.options.js';
import { sessionEndTime } from '../sessions/session-lifetimes.js';
import { RESOLVED_SESSION_OPTIONS } from '../session.constants.js';
import { Clock, Deadline } from '../util/clock.js';
import { errorReason } from '../events/printable.js';

/** The open streams of a session. */
interface OpenStreams {
  /** The session as the first of them was opened with. */
  readonly session: SessionContainer;
  /** The functions that end them. */
  readonly ends: Set<() => void>;
}

/**
 * Ends streams with their session, for server-sent events and other long responses.
 *
 * @publicApi
 */
@Injectable()
export class SessionStreams {
  private readonly logger = new Logger('SessionModule');
  /** The sessions that have open streams, by handle. */
  private readonly open = new Map<string, OpenStreams>();

  constructor(
    @Inject(RESOLVED_SESSION_OPTIONS)
    private readonly options: Pick<ResolvedSessionOptions, 'clockToleranceSec'>,
    private readonly clock: Clock,
    events: SessionEvents,
    private readonly core: CoreClient,
  ) {
    // One listener serves all streams, so that an event of one session costs no work for the others.
    events.endings.subscribe((sessionHandle) => this.endStreams(sessionHandle));
    // A stream that opens at this moment asks the core by itself.
    events.connections.add({ sessions: () => this.sessions(), noteUnknownEnds: () => undefined });
  }

  /** @internal Sessions that have an open stream. */
  get sessionCount(): number {
    return this.open.size;
  }

  /**
   * Completes a stream when the session is revoked in this process, and at the latest when the access token that it was
   * opened with expires: a browser's `EventSource` then connects again, with the token of its last refresh.
   *
   * Opening the stream checks once with the core that the session still exists, because it may have ended since it was
   * verified. Values of the source wait for the core's response; if the core is unavailable, the verification stands.
   *
   * @example
   * @Sse('prices') prices(@Session() session: SessionContainer) {
   *   return this.prices.pipe(this.streams.untilSessionEnds(session));
   * }
   */
  untilSessionEnds<T>(session: SessionContainer): MonoTypeOperatorFunction<T> {
    readArguments('untilSessionEnds', CONNECTION_CALLS.untilSessionEnds, [session]);
    return (source) =>
      new Observable<T>((subscriber) => {
        const end = (): void => this.end(subscriber);
        const deadline = new Deadline(this.clock);
        subscriber.add(() => deadline.clear());
        subscriber.add(this.listen(session, end)); // before the call to the core, so that no revocation is missed
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
      return await isLive(this.core, session.getHandle());
    } catch {
      return true; // an outage of the core ends no stream of a verified session
    }
  }

  private *sessions(): Iterable<SessionContainer> {
    for (const { session } of this.open.values()) yield session;
  }

  private listen(session: SessionContainer, end: () => void): () => void {
    const handle = session.getHandle();
    const ofSession = this.open.get(handle) ?? { session, ends: new Set() };
    this.open.set(handle, ofSession);
    ofSession.ends.add(end);
    return () => {
      ofSession.ends.delete(end);
      if (ofSession.ends.size === 0 && this.open.get(handle) === ofSession) this.open.delete(handle);
    };
  }

  private endStreams(sessionHandle: string): void {
    const ofSession = this.open.get(sessionHandle);
    this.open.delete(sessionHandle); // a client may open its stream again as soon as it ends
    for (const end of ofSession?.ends ?? []) end();
  }

  /** Catches what a source throws when its stream ends, so that the other streams still end and the process goes on. */
  private end(stream: Subscriber<unknown>): void {
    try {
      stream.complete();
    } catch (failure) {
      this.logger.error(errorReason(failure));
    }
  }
}
