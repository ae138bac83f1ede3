import type { UserContext } from '../util/user-context.js';
import { callback, oneOf, trueOrFalse, wholeNumber } from './option-checks.js';
import { group, option, required, type Check, type OptionsOf, type Resolved } from './option-table.js';

interface PresentedToken {
  /** The client's address as the framework reports it; undefined outside of requests. */
  readonly ip: string | undefined;
  /** The key to count by: the /64 network of an IPv6 address, an IPv4 address as a whole. */
  readonly ipGroup: string | undefined;
  readonly userContext: UserContext;
}

/**
 * The attempt that a {@link RateLimiter} decides on.
 *
 * @publicApi
 */
export type RateLimitedAttempt =
  /** A refresh token was presented; the core has not been called yet and no token was signed. */
  | (PresentedToken & {
      readonly kind: 'refresh';
      /**
       * Proven by the token's encryption; the session may have ended since. Undefined with `remoteCore`, because only the
       * remote core can decrypt the token.
       */
      readonly sessionHandle: string | undefined;
      /**
       * The login method that the session was created with; undefined as `sessionHandle`. Tokens of ended sessions carry it,
       * too, so the holder of an old one can use up a limit by user for all sessions of that user: they get 429 and stay
       * signed in. Prefer to count by `sessionHandle` and `ipGroup`.
       */
      readonly recipeUserId: string | undefined;
    })
  /**
   * An access token was presented and refused. Expired ones count, too, with `TRY_REFRESH_TOKEN`: every client presents one
   * now and then. The user is not proven, so it is not part of the attempt.
   */
  | (PresentedToken & {
      readonly kind: 'failed-verify';
      readonly reason: 'UNAUTHORISED' | 'TRY_REFRESH_TOKEN';
    });

/**
 * The decision of a {@link RateLimiter}. The response to `allowed: false` is 429 with `Retry-After`; no token is cleared and
 * the session stays.
 *
 * @publicApi
 */
export type RateLimitDecision =
  | {
      readonly allowed: true;
      /**
       * Takes the attempt out of the count again. Called for a refresh that core or store could not decide, because an outage
       * must not count against the client.
       */
      readonly giveBack?: (() => unknown) | undefined;
    }
  /** `retryAfterSec`: seconds until it makes sense to try again; more than 0. */
  | { readonly allowed: false; readonly retryAfterSec: number };

/**
 * Counts attempts and decides which of them continue. Called once for each attempt; the limiter itself must count parallel
 * attempts one by one.
 *
 * @publicApi
 */
export type RateLimiter = (attempt: RateLimitedAttempt) => RateLimitDecision | Promise<RateLimitDecision>;

/** The options in `rateLimit`. */
export const RATE_LIMIT_OPTIONS = {
  /** Decides before each refresh and after each refused access token. */
  limiter: required(
    callback<RateLimiter>(),
    'give a function that returns { allowed: true } or { allowed: false, retryAfterSec }',
  ),
  /**
   * The outcome of an attempt when the limiter throws, gives no decision or takes longer than `timeoutMs`; in both cases the
   * process warns of it, once a minute. `allow`: it continues, so that a failing counter stops no user. `refuse`: the
   * response is 503.
   * @defaultValue `allow`
   */
  whenUnavailable: option(oneOf('allow', 'refuse'), 'allow'),
  /**
   * How long the limiter may take, milliseconds; 1 to 60,000.
   * @defaultValue 1000
   */
  timeoutMs: option(wholeNumber(1, 60_000), 1000),
};

/**
 * The option `rateLimit` of the module.
 *
 * @publicApi
 */
export interface RateLimitOptions extends OptionsOf<typeof RATE_LIMIT_OPTIONS> {}

export type RateLimitConfig = Resolved<typeof RATE_LIMIT_OPTIONS>;

/** Accepts `true` and `false`; absence means `'auto'`. */
export const onOffOrAuto: Check<boolean, boolean | 'auto'> = trueOrFalse;

/** The options about watching sessions and limiting attempts. */
export const OBSERVABILITY_OPTIONS = {
  /**
   * Spans and metrics through `@opentelemetry/api`. `true`: the application does not start without that package. `false`: never.
   * @defaultValue on if that package can be found, otherwise off
   */
  telemetry: option(onOffOrAuto, 'auto'),
  /**
   * Limits refreshes, and callers with bad access tokens.
   * @defaultValue no limit
   */
  rateLimit: option<RateLimitOptions, RateLimitConfig | undefined>(
    group(RATE_LIMIT_OPTIONS, 'an object with limiter'),
  ),
};

/**
 * The options of the module about watching sessions and limiting attempts.
 *
 * @publicApi
 */
export interface ObservabilityOptions extends OptionsOf<typeof OBSERVABILITY_OPTIONS> {}
