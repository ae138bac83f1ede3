import { SessionConfigError, type ConfigProblem } from './config-error.js';
import type { RequestScope } from '../util/user-context.js';
import type { AppInfo, ResolvedAppInfo } from './app-info.js';
import {
  cookieDomainProblem,
  defaultAntiCsrf,
  defaultCookieSameSite,
  isInsecureSameSiteNone,
} from './cookie-policy.js';
import { registrableSite } from './domains.js';
import {
  isOptionsObject,
  readKnownOptions,
  show,
  type OptionsObject,
  type Readings,
  type Resolved,
} from './option-table.js';
import { SESSION_ROUTES } from './session-routes.js';
import { findUnknownOptions } from './unknown-options.js';
import {
  defaultCookieName,
  WIRE_OPTIONS,
  type AntiCsrfMode,
  type CookieSameSite,
  type NameForTokenType,
  type SessionWireOptions,
} from './wire-options.js';

type WireSettings = Resolved<typeof WIRE_OPTIONS>;
/** Options from which others are derived. */
type Derived = 'appInfo' | 'antiCsrf' | 'cookieSecure' | 'cookieSameSite' | 'getCookieNameForTokenType';

/** The resolved wire options: every default filled in, and the values that are derived from several options. */
export interface SessionConfig extends Omit<
  WireSettings,
  Derived | 'cookieNamePrefixes' | 'olderCookieNamePrefixes' | 'olderApiBasePath'
> {
  readonly appInfo: AppInfo;
  readonly cookieSecure: boolean;
  /** Path of the refresh route as the client sees it; also the refresh cookie's path. */
  readonly refreshTokenPath: string;
  /** The refresh cookie's path before a change of `apiBasePath`. */
  readonly olderRefreshTokenPath: string | undefined;
  /** The configured mode; `'default'` when it is to be derived from SameSite per request. */
  readonly antiCsrf: AntiCsrfMode | 'default';
  antiCsrfMode(scope: RequestScope): AntiCsrfMode;
  cookieSameSite(scope: RequestScope): CookieSameSite;
  /** SameSite if it is the same for every request. */
  readonly constantSameSite: CookieSameSite | undefined;
  readonly getCookieNameForTokenType: NameForTokenType;
  /** The names before a change of `cookieNamePrefixes`. */
  readonly olderCookieName: NameForTokenType | undefined;
}

/**
 * Checks the wire options and fills in the defaults.
 *
 * @returns the frozen configuration
 * @throws {SessionConfigError} listing every problem
 */
export function resolveSessionConfig(options: SessionWireOptions): SessionConfig {
  const source = assertOptionsObject(options);
  const problems = findUnknownOptions(source, Object.keys(WIRE_OPTIONS));
  const config = readSessionConfig(source, problems);
  if (config === undefined || problems.length > 0) throw new SessionConfigError(problems);
  return config;
}

/** @throws {SessionConfigError} these are no options, so that no single one can be read */
export function assertOptionsObject(options: unknown): OptionsObject {
  if (isOptionsObject(options)) return options;
  const message =
    `are ${show(options)}; an object with appInfo is expected, ` +
    'at least { appInfo: { appName, apiDomain, websiteDomain } }; a factory has to return it';
  throw new SessionConfigError([{ path: 'options', message }]);
}

/**
 * Reads the wire options out of all options. A constant website is checked here; one that `origin` decides per request is
 * checked at each use.
 *
 * @param problems receives every problem
 * @returns undefined when `appInfo` is missing or wrong
 */
export function readSessionConfig(
  source: OptionsObject,
  problems: ConfigProblem[],
): SessionConfig | undefined {
  const { appInfo: resolved, ...settings } = readKnownOptions(WIRE_OPTIONS, source, problems);
  if (settings.sessionExpiredStatusCode === settings.invalidClaimStatusCode) {
    const message = `${settings.invalidClaimStatusCode} is also the sessionExpiredStatusCode: clients could not tell the two apart, choose different ones`;
    problems.push({ path: 'invalidClaimStatusCode', message });
  }
  if (resolved === undefined) return undefined;
  const config = assemble(settings, resolved);
  reportDroppedCookies(config, settings.cookieNamePrefixes, resolved.constantOrigin, problems);
  return Object.freeze(config);
}

type Settings = Omit<Readings<typeof WIRE_OPTIONS>, 'appInfo'>;

