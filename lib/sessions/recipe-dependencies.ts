import type { AccessTokenVerifier } from '../tokens/access-token-verifier.js';
import type { SessionConfig } from '../options/session-config.js';
import type { SessionFeatures } from '../options/feature-options.js';
import type { CoreClient } from '../core/core-client.js';
import type { SessionEvents } from '../events/session-events.js';
import type { Clock } from '../util/clock.js';
import type { TokenTransport } from '../http/token-transport.js';
import type { Devices } from './devices.js';
import type { PrepareContext } from './prepare-context.js';
import type { SessionLifetimes } from './session-lifetimes.js';

/**
 * What the recipe works with; a class that extends `SessionRecipe` gets it injected and passes it on, as it is: what
 * is in it may change with every release.
 *
 * @publicApi
 */
export abstract class RecipeDependencies {
  /** @internal */
  abstract readonly config: SessionConfig;
  /** @internal */
  abstract readonly core: CoreClient;
  /** @internal */
  abstract readonly verifier: AccessTokenVerifier;
  /** @internal */
  abstract readonly transport: TokenTransport;
  /** @internal */
  abstract readonly events: SessionEvents;
  /** @internal */
  abstract readonly clock: Clock;
  /** @internal */
  abstract readonly prepareContext: PrepareContext;
  /** @internal */
  abstract readonly lifetimes: SessionLifetimes;
  /** @internal */
  abstract readonly features: SessionFeatures;
  /** @internal */
  abstract readonly devices: Devices;
}
