import { CLAIM_FAILURE, type SessionClaimValidator } from './claim-validator.js';
import { CONFIRMATION_CLAIM, readConfirmation } from '../util/key-confirmation.js';

/**
 * Whether a session is bound to a device, see the option `deviceBound`. The guard asks every bound session for its proof anyway; this
 * validator closes a route to sessions that are not bound.
 *
 * @example
 * @RequireClaims(DeviceBoundClaim.validators.isBound())
 * @publicApi
 */
export const DeviceBoundClaim: {
  readonly key: string;
  readonly validators: {
    /** Refuses sessions that are not bound to a device. @param id names the check in the 403 body; the claim's key by default */
    isBound(id?: string): SessionClaimValidator;
  };
} = Object.freeze({
  key: CONFIRMATION_CLAIM,
  validators: Object.freeze({
    isBound: (id: string = CONFIRMATION_CLAIM): SessionClaimValidator => ({
      id,
      validate: (payload) =>
        readConfirmation(payload) === undefined
          ? { isValid: false, reason: { message: CLAIM_FAILURE.missing } }
          : { isValid: true },
    }),
  }),
});
