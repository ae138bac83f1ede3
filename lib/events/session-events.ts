import { Subject, type Observable } from 'rxjs';
import { DeferredDelivery } from './deferred-delivery.js';
import type { EventSource } from './event-source.js';
import { IsolatedObservable } from './isolated-observable.js';

interface TimedEvent {
  /** When it happened, milliseconds since the epoch (UTC). */
  readonly timeMs: number;
}

interface SessionEventBase extends TimedEvent, EventSource {
  readonly sessionHandle: string;
  /** Primary user id. */
  readonly userId: string;
  /** The login method; absent where it is not at hand. */
  readonly recipeUserId?: string;
  readonly tenantId: string;
}

/**
 * What happened to a session, one record each. No event carries a token, a cookie, a payload or session data; the
 * handle is no credential.
 *
 * @publicApi
 */
export type SessionEvent =
  | (SessionEventBase & { readonly type: 'session.created' })
  | (SessionEventBase & { readonly type: 'session.refreshed' })
  /** A refreshed token was used for the first time: from now on the one before it counts as retired. Told by the process in which the core runs. */
  | (SessionEventBase & { readonly type: 'session.promoted' })
  /** A retired refresh token came within `refreshTokenRotationGracePeriodSec` and got the same successor once more; `session.refreshed` follows. */
  | (SessionEventBase & { readonly type: 'session.grace-hit' })
  | (SessionEventBase & { readonly type: 'session.theft-detected'; readonly recipeUserId: string })
  | (SessionEventBase & {
      readonly type: 'session.claims-rejected';
      readonly failedClaimIds: readonly string[];
    })
  /** The user has proved again who they are. */
  | (SessionEventBase & { readonly type: 'session.reauthenticated' })
  /** `userId` is absent where the application ended a session by its handle alone: nobody looks up then whose it was. */
  | (Omit<SessionEventBase, 'userId'> & { readonly type: 'session.revoked'; readonly userId?: string })
  /** Tokens are signed by a new rotating key, or soon will be; every process tells it once, when it learns of the key. */
  | (TimedEvent & {
      readonly type: 'key.rotated';
      readonly kid: string;
      /** The newest one before it, as far as that is still published. */
      readonly previousKid: string | undefined;
    })
  /** The core or its store has begun to fail. One record for each outage. */
  | (TimedEvent & { readonly type: 'core.unavailable'; readonly message: string })
  /** It answers again. */
  | (TimedEvent & {
      readonly type: 'core.available';
      readonly unavailableSinceMs: number;
      /** Calls that failed in between. */
      readonly failedCalls: number;
    });

/**
 * The stream of session events of one `SessionModule`. Also the injection token.
 *
 * Listeners hear of an event in a later turn of the event loop, in order, so that a slow one does not delay the request
 * that caused it. What one of them throws, or rejects with, is reported as a process warning.
 *
 * @example
 * sessionEvents.stream.pipe(filter((event) => event.type === 'session.theft-detected')).subscribe(alert);
 * @publicApi
 */
export class SessionEvents {
  private readonly subject = new Subject<SessionEvent>();
  private readonly immediateSubject = new Subject<SessionEvent>();
  private readonly endingsSubject = new Subject<string>();
  private readonly delivery: DeferredDelivery<SessionEvent>;

  /** Hot stream; completes when the application shuts down, after everything has been told. */
  readonly stream: Observable<SessionEvent>;

  /** @internal For parts of the library that take microseconds and must not miss anything: tells at once, drops nothing. */
  readonly immediate: Observable<SessionEvent>;

  /**
   * @internal The handles of sessions for which nobody in this process may work any longer. Told at once, and not only of
   * those that this process has ended: who is asked to end a session that is gone already tells it here and tells no event.
   */
  readonly endings: Observable<string>;

  /** @internal @param reportListenerError what to do with what a listener throws */
  constructor(reportListenerError: (error: unknown) => void = warnOfListener) {
    this.stream = isolated(this.subject, reportListenerError);
    this.immediate = isolated(this.immediateSubject, reportListenerError);
    this.endings = isolated(this.endingsSubject, reportListenerError);
    this.delivery = new DeferredDelivery((event) => this.subject.next(event), warnOfLoss);
  }

  /** Resolves when everything that happened so far has been told to the listeners; for tests. */
  async delivered(): Promise<void> {
    await this.delivery.drained();
  }

  /** @internal Never throws into the request that caused the event. */
  emit(event: SessionEvent): void {
    const record = Object.freeze(event); // listeners share it
    this.immediateSubject.next(record);
    // Who listens later has missed it, as on any hot stream.
    if (this.subject.observed) this.delivery.add(record);
  }

  /** @internal See {@link endings}. */
  noteEnded(sessionHandle: string): void {
    this.endingsSubject.next(sessionHandle);
  }

  /** @internal Tells what is left, then ends the streams. */
  complete(): void {
    this.delivery.drainNow();
    this.subject.complete();
    this.immediateSubject.complete();
    this.endingsSubject.complete();
  }
}

function isolated<T>(subject: Subject<T>, report: (error: unknown) => void): Observable<T> {
  return new IsolatedObservable(report, (subscriber) => subject.subscribe(subscriber));
}

function warnOfListener(error: unknown): void {
  const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.emitWarning('A listener of session events failed', { type: 'NestSessionsWarning', detail });
}

function warnOfLoss(lost: number): void {
  process.emitWarning(`Listeners of session events are too slow: ${lost} events were dropped`, {
    type: 'NestSessionsWarning',
  });
}
