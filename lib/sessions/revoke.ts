import type { ENDED_BY_USER } from '../audit/audit-record.js';
import type { BulkRevocationInput, BulkRevocationResult } from '../core/core.types.js';
import { CoreError, UnauthorisedError } from '../errors.js';
import type { RevocationDetails } from '../feed/revocation-feed.js';
import { readActor } from '../util/delegation-claims.js';
import { DEFAULT_TENANT_ID } from '../util/tenant-id.js';
import type { UserContext } from '../util/user-context.js';
import { endChildren } from './parent-sessions.js';
import type { RecipeContext } from './recipe-dependencies.js';
import type { SessionState } from './session-state.js';
import type { SessionOwner, StoredInput, StoredSessionFunctions } from './stored-sessions.interface.js';

/** Ends sessions, and lists those of a user. */
export class SessionRevocation {
  constructor(private readonly context: RecipeContext) {}

  async revokeSession({ sessionHandle, ...rest }: StoredInput<'revokeSession'>): Promise<boolean> {
    return (await this.revokeMultipleSessions({ sessionHandles: [sessionHandle], ...rest })).length === 1;
  }

  async revokeMultipleSessions({
    sessionHandles,
    owner,
    userContext,
    reason,
    initiator,
  }: StoredInput<'revokeMultipleSessions'>): Promise<string[]> {
    const { core, reports, revocations } = this.context;
    const details = { reason, initiator };
    const told = { userContext, ...details };
    const revoked = await core
      .revokeSessions(sessionHandles, userContext, details)
      .catch(async (error: unknown) => this.noteEnded(error, owner, told));
    const ended = new Set(revoked);
    reports.gone(sessionHandles.filter((handle) => !ended.has(handle)));
    reports.revoked(revoked, owner, told);
    // Those that were gone already, too: an earlier call may have failed right here.
    await revocations?.publishSessions(sessionHandles, details);
    await endChildren(this.context, sessionHandles, userContext);
    return revoked;
  }

  async revokeAllSessionsForUser(input: StoredInput<'revokeAllSessionsForUser'>): Promise<string[]> {
    const { core, reports, revocations } = this.context;
    const { userId, userContext, reason, initiator } = input;
    const details = { reason, initiator };
    const tenantId = input.revokeAcrossAllTenants === true ? undefined : input.tenantId;
    const includeLinkedAccounts = input.revokeSessionsForLinkedAccounts;
    const revoked = await core.revokeSessionsOfUser(
      { userId, tenantId, includeLinkedAccounts },
      userContext,
      details,
    );
    reports.revoked(revoked, { userId }, { userContext, ...details });
    // Linked accounts have other user ids, so their sessions are told one by one.
    await revocations?.publishSessions(revoked, details);
    await revocations?.publishUser({ userId, tenantId }, details);
    await endChildren(this.context, revoked, userContext);
    return revoked;
  }

  /** Ends all sessions that fulfil the conditions. Where no users are named, that is one write. */
  async revokeInBulk(input: BulkRevocationInput, userContext: UserContext): Promise<BulkRevocationResult> {
    const { core, reports, revocations } = this.context;
    const { reason, initiator } = input;
    const details = { reason, initiator };
    const told = { ...details, userContext };
    const result = await core
      .revokeInBulk(input, userContext)
      .catch(async (error: unknown) => this.noteEnded(error, undefined, told));
    const { tenantId, userIds } = input;
    if (result.sessionHandles === undefined) reports.endedBefore(input, userContext);
    else reports.revoked(result.sessionHandles, undefined, told);
    await revocations?.publishSessions(result.sessionHandles ?? [], details);
    if (userIds === undefined) await revocations?.publishCutOff(tenantId, input);
    else for (const userId of userIds) await revocations?.publishUser({ userId, tenantId }, input);
    await endChildren(this.context, result.sessionHandles ?? [], userContext);
    if (result.sessionHandles !== undefined) return result;
    reports.unknownEnded();
    // With a feed, the record that this process reads here closes the connections, as it does in the other instances.
    if (revocations === undefined) await reports.checkConnections(tenantId, core);
    else await revocations.read();
    return result;
  }

