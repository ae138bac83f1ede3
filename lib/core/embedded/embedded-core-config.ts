import type { ConfigProblem } from '../../options/config-error.js';
import { numberBetween, objectWith, oneOf, trueOrFalse } from '../../options/option-checks.js';
import {
  isOptionsObject,
  option,
  readOptions,
  show,
  type Check,
  type OptionsOf,
  type Resolved,
} from '../../options/option-table.js';
import { SIGNING_ALGORITHMS } from '../../tokens/key-pairs.js';
import { SessionStore } from '../../stores/session-store.js';
import { keyEncryption } from './key-encryption-options.js';
import type { SigningKeysOptions } from './stored-keys.js';

/**
 * The logins that belong to one account, for applications that link them.
 *
 * @publicApi
 */
export interface AccountLinking {
  /** The account's user id for a login method; the same id when it is linked to none. */
  getPrimaryUserId(recipeUserId: string): Promise<string> | string;
  /** All login methods of the account that this id (of the account or of one login) belongs to. */
  getLinkedRecipeUserIds(userId: string): Promise<readonly string[]> | readonly string[];
}

const DAY_SEC = 86_400;
// A Core has no maximum for two of the times. Without one, times beyond the exact range of numbers could result.
const HUNDRED_YEARS_SEC = 36_525 * DAY_SEC;

const sessionStore: Check<SessionStore> = (value) => {
  if (value instanceof SessionStore) return value;
  throw new Error('a SessionStore is expected; memoryStore() makes one');
};

/** The options of `embeddedCore`. */
export const EMBEDDED_CORE_OPTIONS = {
  /**
   * Life of an access token; 1 to 86,400,000.
   * @defaultValue 3600 (an hour)
   */
  accessTokenValiditySec: option(numberBetween(1, 86_400_000), 3600),
  /**
   * Fraction by which the life of each access token may be shorter, so that clients do not refresh all at once; 0 to 0.25.
   * @defaultValue 0.05
   */
  accessTokenValidityJitter: option(numberBetween(0, 0.25), 0.05),
  /**
   * How long a session lives after its last refresh; longer than `accessTokenValiditySec`, at most a hundred years.
   * @defaultValue 8,640,000 (100 days)
   */
  refreshTokenValiditySec: option(numberBetween(1, HUNDRED_YEARS_SEC), 8_640_000),
  /**
   * How long an old refresh token still gets the same successor after the first use of that successor; 0 to 300. With 0 an
   * old token is a theft from that first use on. Raise it if clients refresh in parallel without a lock. A caller of CDI 5.6 gets
   * new tokens again so long after a refresh, and the pair before is void; a response that was lost costs it a sign-in after that.
   * @defaultValue 0; for callers of CDI 5.6 30, as in a Core
   */
  refreshTokenRotationGracePeriodSec: option(numberBetween(0, 300)),
  /**
   * How long a rotating signing key signs; 3600 to a hundred years.
   * @defaultValue 604,800 (a week)
   */
  accessTokenDynamicSigningKeyUpdateIntervalSec: option(numberBetween(3600, HUNDRED_YEARS_SEC), 604_800),
  /**
   * The store of sessions and keys. For modules that are to share their memory make one and pass it to each.
   * @defaultValue a `memoryStore()` for each module that the core is given to
   */
  store: option(sessionStore),
  /**
   * How access tokens are signed. `RS256` is the algorithm of a SuperTokens Core. With `ES256` a signature takes a tenth of the
   * time, which halves the cost of a sign-in and of a refresh, and tokens are 256 characters shorter; the first verification
   * of a token takes three times as long (67 against 23 µs). A Core on the same tables cannot use ES256 keys: it refuses such
   * tokens, and their clients refresh there. Tokens of both kinds verify here, so it may be changed either way; see
   * docs/guides/production-checklist.md for the effect on caches of the JWKS.
   * @defaultValue `RS256`
   */
  signingAlgorithm: option(oneOf(...SIGNING_ALGORITHMS), 'RS256'),
  /**
   * How often the signing keys are read again from the store; 1 to 3000, and at most a third of
   * `accessTokenDynamicSigningKeyUpdateIntervalSec`. A key that was removed there then stops verifying in this process, too.
   * The next rotating key is published as long before it signs, at least a minute. Use the same value in all instances on
   * one store.
   * @defaultValue 60
   */
  signingKeyReloadIntervalSec: option(numberBetween(1, 3000), 60),
  /**
   * Seals the private signing keys and the refresh-token key in the store: by a `secret`, or by a KMS (`wrap` and `unwrap`). A
   * SuperTokens Core cannot read sealed keys, so none may work on the same tables. See docs/guides/sealed-keys.md.
   * @defaultValue none: keys are stored plain, as in a SuperTokens Core
   */
  keyEncryption: option(keyEncryption),
  /**
   * The logins that belong to one account.
   * @defaultValue none: every login is an account of its own
   */
  accountLinking: option(
    objectWith<AccountLinking>(
      ['getPrimaryUserId', 'getLinkedRecipeUserIds'],
      'an object with getPrimaryUserId and getLinkedRecipeUserIds',
    ),
  ),
  /**
   * Allows the application to start while the store does not respond; the start waits for it at most half a minute. With true,
   * calls that need the store get 503 until it responds, and no restart is needed. With false such a start fails; with a
   * store that does not respond at all, after a minute and a half. A store that responds and cannot be used always ends the
   * start: wrong tables, a wrong password.
   * @defaultValue true
   */
  startWithoutStore: option(trueOrFalse, true),
  /**
   * How often expired sessions are removed, at least 1, at most 24 days; up to a tenth sooner, so that instances do not do it
   * all at once. The first time is between a minute after the start and a tenth of this later.
   * @defaultValue 43,200 (12 hours)
   */
  // A longer interval than 2^31 ms would fire at once.
  expirySweepIntervalSec: option(numberBetween(1, 24 * DAY_SEC), 43_200),
};

