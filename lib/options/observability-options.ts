import type { ConfigProblem } from '../errors.js';
import {
  booleanOption,
  integerOption,
  isOptionsObject,
  OptionReader,
  oneOfOption,
  type ParseOption,
} from './option-reader.js';
import type { UserContext } from '../util/user-context.js';

/**
 * The options of the module about watching sessions and limiting attempts.
 *
 * @publicApi
 */
export interface ObservabilityOptions {
  /**
   * Spans and metrics through `@opentelemetry/api`. Default: where that package can be found, and nothing otherwise. `true`:
   * the application does not start without it. `false`: never.
   */
  telemetry?: boolean;
  /** Who may refuse refreshes and callers with bad access tokens. Default: nobody. */
  rateLimit?: RateLimitOptions;
}

/** The same with nothing left open. */
export interface ObservabilityConfig {
  readonly telemetry: boolean | 'auto';
  readonly rateLimit: RateLimitConfig | undefined;
}

export const OBSERVABILITY_OPTION_NAMES: Readonly<Record<keyof ObservabilityOptions, true>> = {
  telemetry: true,
  rateLimit: true,
};

export function readObservability(reader: OptionReader, problems: ConfigProblem[]): ObservabilityConfig {
  return {
    telemetry: reader.optional('telemetry', booleanOption) ?? 'auto',
    rateLimit: readRateLimit(reader, problems),
  };
}

interface RateLimitedAttemptBase {
  /** The client's address as the framework tells it; undefined outside of requests. */
  readonly ip: string | undefined;
  /** What to count by: the /64 network of an IPv6 address, an IPv4 address as a whole. */
  readonly ipGroup: string | undefined;
  readonly userContext: UserContext;
}

/**
 * What a {@link RateLimiter} decides on.
 *
 * @publicApi
 */
export type RateLimitedAttempt =
  /** A refresh token was presented; nothing has been asked, decided or signed yet. */
  | (RateLimitedAttemptBase & {
      readonly kind: 'refresh';
      /**
       * Proven by the token's encryption, which says nothing of whether the session still exists; with `remoteCore`, which
       * alone can open it, undefined.
       */
      readonly sessionHandle: string | undefined;
      /**
       * The login method that the session was created with; as above. Tokens of sessions that have ended tell it, too, so
       * whoever holds an old one can use up what a limit by user leaves to all the user's sessions: they get 429, and nobody
       * is signed out. Prefer to count by `sessionHandle` and `ipGroup`.
       */
      readonly recipeUserId: string | undefined;
    })
  /**
   * An access token was presented and refused. Expired ones are among them, with `TRY_REFRESH_TOKEN`: every client has
   * one now and then. Whose it was is not proven, so it is not told.
   */
  | (RateLimitedAttemptBase & {
      readonly kind: 'failed-verify';
      readonly reason: 'UNAUTHORISED' | 'TRY_REFRESH_TOKEN';
    });

/**
 * `allowed: false` is answered with status 429 and `Retry-After`; no token is cleared and the session stands.
 *
 * @publicApi
 */
export type RateLimitDecision =
  | { readonly allowed: true }
  /** `retryAfterSec`: seconds until it makes sense to try again; more than 0. */
  | { readonly allowed: false; readonly retryAfterSec: number };

/**
 * Counts attempts and says which of them go on. Called once for each attempt; that parallel attempts are each counted is
 * its own matter.
 *
 * @publicApi
 */
export type RateLimiter = (attempt: RateLimitedAttempt) => RateLimitDecision | Promise<RateLimitDecision>;

/**
 * The option `rateLimit` of the module.
 *
 * @publicApi
 */
export interface RateLimitOptions {
  /** Decides before each refresh and after each refused access token. */
  limiter: RateLimiter;
  /**
   * What becomes of an attempt when the limiter throws, gives no decision or takes longer than `timeoutMs`; each way the
   * process warns of it, once a minute. `allow`: it goes on. `refuse`: it is answered with 503. Default `allow`: nobody
   * should be unable to go on working because a counter is away.
   */
  whenUnavailable?: 'allow' | 'refuse';
  /** How long the limiter may take, milliseconds. Default 1000; 1 to 60,000. */
  timeoutMs?: number;
}

/** The same with nothing left open. */
export type RateLimitConfig = Readonly<Required<RateLimitOptions>>;

const NAMES: Readonly<Record<keyof RateLimitOptions, true>> = {
  limiter: true,
  whenUnavailable: true,
  timeoutMs: true,
};

/** @returns undefined where nothing is limited, or the option is wrong */
export function readRateLimit(reader: OptionReader, problems: ConfigProblem[]): RateLimitConfig | undefined {
  const source = reader.optional('rateLimit', optionsObject);
  if (source === undefined) return undefined;
  const own = new OptionReader(source, problems, 'rateLimit.');
  own.rejectUnknown(Object.keys(NAMES));
  const limiter = own.function<RateLimiter>('limiter');
  if (source['limiter'] === undefined)
    own.report(
      'limiter',
      'is missing: give a function that returns { allowed: true } or { allowed: false, retryAfterSec }',
    );
  const whenUnavailable =
    own.optional('whenUnavailable', oneOfOption<'allow' | 'refuse'>(['allow', 'refuse'])) ?? 'allow';
  const timeoutMs = own.optional('timeoutMs', integerOption(1, 60_000)) ?? 1000;
  return limiter && { limiter, whenUnavailable, timeoutMs };
}

const optionsObject: ParseOption<Readonly<Record<string, unknown>>> = (value) => {
  if (!isOptionsObject(value)) throw new Error('an object with limiter is expected');
  return value;
};
