import type { Clock } from '../util/clock.js';
import { isJsonObject, ownMember, type JsonObject, type JsonValue } from '../util/json.js';
import { type UserContext, contextClock } from '../util/user-context.js';
import { CLAIM_FAILURE, type ClaimValidationResult, type SessionClaimValidator } from './claim-validator.js';
import { SessionClaim } from './session-claim.js';

/**
 * The configuration of a claim.
 *
 * @typeParam T the claim's value
 * @publicApi
 */
export interface ClaimConfig<T> {
  /** The claim's name in the access token payload. */
  readonly key: string;
  /** Fetches the current value; undefined if it is not available, and the payload stays unchanged then. */
  fetchValue(
    userId: string,
    recipeUserId: string,
    tenantId: string,
    currentPayload: JsonObject | undefined,
    userContext: UserContext,
  ): Promise<T | undefined> | T | undefined;
  /** Seconds after which a stored value is fetched again, for validators without a maximum age. Default: never. */
  readonly defaultMaxAgeInSeconds?: number | undefined;
  /** The clock for the time of fetching. Default: the application's clock, which is the system's or that of a test. */
  readonly clock?: Clock | undefined;
}

/** The expectation of a validator about a stored value. */
export interface ValueCheck<T> {
  readonly id: string | undefined;
  /** Seconds; undefined for the claim's default. */
  readonly maxAgeInSeconds: number | undefined;
  /** Copied into the reason of a failure, under the names of the protocol. */
  readonly expectation: Readonly<Record<string, unknown>>;
  passes(value: T): boolean;
}

/**
 * A claim stored as `{ v: value, t: milliseconds since the epoch when it was fetched }`.
 *
 * @typeParam T the claim's value
 * @publicApi
 */
export abstract class TimestampedClaim<T extends JsonValue> extends SessionClaim<T> {
  /** Seconds; undefined when values do not age. */
  readonly defaultMaxAgeInSeconds: number | undefined;
  readonly #config: ClaimConfig<T>;

  constructor(config: ClaimConfig<T>) {
    super(config.key);
    this.#config = config;
    this.defaultMaxAgeInSeconds = config.defaultMaxAgeInSeconds;
  }

  /** True if a value in a payload has the type of this claim; other values are treated as absent. */
  protected abstract isValue(value: JsonValue): value is T;

  override fetchValue(
    userId: string,
    recipeUserId: string,
    tenantId: string,
    currentPayload: JsonObject | undefined,
    userContext: UserContext,
  ): Promise<T | undefined> | T | undefined {
    return this.#config.fetchValue(userId, recipeUserId, tenantId, currentPayload, userContext);
  }

  override addToPayload_internal(payload: JsonObject, value: T, userContext: UserContext): JsonObject {
    return { ...payload, [this.key]: { v: structuredClone(value), t: this.#nowMs(userContext) } };
  }

  override removeFromPayloadByMerge_internal(payload: JsonObject, _userContext: UserContext): JsonObject {
    return { ...payload, [this.key]: null };
  }

  override removeFromPayload(payload: JsonObject, _userContext: UserContext): JsonObject {
    return Object.fromEntries(Object.entries(payload).filter(([key]) => key !== this.key));
  }

  override getValueFromPayload(payload: JsonObject, _userContext: UserContext): T | undefined {
    const value = this.#entry(payload)?.['v'];
    return value !== undefined && this.isValue(value) ? value : undefined;
  }

  /** @returns milliseconds since the epoch; undefined if the payload does not have the claim */
  getLastRefetchTime(payload: JsonObject, _userContext: UserContext): number | undefined {
    const time = this.#entry(payload)?.['t'];
    return typeof time === 'number' ? time : undefined;
  }

  /**
   * Returns a validator that checks presence, then age, then the value. The value is fetched again if one of the first two
   * checks fails.
   */
  protected validator({ id, maxAgeInSeconds, expectation, passes }: ValueCheck<T>): SessionClaimValidator {
    const maxAge = maxAgeInSeconds ?? this.defaultMaxAgeInSeconds;
    return {
      id: id ?? this.key,
      claim: this,
      shouldRefetch: (payload, userContext) => {
        if (this.getValueFromPayload(payload, userContext) === undefined) return true;
        return maxAge !== undefined && this.#ageInSeconds(payload, userContext) > maxAge;
      },
      validate: (payload, userContext) => {
        const actualValue = this.getValueFromPayload(payload, userContext);
        if (actualValue === undefined) return invalid(CLAIM_FAILURE.missing, { ...expectation, actualValue });
        const ageInSeconds = this.#ageInSeconds(payload, userContext);
        if (maxAge !== undefined && ageInSeconds > maxAge) {
          return invalid(CLAIM_FAILURE.expired, { ageInSeconds, maxAgeInSeconds: maxAge });
        }
        return passes(actualValue)
          ? { isValid: true }
          : invalid(CLAIM_FAILURE.wrong, { ...expectation, actualValue });
      },
    };
  }

  /** Returns the age; that of a value without a time counts from the epoch, so that it is never fresh. */
  #ageInSeconds(payload: JsonObject, userContext: UserContext): number {
    return (this.#nowMs(userContext) - (this.getLastRefetchTime(payload, userContext) ?? 0)) / 1000;
  }

  #nowMs(userContext: UserContext): number {
    return (this.#config.clock ?? contextClock(userContext)).now();
  }

  #entry(payload: JsonObject): JsonObject | undefined {
    const entry = ownMember(payload, this.key);
    return isJsonObject(entry) ? entry : undefined;
  }
}

function invalid(message: string, details: Readonly<Record<string, unknown>>): ClaimValidationResult {
  return { isValid: false, reason: { message, ...details } };
}
