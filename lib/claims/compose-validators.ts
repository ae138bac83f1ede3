import type { ClaimValidationError } from '../errors.js';
import type { JsonObject } from '../util/json.js';
import type { UserContext } from '../util/user-context.js';
import { COMPOSED_FAILURE, isUndecided } from './claim-failure.js';
import type { ClaimValidationResult, SessionClaimValidator } from './claim-validator.js';
import { SessionClaim } from './session-claim.js';
import { toValidationError } from './validator-outcome.js';

/**
 * A validator that passes when at least one of the given ones does. They are asked in order until one passes.
 *
 * Stale claims of all of them are fetched again first. The reason of a failure is
 * `{ message: 'none of the alternatives is valid', failed: [{ id, reason }, …] }` with what each of them said.
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
 * A validator that passes when every one of the given ones does. All of them are asked.
 *
 * Stale claims of all of them are fetched again first. The reason of a failure is
 * `{ message: 'not all conditions are valid', failed: [{ id, reason }, …] }` with those that failed.
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
 * A validator that passes when the given one fails because the fact is otherwise.
 *
 * It does not pass when the fact is unknown, that is when the claim's value is absent or expired: then it fails with
 * the reason of the given one. A validator of your own takes part in this by the same reasons, `{ message: 'value does
 * not exist' }` and `{ message: 'expired' }`; any other failure counts as "otherwise". The reason of a failure because
 * the given one passes is `{ message: 'the opposite is valid', id }`.
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
 * The claims of several validators in the place of the one that a validator can have. Its value is what was fetched
 * for those that were stale; it stores nothing under its own key.
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