/**
 * Options of the core inside the process. Names, defaults and ranges follow a SuperTokens Core's configuration; all
 * times are seconds.
 *
 * @publicApi
 */
export interface EmbeddedCoreOptions extends OptionsOf<typeof EMBEDDED_CORE_OPTIONS> {}

/** The same after reading, without the store. */
export interface EmbeddedCoreConfig extends Omit<Resolved<typeof EMBEDDED_CORE_OPTIONS>, 'store'> {}

/** Fills in the defaults and finds every problem at once. */
export function resolveEmbeddedCoreOptions(options: EmbeddedCoreOptions): {
  config: EmbeddedCoreConfig;
  problems: ConfigProblem[];
} {
  const problems: ConfigProblem[] = [];
  const given: unknown = options;
  if (!isOptionsObject(given)) {
    problems.push({ path: 'core', message: `embeddedCore was given ${show(given)}; an object is expected` });
  }
  const source = isOptionsObject(given) ? given : {};
  const { store: _, ...config } = readOptions(EMBEDDED_CORE_OPTIONS, source, problems, 'core.');
  if (problems.length === 0) reportContradictions(config, problems);
  return { config, problems };
}

function reportContradictions(config: EmbeddedCoreConfig, problems: ConfigProblem[]): void {
  if (config.refreshTokenValiditySec <= config.accessTokenValiditySec) {
    problems.push({
      path: 'core.refreshTokenValiditySec',
      message: 'must be longer than accessTokenValiditySec',
    });
  }
  // Every instance has to read a key before it signs. A shorter life would give it a successor before that.
  if (config.signingKeyReloadIntervalSec * 3 > config.accessTokenDynamicSigningKeyUpdateIntervalSec) {
    problems.push({
      path: 'core.signingKeyReloadIntervalSec',
      message: 'must be at most a third of accessTokenDynamicSigningKeyUpdateIntervalSec',
    });
  }
}

/** Rounds to whole milliseconds, which stores keep: 1.001 * 1000 is not a whole number. */
export function inMs(seconds: number): number {
  return Math.round(seconds * 1000);
}

/** Returns the options of the signing keys. */
export function signingKeysOptions(config: EmbeddedCoreConfig): SigningKeysOptions {
  return {
    algorithm: config.signingAlgorithm,
    updateIntervalMs: inMs(config.accessTokenDynamicSigningKeyUpdateIntervalSec),
    accessTokenValidityMs: inMs(config.accessTokenValiditySec),
    reloadIntervalMs: inMs(config.signingKeyReloadIntervalSec),
  };
}
