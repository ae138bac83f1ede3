import type { JsonObject } from '../util/json.js';
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
