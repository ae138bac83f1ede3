import {
  DEFAULT_CONFIG,
  findErrorRule,
  isHandledError,
  type ErrorRuleConfig,
} from '../sessions/error-rules.js';

/**
 * The options of the API that decide about error responses. The defaults are those of `SessionModule`.
 *
 * @publicApi
 */
export interface SessionErrorResponseOptions {
  /** Status of "sign in again" and "try refresh token". Default 401. */
  readonly sessionExpiredStatusCode?: number;
  /** Status of a failed claim check. Default 403. */
  readonly invalidClaimStatusCode?: number;
  /** Whether the response to a failed claim check shows the values that were expected and found. Default false. */
  readonly showClaimValues?: boolean;
}

/**
 * Returns the response to an error of a session, with the status and the body that `SessionExceptionFilter` sends: 401 with
 * `{"message":"try refresh token"}` makes the browser client refresh and repeat, 403 lists the failed claims, 503 says that the keys
 * or the feed cannot be had.
 *
 * It clears no token: a client that gets a 401 refreshes, and the API clears the tokens of a session that has ended.
 *
 * @returns undefined for any other error, which is not about the session
 * @example
 * try {
 *   const session = await verifier.verify(request);
 * } catch (error) {
 *   return sessionErrorResponse(error) ?? Promise.reject(error);
 * }
 * @publicApi
 */
export function sessionErrorResponse(
  error: unknown,
  options: SessionErrorResponseOptions = {},
): Response | undefined {
  if (!isHandledError(error)) return undefined;
  const config: ErrorRuleConfig = {
    sessionExpiredStatusCode: options.sessionExpiredStatusCode ?? DEFAULT_CONFIG.sessionExpiredStatusCode,
    invalidClaimStatusCode: options.invalidClaimStatusCode ?? DEFAULT_CONFIG.invalidClaimStatusCode,
    showClaimValues: options.showClaimValues ?? DEFAULT_CONFIG.showClaimValues,
  };
  const { status, message, details, retryAfterSec } = findErrorRule(error, config);
  const headers = new Headers({
    'content-type': 'application/json; charset=utf-8',
    'cache-control': 'no-store',
    vary: 'Cookie, Authorization',
  });
  if (retryAfterSec !== undefined) headers.set('retry-after', String(Math.ceil(retryAfterSec)));
  return new Response(JSON.stringify({ message, ...details }), { status, headers });
}