function assemble(settings: Settings, { appInfo, constantOrigin }: ResolvedAppInfo): SessionConfig {
  const {
    cookieSameSite: configured,
    antiCsrf,
    cookieNamePrefixes,
    olderCookieNamePrefixes,
    olderApiBasePath,
    ...rest
  } = settings;
  const constantSameSite =
    configured ?? (constantOrigin === undefined ? undefined : chooseSameSite(appInfo, constantOrigin));
  const cookieSameSite = (scope: RequestScope): CookieSameSite =>
    constantSameSite ?? chooseSameSite(appInfo, appInfo.websiteOrigin(scope));
  return {
    ...rest,
    appInfo,
    cookieSecure: settings.cookieSecure ?? appInfo.apiDomain.startsWith('https:'),
    refreshTokenPath: appInfo.apiBasePath + SESSION_ROUTES.refresh.path,
    olderRefreshTokenPath:
      olderApiBasePath === undefined ? undefined : olderApiBasePath + SESSION_ROUTES.refresh.path,
    getCookieNameForTokenType:
      settings.getCookieNameForTokenType ??
      (cookieNamePrefixes ? prefixedCookieName(settings) : defaultCookieName),
    olderCookieName: olderCookieNamePrefixes === undefined ? undefined : olderCookieName(settings),
    constantSameSite,
    antiCsrf: antiCsrf ?? 'default',
    antiCsrfMode: (scope) => antiCsrf ?? defaultAntiCsrf(cookieSameSite(scope)),
    cookieSameSite,
  };
}

function chooseSameSite({ apiDomain, apiSite }: AppInfo, websiteOrigin: string): CookieSameSite {
  const websiteSite = registrableSite(websiteOrigin);
  return defaultCookieSameSite({ apiDomain, apiSite, websiteOrigin, websiteSite });
}

/** Reports cookies that every browser would silently drop. */
function reportDroppedCookies(
  config: SessionConfig,
  cookieNamePrefixes: boolean,
  constantOrigin: string | undefined,
  problems: ConfigProblem[],
): void {
  const { appInfo, cookieSecure } = config;
  if (config.cookiePartitioned && !cookieSecure) {
    const message = 'browsers keep partitioned cookies only with Secure: set cookieSecure to true';
    problems.push({ path: 'cookiePartitioned', message });
  }
  if (cookieNamePrefixes && !cookieSecure) {
    const message = 'browsers keep such cookies only with Secure: set cookieSecure to true';
    problems.push({ path: 'cookieNamePrefixes', message });
  }
  for (const path of ['cookieDomain', 'olderCookieDomain'] as const) {
    const message = config[path] && describeCookieDomainProblem(config[path], appInfo.apiDomain);
    if (message) problems.push({ path, message });
  }
  // Another function may choose headers alone; where it chooses cookies, the creation of a session reports the same.
  const mayUseCookies = config.getTokenTransferMethod === WIRE_OPTIONS.getTokenTransferMethod.fallback;
  if (constantOrigin === undefined || !mayUseCookies) return;
  const scope: RequestScope = { request: undefined, userContext: {} };
  const cookieSameSite = config.cookieSameSite(scope);
  const { apiSite } = appInfo;
  if (
    isInsecureSameSiteNone({ cookieSameSite, cookieSecure, apiSite, websiteSite: appInfo.websiteSite(scope) })
  ) {
    problems.push({
      path: 'cookieSecure',
      message:
        `is false while SameSite is none (API ${appInfo.apiDomain}, website ${constantOrigin}): browsers drop such cookies. ` +
        'Serve the API with https and say so in appInfo.apiDomain, or set cookieSecure to true',
    });
  }
}

function describeCookieDomainProblem(scope: string, apiDomain: string): string | undefined {
  switch (cookieDomainProblem(scope, apiDomain)) {
    case 'foreign':
      return `${show(scope)} does not cover the API ${apiDomain}: browsers drop such cookies`;
    case 'public-suffix':
      return `${show(scope)} is a public suffix, shared by unrelated sites: browsers drop such cookies`;
    case undefined:
      return undefined;
  }
}

function olderCookieName(settings: Settings): NameForTokenType {
  const { cookieDomain, accessTokenPath, olderCookieDomain, olderAccessTokenPath } = settings;
  return settings.olderCookieNamePrefixes === true
    ? prefixedCookieName({
        cookieDomain: olderCookieDomain === undefined ? cookieDomain : olderCookieDomain || undefined,
        accessTokenPath: olderAccessTokenPath ?? accessTokenPath,
      })
    : defaultCookieName;
}

/** Names with the strongest prefix that browsers accept for the cookie; S059. */
function prefixedCookieName({
  cookieDomain,
  accessTokenPath,
}: Pick<Settings, 'cookieDomain' | 'accessTokenPath'>): NameForTokenType {
  const accessPrefix = cookieDomain === undefined && accessTokenPath === '/' ? '__Host-' : '__Secure-';
  return (req, tokenType, userContext) =>
    (tokenType === 'access' ? accessPrefix : '__Secure-') + defaultCookieName(req, tokenType, userContext);
}
