import type { ClaimValidationError } from '../errors.js';
import { isNarrow } from '../util/delegation-claims.js';
import type { JsonObject } from '../util/json.js';
import { readTenantId } from '../util/tenant-id.js';
import type { UserContext } from '../util/user-context.js';
import { withTimeout } from '../util/with-timeout.js';
import { type SessionClaimValidator, toValidationError } from './claim-validator.js';

/** The session to check, and the validators. */
export interface ValidateClaimsInput {
  readonly userId: string;
  readonly recipeUserId: string;
  /** Is not changed; may be frozen. */
  readonly accessTokenPayload: JsonObject;
  readonly claimValidators: readonly SessionClaimValidator[];
  readonly userContext: UserContext;
  /** The time limit for one step (refetching, checking) of one validator, milliseconds. Default 10 000. */
  readonly validatorTimeoutMs?: number | undefined;
}

/** The result of {@link validateClaims}. */
export interface ValidateClaimsResult {
  /** The failed checks in the order of the validators; a validator that is listed twice can fail twice. */
  readonly invalidClaims: ClaimValidationError[];
  /** The complete payload with the refetched values; absent if no value changed. */
  readonly accessTokenPayloadUpdate?: JsonObject;
}

/**
 * Fetches stale claims again, then runs every validator on the resulting payload.
 *
 * Rejects if a validator or a claim throws, takes too long or returns no result, so that the request is refused.
 *
 * @throws {Error} naming the validator that took longer than `validatorTimeoutMs`
 */
export async function validateClaims(input: ValidateClaimsInput): Promise<ValidateClaimsResult> {
  const payload = await refetchStaleClaims(input);
  const invalidClaims = await findInvalidClaims(payload, input);
  const isChanged =
    payload !== input.accessTokenPayload &&
    JSON.stringify(payload) !== JSON.stringify(input.accessTokenPayload);
  return isChanged ? { invalidClaims, accessTokenPayloadUpdate: payload } : { invalidClaims };
}

/** Runs one validator after the other, so that each claim sees the values fetched before it, and none is fetched twice. */
async function refetchStaleClaims(input: ValidateClaimsInput): Promise<JsonObject> {
  let payload = input.accessTokenPayload;
  if (isNarrow(payload)) return payload; // it would gain what its parent may not have given it
  for (const validator of input.claimValidators) {
    payload = await awaitResult(refetchIfStale(validator, payload, input), validator, input);
  }
  return payload;
}

function refetchIfStale(
  validator: SessionClaimValidator,
  payload: JsonObject,
  input: ValidateClaimsInput,
): Promise<JsonObject> | JsonObject {
  // Built-in claims return synchronously if no claim is stale; this path needs no promise and no timer.
  const isStale =
    validator.claim !== undefined && (validator.shouldRefetch?.(payload, input.userContext) ?? false);
  return isStale === false ? payload : refetch(validator, isStale, payload, input);
}

async function refetch(
  { claim }: SessionClaimValidator,
  isStale: Promise<boolean> | boolean,
  payload: JsonObject,
  { userId, recipeUserId, userContext }: ValidateClaimsInput,
): Promise<JsonObject> {
  if (claim === undefined || !(await isStale)) return payload;
  const value = await claim.fetchValue(userId, recipeUserId, readTenantId(payload), payload, userContext);
  return value === undefined ? payload : claim.addToPayload_internal(payload, value, userContext);
}

async function findInvalidClaims(
  payload: JsonObject,
  input: ValidateClaimsInput,
): Promise<ClaimValidationError[]> {
  const failures: ClaimValidationError[] = [];
  for (const validator of input.claimValidators) {
    const result = await awaitResult(validator.validate(payload, input.userContext), validator, input);
    const failure = toValidationError(validator, result);
    if (failure !== undefined) failures.push(failure);
  }
  return failures;
}

async function awaitResult<T>(
  work: Promise<T> | T,
  { id }: SessionClaimValidator,
  { validatorTimeoutMs: timeoutMs = 10_000 }: ValidateClaimsInput,
): Promise<T> {
  if (!isPromise(work)) return work;
  return withTimeout(work, timeoutMs, `Claim validator ${id} did not return within ${timeoutMs} ms`);
}

function isPromise<T>(value: Promise<T> | T): value is Promise<T> {
  return typeof (value as Promise<T> | undefined)?.then === 'function';
}
