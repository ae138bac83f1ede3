import { UnauthorisedError } from '../errors.js';
import type { SessionConfig } from '../options/session-config.js';
import type { AntiCsrfMode, TokenTransferMethod } from '../options/wire-options.js';
import type { HttpRequest } from '../util/http-exchange.js';

const SAFE_METHODS: readonly string[] = ['get', 'head', 'options', 'trace'];
/** `none` is an address that the user typed, or a bookmark. `same-site` is a neighbour, which a list of origins excludes. */
const OWN_SITES: readonly string[] = ['same-origin', 'none'];

/** A request by cookie lacks the `rid` header that the mode requires. */
export type CustomHeaderMissing = 'CUSTOM_HEADER_MISSING';

/**
 * Decides whether verification has to compare the anti-CSRF token. Only cookies are checked, because a browser does not
 * attach a bearer token by itself. Without the route's `antiCsrfCheck` every method but GET is checked, HEAD included.
 *
 * @param input.transferMethod how the access token came; undefined when there was none
 * @param input.requested the route's `antiCsrfCheck`
 * @returns the flag for the recipe's `getSession`; a satisfied custom header turns it off
 * @see docs/protocol/sdk.md §5.2 G7-G9
 */
export function decideAntiCsrfOnVerify(input: {
  readonly mode: AntiCsrfMode;
  readonly method: string;
  readonly transferMethod: TokenTransferMethod | undefined;
  readonly requested: boolean | undefined;
  readonly hasCustomHeader: boolean;
}): { readonly check: boolean } | CustomHeaderMissing {
  const check = input.transferMethod === 'cookie' && (input.requested ?? input.method !== 'get');
  if (!check || input.mode !== 'VIA_CUSTOM_HEADER') return { check };
  return input.hasCustomHeader ? { check: false } : 'CUSTOM_HEADER_MISSING';
}

/**
 * Decides whether a refresh goes to the core with its anti-CSRF check switched off.
 *
 * @returns `disableAntiCsrf` for the recipe's `refreshSession`; the core checks only under `VIA_TOKEN`
 * @see docs/protocol/sdk.md §5.3 R6-R7
 */
export function decideAntiCsrfOnRefresh(input: {
  readonly mode: AntiCsrfMode;
  readonly transferMethod: TokenTransferMethod;
  readonly hasCustomHeader: boolean;
}): { readonly disableAntiCsrf: boolean } | CustomHeaderMissing {
  if (input.transferMethod === 'header') return { disableAntiCsrf: true };
  if (input.mode !== 'VIA_CUSTOM_HEADER') return { disableAntiCsrf: false };
  return input.hasCustomHeader ? { disableAntiCsrf: true } : 'CUSTOM_HEADER_MISSING';
}

/**
 * Returns whether a request may use the session's cookies although a browser may have sent it for another site. Methods
 * that change no state pass; so does a client that sends neither header, because every current browser sends one.
 *
 * @param allowedOrigins exact origins; undefined: not checked
 * @see docs/security-requirements.md S070
 */
export function isAllowedOrigin(
  allowedOrigins: readonly string[] | undefined,
  request: {
    readonly method: string;
    readonly origin: string | undefined;
    readonly secFetchSite: string | undefined;
  },
): boolean {
  if (allowedOrigins === undefined || SAFE_METHODS.includes(request.method)) return true;
  if (request.origin !== undefined) return allowedOrigins.includes(request.origin);
  return request.secFetchSite === undefined || OWN_SITES.includes(request.secFetchSite);
}

/**
 * Refuses a request by cookie whose origin is not among `allowedOrigins` (S070). The tokens stay, because the page of
 * another site must not be able to end a session.
 *
 * @throws {UnauthorisedError} the origin is not allowed
 */
export function assertAllowedOrigin(
  request: HttpRequest,
  { allowedOrigins }: Pick<SessionConfig, 'allowedOrigins'>,
): void {
  const isAllowed = isAllowedOrigin(allowedOrigins, {
    method: request.getMethod(),
    origin: request.getHeaderValue('origin'),
    secFetchSite: request.getHeaderValue('sec-fetch-site'),
  });
  if (isAllowed) return;
  throw new UnauthorisedError('The origin of the request is not among allowedOrigins', {
    clearTokens: false,
  });
}
