import { recogniseCopies } from '../util/copies.js';
import type { JsonValue } from '../util/json.js';
import type { SessionClaimValidator } from './claim-validator.js';
import { isClaimPrimitive } from './primitive-claim.js';
import type { ClaimPrimitive } from './primitive-claim.js';
import { TimestampedClaim } from './timestamped-claim.js';
import type { ClaimConfig } from './timestamped-claim.js';

/**
 * The checks that a {@link PrimitiveArrayClaim} offers. `maxAgeInSeconds` defaults to the claim's, `id` to the claim's
 * key. A list that is absent, or older than the maximum age if there is one, is fetched again first.
 *
 * @publicApi
 */
export interface PrimitiveArrayClaimValidators<T extends ClaimPrimitive> {
  /** The stored list has this value. */
  includes(value: T, maxAgeInSeconds?: number, id?: string): SessionClaimValidator;
  /** The stored list lacks this value; an absent list fails. */
  excludes(value: T, maxAgeInSeconds?: number, id?: string): SessionClaimValidator;
  /** The stored list has all of these values; without any values, each stored list passes. */
  includesAll(values: readonly T[], maxAgeInSeconds?: number, id?: string): SessionClaimValidator;
  /**
   * The stored list has at least one of these values; without any values, each list fails. The reason always has them as
   * `expectedToIncludeAtLeastOneOf`; supertokens-node has `expectedToNotInclude` for an absent list.
   */
  includesAny(values: readonly T[], maxAgeInSeconds?: number, id?: string): SessionClaimValidator;
  /** The stored list has none of these values; an absent list fails. */
  excludesAll(values: readonly T[], maxAgeInSeconds?: number, id?: string): SessionClaimValidator;
}

/**
 * A claim with a list of strings, numbers, booleans or nulls.
 *
 * @typeParam T one item of the list
 * @publicApi
 */
export class PrimitiveArrayClaim<T extends ClaimPrimitive> extends TimestampedClaim<T[]> {
  static {
    recogniseCopies(this, 'PrimitiveArrayClaim');
  }

  readonly validators: PrimitiveArrayClaimValidators<T> = {
    includes: (value, ...rest) =>
      this.#check({ expectedToInclude: value }, (stored) => stored.includes(value), ...rest),
    excludes: (value, ...rest) =>
      this.#check({ expectedToNotInclude: value }, (stored) => !stored.includes(value), ...rest),
    includesAll: (values, ...rest) =>
      this.#check(
        { expectedToInclude: values },
        (stored) => values.every((value) => stored.includes(value)),
        ...rest,
      ),
    includesAny: (values, ...rest) =>
      this.#check(
        { expectedToIncludeAtLeastOneOf: values },
        (stored) => values.some((value) => stored.includes(value)),
        ...rest,
      ),
    excludesAll: (values, ...rest) =>
      this.#check(
        { expectedToNotInclude: values },
        (stored) => !values.some((value) => stored.includes(value)),
        ...rest,
      ),
  };

  constructor(config: ClaimConfig<T[]>) {
    super(config);
  }

  protected override isValue(value: JsonValue): value is T[] {
    return Array.isArray(value) && value.every(isClaimPrimitive);
  }

  #check(
    expectation: Readonly<Record<string, unknown>>,
    passes: (stored: readonly T[]) => boolean,
    maxAgeInSeconds?: number,
    id?: string,
  ): SessionClaimValidator {
    return this.validator({ id, maxAgeInSeconds, expectation, passes });
  }
}
