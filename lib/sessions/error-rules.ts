import { withoutValues } from '../claims/claim-validator.js';
import {
  CoreResponseError,
  CoreUnavailableError,
  DeviceCheckUnavailableError,
  DuplicateSessionCookiesError,
  RateLimitedError,
  SessionError,
  TooManySessionsError,
  type AnySessionError,
  assertNever,
} from '../errors.js';
import type { SessionConfig } from '../options/session-config.js';

/** The classes of errors that have a response of their own. */
export const HANDLED_ERRORS = [
  SessionError,
  CoreUnavailableError,
  CoreResponseError,
  TooManySessionsError,
  RateLimitedError,
  DuplicateSessionCookiesError,
  DeviceCheckUnavailableError,
] as const;

type OtherHandledError = Exclude<InstanceType<(typeof HANDLED_ERRORS)[number]>, SessionError>;

/** An error of {@link HANDLED_ERRORS}. */
export type HandledError = AnySessionError | OtherHandledError;

export function isHandledError(error: unknown): error is HandledError {
  return SessionError.isSessionError(error) || HANDLED_ERRORS.some((kind) => error instanceof kind);
}

/** The response to an error: status and body over HTTP, a GraphQL error, an event of a WebSocket. */
export interface ErrorResponse {
  /**
   * The session error's `type`; `SERVICE_UNAVAILABLE` and `BAD_GATEWAY` for trouble with the core; `TOO_MANY_SESSIONS`,
   * `TOO_MANY_REQUESTS`, `DUPLICATE_SESSION_COOKIES`.
   */
  readonly code: string;
  readonly status: number;
  readonly message: string;
  /** The members of the body beside the message, `claimValidationErrors` for example. */
  readonly details?: Readonly<Record<string, unknown>>;
}

/** An {@link ErrorResponse}, and what goes with it. */
export interface ErrorRule extends ErrorResponse {
  /** Whether the client's tokens are taken away. */
  readonly clearsTokens?: boolean;
  /** Seconds after which the client may try again. */
  readonly retryAfterSec?: number;
}

/** The options that decide about error responses. */
export type ErrorRuleConfig = Pick<
  SessionConfig,
  'sessionExpiredStatusCode' | 'invalidClaimStatusCode' | 'showClaimValues'
>;

export const DEFAULT_CONFIG: ErrorRuleConfig = {
  sessionExpiredStatusCode: 401,
  invalidClaimStatusCode: 403,
  showClaimValues: false,
};

/**
 * Returns the response to an error. It is the only place that knows which status an error has.
 *
 * Without a configuration it is the one that most applications have.
 */
export function findErrorRule(error: HandledError, config: ErrorRuleConfig = DEFAULT_CONFIG): ErrorRule {
  if (!SessionError.isSessionError(error)) return findOtherRule(error);
  const { sessionExpiredStatusCode, invalidClaimStatusCode, showClaimValues } = config;
  const code = error.type;
  switch (code) {
    case 'UNAUTHORISED': {
      const { clearTokens } = error.payload;
      return { code, status: sessionExpiredStatusCode, message: 'unauthorised', clearsTokens: clearTokens };
    }
    case 'TRY_REFRESH_TOKEN':
      return { code, status: sessionExpiredStatusCode, message: 'try refresh token' };
    case 'TOKEN_THEFT_DETECTED':
      return {
        code,
        status: sessionExpiredStatusCode,
        message: 'token theft detected',
        clearsTokens: true,
      };
    case 'INVALID_CLAIMS': {
      const claimValidationErrors = showClaimValues ? error.payload : error.payload.map(withoutValues);
      const details = { claimValidationErrors };
      return { code, status: invalidClaimStatusCode, message: 'invalid claim', details };
    }
    case 'CLEAR_DUPLICATE_SESSION_COOKIES':
      return { code, status: 200, message: error.message };
    default:
      return assertNever(code);
  }
}

/** Responses that clear no token, because these errors do not end a session. */
function findOtherRule(error: OtherHandledError): ErrorRule {
  if (error instanceof CoreUnavailableError || error instanceof DeviceCheckUnavailableError) {
    const { retryAfterSec } = error;
    return { code: 'SERVICE_UNAVAILABLE', status: 503, message: 'service unavailable', retryAfterSec };
  }
  if (error instanceof RateLimitedError) {
    const { retryAfterSec } = error;
    return { code: 'TOO_MANY_REQUESTS', status: 429, message: 'too many requests', retryAfterSec };
  }
  if (error instanceof TooManySessionsError) {
    const details = { maxSessions: error.max };
    return { code: 'TOO_MANY_SESSIONS', status: 409, message: 'too many sessions', details };
  }
  if (error instanceof DuplicateSessionCookiesError) {
    return { code: 'DUPLICATE_SESSION_COOKIES', status: 400, message: 'duplicate session cookies' };
  }
  return { code: 'BAD_GATEWAY', status: 502, message: 'bad gateway' };
}
