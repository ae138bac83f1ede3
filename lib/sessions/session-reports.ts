import type { AccessTokenVerifier } from '../tokens/access-token-verifier.js';
import type { TokenTransport } from '../http/token-transport.js';
import type { CoreSession } from '../core/core.types.js';
import { TokenTheftDetectedError } from '../errors.js';
import { toEventSource, type SessionEvent, type SessionEvents } from '../events/session-events.js';
import type { Clock } from '../util/clock.js';
import { tenantIdOfHandle } from '../util/tenant-id.js';
import type { UserContext } from '../util/user-context.js';
import type { SessionState } from './session-state.js';
import type { SessionOwner } from './stored-sessions.interface.js';

/** Events that say whose session it is and nothing else. */
type PlainEventType = Extract<
  SessionEvent['type'],
  'session.created' | 'session.refreshed' | 'session.theft-detected' | 'session.reauthenticated'
>;
type ClaimsSubject = Pick<SessionState, 'sessionHandle' | 'userId' | 'recipeUserId' | 'tenantId'>;
type EventSubject = Pick<CoreSession, 'handle' | 'userId' | 'recipeUserId' | 'tenantId'>;

/** Tells what has become of sessions: the listeners of events, and whatever in this process goes on working for them. */
export class SessionReports {
  constructor(
    private readonly verifier: AccessTokenVerifier,
    private readonly transport: Pick<TokenTransport, 'noteEnded'>,
    private readonly events: SessionEvents,
    private readonly clock: Clock,
  ) {}

  note(type: PlainEventType, session: EventSubject, userContext: UserContext): void {
    const { handle: sessionHandle, userId, recipeUserId, tenantId } = session;
    this.events.emit({
      type,
      timeMs: this.clock.now(),
      sessionHandle,
      userId,
      recipeUserId,
      tenantId,
      ...toEventSource(userContext),
    });
  }

  /** Publishes that claim validators have refused a session. */
  claimsRejected(
    { sessionHandle, userId, recipeUserId, tenantId }: ClaimsSubject,
    failedClaimIds: readonly string[],
    userContext: UserContext,
  ): void {
    this.events.emit({
      type: 'session.claims-rejected',
      timeMs: this.clock.now(),
      sessionHandle,
      userId,
      recipeUserId,
      tenantId,
      ...toEventSource(userContext),
      failedClaimIds,
    });
  }

  /**
   * A theft ends what the thief may have opened, whatever is decided about the session then.
   *
   * @throws {TokenTheftDetectedError} always
   */
  theft(session: Omit<EventSubject, 'tenantId'>, userContext: UserContext): never {
    const { handle, userId, recipeUserId } = session;
    this.forget([handle]);
    this.note('session.theft-detected', { ...session, tenantId: tenantIdOfHandle(handle) }, userContext);
    throw new TokenTheftDetectedError(handle, userId, recipeUserId);
  }

  /**
   * Nothing in this process works for these sessions any longer, whether or not they were there to be ended: another
   * process may have done it, or we ourselves in a call whose answer got lost.
   */
  gone(sessionHandles: readonly string[]): void {
    this.transport.noteEnded(sessionHandles);
    this.forget(sessionHandles);
  }

  private forget(sessionHandles: readonly string[]): void {
    this.verifier.forgetSessions(sessionHandles);
    for (const sessionHandle of sessionHandles) this.events.noteEnded(sessionHandle);
  }

  /** @param sessionHandles those that were really ended */
  revoked(
    sessionHandles: readonly string[],
    owner: SessionOwner | undefined,
    userContext: UserContext,
  ): void {
    this.gone(sessionHandles);
    for (const sessionHandle of sessionHandles) {
      this.events.emit({
        type: 'session.revoked',
        timeMs: this.clock.now(),
        sessionHandle,
        ...eventSubject(owner),
        tenantId: tenantIdOfHandle(sessionHandle),
        ...toEventSource(userContext),
      });
    }
  }
}

/** An override may have put more into it. */
function eventSubject(owner: SessionOwner | undefined): Partial<SessionOwner> {
  if (owner === undefined) return {};
  const { userId, recipeUserId } = owner;
  return { userId, ...(recipeUserId === undefined ? {} : { recipeUserId }) };
}
