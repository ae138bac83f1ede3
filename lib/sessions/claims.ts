import type { SessionClaimValidator } from '../claims/claim-validator.js';
import { validateClaims } from '../claims/validate-claims.js';
import type { ClaimValidationError } from '../errors.js';
import { withoutProtectedClaims } from '../tokens/access-token-claims.js';
import type { JsonObject } from '../util/json.js';
import type { MaybePromise } from '../util/maybe-promise.js';
import { readTenantId } from '../util/tenant-id.js';
import type { UserContext } from '../util/user-context.js';
import { changedNames } from './payload.js';
import type { RecipeContext } from './recipe-dependencies.js';
import type { VerifySessionOptions } from './recipe.interface.js';
import type {
  GetClaimValueResult,
  SessionInformation,
  ValidateClaimsForSessionHandleResult,
  ClaimInput,
  StoredInput,
  StoredSessionFunctions,
} from './stored-sessions.interface.js';
import type { SessionContainer } from './session-container.js';

/** Replaces the list of validators of one check by handle. */
export type OverrideValidatorsForHandle = (
  globalClaimValidators: readonly SessionClaimValidator[],
  information: SessionInformation,
  userContext: UserContext,
) => MaybePromise<readonly SessionClaimValidator[]>;

type OverrideValidatorsForJwt = (
  globalClaimValidators: readonly SessionClaimValidator[],
  userContext: UserContext,
) => MaybePromise<readonly SessionClaimValidator[]>;

/**
 * Chooses the validators of each check, and reads and writes the claims of sessions by their handle.
 *
 * @see docs/protocol/sdk.md §6.7, §8.7
 */
export class SessionClaims {
  constructor(private readonly context: RecipeContext) {}

  /**
   * Runs the global validators, or the list that the route puts in their place.
   *
   * @returns a promise if there is something to check
   * @throws {InvalidClaimsError} a validator failed
   */
  assert(
    session: SessionContainer,
    { overrideGlobalClaimValidators }: VerifySessionOptions,
    userContext: UserContext,
  ): MaybePromise<void> {
    const global = this.getGlobalValidators(
      {
        tenantId: session.getTenantId(),
        userId: session.getUserId(),
        recipeUserId: session.getRecipeUserId(),
      },
      userContext,
    );
    if (overrideGlobalClaimValidators === undefined && Array.isArray(global)) {
      return this.run(session, global, userContext);
    }
    return this.runReplaced(session, global, overrideGlobalClaimValidators, userContext);
  }

  /**
   * Returns whether {@link assert} can be left out on routes without validators of their own. Asked at the first request, when
   * all overrides are in place.
   */
  get checksNothing(): boolean {
    const { context } = this;
    const replaceable = ['getSession', 'validateClaims', 'getGlobalClaimValidators'] as const;
    return (
      context.globalClaimValidators.length === 0 && !replaceable.some((name) => context.isReplaced(name))
    );
  }

  private run(
    session: SessionContainer,
    validators: readonly SessionClaimValidator[],
    userContext: UserContext,
  ): MaybePromise<void> {
    // An empty list is nothing to check, unless the session, or the function that runs the checks, is the application's.
    const { context } = this;
    if (validators.length === 0 && !context.isReplaced('validateClaims') && !context.isReplaced('getSession'))
      return;
    return session.assertClaims(validators, userContext);
  }

  private async runReplaced(
    session: SessionContainer,
    global: MaybePromise<readonly SessionClaimValidator[]>,
    override: VerifySessionOptions['overrideGlobalClaimValidators'],
    userContext: UserContext,
  ): Promise<void> {
    const known = await global;
    const validators = override === undefined ? known : await override(known, session, userContext);
    await session.assertClaims(validators, userContext);
  }

