import type { ClaimValidationError } from '../errors.js';
import { isJsonObject } from '../util/json.js';

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
