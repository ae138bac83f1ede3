import type { AccessTokenVerifier } from '../tokens/access-token-verifier.js';
import type { TokenTransport } from '../http/token-transport.js';
import type { CoreClient } from '../core/core-client.js';
import type { BulkRevocationInput, CoreSession } from '../core/core.types.js';
import type { HandOverRefusal, HandOverSubject } from '../delegation/hand-over.js';
import { TokenTheftDetectedError } from '../errors.js';
import { toEventSource, type SessionEvent } from '../events/session-event.js';
import type { SessionEventHub } from '../events/session-event-hub.js';
import { CutOffScope } from '../feed/cut-off-scope.js';
import { givenDetails, type RevocationDetails } from '../feed/revocation-feed.js';
import type { Clock } from '../util/clock.js';
import { delegationFacts } from '../util/delegation-claims.js';
import { tenantIdOfHandle } from '../util/tenant-id.js';
import type { UserContext } from '../util/user-context.js';
import { ConnectionChecks } from './connection-checks.js';
import type { DeviceDifference } from './devices.js';
import type { SessionState } from './session-state.js';
import type { SessionOwner } from './stored-sessions.interface.js';

/** The events without members of their own. */
type PlainEventType = Extract<
  SessionEvent['type'],
  'session.created' | 'session.refreshed' | 'session.theft-detected' | 'session.reauthenticated'
>;
type DeviceEventType = Extract<SessionEvent['type'], `device.${string}`>;
/** A session, and the user it belongs to. */
export type SessionSubject = Pick<SessionState, 'sessionHandle' | 'userId' | 'recipeUserId' | 'tenantId'>;
type EventSubject = Pick<CoreSession, 'handle' | 'userId' | 'recipeUserId' | 'tenantId'> &
  Partial<Pick<CoreSession, 'userDataInJWT'>>;

/** Reports what happens to sessions: to the listeners of events, and to the parts of this process that still work for a session. */
export class SessionReports {
  /** The sockets and streams that cut-offs have put in doubt. */
  readonly connections: ConnectionChecks;

  constructor(
    private readonly verifier: AccessTokenVerifier,
    private readonly transport: Pick<TokenTransport, 'noteEnded' | 'noteUnknownEnds'>,
    private readonly events: SessionEventHub,
    private readonly clock: Clock,
  ) {
    this.connections = new ConnectionChecks(events.connections, (handle) => this.gone([handle]));
  }

  note(
    type: PlainEventType,
    session: EventSubject,
    userContext: UserContext,
    further: { readonly recentTokenReuseSubtype?: string } = {},
  ): void {
    const { handle: sessionHandle, userId, recipeUserId, tenantId, userDataInJWT = {} } = session;
    this.events.emit({
      type,
      timeMs: this.clock.now(),
      sessionHandle,
      userId,
      recipeUserId,
      tenantId,
      ...delegationFacts(userDataInJWT),
      ...further,
      ...toEventSource(userContext),
    });
  }

  /** Publishes what became of the key that a session is bound to. @param reason of a refusal, without anything of the proof */
  device(type: DeviceEventType, session: SessionSubject, userContext: UserContext, reason = ''): void {
    const { sessionHandle, userId, recipeUserId, tenantId } = session;
    const subject = { sessionHandle, userId, recipeUserId, tenantId, ...toEventSource(userContext) };
    const timeMs = this.clock.now();
    this.events.emit(
      type === 'device.proof-refused' || type === 'device.skipped'
        ? { type, timeMs, ...subject, reason }
        : { type, timeMs, ...subject },
    );
  }

  /** Publishes that a hand-over token of a session was refused. */
  handOverRefused(
    { sessionHandle, userId, recipeUserId, tenantId }: HandOverSubject,
    reason: HandOverRefusal,
    userContext: UserContext,
  ): void {
    this.events.emit({
      type: 'session.hand-over-refused',
      timeMs: this.clock.now(),
      sessionHandle,
      userId,
      recipeUserId,
      tenantId,
      reason,
      ...toEventSource(userContext),
    });
  }

  /** Publishes that another device uses a session: as precisely as both are kept, so without the address of the request. */
  newDevice(
    { sessionHandle, userId, recipeUserId, tenantId }: SessionSubject,
    { before, now }: DeviceDifference,
  ): void {
    this.events.emit({
      type: 'session.new-device',
      timeMs: this.clock.now(),
      sessionHandle,
      userId,
      recipeUserId,
      tenantId,
      before,
      now,
    });
  }

