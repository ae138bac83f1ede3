import { SESSION_ROUTES } from './session-routes.js';
import type { HttpRequest } from '../util/http-exchange.js';
import type { RequestScope, UserContext } from '../util/user-context.js';
import type {
  AntiCsrfMode,
  CookieSameSite,
  TokenTransferMethod,
  TokenType,
  SessionWireOptions,
} from './wire-options.js';
import { SessionConfigError, type ConfigProblem } from '../errors.js';
import { isExactOrigin } from '../util/exact-origin.js';
import { normalisePath, normaliseSessionScope, registrableSite } from './domains.js';
import {
  cookieDomainProblem,
  defaultAntiCsrf,
  defaultCookieSameSite,
  isInsecureSameSiteNone,
} from './cookie-policy.js';
import {
  booleanOption,
  integerOption,
  isOptionsObject,
  oneOfOption,
  OptionReader,
  show,
  textOption,
} from './option-reader.js';
import { resolveAppInfo, type ResolvedAppInfo } from './app-info.js';

/** `appInfo` after normalisation. Domains have a scheme and no path; paths start with `/` or are empty. */
export interface AppInfo {
  readonly appName: string;
  /** Origin of the API, `https://api.example.com`. */
  readonly apiDomain: string;
  /** Gateway path and base path together, as the client sees it: `/gateway/auth`. */
  readonly apiBasePath: string;
  /** Prefix that a gateway strips before the request arrives; empty when there is none. */
  readonly apiGatewayPath: string;
  readonly websiteBasePath: string;
  /** Site (registrable domain) of the API, or `localhost`. */
  readonly apiSite: string;
  /** Origin of the website for a request. */
  websiteOrigin(scope: RequestScope): string;
  /** Site of the website for a request. Throws an Error when it cannot be determined. */
  websiteSite(scope: RequestScope): string;
}

/** What the code reads: every option resolved, nothing optional except where absence has a meaning. */
export interface SessionConfig {
  readonly appInfo: AppInfo;
  /** `undefined`: host-only cookies. */
  readonly cookieDomain: string | undefined;
  /** `undefined`: not configured; `''`: the older cookies were host-only. */
  readonly olderCookieDomain: string | undefined;
  readonly cookieSecure: boolean;
  readonly cookiePartitioned: boolean;
  /** `undefined`: not checked. */
  readonly allowedOrigins: readonly string[] | undefined;
  /** `undefined`: not checked. */
  readonly accessTokenIssuers: readonly string[] | undefined;
  /** `undefined`: not checked. */
  readonly accessTokenAudience: string | undefined;
  readonly accessTokenPath: string;
  /** Path of the refresh route as the client sees it; also the refresh cookie's path. */
  readonly refreshTokenPath: string;
  readonly useDynamicAccessTokenSigningKey: boolean;
  readonly jwksRefreshIntervalSec: number;
  readonly sessionExpiredStatusCode: number;
  readonly invalidClaimStatusCode: number;
  readonly exposeAccessTokenToFrontendInCookieBasedAuth: boolean;
  /** The configured mode; `'default'` when it is to be derived from SameSite per request. */
  readonly antiCsrf: AntiCsrfMode | 'default';
  antiCsrfMode(scope: RequestScope): AntiCsrfMode;
  cookieSameSite(scope: RequestScope): CookieSameSite;
  getTokenTransferMethod(input: {
    req: HttpRequest;
    forCreateNewSession: boolean;
    userContext: UserContext;
  }): TokenTransferMethod | 'any';
  getCookieNameForTokenType(req: HttpRequest, tokenType: TokenType, userContext: UserContext): string;
  getResponseHeaderNameForTokenType(req: HttpRequest, tokenType: TokenType, userContext: UserContext): string;
}

