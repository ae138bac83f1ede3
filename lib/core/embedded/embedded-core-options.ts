import { memoryStore } from '../../stores/memory.store.js';
import type { SessionStore } from '../../stores/session-store.js';
import type { CoreProvider } from '../core-provider.js';
import { resolveEmbeddedCoreOptions, type EmbeddedCoreOptions } from './embedded-core-config.js';
import { EmbeddedCore } from './embedded-core.js';

export {
  resolveEmbeddedCoreOptions,
  type EmbeddedCoreConfig,
  type EmbeddedCoreOptions,
} from './embedded-core-config.js';

/**
 * Sessions issued inside this process: no service beside the application.
 *
 * @example
 * SessionModule.forRoot({ appInfo, core: embeddedCore({ accessTokenValiditySec: 900 }) })
 * @publicApi
 */
export function embeddedCore(options: EmbeddedCoreOptions = {}): CoreProvider {
  const { config, problems } = resolveEmbeddedCoreOptions(options);
  // The secret stays here: the testing kit needs none, and the provider may be printed.
  const { store, keyEncryption: _, ...embeddedSettings } = { ...options };
  const provider: EmbeddedCoreProvider = {
    problems,
    embeddedSettings,
    givenStore: () => store,
    // Applications that are made from one module class share a given store, but never the default one.
    create: (context) => new EmbeddedCore(store ?? memoryStore(), config, context),
  };
  return provider;
}

/** The result of `embeddedCore()`. The testing kit makes a core with the same settings on another store. */
export interface EmbeddedCoreProvider extends CoreProvider {
  /** The options as they were given, without the store and the secret of its keys. */
  readonly embeddedSettings: Omit<EmbeddedCoreOptions, 'store' | 'keyEncryption'>;
  /** Returns the store of the options, for tools that work with the store itself; undefined for the default one. */
  givenStore(): SessionStore | undefined;
}
