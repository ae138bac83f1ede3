import { UnauthorisedError } from '../errors.js';
import { DEFAULT_TENANT_ID } from '../util/tenant-id.js';
import type { UserContext } from '../util/user-context.js';
import type { RecipeInterface } from './recipe.interface.js';

/** Whose sessions end, and which one stays. */
export interface OtherSessions {
  /** The one that stays. */
  readonly sessionHandle: string;
  readonly userId: string;
  /** His primary user id, where `userId` is that of one login method. Default: `userId`. */
  readonly ownerId?: string;
  /** undefined: all tenants. */
  readonly tenantId: string | undefined;
  readonly includeLinkedAccounts: boolean;
  /** Whether the one that stays must be alive: a session that has ended has no say about the others. */
  readonly mustExist: boolean;
}

/**
 * Ends every session that a user has at the moment of the call, except one. A sign-in that happens meanwhile is none of
 * them: it knew the new password already.
 *
 * @returns the handles of the sessions that were ended
 * @throws {UnauthorisedError} the session that should stay has ended
 */
export async function revokeOtherSessions(
  recipe: RecipeInterface,
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
  // The list may leave it out while it lives: it is of another tenant.
  const mayAsk =
    !mustExist ||
    live.includes(sessionHandle) ||
    (await recipe.getSessionInformation({ sessionHandle, userContext })) !== undefined;
  if (!mayAsk) throw new UnauthorisedError('Session does not exist anymore');
  const others = live.filter((handle) => handle !== sessionHandle);
  if (others.length === 0) return [];
  return recipe.revokeMultipleSessions({ sessionHandles: others, owner: { userId: ownerId }, userContext });
}
