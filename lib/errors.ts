import { recogniseAllCopies } from './util/copies.js';
import { withPlainCause } from './util/plain-error.js';

/**
 * The kinds of session errors, under SuperTokens' names.
 *
 * @publicApi
 */
export type SessionErrorType =
  | 'UNAUTHORISED'
  | 'TRY_REFRESH_TOKEN'
  | 'TOKEN_THEFT_DETECTED'
  | 'INVALID_CLAIMS'
  | 'CLEAR_DUPLICATE_SESSION_COOKIES';

/**
 * One failed claim validator, as the 403 body carries it. `reason` is the validator's own value.
 *
 * @publicApi
 */
export interface ClaimValidationError {
  readonly id: string;
  readonly reason?: unknown;
}

/** Recognises errors of another copy of the package in the same process, where `instanceof` fails. */
const SESSION_ERROR = Symbol.for('nest-sessions.SessionError');

/**
 * The base class of the errors about the session of a request. It knows no HTTP: `SessionExceptionFilter` maps it to a
 * status, a body and cleared tokens. Use `instanceof` or `switch (error.type)`.
 *
 * @publicApi
 */
export abstract class SessionError extends Error {
  abstract readonly type: SessionErrorType;

  /** SuperTokens' marker of the recipe that an error comes from. */
  readonly fromRecipe = 'session';

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }

  /** Checks like `instanceof`, and also recognises an error of another copy of this package. */
  static isSessionError(error: unknown): error is AnySessionError {
    return typeof error === 'object' && error !== null && SESSION_ERROR in error;
  }
}

/**
 * There is no session, or it has ended: the client must sign in again.
 *
 * @publicApi
 */
export class UnauthorisedError extends SessionError {
  override readonly type = 'UNAUTHORISED';
  readonly payload: { readonly clearTokens: boolean };
  /** The way in which a refresh token came back, where the core says so instead of calling it theft (CDI 5.6). */
  readonly recentTokenReuseSubtype: string | undefined;

  /** @param options `clearTokens` (default true): whether the response removes the client's tokens */
  constructor(
    message: string,
    options: ErrorOptions & { clearTokens?: boolean; recentTokenReuseSubtype?: string | undefined } = {},
  ) {
    super(message, options);
    this.recentTokenReuseSubtype = options.recentTokenReuseSubtype;
    this.payload = { clearTokens: options.clearTokens ?? true };
  }
}

/**
 * The access token cannot be used (expired, unknown key, wrong kind, anti-CSRF): the client should refresh and retry.
 *
 * @publicApi
 */
export class TryRefreshTokenError extends SessionError {
  override readonly type = 'TRY_REFRESH_TOKEN';
}

/**
 * A refresh token came back after its replacement had been used: two parties hold tokens of one session.
 *
 * @publicApi
 */
export class TokenTheftDetectedError extends SessionError {
  override readonly type = 'TOKEN_THEFT_DETECTED';
  readonly payload: {
    readonly sessionHandle: string;
    readonly userId: string;
    readonly recipeUserId: string;
  };
  /** The way in which the token came back, where the core says so (CDI 5.6). The core has revoked the session then. */
  readonly recentTokenReuseSubtype: string | undefined;

  constructor(
    readonly sessionHandle: string,
    readonly userId: string,
    readonly recipeUserId: string = userId,
    options?: ErrorOptions & { recentTokenReuseSubtype?: string | undefined },
  ) {
    super('Token theft detected', options);
    this.recentTokenReuseSubtype = options?.recentTokenReuseSubtype;
    this.payload = { sessionHandle, userId, recipeUserId };
  }
}

/**
 * The session is fine but at least one claim validator is not satisfied.
 *
 * @publicApi
 */
export class InvalidClaimsError extends SessionError {
  override readonly type = 'INVALID_CLAIMS';

  constructor(
    /** The failed validators, in the order in which they were checked. */
    readonly payload: readonly ClaimValidationError[],
    options?: ErrorOptions,
  ) {
    super('INVALID_CLAIMS', options);
  }
}

/**
 * The browser sent two generations of the session cookies; this response removes those of the older domain.
 *
 * @publicApi
 */
export class ClearDuplicateSessionCookiesError extends SessionError {
  override readonly type = 'CLEAR_DUPLICATE_SESSION_COOKIES';
}

/**
 * Every session error, to switch over by `type`.
 *
 * @publicApi
 */
export type AnySessionError =
  | UnauthorisedError
  | TryRefreshTokenError
  | TokenTheftDetectedError
  | InvalidClaimsError
  | ClearDuplicateSessionCookiesError;