const KNOWN_NAMES: Record<keyof SessionWireOptions, true> = {
  appInfo: true,
  cookieDomain: true,
  olderCookieDomain: true,
  cookieSecure: true,
  cookieSameSite: true,
  cookiePartitioned: true,
  cookieNamePrefixes: true,
  allowedOrigins: true,
  accessTokenIssuers: true,
  accessTokenAudience: true,
  accessTokenPath: true,
  antiCsrf: true,
  getTokenTransferMethod: true,
  getCookieNameForTokenType: true,
  getResponseHeaderNameForTokenType: true,
  exposeAccessTokenToFrontendInCookieBasedAuth: true,
  useDynamicAccessTokenSigningKey: true,
  jwksRefreshIntervalSec: true,
  sessionExpiredStatusCode: true,
  invalidClaimStatusCode: true,
};

/** The names of all {@link SessionWireOptions}. */
export const SESSION_WIRE_OPTION_NAMES: readonly string[] = Object.freeze(Object.keys(KNOWN_NAMES));

const SAME_SITE_VALUES: readonly CookieSameSite[] = ['strict', 'lax', 'none'];
const ANTI_CSRF_VALUES: readonly AntiCsrfMode[] = ['VIA_TOKEN', 'VIA_CUSTOM_HEADER', 'NONE'];

/**
 * Checks the options and fills in the defaults. A constant website is checked here; one that `origin` decides per
 * request is checked at each use.
 *
 * @param options what the application wrote; wrong types are reported, too
 * @param extra `knownOptionNames`: names that are read elsewhere, to be accepted beside {@link SESSION_WIRE_OPTION_NAMES}
 * @returns the frozen configuration
 * @throws {SessionConfigError} listing every problem
 */
export function resolveSessionConfig(
  options: SessionWireOptions,
  extra: { readonly knownOptionNames?: readonly string[] } = {},
): SessionConfig {
  const source: unknown = options;
  if (!isOptionsObject(source)) {
    throw new SessionConfigError([
      { path: 'options', message: `are ${show(source)}; an object with appInfo is expected` },
    ]);
  }
  const problems: ConfigProblem[] = [];
  const reader = new OptionReader(source, problems);
  reader.rejectUnknown([...SESSION_WIRE_OPTION_NAMES, ...(extra.knownOptionNames ?? [])]);
  const resolved = resolveAppInfo(source['appInfo'], problems);
  const settings = readSettings(reader);
  reportClashes(settings, reader);
  if (resolved === undefined) throw new SessionConfigError(problems);

  const config = assemble(settings, resolved);
  reportDroppedCookies(config, settings, resolved.constantOrigin, reader);
  if (problems.length > 0) throw new SessionConfigError(problems);
  return Object.freeze(config);
}

type Settings = ReturnType<typeof readSettings>;

/** Everything but `appInfo`, with the defaults that need no other option. */
function readSettings(reader: OptionReader) {
  return {
    cookieDomain: reader.optional('cookieDomain', textOption(normaliseSessionScope)),
    olderCookieDomain: reader.optional('olderCookieDomain', textOption(olderSessionScope)),
    cookieSecure: reader.optional('cookieSecure', booleanOption),
    cookieSameSite: reader.optional('cookieSameSite', sameSiteOption),
    cookiePartitioned: reader.optional('cookiePartitioned', booleanOption) ?? false,
    cookieNamePrefixes: reader.optional('cookieNamePrefixes', booleanOption) ?? false,
    allowedOrigins: reader.optional('allowedOrigins', originsOption),
    accessTokenIssuers: reader.optional('accessTokenIssuers', issuersOption),
    accessTokenAudience: reader.optional('accessTokenAudience', audienceOption),
    accessTokenPath: reader.optional('accessTokenPath', textOption(normalisePath)) || '/',
    antiCsrf: reader.optional('antiCsrf', oneOfOption(ANTI_CSRF_VALUES)),
    getTokenTransferMethod:
      reader.function<SessionConfig['getTokenTransferMethod']>('getTokenTransferMethod') ??
      defaultTokenTransferMethod,
    getCookieNameForTokenType:
      reader.function<SessionConfig['getCookieNameForTokenType']>('getCookieNameForTokenType'),
    getResponseHeaderNameForTokenType:
      reader.function<SessionConfig['getResponseHeaderNameForTokenType']>(
        'getResponseHeaderNameForTokenType',
      ) ?? defaultResponseHeaderName,
    exposeAccessTokenToFrontendInCookieBasedAuth:
      reader.optional('exposeAccessTokenToFrontendInCookieBasedAuth', booleanOption) ?? false,
    useDynamicAccessTokenSigningKey:
      reader.optional('useDynamicAccessTokenSigningKey', booleanOption) ?? true,
    jwksRefreshIntervalSec: reader.optional('jwksRefreshIntervalSec', refreshIntervalOption) ?? 14_400,
    sessionExpiredStatusCode: reader.optional('sessionExpiredStatusCode', integerOption(300, 599)) ?? 401,
    invalidClaimStatusCode: reader.optional('invalidClaimStatusCode', integerOption(300, 599)) ?? 403,
  };
}

