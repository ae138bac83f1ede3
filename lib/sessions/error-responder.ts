import { DpopRefusedError } from '../device-binding/dpop-refused.error.js';
import {
  CoreResponseError,
  CoreUnavailableError,
  DuplicateSessionCookiesError,
  SessionError,
  type AnySessionError,
  type ClaimValidationError,
  type SessionErrorType,
} from '../errors.js';
import { errorReason, printable } from '../events/printable.js';
import { CapturedResponse } from '../http/captured-response.js';
import { createSessionRequest } from '../http/exchanges.js';
import type { SessionRequest } from '../http/session-request.js';
import type { TokenTransport } from '../http/token-transport.js';
import type { HttpExchange, HttpRequest, HttpResponse } from '../util/http-exchange.js';
import { isJsonObject } from '../util/json.js';
import type { SessionLogger } from '../util/session-logger.js';
import type { UserContext } from '../util/user-context.js';
import type { PrepareContext } from '../util/user-context.js';
import { findErrorRule, type ErrorResponse, type ErrorRuleConfig, type HandledError } from './error-rules.js';
import type { RecipeInterface } from './recipe.interface.js';

/**
 * Replacements for the responses to session errors. Each must send the response (`setStatusCode`, `sendJSONResponse`)
 * and is awaited. Tokens that are to be cleared have been cleared before it runs.
 *
 * @publicApi
 */
export interface SessionErrorHandlers {
  onUnauthorised?: ErrorMessageHandler;
  onTryRefreshToken?: ErrorMessageHandler;
  onClearDuplicateSessionCookies?: ErrorMessageHandler;
  /** Responds to a `DuplicateSessionCookiesError`: it is unknown which of two cookies counts, and no token is cleared. */
  onDuplicateSessionCookies?: ErrorMessageHandler;
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

const HANDLER_NAMES = {
  UNAUTHORISED: 'onUnauthorised',
  TRY_REFRESH_TOKEN: 'onTryRefreshToken',
  TOKEN_THEFT_DETECTED: 'onTokenTheftDetected',
  INVALID_CLAIMS: 'onInvalidClaim',
  CLEAR_DUPLICATE_SESSION_COOKIES: 'onClearDuplicateSessionCookies',
} as const satisfies Record<SessionErrorType, keyof SessionErrorHandlers>;

/** The errors whose response an application can replace. */
type ReplaceableError = AnySessionError | DuplicateSessionCookiesError;

function handlerName(error: ReplaceableError): keyof SessionErrorHandlers {
  return error instanceof DuplicateSessionCookiesError
    ? 'onDuplicateSessionCookies'
    : HANDLER_NAMES[error.type];
}

export interface ErrorResponderDependencies {
  readonly config: ErrorRuleConfig;
  readonly transport: Pick<TokenTransport, 'clearBoth'>;
  readonly recipe: Pick<RecipeInterface, 'revokeSession'>;
  readonly handlers: {
    readonly [Name in keyof SessionErrorHandlers]: SessionErrorHandlers[Name] | undefined;
  };
  readonly prepareContext: PrepareContext;
  readonly logger: Pick<SessionLogger, 'debug' | 'error'>;
}

/** A response to write to; undefined where the transport has none. */
type ErrorTarget = Pick<HttpExchange, 'request'> & { readonly response: HttpResponse | undefined };

/**
 * Maps errors to responses by {@link findErrorRule}: status, body, cleared tokens. A session error's own message stays on the
 * server.
 *
 * @see docs/protocol/sdk.md §9.3
 */
export class ErrorResponder {
  constructor(private readonly dependencies: ErrorResponderDependencies) {}

  /** Returns the configured status of the response to an error. */
  status(error: HandledError): number {
    return findErrorRule(error, this.dependencies.config).status;
  }

  /** Logs an error and sends the response to it. */
  async send(error: HandledError, exchange: HttpExchange): Promise<void> {
    return this.withFallback(error, async (each, userContext) =>
      this.write(each, createSessionRequest(exchange, userContext)),
    );
  }

