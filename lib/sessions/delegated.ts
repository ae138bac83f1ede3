import type { CoreSessionTokens } from '../core/core.types.js';
import { keptClaims, type ChildSessionInput, type ParentSession } from '../delegation/delegations.js';
import { PROTECTED_CLAIM_NAMES, withoutProtectedClaims } from '../tokens/access-token-claims.js';
import { parentHandles } from '../util/delegation-claims.js';
import { toJsonObject, type JsonObject } from '../util/json.js';
import type { UserContext } from '../util/user-context.js';
import { endIfOver } from './ended-sessions.js';
import type { RecipeContext } from './recipe-dependencies.js';
import type { LiveRecipeContext } from './recipe.interface.js';
import type { SessionContainer } from './session-container.js';

/** Makes sessions from others. */
export class DelegatedSessions {
  constructor(private readonly context: LiveRecipeContext) {}

  async createChild(input: ChildSessionInput, userContext: UserContext): Promise<SessionContainer> {
    const { delegations, lifetimes, schemas, recipe } = this.context;
    const parent = await delegations.findParent(input.parentSessionHandle);
    const ownNames = [...PROTECTED_CLAIM_NAMES, ...lifetimes.claimNames, 'iss', 'aud'];
    const kept = keptClaims(parent, input.claims ?? [], ownNames);
    const given = withoutProtectedClaims(toJsonObject(input.accessTokenPayload ?? {}, 'accessTokenPayload'));
    const { sessionDataInDatabase: data } = input;
    return recipe.createNewSession({
      ...ownerOf(parent),
      accessTokenPayload: { ...kept, ...given, ...issuerOf(parent) },
      sessionDataInDatabase:
        data && toJsonObject(await schemas.whole('sessionDataInDatabase', data), 'sessionDataInDatabase'),
      disableAntiCsrf: true,
      delegation: delegations.forChild(parent, input),
      accessTokenValiditySec: input.accessTokenValiditySec,
      userContext,
    });
  }
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

function ownerOf({ userId, recipeUserId, tenantId }: ParentSession) {
  return { userId, recipeUserId, tenantId };
}

/** The names by which verifiers know their own tokens. */
function issuerOf({ userDataInJWT: { iss, aud } }: ParentSession): JsonObject {
  return { ...(iss === undefined ? {} : { iss }), ...(aud === undefined ? {} : { aud }) };
}
