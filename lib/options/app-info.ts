import type { HttpRequest } from '../util/http-exchange.js';
import type { RequestScope, UserContext } from '../util/user-context.js';
import { normaliseDomain, normalisePath, registrableSite } from './domains.js';
import { callback, text, type Method } from './option-checks.js';
import {
  isComplete,
  isOptionsObject,
  option,
  readOptions,
  required,
  show,
  type Check,
  type OptionPlace,
  type OptionsOf,
} from './option-table.js';

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
  /** Returns whether an origin is on the API's site; false for one that has no site, as an address inside a public suffix. */
  isNeighbour(origin: string): boolean;
  /** Origin of the website for a request. */
  websiteOrigin(scope: RequestScope): string;
  /** Site of the website for a request. Throws an Error when it cannot be determined. */
  websiteSite(scope: RequestScope): string;
}

/** The resolved `appInfo`, and the website's origin if it is the same for every request. */
export interface ResolvedAppInfo {
  readonly appInfo: AppInfo;
  /** `undefined`: `origin` is a function. */
  readonly constantOrigin: string | undefined;
}

interface Domain {
  readonly origin: string;
  readonly site: string;
}

/** The option `origin` as a function. */
export type ChooseOrigin = (input: { request: HttpRequest | undefined; userContext: UserContext }) => string;

const domain = text((given): Domain => {
  const origin = normaliseDomain(given);
  return { origin, site: registrableSite(origin) };
});

const name = text((given) => {
  if (given.trim() === '') throw new Error('it must not be empty');
  return given;
});

/** A constant origin, or a function whose result is checked at each use. */
const origin: Check<string | Method<ChooseOrigin>, Domain | ((scope: RequestScope) => string)> = (
  value,
  place,
) => {
  if (typeof value !== 'function') return domain(value, place);
  const choose = callback<(scope: RequestScope) => unknown>()(value, place);
  return ({ request, userContext }) => {
    const chosen = choose({ request, userContext });
    if (typeof chosen !== 'string') throw new Error(`appInfo.origin gave ${show(chosen)}; text is expected`);
    return normaliseDomain(chosen);
  };
};

/** The options in `appInfo`. */
export const APP_INFO_OPTIONS = {
  /** A name for people; free text. */
  appName: required(name, 'give the name of the application'),
  /** Origin of this API, `https://api.example.com` for example. Decides `Secure`, `SameSite` and the issuer. */
  apiDomain: required(domain, 'give the origin of this API, https://api.example.com for example'),
  /**
   * As `websiteDomain`, and wins over it; a function decides per request (`request` may be undefined).
   * @defaultValue none: `websiteDomain` counts
   */
  origin: option(origin),
  /**
   * Origin of the website that calls the API. This or `origin` is required.
   * @defaultValue none: `origin` counts
   */
  websiteDomain: option(domain),
  /**
   * Path under which the session routes live; `/` for none.
   * @defaultValue `/auth`
   */
  apiBasePath: option(text(normalisePath), '/auth'),
  /**
   * Path of the website's sign-in pages. The library only passes it on and does not use it.
   * @defaultValue `/auth`
   */
  websiteBasePath: option(text(normalisePath), '/auth'),
  /**
   * Prefix that clients see and the session routes do not: a gateway, a middleware, Fastify's `rewriteUrl` or the mount point of
   * an Express application takes it off. It becomes part of cookie paths and the issuer.
   * @defaultValue none
   */
  apiGatewayPath: option(text(normalisePath), ''),
};

/**
 * The names and addresses of the application. The same values go into the browser client's configuration.
 *
 * @publicApi
 */
export interface AppInfoOptions extends OptionsOf<typeof APP_INFO_OPTIONS> {}

/**
 * Reads `appInfo`.
 *
 * @returns undefined when a part is missing or wrong that the rest cannot do without
 */
export function readAppInfo(value: unknown, { path, problems }: OptionPlace): ResolvedAppInfo | undefined {
  if (!isOptionsObject(value)) throw new Error('give { appName, apiDomain, websiteDomain }');
  const read = readOptions(APP_INFO_OPTIONS, value, problems, `${path}.`);
  if (value['origin'] === undefined && value['websiteDomain'] === undefined) {
    const message = 'is missing: give websiteDomain or origin, https://example.com for example';
    problems.push({ path: `${path}.websiteDomain`, message });
  }
  // `origin` wins over `websiteDomain`; both are checked.
  const website = value['origin'] === undefined ? read.websiteDomain : read.origin;
  if (!isComplete(APP_INFO_OPTIONS, read) || website === undefined) return undefined;
  const isConstant = typeof website !== 'function';
  const appInfo: AppInfo = {
    appName: read.appName,
    apiDomain: read.apiDomain.origin,
    apiBasePath: read.apiGatewayPath + read.apiBasePath,
    apiGatewayPath: read.apiGatewayPath,
    websiteBasePath: read.websiteBasePath,
    apiSite: read.apiDomain.site,
    isNeighbour: (each) => findSite(each) === read.apiDomain?.site,
    websiteOrigin: isConstant ? () => website.origin : website,
    websiteSite: isConstant ? () => website.site : (scope) => registrableSite(website(scope)),
  };
  return { appInfo: Object.freeze(appInfo), constantOrigin: isConstant ? website.origin : undefined };
}

function findSite(address: string): string | undefined {
  try {
    return registrableSite(address);
  } catch {
    return undefined;
  }
}

/**
 * Returns how addresses were understood that lack a scheme or have a path: both are accepted, as upstream, and both decide
 * cookies and CORS otherwise than the text suggests.
 *
 * @param appInfo as the application wrote it; it has passed the checks
 */
export function describeAddresses(appInfo: unknown): readonly string[] {
  if (!isOptionsObject(appInfo)) return [];
  return (['apiDomain', 'websiteDomain', 'origin'] as const).flatMap((name) => {
    const given = appInfo[name];
    if (typeof given !== 'string') return [];
    const origin = normaliseDomain(given);
    if (given.trim().toLowerCase().replace(/\/$/, '') === origin) return [];
    const has = given.includes('://') ? 'is no bare origin' : 'has no scheme';
    return `appInfo.${name} ${show(given)} ${has} and counts as ${origin}: write it like that, or correct it`;
  });
}
