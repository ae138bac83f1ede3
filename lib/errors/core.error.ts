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
