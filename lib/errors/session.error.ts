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
