import {
  keptClaims,
  type ChildSessionInput,
  type NewDelegation,
  type ParentSession,
} from '../delegation/delegations.js';
import { HandOvers, type HandOverInput, type RedemptionInput } from '../delegation/hand-over.js';
import { assertNotSent, type SessionRequest } from '../http/session-request.js';
import { PROTECTED_CLAIM_NAMES, withoutProtectedClaims } from '../tokens/access-token-claims.js';
import { hasLivingParents } from '../util/delegation-claims.js';
import { toJsonObject, type JsonObject } from '../util/json.js';
import { authenticatedAtMs, NEVER_AUTHENTICATED } from '../util/lifetime-claims.js';
import type { UserContext } from '../util/user-context.js';
import type { PreparedSession, SessionCreation } from './create.js';
import type { LiveRecipeContext } from './recipe.interface.js';
import type { SessionContainer } from './session-container.js';

/** Makes sessions from others. */
export class DelegatedSessions {
  private readonly handOvers: HandOvers;

  constructor(
    private readonly context: LiveRecipeContext,
    private readonly creation: SessionCreation,
  ) {
    const { core, clock, reports } = context;
    this.handOvers = new HandOvers(core, clock, (...refused) => reports.handOverRefused(...refused));
  }

  async createChild(input: ChildSessionInput, userContext: UserContext): Promise<SessionContainer> {
    const { delegations, lifetimes, schemas } = this.context;
    const parent = await delegations.findParent(input.parentSessionHandle);
    const ownNames = [...PROTECTED_CLAIM_NAMES, ...lifetimes.claimNames, 'iss', 'aud'];
    const kept = keptClaims(parent, input.claims ?? [], ownNames);
    const given = withoutProtectedClaims(toJsonObject(input.accessTokenPayload ?? {}, 'accessTokenPayload'));
    const { sessionDataInDatabase: data } = input;
    return this.creation.open({
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

  async createHandOverToken({ sessionHandle, audience, as = 'child' }: HandOverInput): Promise<string> {
    const parent = await this.context.delegations.findParent(sessionHandle);
    return this.handOvers.issue(parent, audience, as);
  }

  /** The token is used up once the request is known to be able to carry the session. */
  async redeemInRequest(request: SessionRequest, input: RedemptionInput): Promise<SessionContainer> {
    assertNotSent(request.response, 'redeemHandOverToken');
    const { prepared, use } = await this.redeem(input, request.userContext);
    return this.creation.openInRequest(request, prepared, use);
  }

  async redeemWithoutRequest(
    { disableAntiCsrf, ...input }: RedemptionInput & { readonly disableAntiCsrf: boolean },
    userContext: UserContext,
  ): Promise<SessionContainer> {
    const { prepared, use } = await this.redeem(input, userContext);
    await use();
    return this.creation.open({ ...prepared, disableAntiCsrf, userContext });
  }

  /** @throws {UnauthorisedError} the token cannot be used, or its session has ended */
  private async redeem(
    input: RedemptionInput,
    userContext: UserContext,
  ): Promise<{ prepared: PreparedSession; use: () => Promise<void> }> {
    const { handOvers } = this;
    const { core, delegations } = this.context;
    const { subject, as, use } = await handOvers.find(input, userContext);
    const parent = await core.getSessionInformation(subject.sessionHandle, {});
    if (parent === undefined || !(await hasLivingParents(core, parent.userDataInJWT)))
      throw handOvers.refuse(subject, 'session-ended', userContext);
    return {
      prepared: this.continuation(parent, delegations.forHandOver(parent, as)),
      use: async () => {
        if (!(await use())) throw handOvers.refuse(subject, 'replayed', userContext);
      },
    };
  }

  /** Returns the content of a session that goes on where another one stopped. */
  private continuation(parent: ParentSession, delegation: NewDelegation): PreparedSession {
    const { devices, lifetimes } = this.context;
    const { userDataInJWT, userDataInDatabase } = parent;
    return {
      ...ownerOf(parent),
      accessTokenPayload: withoutProtectedClaims(userDataInJWT),
      sessionDataInDatabase: devices.split(userDataInDatabase).data,
      authenticatedAtMs: lifetimes.isOn
        ? (authenticatedAtMs(userDataInJWT) ?? NEVER_AUTHENTICATED)
        : undefined,
      delegation,
    };
  }
}

function ownerOf({ userId, recipeUserId, tenantId }: ParentSession) {
  return { userId, recipeUserId, tenantId };
}

/** The names by which verifiers know their own tokens. */
function issuerOf({ userDataInJWT: { iss, aud } }: ParentSession): JsonObject {
  return { ...(iss === undefined ? {} : { iss }), ...(aud === undefined ? {} : { aud }) };
}
