import type { JsonValue } from '../util/json.js';
import type { SessionClaimValidator } from './claim-validator.js';
import { TimestampedClaim } from './timestamped-claim.js';
import type { ClaimConfig } from './timestamped-claim.js';

/** What a {@link PrimitiveClaim} may hold. @publicApi */
export type ClaimPrimitive = string | number | boolean | null;

/** Age in seconds up to which a value is fresh where neither `hasFreshValue` nor the claim says. */
const FRESH_FOR_SECONDS = 300;

/**
 * The checks that a {@link PrimitiveClaim} offers. `maxAgeInSeconds` defaults to the claim's, `id` to the claim's key.
 *
 * @publicApi
 */
export interface PrimitiveClaimValidators<T extends ClaimPrimitive> {
  /** The stored value is this one. It is fetched again when absent, or older than the max age if there is one. */
  hasValue(value: T, maxAgeInSeconds?: number, id?: string): SessionClaimValidator;
  /**
   * As `hasValue`, but always with a max age: the argument, else the claim's default, else 300 seconds. An older value
   * is fetched again first and fails as `expired` where that is impossible. SuperTokens has no such validator.
   */
  hasFreshValue(value: T, maxAgeInSeconds?: number, id?: string): SessionClaimValidator;
}

/** True for everything that a {@link PrimitiveClaim} may hold. */
export function isClaimPrimitive(value: JsonValue): value is ClaimPrimitive {
  return typeof value !== 'object' || value === null;
}

/**
 * A claim with one string, number, boolean or null.
 *
 * @example
 * const PlanClaim = new PrimitiveClaim<string>({ key: 'plan', fetchValue: (userId) => plans.of(userId) });
 * PlanClaim.validators.hasValue('pro');
 * @publicApi
 */
export class PrimitiveClaim<T extends ClaimPrimitive> extends TimestampedClaim<T> {
  readonly validators: PrimitiveClaimValidators<T> = {
    hasValue: (value, maxAgeInSeconds, id) => this.#hasValue(value, maxAgeInSeconds, id),
    hasFreshValue: (value, maxAgeInSeconds, id) =>
      this.#hasValue(value, maxAgeInSeconds ?? this.defaultMaxAgeInSeconds ?? FRESH_FOR_SECONDS, id),
  };

  constructor(config: ClaimConfig<T>) {
    super(config);
  }

  protected override isValue(value: JsonValue): value is T {
    return isClaimPrimitive(value);
  }

  #hasValue(
    expectedValue: T,
    maxAgeInSeconds: number | undefined,
    id: string | undefined,
  ): SessionClaimValidator {
    return this.validator({
      id,
      maxAgeInSeconds,
      expectation: { expectedValue },
      passes: (value) => value === expectedValue,
    });
  }
}