function assemble(settings: Settings, { appInfo, constantOrigin }: ResolvedAppInfo): SessionConfig {
  const {
    cookieSameSite: configuredSameSite,
    antiCsrf: configuredAntiCsrf,
    cookieNamePrefixes,
    ...rest
  } = settings;
  const constantSameSite =
    configuredSameSite ??
    (constantOrigin === undefined ? undefined : chooseSameSite(appInfo, constantOrigin));
  const cookieSameSite = (scope: RequestScope): CookieSameSite =>
    constantSameSite ?? chooseSameSite(appInfo, appInfo.websiteOrigin(scope));
  return {
    ...rest,
    appInfo,
    cookieSecure: settings.cookieSecure ?? appInfo.apiDomain.startsWith('https:'),
    refreshTokenPath: appInfo.apiBasePath + SESSION_ROUTES.refresh.path,
    getCookieNameForTokenType:
      settings.getCookieNameForTokenType ??
      (cookieNamePrefixes ? prefixedCookieName(settings) : defaultCookieName),
    antiCsrf: configuredAntiCsrf ?? 'default',
    antiCsrfMode: (scope) => configuredAntiCsrf ?? defaultAntiCsrf(cookieSameSite(scope)),
    cookieSameSite,
  };
}

function chooseSameSite({ apiDomain, apiSite }: AppInfo, websiteOrigin: string): CookieSameSite {
  return defaultCookieSameSite({
    apiDomain,
    apiSite,
    websiteOrigin,
    websiteSite: registrableSite(websiteOrigin),
  });
}

/** Options that are fine alone and not together. */
function reportClashes(settings: Settings, reader: OptionReader): void {
  if (settings.sessionExpiredStatusCode === settings.invalidClaimStatusCode) {
    reader.report(
      'invalidClaimStatusCode',
      `${settings.invalidClaimStatusCode} is also the sessionExpiredStatusCode: clients could not tell the two apart, ` +
        'choose different ones',
    );
  }
}

/** Cookies that every browser would silently drop. */
function reportDroppedCookies(
  config: SessionConfig,
  settings: Settings,
  constantOrigin: string | undefined,
  reader: OptionReader,
): void {
  const { appInfo, cookieSecure } = config;
  if (config.cookiePartitioned && !cookieSecure) {
    reader.report(
      'cookiePartitioned',
      'browsers keep partitioned cookies only with Secure: set cookieSecure to true',
    );
  }
  if (settings.cookieNamePrefixes && !cookieSecure) {
    reader.report(
      'cookieNamePrefixes',
      'browsers keep such cookies only with Secure: set cookieSecure to true',
    );
  }
  for (const name of ['cookieDomain', 'olderCookieDomain'] as const) {
    const scope = config[name];
    if (scope) reportCookieDomain(name, scope, appInfo.apiDomain, reader);
  }
  if (constantOrigin === undefined) return;
  const scope: RequestScope = { request: undefined, userContext: {} };
  const input = {
    cookieSameSite: config.cookieSameSite(scope),
    cookieSecure,
    apiSite: appInfo.apiSite,
    websiteSite: appInfo.websiteSite(scope),
  };
  if (isInsecureSameSiteNone(input)) {
    reader.report(
      'cookieSecure',
      `is false while SameSite is none (API ${appInfo.apiDomain}, website ${constantOrigin}): browsers drop such cookies. ` +
        'Serve the API with https and say so in appInfo.apiDomain, or set cookieSecure to true',
    );
  }
}

