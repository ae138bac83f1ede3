import type { SessionClaimValidator } from './claims/claim-validator.js';
import type { SessionClaim } from './claims/session-claim.js';
import type { SessionWireOptions } from './config/session-options.interface.js';
import type { CoreProvider } from './core/core-provider.js';
import type { ClaimValidationError } from './errors/session.error.js';
import type { ApiInterface } from './recipe/api.interface.js';
import type { RecipeInterface } from './recipe/recipe.interface.js';
import type { HttpRequest, HttpResponse } from './shared/http-exchange.js';
import type { UserContext } from './shared/user-context.js';

/**
 * Replacements for the answers to session errors. Each must send the response (`setStatusCode`, `sendJSONResponse`)
 * and is awaited. Tokens that are to be cleared have been cleared before it runs.
 *
 * @publicApi
 */
export interface SessionErrorHandlers {
  onUnauthorised?(message: string, request: HttpRequest, response: HttpResponse, userContext: UserContext): Promise<void> | void;
  onTryRefreshToken?(message: string, request: HttpRequest, response: HttpResponse, userContext: UserContext): Promise<void> | void;
  /** The default one revokes the session; a replacement decides that by itself. */
  onTokenTheftDetected?(
    sessionHandle: string,
    userId: string,
    recipeUserId: string,
    request: HttpRequest,
    response: HttpResponse,
    userContext: UserContext,
  ): Promise<void> | void;
  onInvalidClaim?(
    validationErrors: readonly ClaimValidationError[],
    request: HttpRequest,
    response: HttpResponse,
    userContext: UserContext,
  ): Promise<void> | void;
  onClearDuplicateSessionCookies?(
    message: string,
    request: HttpRequest,
    response: HttpResponse,
    userContext: UserContext,
  ): Promise<void> | void;
}

/**
 * What an application writes into `SessionModule.forRoot`. Only `appInfo` is required.
 *
 * @publicApi
 */
export interface SessionModuleOptions extends SessionWireOptions {
  /** Who issues the sessions. Default `embeddedCore()`: inside this process, in memory. */
  core?: CoreProvider;
  /** Claims that are fetched and built into every new session. Keys must differ. */
  claims?: readonly SessionClaim<unknown>[];
  /** Checks that every protected route runs unless it overrides them. */
  globalClaimValidators?: readonly SessionClaimValidator[];
  /** Replaces recipe functions or API functions; each receives the original: `(original) => ({ ...original, … })`. */
  override?: {
    functions?(original: RecipeInterface): RecipeInterface;
    apis?(original: ApiInterface): ApiInterface;
  };
  errorHandlers?: SessionErrorHandlers;
}
