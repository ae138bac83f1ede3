import type { SigningAlgorithm } from '../../tokens/key-pairs.js';
import type { SessionStore } from '../../stores/session-store.js';

/**
 * Which logins belong to one account, for applications that link them.
 *
 * @publicApi
 */
export interface AccountLinking {
  /** The account's user id for a login method; the same id when it is linked to none. */
  getPrimaryUserId(recipeUserId: string): Promise<string> | string;
  /** All login methods of the account that this id (of the account or of one login) belongs to. */
  getLinkedRecipeUserIds(userId: string): Promise<readonly string[]> | readonly string[];
}

/**
 * Options of the core inside the process. Names, defaults and ranges follow a SuperTokens Core's configuration; all
 * times are seconds.
 *
 * @publicApi
 */
export interface EmbeddedCoreOptions {
  /**
   * Where sessions and keys are kept. Default a `memoryStore()` for each module that the core is given to; for modules
   * that are to share their memory make one and give it here.
   */
  store?: SessionStore;
  /** Life of an access token. Default 3600; 1 to 86,400,000. */
  accessTokenValiditySec?: number;
  /** Fraction by which the life of each access token may be shorter, so that clients do not refresh all at once. Default 0.05; 0 to 0.25. */
  accessTokenValidityJitter?: number;
  /** How long a session lives after its last refresh. Default 8,640,000 (100 days); longer than `accessTokenValiditySec`, at most a hundred years. */
  refreshTokenValiditySec?: number;
  /**
   * How long a refresh token still gets the same successor after that was used for the first time. Default 0: from the
   * first use on, the old token is a theft. Raise it if clients refresh in parallel without a lock. 0 to 300.
   */
  refreshTokenRotationGracePeriodSec?: number;
  /** How long a rotating signing key signs. Default 604,800 (a week); 3600 to a hundred years. */
  accessTokenDynamicSigningKeyUpdateIntervalSec?: number;
  /**
   * How access tokens are signed. Default `'RS256'`, which is what a SuperTokens Core issues. With `'ES256'` a signature
   * takes a tenth of the time, which halves the cost of a sign-in and of a refresh, and tokens are 256 characters shorter;
   * verifying one that has not been seen before takes three times as long (67 against 23 µs). A Core on the same tables
   * cannot use the keys: it refuses such tokens, and their clients refresh there. Tokens of both kinds verify here, so it
   * may be changed either way; what caches of the JWKS see of that stands in docs/guides/production-checklist.md.
   */
  signingAlgorithm?: SigningAlgorithm;
  /**
   * How often the signing keys are read again from the store, so that one that was removed there stops verifying in this
   * process, too, and the next rotating key is published before it signs: as long before as this, and a minute at least.
   * Default 60; 1 to 3000, and at most a third of `accessTokenDynamicSigningKeyUpdateIntervalSec`. The same in all
   * instances on one store.
   */
  signingKeyReloadIntervalSec?: number;
  /** Which logins belong to one account. Default: every login is an account of its own. */
  accountLinking?: AccountLinking;
  /**
   * Whether the application starts while the store does not answer, for which it waits half a minute at most. Default true:
   * what needs the store is answered with 503 until it does, and no restart is needed. With false such a start fails, of a
   * store that says nothing at all after a minute and a half. A store that answers and cannot be used always ends the
   * start: wrong tables, a wrong password.
   */
  startWithoutStore?: boolean;
  /**
   * How often expired sessions are removed; up to a tenth sooner, so that instances do not do it all at once. The first time
   * between a minute after the start and a tenth of this later. Default 43,200 (12 h); at least 1, at most 24 days.
   */
  expirySweepIntervalSec?: number;
}

/** The same with nothing left open. */
export type EmbeddedCoreConfig = EmbeddedCoreNumbers & {
  readonly signingAlgorithm: SigningAlgorithm;
  readonly startWithoutStore: boolean;
  readonly accountLinking?: AccountLinking | undefined;
};

/** Those of them that are numbers. */
export type EmbeddedCoreNumbers = Readonly<
  Required<Omit<EmbeddedCoreOptions, 'store' | 'signingAlgorithm' | 'startWithoutStore' | 'accountLinking'>>
>;

/** Stores keep whole milliseconds, and 1.001 * 1000 is none. */
export function inMs(seconds: number): number {
  return Math.round(seconds * 1000);
}