function reportCookieDomain(name: string, scope: string, apiDomain: string, reader: OptionReader): void {
  switch (cookieDomainProblem(scope, apiDomain)) {
    case 'foreign':
      reader.report(name, `${show(scope)} does not cover the API ${apiDomain}: browsers drop such cookies`);
      break;
    case 'public-suffix':
      reader.report(
        name,
        `${show(scope)} is a public suffix, shared by unrelated sites: browsers drop such cookies`,
      );
      break;
    case undefined:
      break;
  }
}

/** The empty string stays: the older cookies were host-only. */
function olderSessionScope(text: string): string {
  return text === '' ? '' : normaliseSessionScope(text);
}

function sameSiteOption(value: unknown): CookieSameSite {
  return oneOfOption(SAME_SITE_VALUES)(typeof value === 'string' ? value.trim().toLowerCase() : value);
}

function originsOption(value: unknown): readonly string[] {
  const origins: unknown[] = Array.isArray(value) ? value : [];
  if (
    origins.length === 0 ||
    !origins.every((origin) => typeof origin === 'string' && isExactOrigin(origin))
  ) {
    throw new Error(
      'a list of exact origins is expected, as browsers send them: ["https://shop.example.com"]',
    );
  }
  return Object.freeze([...origins]) as readonly string[];
}

function issuersOption(value: unknown): readonly string[] {
  if (Array.isArray(value) && value.length === 0) {
    throw new Error('the list is empty, which would refuse every token; left out, all are accepted');
  }
  if (!Array.isArray(value) || !value.every((issuer) => typeof issuer === 'string' && issuer !== '')) {
    throw new Error(
      'a list of issuers is expected, exactly as tokens name them: ["https://api.example.com/auth"]; left out, all are accepted',
    );
  }
  return Object.freeze([...(value as string[])]);
}

function audienceOption(value: unknown): string {
  if (typeof value !== 'string' || value === '') {
    throw new Error('one audience is expected, exactly as tokens name it; left out, all are accepted');
  }
  return value;
}

function refreshIntervalOption(value: unknown): number {
  if (typeof value !== 'number' || !Number.isFinite(value) || value < 1) {
    throw new Error('seconds are expected, at least 1');
  }
  return value;
}

/** On creation the client's `st-auth-mode` decides; an existing session may arrive either way. */
const defaultTokenTransferMethod: SessionConfig['getTokenTransferMethod'] = ({
  req,
  forCreateNewSession,
}) => {
  if (!forCreateNewSession) return 'any';
  const mode = req.getHeaderValue('st-auth-mode')?.toLowerCase();
  return mode === 'cookie' || mode === 'header' ? mode : 'any';
};

const defaultCookieName: SessionConfig['getCookieNameForTokenType'] = (_req, tokenType) =>
  tokenType === 'access' ? 'sAccessToken' : 'sRefreshToken';

/** The strongest prefix that browsers accept for the cookie; S059. */
function prefixedCookieName({
  cookieDomain,
  accessTokenPath,
}: Pick<Settings, 'cookieDomain' | 'accessTokenPath'>): SessionConfig['getCookieNameForTokenType'] {
  const accessPrefix = cookieDomain === undefined && accessTokenPath === '/' ? '__Host-' : '__Secure-';
  return (req, tokenType, userContext) =>
    (tokenType === 'access' ? accessPrefix : '__Secure-') + defaultCookieName(req, tokenType, userContext);
}

const defaultResponseHeaderName: SessionConfig['getResponseHeaderNameForTokenType'] = (_req, tokenType) =>
  tokenType === 'access' ? 'st-access-token' : 'st-refresh-token';
