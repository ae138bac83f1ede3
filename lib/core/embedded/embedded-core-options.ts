import type { ConfigProblem } from '../../errors/config.error.js';
import type { CoreProvider } from '../core-provider.js';
import { EmbeddedCore } from './embedded-core.js';
import { SessionStore } from './session-store.js';
import { memoryStore } from './stores/memory.store.js';

/**
 * Options of the core inside the process. Names, defaults and ranges follow a SuperTokens Core's configuration; all
 * times are seconds.
 *
 * @publicApi
 */
export interface EmbeddedCoreOptions {
  /** Where sessions and keys are kept. Default `memoryStore()`. */
  store?: SessionStore;
  /** Life of an access token. Default 3600; 1 to 86,400,000. */
  accessTokenValiditySec?: number;
  /** Fraction by which the life of each access token may be shorter, so that clients do not refresh all at once. Default 0.05; 0 to 0.25. */
  accessTokenValidityJitter?: number;
  /** How long a session lives after its last refresh. Default 8,640,000 (100 days); longer than `accessTokenValiditySec`. */
  refreshTokenValiditySec?: number;
  /**
   * How long a refresh token still gets the same successor after that was used for the first time. Default 0: from the
   * first use on, the old token is a theft. Raise it if clients refresh in parallel without a lock. 0 to 300.
   */
  refreshTokenRotationGracePeriodSec?: number;
  /** How long a rotating signing key signs. Default 604,800 (a week); at least 3600. */
  accessTokenDynamicSigningKeyUpdateIntervalSec?: number;
  /** How often expired sessions are removed. Default 43,200 (12 h); at least 1, at most 24 days. */
  expirySweepIntervalSec?: number;
}

/** The same with nothing left open. */
export type EmbeddedCoreConfig = Readonly<Required<Omit<EmbeddedCoreOptions, 'store'>>>;

const DEFAULTS: EmbeddedCoreConfig = {
  accessTokenValiditySec: 3600,
  accessTokenValidityJitter: 0.05,
  refreshTokenValiditySec: 8_640_000,
  refreshTokenRotationGracePeriodSec: 0,
  accessTokenDynamicSigningKeyUpdateIntervalSec: 604_800,
  expirySweepIntervalSec: 43_200,
};

const RANGES: Readonly<Record<keyof EmbeddedCoreConfig, readonly [min: number, max: number]>> = {
  accessTokenValiditySec: [1, 86_400_000],
  accessTokenValidityJitter: [0, 0.25],
  refreshTokenValiditySec: [1, Number.MAX_SAFE_INTEGER / 1000],
  refreshTokenRotationGracePeriodSec: [0, 300],
  accessTokenDynamicSigningKeyUpdateIntervalSec: [3600, Number.MAX_SAFE_INTEGER / 1000],
  // A longer interval than 2^31 ms would fire at once.
  expirySweepIntervalSec: [1, 24 * 86_400],
};

/**
 * Sessions issued inside this process: no service beside the application.
 *
 * @example
 * SessionModule.forRoot({ appInfo, core: embeddedCore({ accessTokenValiditySec: 900 }) })
 * @publicApi
 */
export function embeddedCore(options: EmbeddedCoreOptions = {}): CoreProvider {
  const { config, problems } = resolveEmbeddedCoreOptions(options);
  return { problems, create: (context) => new EmbeddedCore(options.store ?? memoryStore(), config, context) };
}

/** Fills in the defaults and finds every problem at once. */
export function resolveEmbeddedCoreOptions({ store, ...numbers }: EmbeddedCoreOptions): {
  config: EmbeddedCoreConfig;
  problems: ConfigProblem[];
} {
  const given = Object.fromEntries(Object.entries(numbers).filter(([, value]) => value !== undefined));
  const config = { ...DEFAULTS, ...given };
  const problems = Object.entries(config).flatMap(([name, value]) => problemWith(name, value));
  if (problems.length === 0 && config.refreshTokenValiditySec <= config.accessTokenValiditySec) {
    problems.push({
      path: 'core.refreshTokenValiditySec',
      message: 'must be longer than accessTokenValiditySec',
    });
  }
  if (store !== undefined && !(store instanceof SessionStore)) {
    problems.push({ path: 'core.store', message: 'must be a SessionStore; memoryStore() makes one' });
  }
  return { config, problems };
}

function problemWith(name: string, value: unknown): ConfigProblem[] {
  const path = `core.${name}`;
  if (!Object.hasOwn(RANGES, name)) {
    return [
      { path, message: `is no option of embeddedCore; there are store, ${Object.keys(RANGES).join(', ')}` },
    ];
  }
  const [min, max] = RANGES[name as keyof EmbeddedCoreConfig];
  const isInRange = typeof value === 'number' && value >= min && value <= max;
  return isInRange ? [] : [{ path, message: `must be a number from ${min} to ${max}, not ${String(value)}` }];
}
