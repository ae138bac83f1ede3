import { recogniseCopies } from '../util/copies.js';
import { isDelegated } from '../util/delegation-claims.js';
import type { JsonObject } from '../util/json.js';
import { authenticatedAtMs, LIFETIME_CLAIMS, mustAuthenticate } from '../util/lifetime-claims.js';
import { CLAIM_FAILURE, type SessionClaimValidator } from './claim-validator.js';
import { contextClock } from '../util/user-context.js';
import { SessionClaim } from './session-claim.js';

/**
 * The checks that {@link AuthenticationTimeClaim} offers.
 *
 * @publicApi
 */
export interface AuthenticationTimeValidators {
  /**
   * The user proved their identity at most that many seconds ago: at sign-in, or later by
   * `session.recordAuthentication()`. A refresh is no proof, and the option `onRefresh` can ask for a new one at each. A session
   * that somebody else than the user holds (`actor`) never passes. It needs the option `claims: [AuthenticationTimeClaim]`.
   *
   * @param maxAgeInSeconds a number above 0
   * @param id names the check in the 403 body. Default `auth_time`
   * @throws {TypeError} the age is no number above 0
   */
  freshWithin(maxAgeInSeconds: number, id?: string): SessionClaimValidator;
}

const checks = new WeakSet<SessionClaimValidator>();

/** True for the validators of {@link AuthenticationTimeClaim}. */
export function asksForAuthenticationTime(validator: SessionClaimValidator): boolean {
  return checks.has(validator);
}

/** The class of the one {@link AuthenticationTimeClaim}; exported for its type. @publicApi */
export class AuthenticationTime extends SessionClaim<number> {
  static {
    recogniseCopies(this, 'AuthenticationTime');
  }

  readonly validators: AuthenticationTimeValidators = {
    freshWithin: (maxAgeInSeconds, id) => this.#freshWithin(maxAgeInSeconds, id),
  };

  constructor() {
    super(LIFETIME_CLAIMS.authTime);
  }

  /** Returns undefined, because a database cannot prove that the user is present. */
  override fetchValue(): undefined {
    return undefined;
  }

  override addToPayload_internal(): never {
    throw newRefusal();
  }

  override removeFromPayloadByMerge_internal(): never {
    throw newRefusal();
  }

  override removeFromPayload(payload: JsonObject): JsonObject {
    return Object.fromEntries(Object.entries(payload).filter(([name]) => name !== this.key));
  }

  /** Returns seconds since the epoch. */
  override getValueFromPayload(payload: JsonObject): number | undefined {
    const timeMs = authenticatedAtMs(payload);
    return timeMs === undefined ? undefined : timeMs / 1000;
  }

  #freshWithin(maxAgeInSeconds: number, id: string = this.key): SessionClaimValidator {
    if (!(maxAgeInSeconds > 0)) {
      throw new TypeError(`freshWithin needs a number of seconds above 0, not ${String(maxAgeInSeconds)}`);
    }
    // Without `claim`, the value is never fetched again.
    const check: SessionClaimValidator = {
      id,
      validate: (payload, userContext) => {
        if (mustAuthenticate(payload) || isDelegated(payload))
          return { isValid: false, reason: { message: CLAIM_FAILURE.expired, maxAgeInSeconds } };
        const timeMs = authenticatedAtMs(payload);
        if (timeMs === undefined) return { isValid: false, reason: { message: CLAIM_FAILURE.missing } };
        const ageInSeconds = (contextClock(userContext).now() - timeMs) / 1000;
        return ageInSeconds <= maxAgeInSeconds
          ? { isValid: true }
          : { isValid: false, reason: { message: CLAIM_FAILURE.expired, ageInSeconds, maxAgeInSeconds } };
      },
    };
    checks.add(check);
    return check;
  }
}

function newRefusal(): TypeError {
  return new TypeError(
    'AuthenticationTimeClaim cannot be set or removed like other claims: call session.recordAuthentication() once the user has proved who they are',
  );
}

/**
 * The time at which the user last proved their identity: `auth_time` in the access token payload, in seconds since the
 * epoch. List it in the option `claims` (the options `lifetime` and `userSessionRoutes` record it, too). The application
 * can then change it only by signing in and by `session.recordAuthentication()`.
 *
 * @example
 * SessionModule.forRoot({ appInfo, claims: [AuthenticationTimeClaim] });
 * @RequireClaims(AuthenticationTimeClaim.validators.freshWithin(300))
 * @publicApi
 */
export const AuthenticationTimeClaim: AuthenticationTime = new AuthenticationTime();