  /** Validates the stored payload of a session. Values that were fetched again are stored. */
  async validateByHandle(
    sessionHandle: string,
    override: OverrideValidatorsForHandle | undefined,
    userContext: UserContext,
  ): Promise<ValidateClaimsForSessionHandleResult> {
    const { recipe } = this.context;
    const information = await recipe.getSessionInformation({ sessionHandle, userContext });
    if (information === undefined) return { status: 'SESSION_DOES_NOT_EXIST_ERROR' };
    const global = await this.getGlobalValidators(information, userContext);
    // Values are fetched again for the tenant that the payload names, as with a token.
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

  /** Validates a JWT that carries a session's payload (§17.2). Values that were fetched again are not stored. */
  async validateJwt(
    input: { userId: string; recipeUserId: string; jwtPayload: JsonObject },
    override: OverrideValidatorsForJwt | undefined,
    userContext: UserContext,
  ): Promise<{ status: 'OK'; invalidClaims: readonly ClaimValidationError[] }> {
    const { userId, recipeUserId, jwtPayload } = input;
    const tenantId = readTenantId(jwtPayload);
    const global = await this.getGlobalValidators({ tenantId, userId, recipeUserId }, userContext);
    const { invalidClaims } = await this.context.recipe.validateClaims({
      userId,
      recipeUserId,
      accessTokenPayload: jwtPayload,
      claimValidators: override ? await override(global, userContext) : global,
      userContext,
    });
    return { status: 'OK', invalidClaims };
  }

  async validateClaims(
    input: StoredInput<'validateClaims'>,
  ): ReturnType<StoredSessionFunctions['validateClaims']> {
    const { invalidClaims, accessTokenPayloadUpdate } = await validateClaims(input);
    if (accessTokenPayloadUpdate === undefined) return { invalidClaims };
    return {
      invalidClaims,
      accessTokenPayloadUpdate: this.context.lifetimes.withoutOwnClaims(accessTokenPayloadUpdate),
    };
  }

  async fetchAndSetClaim(input: StoredInput<'fetchAndSetClaim'>): Promise<boolean> {
    const { sessionHandle, claim, userContext } = input;
    const information = await this.context.recipe.getSessionInformation({ sessionHandle, userContext });
    if (information === undefined) return false;
    const { userId, recipeUserId, tenantId, customClaimsInAccessTokenPayload: payload } = information;
    const update = await claim.build(userId, recipeUserId, tenantId, payload, userContext);
    return this.merge(sessionHandle, update, userContext);
  }

  async setClaimValue<T>({
    sessionHandle,
    claim,
    value,
    userContext,
  }: ClaimInput<T> & { value: T }): Promise<boolean> {
    return this.merge(sessionHandle, claim.addToPayload_internal({}, value, userContext), userContext);
  }

  async getClaimValue<T>({
    sessionHandle,
    claim,
    userContext,
  }: ClaimInput<T>): Promise<GetClaimValueResult<T>> {
    const information = await this.context.recipe.getSessionInformation({ sessionHandle, userContext });
    if (information === undefined) return { status: 'SESSION_DOES_NOT_EXIST_ERROR' };
    const { customClaimsInAccessTokenPayload: payload } = information;
    return { status: 'OK', value: claim.getValueFromPayload(payload, userContext) };
  }

  async removeClaim({ sessionHandle, claim, userContext }: StoredInput<'removeClaim'>): Promise<boolean> {
    return this.merge(sessionHandle, claim.removeFromPayloadByMerge_internal({}, userContext), userContext);
  }

  private async merge(sessionHandle: string, update: JsonObject, userContext: UserContext): Promise<boolean> {
    return this.context.recipe.mergeIntoAccessTokenPayload({
      sessionHandle,
      accessTokenPayloadUpdate: update,
      userContext,
    });
  }

  private getGlobalValidators(
    session: { tenantId: string; userId: string; recipeUserId: string },
    userContext: UserContext,
  ): MaybePromise<readonly SessionClaimValidator[]> {
    const { recipe, globalClaimValidators } = this.context;
    const { tenantId, userId, recipeUserId } = session; // not spread: that costs a microsecond of each request
    return recipe.getGlobalClaimValidators({
      tenantId,
      userId,
      recipeUserId,
      claimValidatorsAddedByOtherRecipes: globalClaimValidators,
      userContext,
    });
  }
}