  /** Logs an error and returns the response to it; only headers are written, where there is a response. */
  async capture(error: HandledError, { request, response }: ErrorTarget): Promise<ErrorResponse> {
    return this.withFallback(error, async (each, userContext) => {
      const captured = new CapturedResponse(response);
      await this.write(each, createSessionRequest({ request, response: captured }, userContext));
      const { code } = findErrorRule(each, this.dependencies.config);
      const { message = code, ...details } = isJsonObject(captured.body) ? captured.body : {};
      const text = typeof message === 'string' ? message : code;
      return { code, status: captured.statusCode, message: text, details };
    });
  }

  /** If the core fails while the response is made, the response to that failure takes its place. */
  private async withFallback<T>(
    error: HandledError,
    respond: (error: HandledError, userContext: UserContext) => Promise<T>,
  ): Promise<T> {
    const userContext = this.dependencies.prepareContext();
    this.log(error);
    try {
      return await respond(error, userContext);
    } catch (failure) {
      if (!isCoreTrouble(failure)) throw failure;
      this.log(failure);
      return respond(failure, userContext);
    }
  }

  private async write(error: HandledError, request: SessionRequest): Promise<void> {
    const { transport, recipe } = this.dependencies;
    const { status, message, details, clearsTokens, retryAfterSec } = findErrorRule(
      error,
      this.dependencies.config,
    );
    const sessionError = SessionError.isSessionError(error) ? error : undefined;
    const isReplaceable = sessionError !== undefined || error instanceof DuplicateSessionCookiesError;
    const hasHandler = isReplaceable && this.hasHandler(error);
    if (sessionError?.type === 'TOKEN_THEFT_DETECTED' && !hasHandler) {
      // Where the theft was found this is done already, but an application may throw the error itself. It precedes the
      // clearing because a core that is gone now makes the response a 503 that clears nothing.
      const { sessionHandle, ...owner } = sessionError.payload;
      const { userContext } = request;
      await recipe.revokeSession({ sessionHandle, owner, userContext, reason: 'token-theft' });
    }
    if (clearsTokens === true) transport.clearBoth(request, error);
    const { response } = request;
    if (error instanceof DpopRefusedError) error.writeChallenge(response);
    if (isReplaceable && hasHandler) return this.callHandler(error, request);
    if (retryAfterSec !== undefined) response.setHeader('Retry-After', String(Math.ceil(retryAfterSec)));
    response.setStatusCode(status);
    response.sendJSONResponse({ message, ...details });
  }

  private hasHandler(error: ReplaceableError): boolean {
    return this.dependencies.handlers[handlerName(error)] !== undefined;
  }

  private async callHandler(
    error: ReplaceableError,
    { request, response, userContext }: SessionRequest,
  ): Promise<void> {
    const { handlers } = this.dependencies;
    if (error instanceof DuplicateSessionCookiesError)
      return handlers.onDuplicateSessionCookies?.(error.message, request, response, userContext);
    switch (error.type) {
      case 'TOKEN_THEFT_DETECTED': {
        const { sessionHandle, userId, recipeUserId } = error.payload;
        const owner = [sessionHandle, userId, recipeUserId] as const;
        return handlers.onTokenTheftDetected?.(...owner, request, response, userContext);
      }
      case 'INVALID_CLAIMS':
        return handlers.onInvalidClaim?.(error.payload, request, response, userContext);
      default:
        return handlers[HANDLER_NAMES[error.type]]?.(error.message, request, response, userContext);
    }
  }

  private log(error: HandledError): void {
    const { logger } = this.dependencies;
    if (isCoreTrouble(error)) logger.error(errorReason(error));
    else logger.debug?.(`${errorReason(error)}${failedClaims(error)}`);
  }
}

/** Returns the ids of failed validators, which the message of the error, a constant of SuperTokens, does not name. */
function failedClaims(error: HandledError): string {
  if (!SessionError.isSessionError(error) || error.type !== 'INVALID_CLAIMS') return '';
  return ` (${printable(error.payload.map(({ id }) => id).join(', '), 200)})`;
}

function isCoreTrouble(error: unknown): error is CoreUnavailableError | CoreResponseError {
  return error instanceof CoreUnavailableError || error instanceof CoreResponseError;
}
