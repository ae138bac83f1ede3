import { UnauthorisedError } from '../errors.js';
import { printable } from '../events/printable.js';
import type { AppInfo } from '../options/app-info.js';
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
  /** Asked for only if something has to be checked; so is the custom header. */
  readonly mode: () => AntiCsrfMode;
  readonly method: string;
  readonly transferMethod: TokenTransferMethod | undefined;
  readonly requested: boolean | undefined;
  readonly hasCustomHeader: () => boolean;
}): { readonly check: boolean } | CustomHeaderMissing {
  const check = input.transferMethod === 'cookie' && (input.requested ?? input.method !== 'get');
  if (!check || input.mode() !== 'VIA_CUSTOM_HEADER') return { check };
  return input.hasCustomHeader() ? { check: false } : 'CUSTOM_HEADER_MISSING';
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

/** The part of the configuration that says which pages belong to the application. */
export interface OwnPages extends Pick<SessionConfig, 'allowedOrigins' | 'crossSiteRequests'> {
  readonly appInfo: Pick<AppInfo, 'apiDomain' | 'websiteOrigin' | 'isNeighbour'>;
}

/** A request, and the user context of the call that works for it. */
export type RequestInContext = Pick<SessionRequest, 'request' | 'userContext'>;

/**
 * Returns whether a request may use the session's cookies although a browser may have sent it for a foreign page. Methods that
 * change no state pass; so does a client that sends neither header, because every current browser sends one.
 *
 * @see docs/security-requirements.md S070
 */
export function isAllowedOrigin(scope: RequestInContext, config: OwnPages): boolean {
  if (SAFE_METHODS.includes(scope.request.getMethod())) return true;
  if (config.allowedOrigins === undefined && config.crossSiteRequests === 'allow') return true;
  return !comesFromForeignPage(scope, config);
}

/**
 * Refuses a request by cookie that a foreign page sent (S070). The tokens stay, because such a page must not be able to end a
 * session.
 *
 * @throws {UnauthorisedError} the origin is not allowed
 */
export function assertAllowedOrigin(scope: RequestInContext, config: OwnPages): void {
  if (isAllowedOrigin(scope, config)) return;
  throw new UnauthorisedError(foreignPage(scope), { clearTokens: false });
}

const SIMPLE_CONTENT_TYPE = /^(application\/x-www-form-urlencoded|multipart\/form-data|text\/plain)\b/i;
/** Headers that a page of another site can send only after a preflight, which the application has granted then. */
const HEADERS_OF_SCRIPTS = ['rid', 'st-auth-mode', 'fdi-version', 'authorization'];

/**
 * Returns whether a foreign page caused a request that may take tokens away or bring new ones. A GET that navigates passes, because
 * callbacks of identity providers arrive that way. A client that sends neither header passes, too.
 */
export function isForeignRequest(scope: RequestInContext, config: OwnPages): boolean {
  const { request } = scope;
  const origin = request.getHeaderValue('origin');
  const mayBeCallback = config.allowedOrigins === undefined || origin === undefined;
  const isCallback = SAFE_METHODS.includes(request.getMethod()) && isNavigation(request);
  return !(mayBeCallback && isCallback) && comesFromForeignPage(scope, config);
}

/**
 * Judges a request by its `Origin` and by Fetch Metadata. With `allowedOrigins` the list decides, about neighbours on the same
 * site too. Without it a page is foreign if it is on another site and its origin is neither the website's nor the API's. With
 * `crossSiteRequests: 'allow'` only a request that needs no preflight is judged.
 */
function comesFromForeignPage(scope: RequestInContext, config: OwnPages): boolean {
  const { request } = scope;
  const origin = request.getHeaderValue('origin');
  const site = request.getHeaderValue('sec-fetch-site');
  if (config.allowedOrigins !== undefined) {
    if (origin !== undefined) return !config.allowedOrigins.includes(origin);
    return site !== undefined && !OWN_SITES.includes(site);
  }
  if (site === undefined ? origin === undefined : site !== 'cross-site') return false;
  if (config.crossSiteRequests === 'allow' && (site === undefined || isPreflighted(request))) return false;
  return origin === undefined || !isOwnOrigin(origin, scope, config);
}

/** Without Fetch Metadata two more origins pass: a neighbour on the API's site, and the host that the request was sent to. */
function isOwnOrigin(origin: string, scope: RequestInContext, { appInfo }: OwnPages): boolean {
  if (origin === appInfo.apiDomain || origin === appInfo.websiteOrigin(scope)) return true;
  const { request } = scope;
  if (request.getHeaderValue('sec-fetch-site') !== undefined || !URL.canParse(origin)) return false;
  return new URL(origin).host === request.getHeaderValue('host') || appInfo.isNeighbour(origin);
}

function foreignPage({ request }: RequestInContext): string {
  const origin = request.getHeaderValue('origin');
  const page = origin === undefined ? 'a page of another site' : `a page of ${printable(origin, 200)}`;
  return `The request comes from ${page}: if that is a page of the application, list its origin in allowedOrigins`;
}

/**
 * Refuses to sign a browser in by cookie for the page of another site. Without `allowedOrigins` a form that navigates
 * passes, because identity providers post back that way.
 *
 * @throws {UnauthorisedError} the origin is not allowed; the tokens stay
 */
export function assertOwnSignIn(scope: RequestInContext, config: OwnPages): void {
  if (config.allowedOrigins === undefined && scope.request.getHeaderValue('sec-fetch-mode') === 'navigate')
    return;
  if (!isForeignRequest(scope, config)) return;
  throw new UnauthorisedError(`Sign-in refused. ${foreignPage(scope)}`, { clearTokens: false });
}

/** A request without these headers comes from a browser that does not send them. */
function isNavigation(request: HttpRequest): boolean {
  const mode = request.getHeaderValue('sec-fetch-mode') ?? 'navigate';
  const destination = request.getHeaderValue('sec-fetch-dest') ?? 'document';
  return mode === 'navigate' && destination === 'document';
}

function isPreflighted(request: HttpRequest): boolean {
  if (request.getHeaderValue('sec-fetch-mode') === 'no-cors') return false;
  const contentType = request.getHeaderValue('content-type');
  if (contentType !== undefined && !SIMPLE_CONTENT_TYPE.test(contentType.trim())) return true;
  return HEADERS_OF_SCRIPTS.some((name) => request.getHeaderValue(name) !== undefined);
}