  /**
   * Reports the sessions that ended before a failure. A second call does not name them again, so sockets, listeners and other
   * instances learn of it now or never.
   */
  private async noteEnded(
    error: unknown,
    owner: SessionOwner | undefined,
    told: RevocationDetails & { readonly userContext: UserContext },
  ): Promise<never> {
    if (error instanceof CoreError && error.endedHandles !== undefined) {
      this.context.reports.revoked(error.endedHandles, owner, told);
      await this.context.revocations?.publishSessions(error.endedHandles, told);
      await endChildren(this.context, error.endedHandles, told.userContext);
    }
    throw error;
  }

  async getAllSessionHandlesForUser(input: StoredInput<'getAllSessionHandlesForUser'>): Promise<string[]> {
    return this.context.core.getSessionHandlesOfUser(
      {
        userId: input.userId,
        tenantId: input.fetchAcrossAllTenants === true ? undefined : input.tenantId,
        includeLinkedAccounts: input.fetchSessionsForAllLinkedAccounts,
      },
      input.userContext,
    );
  }
}

/** The sessions that end, and the one that stays. */
export interface OtherSessions extends RevocationDetails {
  /** The session that stays. */
  readonly sessionHandle: string;
  readonly userId: string;
  /** The primary user id, if `userId` is that of one login method. Default: `userId`. */
  readonly ownerId?: string;
  /** undefined: all tenants. */
  readonly tenantId: string | undefined;
  readonly includeLinkedAccounts: boolean;
  /** Whether the session that stays must exist: a session that has ended must not end others. */
  readonly mustExist: boolean;
}

/**
 * Ends every session that a user has at the moment of the call, except one. A sign-in that happens meanwhile stays, because
 * it knew the new password already.
 *
 * @returns the handles of the sessions that were ended
 * @throws {UnauthorisedError} the session that should stay has ended
 */
export async function revokeOtherSessions(
  recipe: StoredSessionFunctions,
  input: OtherSessions,
  userContext: UserContext,
): Promise<string[]> {
  const { sessionHandle, userId, ownerId = userId, tenantId, includeLinkedAccounts, mustExist } = input;
  const live = await recipe.getAllSessionHandlesForUser({
    userId,
    tenantId: tenantId ?? DEFAULT_TENANT_ID,
    fetchAcrossAllTenants: tenantId === undefined,
    fetchSessionsForAllLinkedAccounts: includeLinkedAccounts,
    userContext,
  });
  // A session of another tenant is not in the list although it exists.
  const isAllowed =
    !mustExist ||
    live.includes(sessionHandle) ||
    (await recipe.getSessionInformation({ sessionHandle, userContext })) !== undefined;
  if (!isAllowed) throw new UnauthorisedError('Session does not exist anymore');
  const others = live.filter((handle) => handle !== sessionHandle);
  if (others.length === 0) return [];
  const { reason, initiator } = input;
  const owner = { userId: ownerId };
  return recipe.revokeMultipleSessions({ sessionHandles: others, owner, userContext, reason, initiator });
}

/**
 * Returns why and by whom a session ends at the wish of the user who holds it: by the actor, if somebody else holds it for the user.
 *
 * @param given by the application, whose words count instead
 */
export function endedByUser(
  reason: (typeof ENDED_BY_USER)[number],
  { userId, accessTokenPayload }: Pick<SessionState, 'userId' | 'accessTokenPayload'>,
  given: RevocationDetails = {},
): RevocationDetails {
  if (given.reason !== undefined || given.initiator !== undefined) return given;
  const actor = readActor(accessTokenPayload);
  return actor === undefined
    ? { reason, initiator: userId }
    : { reason: 'ended-by-actor', initiator: actor.sub };
}
