import { Subject, type Observable } from 'rxjs';
import { IsolatedObservable } from './isolated-observable.js';

interface SessionEventBase {
  /** When it happened, milliseconds since the epoch. */
  readonly timeMs: number;
  readonly sessionHandle: string;
  readonly userId: string;
  readonly tenantId: string;
}

/**
 * What happened to a session, one record each. No event carries a token.
 *
 * @publicApi
 */
export type SessionEvent =
  | (SessionEventBase & { readonly type: 'session.created' })
  | (SessionEventBase & { readonly type: 'session.refreshed' })
  /** A refreshed token was used for the first time: from now on the one before it counts as retired. */
  | (SessionEventBase & { readonly type: 'session.promoted' })
  | (SessionEventBase & {
      readonly type: 'session.theft-detected';
      readonly recipeUserId: string;
    })
  | (SessionEventBase & {
      readonly type: 'session.claims-rejected';
      readonly failedClaimIds: readonly string[];
    })
  /** Sessions are revoked by handle, so whose it was is known only to the caller. */
  | (Omit<SessionEventBase, 'userId'> & { readonly type: 'session.revoked' });

/**
 * The stream of session events of one `SessionModule`. Also the injection token.
 *
 * @example
 * sessionEvents.stream.pipe(filter((event) => event.type === 'session.theft-detected')).subscribe(alert);
 * @publicApi
 */
export class SessionEvents {
  private readonly subject = new Subject<SessionEvent>();

  /** Hot stream; completes when the application shuts down. A listener that throws is reported as a process warning. */
  readonly stream: Observable<SessionEvent>;

  /** @internal @param reportListenerError what to do with what a listener throws */
  constructor(reportListenerError: (error: unknown) => void = warn) {
    this.stream = new IsolatedObservable(reportListenerError, (subscriber) =>
      this.subject.subscribe(subscriber),
    );
  }

  /** @internal Never throws into the request that caused the event. */
  emit(event: SessionEvent): void {
    this.subject.next(event);
  }

  /** @internal */
  complete(): void {
    this.subject.complete();
  }
}

function warn(error: unknown): void {
  const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.emitWarning('A listener of session events failed', { type: 'NestSessionsWarning', detail });
}
