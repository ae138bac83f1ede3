import { recogniseCopies } from '../util/copies.js';
import type { JsonValue } from '../util/json.js';
import type { SessionClaimValidator } from './claim-validator.js';
import { type ClaimConfig, TimestampedClaim } from './timestamped-claim.js';

/** A value of a {@link PrimitiveClaim}. @publicApi */
export type ClaimPrimitive = string | number | boolean | null;

/** The maximum age of a fresh value, in seconds, if neither `hasFreshValue` nor the claim sets it. */
const FRESH_FOR_SECONDS = 300;

/**
 * The checks that a {@link PrimitiveClaim} offers. `maxAgeInSeconds` defaults to the claim's, `id` to the claim's key.
 *
 * @publicApi
 */
export interface PrimitiveClaimValidators<T extends ClaimPrimitive> {
  /** The stored value equals this one. It is fetched again if absent, or older than the maximum age if there is one. */
  hasValue(value: T, maxAgeInSeconds?: number, id?: string): SessionClaimValidator;
  /**
   * As `hasValue`, but always with a maximum age: the argument, else the claim's default, else 300 seconds. An older value
   * is fetched again first, and fails as `expired` if it cannot be fetched. SuperTokens has no such validator.
   */
  hasFreshValue(value: T, maxAgeInSeconds?: number, id?: string): SessionClaimValidator;
}

/** True for the values of a {@link PrimitiveClaim}. */
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
  static {
    recogniseCopies(this, 'PrimitiveClaim');
  }

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
  static {
    recogniseCopies(this, 'BooleanClaim');
  }

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
