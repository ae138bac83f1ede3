import type { JsonObject } from '../util/json.js';
import { authenticatedAtMs, LIFETIME_CLAIMS } from '../util/lifetime-claims.js';
import { CLAIM_FAILURE } from './claim-failure.js';
import type { SessionClaimValidator } from './claim-validator.js';
import { contextClock } from './context-clock.js';
import { SessionClaim } from './session-claim.js';

/**
 * The checks that {@link AuthenticationTimeClaim} offers.
 *
 * @publicApi
 */
export interface AuthenticationTimeValidators {
  /**
   * The user proved who they are at most that many seconds ago: at sign-in, or since then by
   * `session.recordAuthentication()`. Refreshing does not count.
   *
   * @param maxAgeInSeconds a number above 0
   * @param id names the check in the 403 body. Default `auth_time`
   * @throws {TypeError} the age is no number above 0
   */
  freshWithin(maxAgeInSeconds: number, id?: string): SessionClaimValidator;
}

/** The class of the one {@link AuthenticationTimeClaim}; exported for its type. @publicApi */
export class AuthenticationTime extends SessionClaim<number> {
  readonly validators: AuthenticationTimeValidators = {
    freshWithin: (maxAgeInSeconds, id) => this.#freshWithin(maxAgeInSeconds, id),
  };

  constructor() {
    super(LIFETIME_CLAIMS.authTime);
  }

  /** Nothing to fetch: a look into a table is no proof of who is there. */
  override fetchValue(): undefined {
    return undefined;
  }

  override addToPayload_internal(): never {
    throw refusal();
  }

  override removeFromPayloadByMerge_internal(): never {
    throw refusal();
  }

  override removeFromPayload(payload: JsonObject): JsonObject {
    return Object.fromEntries(Object.entries(payload).filter(([name]) => name !== this.key));
  }

  /** Seconds since the epoch. */
  override getValueFromPayload(payload: JsonObject): number | undefined {
    const timeMs = authenticatedAtMs(payload);
    return timeMs === undefined ? undefined : timeMs / 1000;
  }

  #freshWithin(maxAgeInSeconds: number, id: string = this.key): SessionClaimValidator {
    if (!(maxAgeInSeconds > 0)) {
      throw new TypeError(`freshWithin needs a number of seconds above 0, not ${String(maxAgeInSeconds)}`);
    }
    // No `claim`: the value is never fetched again.
    return {
      id,
      validate: (payload, userContext) => {
        const timeMs = authenticatedAtMs(payload);
        if (timeMs === undefined) return { isValid: false, reason: { message: CLAIM_FAILURE.missing } };
        const ageInSeconds = (contextClock(userContext).now() - timeMs) / 1000;
        return ageInSeconds <= maxAgeInSeconds
          ? { isValid: true }
          : { isValid: false, reason: { message: CLAIM_FAILURE.expired, ageInSeconds, maxAgeInSeconds } };
      },
    };
  }
}

function refusal(): TypeError {
  return new TypeError(
    'AuthenticationTimeClaim cannot be set or removed like other claims: call session.recordAuthentication() once the user has proved who they are',
  );
}

/**
 * When the user last proved who they are: `auth_time` in the access token payload, in seconds since the epoch. Name it
 * in the option `claims` (the options `lifetime` and `userSessionRoutes` record it, too); from then on the
 * application can neither write nor remove it by other means than signing in and `session.recordAuthentication()`.
 *
 * @example
 * SessionModule.forRoot({ appInfo, claims: [AuthenticationTimeClaim] });
 * @RequireClaims(AuthenticationTimeClaim.validators.freshWithin(300))
 * @publicApi
 */
export const AuthenticationTimeClaim: AuthenticationTime = new AuthenticationTime();
