import { Subject, type Observable } from 'rxjs';
import { DeferredDelivery, IsolatedObservable } from './event-delivery.js';
import { clientAddress } from '../util/client-address.js';
import { getRequestFromUserContext, type UserContext } from '../util/user-context.js';
import type { RevocationDetails } from '../feed/revocation-feed.js';
import type { RevocationLogScope } from '../util/revocation-log.js';
import type { SessionDevice } from '../options/feature-options.js';
import { printable } from './printable.js';

const MAX_USER_AGENT_LENGTH = 256;

interface TimedEvent {
  /** When it happened, milliseconds since the epoch (UTC). */
  readonly timeMs: number;
}

interface EventOfSession extends TimedEvent, EventSource {
  readonly sessionHandle: string;
  /** Primary user id. */
  readonly userId: string;
  /** The login method; absent where it is not known without another call. */
  readonly recipeUserId?: string;
  readonly tenantId: string;
}

/**
 * A record of something that happened to a session, a key or the core. No event carries a token, a cookie, a payload or
 * session data; the session handle is no credential.
 *
 * @publicApi
 */
export type SessionEvent =
  | (EventOfSession & { readonly type: 'session.created' })
  | (EventOfSession & { readonly type: 'session.refreshed' })
  /**
   * A new token was used for the first time, or was given to a caller of CDI 5.6, which retires the token before it. Emitted by the
   * process in which the core runs.
   */
  | (EventOfSession & { readonly type: 'session.promoted' })
  /** A retired refresh token came within `refreshTokenRotationGracePeriodSec` and got the same successor again (of CDI 5.6: a new one); `session.refreshed` follows. */
  | (EventOfSession & { readonly type: 'session.grace-hit' })
  /** `recentTokenReuseSubtype`: how the token came back, where the core says so (CDI 5.6): `ORPHANED_BRANCH` for example. */
  | (EventOfSession & {
      readonly type: 'session.theft-detected';
      readonly recipeUserId: string;
      readonly recentTokenReuseSubtype?: string;
    })
  | (EventOfSession & {
      readonly type: 'session.claims-rejected';
      readonly failedClaimIds: readonly string[];
    })
  /** The user proved their identity again. */
  | (EventOfSession & { readonly type: 'session.reauthenticated' })
  /**
   * A refresh or a noted use came from another browser, system or network than the one before. Once for each change, with the option
   * `devices`, and as precisely as that keeps them: without address and user agent of the request.
   */
  | (EventOfSession & {
      readonly type: 'session.new-device';
      readonly before: SessionDevice;
      readonly now: SessionDevice;
    })
  /** A session is bound to a key from now on. */
  | (EventOfSession & { readonly type: 'device.registered' })
  /** A browser has shown again that it has the key. */
  | (EventOfSession & { readonly type: 'device.refreshed' })
  /** A proof of the key was refused. */
  | (EventOfSession & { readonly type: 'device.proof-refused'; readonly reason: string })
  /** A request came without the bound cookie because the browser could not renew it: `server_error` for example, or several, with commas. */
  | (EventOfSession & { readonly type: 'device.skipped'; readonly reason: string })
  /** `userId` is absent where the application ended a session by its handle alone, because the user is not looked up then. */
  | (Omit<EventOfSession, 'userId'> &
      RevocationDetails & { readonly type: 'session.revoked'; readonly userId?: string })
  /** Tokens are signed by a new rotating key, or soon will be; each process emits this once, when it learns of the key. */
  | (TimedEvent & {
      readonly type: 'key.rotated';
      readonly kid: string;
      /** The newest key before it, if that is still published. */
      readonly previousKid: string | undefined;
    })
  /** This process learns of sessions that ended in others at once (`live`), within a second or so (`polling`), or not at present. */
  | (TimedEvent & {
      readonly type: 'revocations.state';
      readonly state: 'live' | 'polling' | 'stale' | 'none';
      readonly previousState: 'live' | 'polling' | 'stale' | 'none';
      /** The feed and its host, without secrets. */
      readonly feed: string;
    })
  /** More sessions, users or tenants have ended than `revocationFeed.maxSessions`: for a while the core is asked about each session once. */
  | (TimedEvent & { readonly type: 'revocations.overflow'; readonly kept: number })
  /** All sessions of a tenant or of everybody that were created before a moment were ended at once. */
  | (TimedEvent &
      EventSource &
      RevocationDetails & {
        readonly type: 'sessions.ended-before';
        /** Absent: all tenants. */
        readonly tenantId?: string;
        readonly createdBeforeMs: number;
      })
  /** The core or its store began to fail. One record for each outage. */
  | (TimedEvent & { readonly type: 'core.unavailable'; readonly message: string })
  /** The core or its store responds again. */
  | (TimedEvent & {
      readonly type: 'core.available';
      readonly unavailableSinceMs: number;
      /** Calls that failed during the outage. */
      readonly failedCalls: number;
    });

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
export class SessionEvents {
  private readonly delivered$ = new Subject<SessionEvent>();
  private readonly immediate$ = new Subject<SessionEvent>();
  private readonly endings$ = new Subject<string>();
  /** @internal The open connections, for endings that are not known by their handles. */
  readonly connections = new Set<SessionConnections>();
  private readonly delivery = new DeferredDelivery<SessionEvent>(
    (event) => this.delivered$.next(event),
    warnOfLoss,
  );