/**
 * The base class of failures of the core. They never look like "not signed in": the guard stops the request, no token is
 * cleared, and the response is a 5xx.
 *
 * @publicApi
 */
export abstract class CoreError extends Error {
  /** Handles of the sessions that a revocation of several had ended before it failed. A second call does not name them again. */
  declare endedHandles?: readonly string[];

  /** @param options the `cause` keeps no more than its name, message, code and stack where a driver put more on it */
  constructor(message: string, options?: ErrorOptions) {
    super(message, withPlainCause(options));
    this.name = new.target.name;
  }
}

/**
 * The core or its store did not respond. The state of the session is unknown; the request may be repeated.
 *
 * @publicApi
 */
export class CoreUnavailableError extends CoreError {
  /** Seconds after which a repeat makes sense; sent to the client as `Retry-After`. */
  readonly retryAfterSec: number;

  constructor(message: string, options: ErrorOptions & { retryAfterSec?: number } = {}) {
    super(message, options);
    this.retryAfterSec = options.retryAfterSec ?? 1;
  }
}

/**
 * The store holds as many sessions as it may, so that a sign-in fails until some have ended. Existing sessions go on, and
 * the events report no outage.
 *
 * @publicApi
 */
export class StoreFullError extends CoreUnavailableError {}

/**
 * The core sent a response that does not follow its protocol.
 *
 * @publicApi
 */
export class CoreResponseError extends CoreError {}

/**
 * The core refused the call as invalid (CDI status 400), for example because the payload carries a reserved claim name.
 * Repeating it cannot help.
 *
 * @publicApi
 */
export class CoreBadInputError extends CoreError {}

/**
 * A refresh came with two session cookies of one name, and no option says where the older one belongs. It is unknown which
 * one counts, so the refresh was not tried and no token is cleared: the response is a 400. It happens after a change of
 * `cookieDomain` or `accessTokenPath`, or where a neighbour sets cookies for a common domain.
 *
 * @publicApi
 */
export class DuplicateSessionCookiesError extends Error {
  constructor(options?: ErrorOptions) {
    super(
      'The request carries two session cookies of the same name, as after a change of cookieDomain or accessTokenPath: ' +
        "set olderCookieDomain to the former cookieDomain ('' if there was none and there is one now), olderAccessTokenPath to " +
        'the former accessTokenPath, olderCookiePartitioned to the former cookiePartitioned, for as long as old cookies live',
      options,
    );
    this.name = 'DuplicateSessionCookiesError';
  }
}

/**
 * The application's `rateLimit` refused the attempt. The session stands and no token is cleared: the response is a 429
 * with `Retry-After`.
 *
 * @publicApi
 */
export class RateLimitedError extends Error {
  constructor(
    /** Seconds after which the client may try again. */
    readonly retryAfterSec: number,
    options?: ErrorOptions,
  ) {
    super(`Too many attempts: the rate limiter asks to wait ${retryAfterSec} s`, options);
    this.name = 'RateLimitedError';
  }
}

/**
 * It cannot be decided at present whether this is the device that a session is bound to: the browser could not renew its
 * cookie, or used proofs cannot be looked up. No token is cleared: the response is a 503 with `Retry-After`.
 */
export class DeviceCheckUnavailableError extends Error {
  constructor(
    message: string,
    /** Seconds after which the client may try again. */
    readonly retryAfterSec: number,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'DeviceCheckUnavailableError';
  }
}

/**
 * The user has as many live sessions as `maxSessionsPerUser` allows, and the option refuses one more. No session was
 * changed, no token was written or cleared. `SessionExceptionFilter` responds with status 409.
 *
 * @publicApi
 */
export class TooManySessionsError extends Error {
  constructor(
    readonly userId: string,
    readonly tenantId: string,
    /** The number of sessions that are allowed. */
    readonly max: number,
    options?: ErrorOptions,
  ) {
    super(`The user has ${max} live sessions, which is as many as maxSessionsPerUser allows`, options);
    this.name = 'TooManySessionsError';
  }
}

recogniseAllCopies({
  SessionError,
  UnauthorisedError,
  TryRefreshTokenError,
  TokenTheftDetectedError,
  InvalidClaimsError,
  ClearDuplicateSessionCookiesError,
  CoreError,
  CoreUnavailableError,
  StoreFullError,
  CoreResponseError,
  CoreBadInputError,
  DuplicateSessionCookiesError,
  RateLimitedError,
  DeviceCheckUnavailableError,
  TooManySessionsError,
});

/** Makes a `switch` over a union exhaustive at compile time, and throws at run time. */
export function assertNever(value: never): never {
  throw new TypeError(`Unhandled case: ${JSON.stringify(value)}`);
}
