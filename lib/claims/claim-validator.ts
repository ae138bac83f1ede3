import { isJsonObject, type JsonObject } from '../util/json.js';
import type { UserContext } from '../util/user-context.js';
import type { SessionClaim } from './session-claim.js';
import type { ClaimValidationError } from '../errors.js';

/**
 * The result of one claim check. `reason` is sent to the client in the 403 body, so it must hold no secrets.
 *
 * @publicApi
 */
export type ClaimValidationResult =
  { readonly isValid: true } | { readonly isValid: false; readonly reason?: unknown };

/**
 * A check on the access token payload. With `claim` and `shouldRefetch`, the claim's value is fetched again before the
 * check if `shouldRefetch` returns true; set both or neither.
 *
 * @publicApi
 */
export interface SessionClaimValidator {
  /** Names the check in the 403 body; by convention the claim's key. */
  readonly id: string;
  /** The claim whose value may be refetched before the check. */
  readonly claim?: SessionClaim<unknown>;
  shouldRefetch?(payload: JsonObject, userContext: UserContext): Promise<boolean> | boolean;
  validate(
    payload: JsonObject,
    userContext: UserContext,
  ): Promise<ClaimValidationResult> | ClaimValidationResult;
}

/**
 * Converts the result of a validator to an item of the 403 body.
 *
 * @returns undefined if the check passed
 * @throws {TypeError} the result is no {@link ClaimValidationResult}; a check without a result must not pass
 */
export function toValidationError(
  validator: SessionClaimValidator,
  result: ClaimValidationResult,
): ClaimValidationError | undefined {
  if (typeof (result as ClaimValidationResult | undefined)?.isValid !== 'boolean') {
    throw new TypeError(`Claim validator ${validator.id} gave no { isValid: boolean }`);
  }
  if (result.isValid) return undefined;
  return result.reason === undefined ? { id: validator.id } : { id: validator.id, reason: result.reason };
}

/** The `message` in the reason of a built-in validator that failed. Clients compare these texts. */
export const CLAIM_FAILURE = {
  missing: 'value does not exist',
  expired: 'expired',
  wrong: 'wrong value',
} as const;

/** The `message` in the reason of a composed validator that failed. */
export const COMPOSED_FAILURE = {
  noneValid: 'none of the alternatives is valid',
  someInvalid: 'not all conditions are valid',
  unwantedValid: 'the opposite is valid',
} as const;

/**
 * True if a reason means that the value is unknown (missing or too old), not that it is a different one. A negation
 * passes only for a different value.
 */
export function isUndecided(reason: unknown): boolean {
  if (!isJsonObject(reason)) return false;
  const failed = Array.isArray(reason['failed']) ? reason['failed'].filter(isJsonObject) : [];
  switch (reason['message']) {
    case CLAIM_FAILURE.missing:
    case CLAIM_FAILURE.expired:
      return true;
    case COMPOSED_FAILURE.noneValid:
      return failed.some((failure) => isUndecided(failure['reason']));
    case COMPOSED_FAILURE.someInvalid:
      return failed.every((failure) => isUndecided(failure['reason']));
    default:
      return false;
  }
}

/**
 * Returns a failure without the values in its reason: the `expected…` ones and `actualValue`, also in the parts of a
 * composed validator. The response to a caller may not show which role would open a route (S079).
 */
export function withoutValues({ id, reason }: ClaimValidationError): ClaimValidationError {
  if (reason === undefined || !isJsonObject(reason)) return { id, reason };
  const kept = Object.entries(reason).filter(([name]) => !/^(expected|actualValue$)/.test(name));
  const { failed, ...rest } = Object.fromEntries(kept);
  const parts = Array.isArray(failed) ? { failed: failed.map((part) => withoutValues(part as never)) } : {};
  return { id, reason: { ...rest, ...parts } };
}
