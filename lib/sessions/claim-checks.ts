import { withoutProtectedClaims } from '../tokens/access-token-claims.js';
import type { SessionClaimValidator } from '../claims/claim-validator.js';
import type { ClaimValidationError } from '../errors.js';
import type { JsonObject } from '../util/json.js';
import { readTenantId } from '../util/tenant-id.js';
import type { UserContext } from '../util/user-context.js';
import type { FlowDependencies } from './flow-dependencies.js';
import { changedNames } from './merge-payload.js';
import type {
  SessionInformation,
  ValidateClaimsForSessionHandleResult,
  VerifySessionOptions,
} from './recipe.interface.js';
import type { SessionContainer } from './session-container.js';

type MaybePromise<T> = Promise<T> | T;

export type OverrideValidatorsForHandle = (
  globalClaimValidators: readonly SessionClaimValidator[],
  information: SessionInformation,
  userContext: UserContext,
) => MaybePromise<readonly SessionClaimValidator[]>;

/**
 * Which validators run where, and what becomes of their findings.
 *
 * @see docs/protocol/sdk.md §6.7, §8.7
 */
export class ClaimChecks {
  /** Whether nobody could tell the checks of a route without validators of its own from no checks. */
  private readonly isIdle: boolean;

  constructor(
    private readonly dependencies: Pick<FlowDependencies, 'recipe' | 'ownRecipe' | 'globalClaimValidators'>,
  ) {
    const { ownRecipe, globalClaimValidators } = dependencies;
    this.isIdle =
      globalClaimValidators.length === 0 &&
      ownRecipe.isOwn('getSession') && // else the container, which runs the checks, may be somebody else's
      ownRecipe.isOwn('getGlobalClaimValidators') &&
      ownRecipe.isOwn('validateClaims');
  }

  /**
   * @returns undefined where there is nothing to check
   * @throws {InvalidClaimsError} the global validators, or what replaces them for this check, are not satisfied
   */
  assert(
    session: SessionContainer,
    options: VerifySessionOptions,
    userContext: UserContext,
  ): Promise<void> | undefined {
    if (this.isIdle && options.overrideGlobalClaimValidators === undefined) return undefined;
    return this.check(session, options, userContext);
  }

  private async check(
    session: SessionContainer,
    { overrideGlobalClaimValidators }: VerifySessionOptions,
    userContext: UserContext,
  ): Promise<void> {
    const subject = {
      tenantId: session.getTenantId(),
      userId: session.getUserId(),
      recipeUserId: session.getRecipeUserId(),
    };
    const global = await this.getGlobalValidators(subject, userContext);
    const validators = overrideGlobalClaimValidators
      ? await overrideGlobalClaimValidators(global, session, userContext)
      : global;
    await session.assertClaims(validators, userContext);
  }

  /** Validates what is stored; what was fetched again is stored, too. */
  async ofSessionHandle(
    sessionHandle: string,
    override: OverrideValidatorsForHandle | undefined,
    userContext: UserContext,
  ): Promise<ValidateClaimsForSessionHandleResult> {
    const { recipe } = this.dependencies;
    const information = await recipe.getSessionInformation({ sessionHandle, userContext });
    if (information === undefined) return { status: 'SESSION_DOES_NOT_EXIST_ERROR' };
    const global = await this.getGlobalValidators(information, userContext);
    // What is fetched again is fetched for the tenant that the payload names, as in a token.
    const payload = { ...information.customClaimsInAccessTokenPayload, tId: information.tenantId };
    const { invalidClaims, accessTokenPayloadUpdate } = await recipe.validateClaims({
      userId: information.userId,
      recipeUserId: information.recipeUserId,
      accessTokenPayload: payload,
      claimValidators: override ? await override(global, information, userContext) : global,
      userContext,
    });
    const doesExist =
      accessTokenPayloadUpdate === undefined ||
      (await recipe.mergeIntoAccessTokenPayload({
        sessionHandle,
        accessTokenPayloadUpdate: withoutProtectedClaims(changedNames(payload, accessTokenPayloadUpdate)),
        userContext,
      }));
    return doesExist ? { status: 'OK', invalidClaims } : { status: 'SESSION_DOES_NOT_EXIST_ERROR' };
  }

  /** §17.2: the checks of a JWT that carries a session's payload. Nothing is stored, nothing refetched is kept. */
  async ofJwtPayload(
    input: { userId: string; recipeUserId: string; jwtPayload: JsonObject },
    override:
      | ((
          global: readonly SessionClaimValidator[],
          userContext: UserContext,
        ) => MaybePromise<readonly SessionClaimValidator[]>)
      | undefined,
    userContext: UserContext,
  ): Promise<{ status: 'OK'; invalidClaims: readonly ClaimValidationError[] }> {
    const { userId, recipeUserId, jwtPayload } = input;
    const tenantId = readTenantId(jwtPayload);
    const global = await this.getGlobalValidators({ tenantId, userId, recipeUserId }, userContext);
    const { invalidClaims } = await this.dependencies.recipe.validateClaims({
      userId,
      recipeUserId,
      accessTokenPayload: jwtPayload,
      claimValidators: override ? await override(global, userContext) : global,
      userContext,
    });
    return { status: 'OK', invalidClaims };
  }

  /** The validators that a check of these sessions runs. */
  private async getGlobalValidators(
    session: { tenantId: string; userId: string; recipeUserId: string },
    userContext: UserContext,
  ): Promise<readonly SessionClaimValidator[]> {
    const { recipe, globalClaimValidators } = this.dependencies;
    return recipe.getGlobalClaimValidators({
      ...session,
      claimValidatorsAddedByOtherRecipes: globalClaimValidators,
      userContext,
    });
  }
}
