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
