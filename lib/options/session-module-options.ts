import type { SessionClaimValidator } from '../claims/claim-validator.js';
import type { SessionClaim } from '../claims/session-claim.js';
import type { UserRoleSource } from '../claims/user-roles.js';
import type { ObservabilityOptions } from './observability-options.js';
import type { SessionFeatureOptions } from './session-feature-options.js';
import type { SessionWireOptions } from './session-options.interface.js';
import type { CoreProvider } from '../core/core-provider.js';
import type { ApiInterface } from '../sessions/api.interface.js';
import type { SessionErrorHandlers } from '../sessions/error-responder.js';
import type { RecipeInterface } from '../sessions/recipe.interface.js';
import type { SessionRecipeClass } from '../sessions/recipe-implementation.js';

/**
 * What an application writes into `SessionModule.forRoot`. Only `appInfo` is required.
 *
 * @publicApi
 */
export interface SessionModuleOptions
  extends SessionWireOptions, SessionFeatureOptions, ObservabilityOptions {
  /** Who issues the sessions. Default `embeddedCore()`: inside this process, in memory. */
  core?: CoreProvider;
  /** Claims that are fetched and built into every new session. Keys must differ. */
  claims?: readonly SessionClaim<unknown>[];
  /** Checks that every protected route runs unless it overrides them. */
  globalClaimValidators?: readonly SessionClaimValidator[];
  /** A class that extends `SessionRecipe` and overrides some of its functions; Nest makes it, so it can have dependencies. */
  recipe?: SessionRecipeClass;
  /** Replaces recipe functions or API functions; each receives the original: `(original) => ({ ...original, … })`. */
  override?: {
    functions?(original: RecipeInterface): RecipeInterface;
    apis?(original: ApiInterface): ApiInterface;
  };
  /** Replacements for the answers to session errors. */
  errorHandlers?: SessionErrorHandlers;
  /** Where `UserRoleClaim` and `PermissionClaim` get their values. Default: a remote core's user roles. */
  userRoles?: UserRoleSource;
  /** Seconds by which this server's clock may differ from the core's when `exp` and `nbf` are checked here; the core's own checks know no tolerance. Default 0; at most 60. */
  clockToleranceSec?: number;
  /** Access tokens that are remembered as verified, so that the next request with one costs no signature work. Default 10,000; 0 for none. */
  maxCachedTokens?: number;
  /**
   * Bytes that the remembered tokens may take, estimated from the lengths of tokens and payloads. Default 33,554,432
   * (32 MiB), which holds 10,000 tokens of usual size (2 to 3 kB each); 0 for none. A token that would take more than
   * a 64th is not remembered.
   */
  maxCachedTokenBytes?: number;
  /** Seconds for which a WebSocket whose access token has expired stays open, for the client to send a new one. Default 30; 0 to 3600. */
  socketRenewalGraceSec?: number;
}
