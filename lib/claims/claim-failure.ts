import { isJsonObject } from '../util/json.js';

/** `message` in the reason of a built-in validator that failed; browsers and tests of the protocol compare them. */
export const CLAIM_FAILURE = {
  missing: 'value does not exist',
  expired: 'expired',
  wrong: 'wrong value',
} as const;

/** `message` in the reason of a composed validator that failed. */
export const COMPOSED_FAILURE = {
  noneValid: 'none of the alternatives is valid',
  someInvalid: 'not all conditions are valid',
  unwantedValid: 'the opposite is valid',
} as const;

/**
 * True when a reason says that the fact was not known (missing or too old) rather than that it was otherwise. A
 * negation must not take the first for the second.
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