  /** Publishes that claim validators have refused a session. */
  claimsRejected(
    { sessionHandle, userId, recipeUserId, tenantId }: SessionSubject,
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
   * Reports a theft. It ends the sockets and streams of the session in any case, because the thief may have opened them.
   *
   * @param reuse the subtype of CDI 5.6, if the core names one
   * @throws {TokenTheftDetectedError} always
   */
  theft(
    session: Omit<EventSubject, 'tenantId'>,
    userContext: UserContext,
    reuse: { readonly recentTokenReuseSubtype?: string } = {},
  ): never {
    const { handle, userId, recipeUserId } = session;
    this.forget([handle]);
    const subject = { ...session, tenantId: tenantIdOfHandle(handle) };
    this.note('session.theft-detected', subject, userContext, reuse);
    throw new TokenTheftDetectedError(handle, userId, recipeUserId, reuse);
  }

  /**
   * Ends all work for these sessions in this process, including those that did not exist: another process may have ended
   * them, or a call of this process whose response was lost.
   */
  gone(sessionHandles: readonly string[]): void {
    this.transport.noteEnded(sessionHandles);
    this.forget(sessionHandles);
  }

  /**
   * Ends the sockets and streams of sessions that the core does not know any more.
   *
   * @param tenantId undefined: of all tenants
   * @throws {CoreUnavailableError} some could not be looked up
   */
  async checkConnections(
    tenantId: string | undefined,
    core: Pick<CoreClient, 'getSessionInformation'>,
  ): Promise<void> {
    this.connections.add(
      tenantId === undefined
        ? CutOffScope.everybody()
        : new CutOffScope([{ kind: 'tenant', id: tenantId, tenantId }]),
    );
    await this.connections.run(core);
  }

  /** Notes that sessions have ended whose handles are not known: what was verified before proves nothing any more. */
  unknownEnded(): void {
    this.verifier.forgetAll();
    this.noteUnknownEnds();
  }

  /** The same for sessions of a scope: the work for others goes on. */
  unknownEndedIn(scope: CutOffScope): void {
    this.verifier.forgetWhere((info) => scope.includes(info));
    this.noteUnknownEnds(scope);
  }

  private noteUnknownEnds(scope?: CutOffScope): void {
    this.transport.noteUnknownEnds(scope);
    for (const kind of this.events.connections) kind.noteUnknownEnds(scope);
  }

  private forget(sessionHandles: readonly string[]): void {
    this.verifier.forgetSessions(sessionHandles);
    for (const sessionHandle of sessionHandles) this.events.noteEnded(sessionHandle);
  }

  /** Reports ended sessions. @param sessionHandles those that existed */
  revoked(
    sessionHandles: readonly string[],
    owner: SessionOwner | undefined,
    { userContext, ...details }: RevocationDetails & { readonly userContext: UserContext },
  ): void {
    this.gone(sessionHandles);
    for (const sessionHandle of sessionHandles) {
      this.events.emit({
        type: 'session.revoked',
        timeMs: this.clock.now(),
        sessionHandle,
        ...eventSubject(owner),
        tenantId: tenantIdOfHandle(sessionHandle),
        ...givenDetails(details),
        ...toEventSource(userContext),
      });
    }
  }

  /** Reports that all sessions were ended which were created before a moment; they are not known one by one. */
  endedBefore(
    { tenantId, createdBeforeMs = this.clock.now(), ...details }: Omit<BulkRevocationInput, 'userIds'>,
    userContext: UserContext,
  ): void {
    this.events.emit({
      type: 'sessions.ended-before',
      timeMs: this.clock.now(),
      ...(tenantId === undefined ? {} : { tenantId }),
      createdBeforeMs,
      ...givenDetails(details),
      ...toEventSource(userContext),
    });
  }
}

/** Copies the two members, because an override may have added others. */
function eventSubject(owner: SessionOwner | undefined): Partial<SessionOwner> {
  if (owner === undefined) return {};
  const { userId, recipeUserId } = owner;
  return { userId, ...(recipeUserId === undefined ? {} : { recipeUserId }) };
}
