/**
 * SuperTokens' names of what can be wrong with a session.
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
 * One failed claim validator, as the 403 body carries it. `reason` is whatever the validator gave.
 *
 * @publicApi
 */
export interface ClaimValidationError {
  readonly id: string;
  readonly reason?: unknown;
}

/** Survives two copies of the package in one process, where `instanceof` does not. */
const SESSION_ERROR = Symbol.for('nest-sessions.SessionError');

/**
 * Base of everything that can be wrong with the session of a request. It knows no HTTP: `SessionExceptionFilter` maps
 * it to a status, a body and cleared tokens. Use `instanceof` or `switch (error.type)`.
 *
 * @publicApi
 */
export abstract class SessionError extends Error {
  abstract readonly type: SessionErrorType;

  /** SuperTokens' marker of the recipe an error comes from. */
  readonly fromRecipe = 'session';

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    Object.defineProperty(this, SESSION_ERROR, { value: true });
  }

  /** `instanceof` that also recognises an error made by another copy of this package. */
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

  /** @param options `clearTokens` (default true): whether the answer removes the tokens the client holds */
  constructor(message: string, options: ErrorOptions & { clearTokens?: boolean } = {}) {
    super(message, options);
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

  constructor(
    readonly sessionHandle: string,
    readonly userId: string,
    readonly recipeUserId: string = userId,
    options?: ErrorOptions,
  ) {
    super('Token theft detected', options);
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
 * The browser sent two generations of the session cookies; those of the older domain have been removed on this answer.
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
 * One thing that is wrong with the options.
 *
 * @publicApi
 */
export interface ConfigProblem {
  /** Where in the options, `appInfo.apiDomain` for example. */
  readonly path: string;
  /** What was seen, what is accepted, what to do. */
  readonly message: string;
}

/**
 * The options of `SessionModule` or `SessionCoreModule` cannot work. Thrown when the application starts; lists every
 * problem at once.
 *
 * @publicApi
 */
export class SessionConfigError extends Error {
  constructor(
    readonly problems: readonly ConfigProblem[],
    moduleName: 'SessionModule' | 'SessionCoreModule' = 'SessionModule',
  ) {
    super(
      `${moduleName} cannot start, ${problems.length === 1 ? 'one option is' : `${problems.length} options are`} wrong:\n` +
        problems.map((problem) => `  - ${problem.path}: ${problem.message}`).join('\n'),
    );
    this.name = 'SessionConfigError';
  }
}

/**
 * Base of all trouble with the core. It never looks like "not signed in": the guard stops the request, no token is
 * cleared, and the answer is a 5xx.
 *
 * @publicApi
 */
export abstract class CoreError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/**
 * The core or its store did not answer. Nothing was decided about the session; the request may be repeated.
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
 * The store holds as many sessions as it may, so that nobody can sign in until some have ended. Sessions that are there go
 * on, and to the events it is no outage.
 *
 * @publicApi
 */
export class StoreFullError extends CoreUnavailableError {}

/**
 * The core gave an answer that we do not understand.
 *
 * @publicApi
 */
export class CoreResponseError extends CoreError {}

/**
 * The core refused the call as wrong in itself (CDI status 400), for example because the payload carries a reserved
 * claim name. Repeating it cannot help.
 *
 * @publicApi
 */
export class CoreBadInputError extends CoreError {}

/**
 * A refresh came with two session cookies of one name, and `olderCookieDomain` does not say which of them is the older one.
 * Nobody knows which counts, so nothing was done and no token is cleared: the answer is a 400. It happens after a change of
 * `cookieDomain`, or where a neighbour sets cookies for a common domain.
 *
 * @publicApi
 */
export class DuplicateSessionCookiesError extends Error {
  constructor(options?: ErrorOptions) {
    super(
      'The request carries two session cookies of the same name, as after a change of cookieDomain: ' +
        "set olderCookieDomain to the former cookieDomain ('' if there was none) for as long as old cookies live",
      options,
    );
    this.name = 'DuplicateSessionCookiesError';
  }
}

/**
 * The application's `rateLimit` refused the attempt. The session stands and no token is cleared: the answer is a 429 with
 * `Retry-After`.
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
 * The user has as many live sessions as `maxSessionsPerUser` allows, and the option says to refuse one more. Nothing was
 * changed, no token was written or cleared. `SessionExceptionFilter` answers with status 409.
 *
 * @publicApi
 */
export class TooManySessionsError extends Error {
  constructor(
    readonly userId: string,
    readonly tenantId: string,
    /** How many sessions are allowed. */
    readonly max: number,
    options?: ErrorOptions,
  ) {
    super(`The user has ${max} live sessions, which is as many as maxSessionsPerUser allows`, options);
    this.name = 'TooManySessionsError';
  }
}

/** Makes a `switch` over a union exhaustive at compile time, and throws at run time. */
export function assertNever(value: never): never {
  throw new TypeError(`Unhandled case: ${JSON.stringify(value)}`);
}
