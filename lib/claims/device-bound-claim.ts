import { CLAIM_FAILURE, type SessionClaimValidator } from './claim-validator.js';
import {
  BINDING_KINDS,
  CONFIRMATION_CLAIM,
  readConfirmation,
  type BindingKind,
} from '../util/key-confirmation.js';
import { reservedContext, type UserContext } from '../util/user-context.js';

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
      validate: (payload, userContext) =>
        !isAskedFor(readConfirmation(payload)?.via, userContext)
          ? { isValid: false, reason: { message: CLAIM_FAILURE.missing } }
          : { isValid: true },
    }),
  }),
});

/** A binding counts only while the module asks for its proof; without a module's context the payload alone decides. */
function isAskedFor(via: BindingKind | undefined, userContext: UserContext | undefined): boolean {
  const reserved = reservedContext(userContext);
  const kinds = reserved === undefined ? [via] : reserved[BINDING_KINDS];
  return via !== undefined && Array.isArray(kinds) && kinds.includes(via);
}
