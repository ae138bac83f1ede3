import {
  booleanOption,
  hasMethod,
  isOptionsObject,
  numberOption,
  oneOfOption,
  OptionReader,
  show,
} from '../../options/option-reader.js';
import type { ConfigProblem } from '../../errors.js';
import type { CoreProvider } from '../core-provider.js';
import { EmbeddedCore } from './embedded-core.js';
import type {
  AccountLinking,
  EmbeddedCoreConfig,
  EmbeddedCoreNumbers,
  EmbeddedCoreOptions,
} from './embedded-core-config.js';
import { SIGNING_ALGORITHMS } from '../../tokens/key-pairs.js';
import { SessionStore } from '../../stores/session-store.js';
import { memoryStore } from '../../stores/memory.store.js';

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

const HUNDRED_YEARS_SEC = 36_525 * 86_400;

/** A Core sets no upper end to two of them. Without one, times beyond what a number holds exactly could be made. */
const RANGES: Readonly<Record<keyof EmbeddedCoreNumbers, readonly [min: number, max: number]>> = {
  accessTokenValiditySec: [1, 86_400_000],
  accessTokenValidityJitter: [0, 0.25],
  refreshTokenValiditySec: [1, HUNDRED_YEARS_SEC],
  refreshTokenRotationGracePeriodSec: [0, 300],
  accessTokenDynamicSigningKeyUpdateIntervalSec: [3600, HUNDRED_YEARS_SEC],
  // A longer interval than 2^31 ms would fire at once.
  expirySweepIntervalSec: [1, 24 * 86_400],
  signingKeyReloadIntervalSec: [1, 3000],
};

const OPTION_NAMES: Readonly<Record<keyof EmbeddedCoreOptions, true>> = {
  store: true,
  accessTokenValiditySec: true,
  accessTokenValidityJitter: true,
  refreshTokenValiditySec: true,
  refreshTokenRotationGracePeriodSec: true,
  accessTokenDynamicSigningKeyUpdateIntervalSec: true,
  signingAlgorithm: true,
  signingKeyReloadIntervalSec: true,
  accountLinking: true,
  startWithoutStore: true,
  expirySweepIntervalSec: true,
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
  const { store, ...embeddedSettings } = { ...options };
  const provider: EmbeddedCoreProvider = {
    problems,
    embeddedSettings,
    // Applications that are made from one module class share a store that was given, and never the default one.
    create: (context) => new EmbeddedCore(store ?? memoryStore(), config, context),
  };
  return provider;
}

/** What `embeddedCore()` gives, for the testing kit: it makes a core with the same settings on another store. */
export interface EmbeddedCoreProvider extends CoreProvider {
  /** As they were given, without the store. */
  readonly embeddedSettings: Omit<EmbeddedCoreOptions, 'store'>;
}

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
  const reader = new OptionReader(isOptionsObject(given) ? { ...given } : {}, problems, 'core.');
  reader.rejectUnknown(Object.keys(OPTION_NAMES));
  const numbers = readNumbers(reader);
  reader.optional('store', sessionStoreOption);
  const config = {
    ...numbers,
    signingAlgorithm: reader.optional('signingAlgorithm', oneOfOption(SIGNING_ALGORITHMS)) ?? 'RS256',
    startWithoutStore: reader.optional('startWithoutStore', booleanOption) ?? true,
    accountLinking: reader.optional('accountLinking', accountLinkingOption),
  };
  if (problems.length === 0) reportContradictions(config, reader);
  return { config, problems };
}

function readNumbers(reader: OptionReader): EmbeddedCoreNumbers {
  const numbers: Record<keyof EmbeddedCoreNumbers, number> = { ...DEFAULTS };
  for (const name of Object.keys(RANGES) as (keyof EmbeddedCoreNumbers)[]) {
    numbers[name] = reader.optional(name, numberOption(...RANGES[name])) ?? DEFAULTS[name];
  }
  return numbers;
}

function reportContradictions(config: EmbeddedCoreNumbers, reader: OptionReader): void {
  if (config.refreshTokenValiditySec <= config.accessTokenValiditySec) {
    reader.report('refreshTokenValiditySec', 'must be longer than accessTokenValiditySec');
  }
  // Everybody has to read a key before it signs. A shorter life would give it a successor before that.
  if (config.signingKeyReloadIntervalSec * 3 > config.accessTokenDynamicSigningKeyUpdateIntervalSec) {
    reader.report(
      'signingKeyReloadIntervalSec',
      'must be at most a third of accessTokenDynamicSigningKeyUpdateIntervalSec',
    );
  }
}

function sessionStoreOption(value: unknown): SessionStore {
  if (value instanceof SessionStore) return value;
  throw new Error('a SessionStore is expected; memoryStore() makes one');
}

function accountLinkingOption(value: unknown): AccountLinking {
  if (['getPrimaryUserId', 'getLinkedRecipeUserIds'].every((name) => hasMethod(value, name))) {
    return value as AccountLinking;
  }
  throw new Error('an object with getPrimaryUserId and getLinkedRecipeUserIds is expected');
}
