import type { CoreSession, CoreSessionTokens } from '../core/core.types.js';
import { UnauthorisedError } from '../errors.js';
import { hasLivingParents, PARENT_ENDED, parentHandles } from '../util/delegation-claims.js';
import { endOfSessionMs } from '../util/lifetime-claims.js';
import type { UserContext } from '../util/user-context.js';
import type { RecipeContext } from './recipe-dependencies.js';

/**
 * Ends a session that was refreshed although it is over: it has reached its absolute end, which its core may not know, or a session
 * that it belongs to has ended and the process that ended that one stopped before this one.
 *
 * @throws {UnauthorisedError} it is over
 */
export async function endIfOver(
  { lifetimes, recipe, core }: RecipeContext,
  session: CoreSession,
  userContext: UserContext,
): Promise<void> {
  const isOver = lifetimes.isOver(session.userDataInJWT);
  if (!isOver && (await hasLivingParents(core, session.userDataInJWT))) return;
  const { handle: sessionHandle, userId, recipeUserId } = session;
  const owner = { userId, recipeUserId };
  const reason = isOver ? {} : { reason: PARENT_ENDED };
  await recipe.revokeSession({ sessionHandle, owner, userContext, ...reason });
  lifetimes.assertNotOver(session.userDataInJWT);
  const error = new UnauthorisedError('The session has ended with the one that it belongs to');
  lifetimes.noteEnd(error);
  throw error;
}

/**
 * Ends the sessions that belong to some that have ended. A failure is not reported, because the call has done what it says, and each of
 * them ends at its next refresh.
 */
export async function endChildren(
  { recipe, delegations }: RecipeContext,
  endedHandles: readonly string[],
  userContext: UserContext,
): Promise<void> {
  try {
    const sessionHandles = await delegations.children.find(endedHandles);
    if (sessionHandles.length === 0) return;
    await recipe.revokeMultipleSessions({ sessionHandles, userContext, reason: PARENT_ENDED });
  } catch {
    // See above.
  }
}

/**
 * Lets a session end with the sign-in at a provider of the one that it goes on from.
 *
 * @throws {UnauthorisedError} that one, or its sign-in, has ended meanwhile
 */
export async function joinSibling(
  { core, backChannelLogout }: RecipeContext,
  newHandle: string,
  siblingHandle: string,
): Promise<void> {
  const isSignedIn = await backChannelLogout?.assignSibling(newHandle, siblingHandle);
  // After the note: the end of the sign-in finds that, or this finds the end of the session.
  if (isSignedIn !== false && (await core.getSessionInformation(siblingHandle, {})) !== undefined) return;
  throw new UnauthorisedError('The session that this one goes on from has ended', { clearTokens: false });
}

/** Notes that a session lives longer, where its own refreshes say how long. If that fails, it ends at a refresh instead. */
export async function noteLongerLife(
  { lifetimes, delegations }: RecipeContext,
  { session, refreshToken }: CoreSessionTokens,
): Promise<void> {
  const [parentHandle] = parentHandles(session.userDataInJWT);
  if (parentHandle === undefined || endOfSessionMs(session.userDataInJWT) !== undefined) return;
  const untilMs = lifetimes.refreshTokenExpiryMs(session.userDataInJWT, refreshToken.expiry);
  await delegations.children.add(parentHandle, session.handle, untilMs).catch(() => undefined);
}

/**
 * Notes a session with the one that it belongs to. That one may end meanwhile: then either its end finds the note, or this finds its
 * end.
 *
 * @throws {UnauthorisedError} it has ended, and so has the session
 */
export async function bindToParent(
  context: RecipeContext,
  { session, refreshToken }: CoreSessionTokens,
  userContext: UserContext,
): Promise<void> {
  const { lifetimes, delegations } = context;
  const [parentHandle] = parentHandles(session.userDataInJWT);
  if (parentHandle === undefined) return;
  const untilMs = lifetimes.refreshTokenExpiryMs(session.userDataInJWT, refreshToken.expiry);
  await delegations.children.add(parentHandle, session.handle, untilMs);
  await endIfOver(context, session, userContext);
}