  /** Hot stream; completes when the application shuts down, after all events have been delivered. */
  readonly stream: Observable<SessionEvent>;

  /** @internal The same events, delivered at once and without losses, for parts of the library that need only microseconds. */
  readonly immediate: Observable<SessionEvent>;

  /**
   * @internal The handles of sessions that may no longer be used in this process, delivered at once. They include sessions
   * that were already gone when this process was told to end them, which is no event.
   */
  readonly endings: Observable<string>;

  /** @internal @param reportListenerError gets what a listener throws */
  constructor(reportListenerError: (error: unknown) => void = warnOfListener) {
    this.stream = new IsolatedObservable(this.delivered$, reportListenerError);
    this.immediate = new IsolatedObservable(this.immediate$, reportListenerError);
    this.endings = new IsolatedObservable(this.endings$, reportListenerError);
  }

  /** Resolves when all events so far have been delivered to the listeners; for tests. */
  async delivered(): Promise<void> {
    await this.delivery.drained();
  }

  /** @internal Never throws into the request that caused the event. */
  emit(event: SessionEvent): void {
    const record = Object.freeze(event); // listeners share it
    this.immediate$.next(record);
    // The stream is hot: a later listener does not get this event.
    if (this.delivered$.observed) this.delivery.add(record);
  }

  /** @internal See {@link endings}. */
  noteEnded(sessionHandle: string): void {
    this.endings$.next(sessionHandle);
  }

  /** @internal Delivers the events that wait, then ends the streams. */
  complete(): void {
    this.delivery.drainNow();
    for (const subject of [this.delivered$, this.immediate$, this.endings$]) subject.complete();
  }
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

/** A session that has an open connection. */
export interface ConnectedSession {
  getHandle(): string;
  getUserId(): string;
  getRecipeUserId(): string;
}

/** The open connections of one kind. */
export interface SessionConnections {
  /** The sessions that have one, each once. */
  sessions(): Iterable<ConnectedSession>;
  /** Called before the sessions are read: a session that is being verified for a connection may have ended. */
  noteUnknownEnds(scope?: RevocationLogScope): void;
}

/**
 * The origin of a request, as far as it is known.
 *
 * @publicApi
 */
export interface EventSource {
  /**
   * The client's address as the framework reports it, so only proxies that the application trusts can change it; IPv6 in
   * its short form. Absent outside of requests.
   */
  readonly ip?: string;
  /** The `User-Agent` header: at most 256 characters, control characters spelled out (`\u{a}`). Clients can write any text. */
  readonly userAgent?: string;
}

/** Reads the origin of the request that a recipe function works for. */
export function toEventSource(userContext: UserContext | undefined): EventSource {
  const request = getRequestFromUserContext(userContext);
  if (request === undefined) return {};
  const ip = clientAddress(request);
  const userAgent = request.getHeaderValue('user-agent');
  return {
    ...(ip === undefined ? {} : { ip }),
    ...(userAgent === undefined ? {} : { userAgent: printable(userAgent, MAX_USER_AGENT_LENGTH) }),
  };
}
