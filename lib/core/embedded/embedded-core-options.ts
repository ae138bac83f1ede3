import type { ConfigProblem } from '../../errors/config.error.js';
import type { CoreProvider } from '../core-provider.js';
import { EmbeddedCore } from './embedded-core.js';
import type { EmbeddedCoreConfig, EmbeddedCoreNumbers, EmbeddedCoreOptions } from './embedded-core-config.js';
import { SIGNING_ALGORITHMS } from './key-pairs.js';
import { SessionStore } from './session-store.js';
import { memoryStore } from './stores/memory.store.js';

export type { EmbeddedCoreConfig, EmbeddedCoreOptions } from './embedded-core-config.js';

const DEFAULTS: EmbeddedCoreNumbers = {
  accessTokenValiditySec: 3600,
  accessTokenValidityJitter: 0.05,
  refreshTokenValiditySec: 8_640_000,
  refreshTokenRotationGracePeriodSec: 0,
  accessTokenDynamicSigningKeyUpdateIntervalSec: 604_800,
  expirySweepIntervalSec: 43_200,
  signingKeyReloadIntervalSec: 60,
};

const RANGES: Readonly<Record<keyof EmbeddedCoreNumbers, readonly [min: number, max: number]>> = {
  accessTokenValiditySec: [1, 86_400_000],
  accessTokenValidityJitter: [0, 0.25],
  refreshTokenValiditySec: [1, Number.MAX_SAFE_INTEGER / 1000],
  refreshTokenRotationGracePeriodSec: [0, 300],
  accessTokenDynamicSigningKeyUpdateIntervalSec: [3600, Number.MAX_SAFE_INTEGER / 1000],
  // A longer interval than 2^31 ms would fire at once.
  expirySweepIntervalSec: [1, 24 * 86_400],
  // The successor of a rotating key is made as long before that ends, which is an hour at least.
  signingKeyReloadIntervalSec: [1, 3000],
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
  const { store = memoryStore(), ...embeddedSettings } = options;
  const provider: EmbeddedCoreProvider = {
    problems,
    embeddedSettings,
    create: (context) => new EmbeddedCore(store, config, context),
  };
  return provider;
}

/** What `embeddedCore()` gives, for the testing kit: it makes a core with the same settings on another store. */
export interface EmbeddedCoreProvider extends CoreProvider {
  /** As they were given, without the store. */
  readonly embeddedSettings: Omit<EmbeddedCoreOptions, 'store'>;
}

/** Fills in the defaults and finds every problem at once. */
export function resolveEmbeddedCoreOptions({
  store,
  signingAlgorithm = 'RS256',
  startWithoutStore = true,
  accountLinking,
  ...numbers
}: EmbeddedCoreOptions): {
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
  if (!SIGNING_ALGORITHMS.includes(signingAlgorithm)) {
    problems.push({
      path: 'core.signingAlgorithm',
      message: `must be ${SIGNING_ALGORITHMS.join(' or ')}, not ${JSON.stringify(signingAlgorithm)}`,
    });
  }
  if (typeof startWithoutStore !== 'boolean') {
    problems.push({ path: 'core.startWithoutStore', message: 'must be true or false' });
  }
  if (accountLinking !== undefined && !isAccountLinking(accountLinking)) {
    problems.push({
      path: 'core.accountLinking',
      message: 'must be an object with getPrimaryUserId and getLinkedRecipeUserIds',
    });
  }
  return { config: { ...config, signingAlgorithm, startWithoutStore, accountLinking }, problems };
}

function isAccountLinking(value: object): boolean {
  return ['getPrimaryUserId', 'getLinkedRecipeUserIds'].every(
    (name) => typeof Reflect.get(value, name) === 'function',
  );
}

function problemWith(name: string, value: unknown): ConfigProblem[] {
  const path = `core.${name}`;
  if (!Object.hasOwn(RANGES, name)) {
    return [
      {
        path,
        message: `is no option of embeddedCore; there are store, signingAlgorithm, startWithoutStore, accountLinking, ${Object.keys(RANGES).join(', ')}`,
      },
    ];
  }
  const [min, max] = RANGES[name as keyof EmbeddedCoreNumbers];
  const isInRange = typeof value === 'number' && value >= min && value <= max;
  return isInRange ? [] : [{ path, message: `must be a number from ${min} to ${max}, not ${String(value)}` }];
}
