import { CoreError, UnauthorisedError } from '../errors.js';
import { DEFAULT_TENANT_ID } from '../util/tenant-id.js';
import type { UserContext } from '../util/user-context.js';
import type { RecipeContext } from './recipe-dependencies.js';
import type { StoredInput, StoredSessionFunctions } from './stored-sessions.interface.js';

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
  }: StoredInput<'revokeMultipleSessions'>): Promise<string[]> {
    const { core, reports } = this.context;
    try {
      const revoked = await core.revokeSessions(sessionHandles, userContext);
      const ended = new Set(revoked);
      reports.gone(sessionHandles.filter((handle) => !ended.has(handle)));
      reports.revoked(revoked, owner, userContext);
      return revoked;
    } catch (error) {
      // A repeat names them no more, so their sockets and listeners learn of it now or never.
      if (error instanceof CoreError) reports.revoked(error.endedHandles ?? [], owner, userContext);
      throw error;
    }
  }

  async revokeAllSessionsForUser(input: StoredInput<'revokeAllSessionsForUser'>): Promise<string[]> {
    const revoked = await this.context.core.revokeSessionsOfUser(
      {
        userId: input.userId,
        tenantId: input.revokeAcrossAllTenants === true ? undefined : input.tenantId,
        includeLinkedAccounts: input.revokeSessionsForLinkedAccounts,
      },
      input.userContext,
    );
    this.context.reports.revoked(revoked, { userId: input.userId }, input.userContext);
    return revoked;
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
export interface OtherSessions {
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
  { sessionHandle, userId, ownerId = userId, tenantId, includeLinkedAccounts, mustExist }: OtherSessions,
  userContext: UserContext,
): Promise<string[]> {
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
  return recipe.revokeMultipleSessions({ sessionHandles: others, owner: { userId: ownerId }, userContext });
}
