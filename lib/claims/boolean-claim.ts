import type { SessionClaimValidator } from './claim-validator.js';
import { PrimitiveClaim } from './primitive-claim.js';
import type { PrimitiveClaimValidators } from './primitive-claim.js';
import type { ClaimConfig } from './timestamped-claim.js';

/**
 * The checks that a {@link BooleanClaim} offers. `maxAgeInSeconds` defaults to the claim's, `id` to the claim's key.
 *
 * @publicApi
 */
export interface BooleanClaimValidators extends PrimitiveClaimValidators<boolean> {
  /** The stored value is true. */
  isTrue(maxAgeInSeconds?: number, id?: string): SessionClaimValidator;
  /** The stored value is false. */
  isFalse(maxAgeInSeconds?: number, id?: string): SessionClaimValidator;
}

/**
 * A claim that is true or false.
 *
 * @publicApi
 */
export class BooleanClaim extends PrimitiveClaim<boolean> {
  declare readonly validators: BooleanClaimValidators;

  constructor(config: ClaimConfig<boolean>) {
    super(config);
    const { hasValue, hasFreshValue } = this.validators;
    this.validators = {
      hasValue,
      hasFreshValue,
      isTrue: (maxAgeInSeconds, id) => hasValue(true, maxAgeInSeconds, id),
      isFalse: (maxAgeInSeconds, id) => hasValue(false, maxAgeInSeconds, id),
    };
  }
}
