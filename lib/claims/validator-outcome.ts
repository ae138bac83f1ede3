import type { ClaimValidationError } from '../errors.js';
import type { ClaimValidationResult, SessionClaimValidator } from './claim-validator.js';

/**
 * What a validator's answer means.
 *
 * @returns undefined when the check passed, else what the 403 body says about it
 * @throws {TypeError} the answer is not a {@link ClaimValidationResult}; a check that says nothing must not pass
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
