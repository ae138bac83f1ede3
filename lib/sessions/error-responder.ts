import type { SessionConfig } from '../options/session-config.js';
import type { AnySessionError, ClaimValidationError } from '../errors.js';
import { assertNever } from '../util/assert-never.js';
import type { HttpRequest, HttpResponse } from '../util/http-exchange.js';
import type { UserContext } from '../util/user-context.js';
import type { SessionRequest } from '../http/session-request.js';
import type { TokenTransport } from '../http/token-transport.js';
import type { RecipeInterface } from './recipe.interface.js';

/**
 * Replacements for the answers to session errors. Each must send the response (`setStatusCode`, `sendJSONResponse`)
 * and is awaited. Tokens that are to be cleared have been cleared before it runs.
 *
 * @publicApi
 */
export interface SessionErrorHandlers {
  onUnauthorised?: ErrorMessageHandler;
  onTryRefreshToken?: ErrorMessageHandler;
  onClearDuplicateSessionCookies?: ErrorMessageHandler;
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
}

/** @publicApi */
export type ErrorMessageHandler = (
  message: string,
  request: HttpRequest,
  response: HttpResponse,
  userContext: UserContext,
) => Promise<void> | void;

export interface ErrorResponderDependencies {
  readonly config: SessionConfig;
  readonly transport: TokenTransport;
  readonly recipe: RecipeInterface;
  readonly handlers: SessionErrorHandlers;
}

/**
 * The one place that turns a session error into an answer: cleared tokens, status, body. The error's own message stays
 * on the server.
 *
 * @see docs/protocol/sdk.md §9.3
 */
export class ErrorResponder {
  constructor(private readonly dependencies: ErrorResponderDependencies) {}

  async respond(error: AnySessionError, sessionRequest: SessionRequest): Promise<void> {
    const { transport, handlers } = this.dependencies;
    const { request, response, userContext } = sessionRequest;
    switch (error.type) {
      case 'UNAUTHORISED':
        if (error.payload.clearTokens) transport.clearBoth(sessionRequest);
        if (handlers.onUnauthorised)
          return handlers.onUnauthorised(error.message, request, response, userContext);
        return this.sendExpired(response, 'unauthorised');
      case 'TRY_REFRESH_TOKEN':
        if (handlers.onTryRefreshToken)
          return handlers.onTryRefreshToken(error.message, request, response, userContext);
        return this.sendExpired(response, 'try refresh token');
      case 'TOKEN_THEFT_DETECTED': {
        const { sessionHandle, userId, recipeUserId } = error.payload;
        // Done already where the theft was found; an application may throw this error itself. Before the clearing: if the
        // core is gone now, the answer is a 503 that clears nothing.
        if (!handlers.onTokenTheftDetected) {
          const owner = { userId, recipeUserId };
          await this.dependencies.recipe.revokeSession({ sessionHandle, owner, userContext });
        }
        transport.clearBoth(sessionRequest);
        if (handlers.onTokenTheftDetected) {
          return handlers.onTokenTheftDetected(
            sessionHandle,
            userId,
            recipeUserId,
            request,
            response,
            userContext,
          );
        }
        return this.sendExpired(response, 'token theft detected');
      }
      case 'INVALID_CLAIMS':
        if (handlers.onInvalidClaim)
          return handlers.onInvalidClaim(error.payload, request, response, userContext);
        return send(response, this.dependencies.config.invalidClaimStatusCode, {
          message: 'invalid claim',
          claimValidationErrors: error.payload,
        });
      case 'CLEAR_DUPLICATE_SESSION_COOKIES':
        if (handlers.onClearDuplicateSessionCookies) {
          return handlers.onClearDuplicateSessionCookies(error.message, request, response, userContext);
        }
        return send(response, 200, { message: error.message });
      default:
        return assertNever(error);
    }
  }

  private sendExpired(response: HttpResponse, message: string): void {
    send(response, this.dependencies.config.sessionExpiredStatusCode, { message });
  }
}

function send(response: HttpResponse, status: number, body: object): void {
  response.setStatusCode(status);
  response.sendJSONResponse(body);
}
