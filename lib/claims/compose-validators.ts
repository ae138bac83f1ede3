import type { ClaimValidationError } from '../errors.js';
import type { JsonObject } from '../util/json.js';
import type { UserContext } from '../util/user-context.js';
import {
  COMPOSED_FAILURE,
  isUndecided,
  type ClaimValidationResult,
  type SessionClaimValidator,
  toValidationError,
} from './claim-validator.js';
import { SessionClaim } from './session-claim.js';

/**
 * A validator that passes if at least one of the given validators passes. They run in order until one passes.
 *
 * The stale claims of all validators are fetched again first. The reason of a failure is
 * `{ message: 'none of the alternatives is valid', failed: [{ id, reason }, …] }` with the reason of each validator.
 *
 * @param id names the check in the 403 body
 * @throws {TypeError} no validators are given
 * @publicApi
 */
export function anyOf(id: string, ...validators: SessionClaimValidator[]): SessionClaimValidator {
  return composed(id, validators, async (payload, userContext) => {
    const failed: ClaimValidationError[] = [];
    for (const validator of validators) {
      const failure = toValidationError(validator, await validator.validate(payload, userContext));
      if (failure === undefined) return { isValid: true };
      failed.push(failure);
    }
    return { isValid: false, reason: { message: COMPOSED_FAILURE.noneValid, failed } };
  });
}

/**
 * A validator that passes if all given validators pass. All of them run.
 *
 * The stale claims of all validators are fetched again first. The reason of a failure is
 * `{ message: 'not all conditions are valid', failed: [{ id, reason }, …] }` with the validators that failed.
 *
 * @param id names the check in the 403 body
 * @throws {TypeError} no validators are given
 * @publicApi
 */
export function allOf(id: string, ...validators: SessionClaimValidator[]): SessionClaimValidator {
  return composed(id, validators, async (payload, userContext) => {
    const failed: ClaimValidationError[] = [];
    for (const validator of validators) {
      const failure = toValidationError(validator, await validator.validate(payload, userContext));
      if (failure !== undefined) failed.push(failure);
    }
    return failed.length === 0
      ? { isValid: true }
      : { isValid: false, reason: { message: COMPOSED_FAILURE.someInvalid, failed } };
  });
}

/**
 * A validator that passes if the given validator fails because the value is a different one.
 *
 * It does not pass if the claim's value is absent or expired, and then fails with the reason of the given validator. Your
 * own validators report this by the same reasons, `{ message: 'value does not exist' }` and `{ message: 'expired' }`; all
 * other failures mean that the value is a different one. If the given validator passes, the reason of the failure is
 * `{ message: 'the opposite is valid', id }`.
 *
 * @param id names the check in the 403 body
 * @publicApi
 */
export function not(id: string, validator: SessionClaimValidator): SessionClaimValidator {
  return composed(id, [validator], async (payload, userContext) => {
    const failure = toValidationError(validator, await validator.validate(payload, userContext));
    if (failure === undefined) {
      return { isValid: false, reason: { message: COMPOSED_FAILURE.unwantedValid, id: validator.id } };
    }
    return isUndecided(failure.reason) ? { isValid: false, reason: failure.reason } : { isValid: true };
  });
}

function composed(
  id: string,
  validators: readonly SessionClaimValidator[],
  validate: (payload: JsonObject, userContext: UserContext) => Promise<ClaimValidationResult>,
): SessionClaimValidator {
  if (validators.length === 0)
    throw new TypeError(`Claim validator ${id} is composed of no validators; give at least one`);
  const refetchable = validators.filter((validator) => validator.claim !== undefined);
  if (refetchable.length === 0) return { id, validate };
  const claim = new StaleClaims(id, refetchable);
  return {
    id,
    validate,
    claim,
    shouldRefetch: (payload, userContext) => claim.isStale(payload, userContext),
  };
}

interface FetchedValue {
  readonly claim: SessionClaim<unknown>;
  readonly value: unknown;
}

/**
 * Combines the claims of several validators, because a validator can have only one. Its value is the list of values that
 * were fetched for stale claims; its own key stays unused.
 */
class StaleClaims extends SessionClaim<readonly FetchedValue[]> {
  constructor(
    id: string,
    private readonly validators: readonly SessionClaimValidator[],
  ) {
    super(id);
  }

  async isStale(payload: JsonObject, userContext: UserContext): Promise<boolean> {
    for (const validator of this.validators) {
      if (await validator.shouldRefetch?.(payload, userContext)) return true;
    }
    return false;
  }

  override async fetchValue(
    userId: string,
    recipeUserId: string,
    tenantId: string,
    currentPayload: JsonObject | undefined,
    userContext: UserContext,
  ): Promise<readonly FetchedValue[]> {
    let payload = currentPayload ?? {};
    const fetched: FetchedValue[] = [];
    for (const validator of this.validators) {
      const { claim } = validator;
      if (claim === undefined || !(await validator.shouldRefetch?.(payload, userContext))) continue;
      const value = await claim.fetchValue(userId, recipeUserId, tenantId, payload, userContext);
      if (value === undefined) continue;
      payload = claim.addToPayload_internal(payload, value, userContext);
      fetched.push({ claim, value });
    }
    return fetched;
  }

  override addToPayload_internal(
    payload: JsonObject,
    fetched: readonly FetchedValue[],
    userContext: UserContext,
  ): JsonObject {
    return fetched.reduce(
      (sum, { claim, value }) => claim.addToPayload_internal(sum, value, userContext),
      payload,
    );
  }

  override removeFromPayloadByMerge_internal(payload: JsonObject, userContext: UserContext): JsonObject {
    return this.#claims().reduce(
      (sum, claim) => claim.removeFromPayloadByMerge_internal(sum, userContext),
      payload,
    );
  }

  override removeFromPayload(payload: JsonObject, userContext: UserContext): JsonObject {
    return this.#claims().reduce((sum, claim) => claim.removeFromPayload(sum, userContext), payload);
  }

  override getValueFromPayload(payload: JsonObject, userContext: UserContext): readonly FetchedValue[] {
    return this.#claims()
      .map((claim) => ({ claim, value: claim.getValueFromPayload(payload, userContext) }))
      .filter(({ value }) => value !== undefined);
  }

  #claims(): SessionClaim<unknown>[] {
    return this.validators.flatMap(({ claim }) => claim ?? []);
  }
}
