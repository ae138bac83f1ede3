import { UnauthorisedError } from '../errors.js';
import type { SessionConfig } from '../options/session-config.js';
import type { AntiCsrfMode, TokenTransferMethod } from '../options/wire-options.js';
import type { SessionRequest } from './session-request.js';
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

const SIMPLE_CONTENT_TYPE = /^(application\/x-www-form-urlencoded|multipart\/form-data|text\/plain)\b/i;
/** Headers that a page of another site can send only after a preflight, which the application has granted then. */
const HEADERS_OF_SCRIPTS = ['rid', 'st-auth-mode', 'fdi-version', 'authorization'];

/**
 * Returns whether the page of another site caused a request that may take tokens away or bring new ones. With
 * `allowedOrigins` the list decides; without, Fetch Metadata, and only against requests that no preflight has granted. A GET
 * that navigates passes: so do callbacks of identity providers arrive. So does a client that sends neither header.
 */
export function isForeignRequest(
  scope: SessionRequest,
  { allowedOrigins, appInfo }: Pick<SessionConfig, 'allowedOrigins' | 'appInfo'>,
): boolean {
  const { request } = scope;
  const site = request.getHeaderValue('sec-fetch-site');
  const origin = request.getHeaderValue('origin');
  const isOwnSite = site === undefined || OWN_SITES.includes(site);
  const isCallback = SAFE_METHODS.includes(request.getMethod()) && isNavigation(request);
  if (allowedOrigins !== undefined) {
    return origin === undefined ? !isOwnSite && !isCallback : !allowedOrigins.includes(origin);
  }
  if (
    site !== 'cross-site' ||
    isCallback ||
    (request.getHeaderValue('sec-fetch-mode') !== 'no-cors' && isPreflighted(request))
  )
    return false;
  return origin === undefined || ![appInfo.apiDomain, appInfo.websiteOrigin(scope)].includes(origin);
}

/**
 * Refuses to sign a browser in by cookie for the page of another site. Without `allowedOrigins` a form that navigates
 * passes, because identity providers post back that way.
 *
 * @throws {UnauthorisedError} the origin is not allowed; the tokens stay
 */
export function assertOwnSignIn(
  request: SessionRequest,
  config: Pick<SessionConfig, 'allowedOrigins' | 'appInfo'>,
): void {
  if (config.allowedOrigins === undefined && request.request.getHeaderValue('sec-fetch-mode') === 'navigate')
    return;
  if (!isForeignRequest(request, config)) return;
  throw new UnauthorisedError('The page of another site asked for this sign-in', { clearTokens: false });
}

/** A request without these headers comes from a browser that does not send them. */
function isNavigation(request: HttpRequest): boolean {
  const mode = request.getHeaderValue('sec-fetch-mode') ?? 'navigate';
  const destination = request.getHeaderValue('sec-fetch-dest') ?? 'document';
  return mode === 'navigate' && destination === 'document';
}

function isPreflighted(request: HttpRequest): boolean {
  const contentType = request.getHeaderValue('content-type');
  if (contentType !== undefined && !SIMPLE_CONTENT_TYPE.test(contentType.trim())) return true;
  return HEADERS_OF_SCRIPTS.some((name) => request.getHeaderValue(name) !== undefined);
}
