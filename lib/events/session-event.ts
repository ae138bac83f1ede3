import { clientAddress } from '../util/client-address.js';
import { getRequestFromUserContext, type UserContext } from '../util/user-context.js';
import type { RevocationDetails } from '../feed/revocation-feed.js';
import type { SessionDevice } from '../options/feature-options.js';
import type { DelegationFacts } from '../util/delegation-claims.js';
import { printable } from './printable.js';

const MAX_USER_AGENT_LENGTH = 256;

interface TimedEvent {
  /** When it happened, milliseconds since the epoch (UTC). */
  readonly timeMs: number;
}

/** With the actor and the parent of a delegated session where a sign-in, a refresh or a new proof is reported. */
interface EventOfSession extends TimedEvent, EventSource, DelegationFacts {
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
   * A hand-over token of the session was presented after its use (`replayed`), by another client than the one that it is for
   * (`wrong-audience`), or after the end of the session (`session-ended`). It opens no session later.
   */
  | (EventOfSession & {
      readonly type: 'session.hand-over-refused';
      readonly reason: 'replayed' | 'wrong-audience' | 'session-ended';
    })
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
