import { isTenantId } from '../../util/tenant-id.js';

/** The operations of a served core. */
export type CdiOperation =
  | 'hello'
  | 'listVersions'
  | 'getJwks'
  | 'getJwksWithStatus'
  | 'getUserById'
  | 'createSession'
  | 'getSession'
  | 'verifySession'
  | 'refreshSession'
  | 'regenerateSession'
  | 'removeSessions'
  | 'listSessionsOfUser'
  | 'getSessionData'
  | 'updateSessionData'
  | 'getAccessTokenPayload'
  | 'updateAccessTokenPayload'
  | 'createJwt'
  | 'readRevocations'
  | 'searchSessions'
  | 'countSessions';

/** A path, and the rules for all of its methods. */
export interface CdiEndpoint {
  /** By method in capitals; another method is a 405. */
  readonly methods: Readonly<Partial<Record<string, CdiOperation>>>;
  /** True if no API key is required. */
  readonly isOpen: boolean;
  /** True if every version between the oldest and the newest is accepted, listed or not. */
  readonly takesAnyVersion: boolean;
  /** The version from which it belongs to the app, so that another tenant in the path is a 403; undefined: never. */
  readonly publicTenantOnlyFrom: string | undefined;
}

/** The endpoint, app and tenant of a path. */
export interface CdiRoute {
  readonly endpoint: CdiEndpoint;
  /** `public` unless the path names another one. */
  readonly appId: string;
  /** undefined when the path names none. */
  readonly tenantId: string | undefined;
}

/** The first version in which a refresh replaces the refresh token at once (docs/protocol/core.md B9). */
const ROTATES_AT_ONCE_FROM = '5.6';

const ROOT = '/';
const OF_THE_APP = { publicTenantOnlyFrom: '5.0' };
const APP_SEGMENT = /^appid-([a-z0-9-]*)$/;

const HELLO = endpoint(
  { GET: 'hello', POST: 'hello', PUT: 'hello', DELETE: 'hello' },
  { isOpen: true, takesAnyVersion: true },
);

/**
 * The endpoints of docs/protocol/core.md A6 and A9. Other paths are a 404: there is no configuration, and there are
 * no users and no statistics.
 */
const ENDPOINTS: ReadonlyMap<string, CdiEndpoint> = new Map([
  [ROOT, HELLO],
  ['/hello', HELLO],
  ['/apiversion', endpoint({ GET: 'listVersions' }, { takesAnyVersion: true, ...OF_THE_APP })],
  ['/.well-known/jwks.json', endpoint({ GET: 'getJwks' }, { isOpen: true, takesAnyVersion: true })],
  ['/user/id', endpoint({ GET: 'getUserById' }, OF_THE_APP)],
  ['/recipe/session', endpoint({ POST: 'createSession', GET: 'getSession' })],
  ['/recipe/session/verify', endpoint({ POST: 'verifySession' }, { publicTenantOnlyFrom: '5.6' })],
  ['/recipe/session/refresh', endpoint({ POST: 'refreshSession' })],
  ['/recipe/session/regenerate', endpoint({ POST: 'regenerateSession' })],
  ['/recipe/session/remove', endpoint({ POST: 'removeSessions' })],
  ['/recipe/session/user', endpoint({ GET: 'listSessionsOfUser' })],
  ['/recipe/session/data', endpoint({ GET: 'getSessionData', PUT: 'updateSessionData' })],
  ['/recipe/jwt/data', endpoint({ GET: 'getAccessTokenPayload', PUT: 'updateAccessTokenPayload' })],
  ['/recipe/jwt', endpoint({ POST: 'createJwt' }, OF_THE_APP)],
  // Not of the CDI: a SuperTokens Core responds with 404, which tells our client that it has none of them.
  ['/nest-sessions/sessions', ofOurs({ GET: 'searchSessions' })],
  ['/nest-sessions/sessions/count', ofOurs({ GET: 'countSessions' })],
  ['/nest-sessions/revocations', ofOurs({ POST: 'readRevocations' })],
  ['/recipe/jwt/jwks', endpoint({ GET: 'getJwksWithStatus' }, OF_THE_APP)],
]);

/**
 * Finds what a path asks for: `[base path][/appid-<app>][/<tenant>]<API path>[/]`, in capitals or not.
 *
 * @param path as sent, without the query
 * @param basePath in normal form, see {@link normalisedBasePath}
 * @returns undefined for an unknown path
 * @see docs/protocol/core.md A1
 */
export function matchRoute(path: string, basePath: string): CdiRoute | undefined {
  const rest = pathBelow(path, basePath)?.replace(/\/$/, '');
  if (rest === undefined) return undefined;
  const segments = rest.split('/').slice(1);
  const appId = APP_SEGMENT.exec(segments[0] ?? '')?.[1];
  if (appId !== undefined) segments.shift();
  const route = { appId: appId ?? 'public' };

  const direct = ENDPOINTS.get(`/${segments.join('/')}`);
  if (direct) return { ...route, endpoint: direct, tenantId: undefined };
  const [tenantId = '', ...apiPath] = segments;
  if (!isTenantId(tenantId)) return undefined;
  const ofTenant = apiPath.length === 0 ? undefined : ENDPOINTS.get(`/${apiPath.join('/')}`);
  return ofTenant && { ...route, endpoint: ofTenant, tenantId };
}

/** Returns the path below the base path, in lower case; undefined for a path that is not below it. */
export function pathBelow(path: string, basePath: string): string | undefined {
  const lowerCase = path.toLowerCase();
  if (lowerCase === basePath) return ROOT;
  return lowerCase.startsWith(`${basePath}/`) ? lowerCase.slice(basePath.length) : undefined;
}

/**
 * Returns a base path in normal form: empty, or `/some/path` in lower case with single slashes and none at the end.
 */
export function normalisedBasePath(basePath: string): string {
  return `/${basePath}`.replace(/\/+/g, '/').replace(/\/$/, '').toLowerCase();
}

function endpoint(
  methods: CdiEndpoint['methods'],
  marks: Partial<Omit<CdiEndpoint, 'methods'>> = {},
): CdiEndpoint {
  return { methods, isOpen: false, takesAnyVersion: false, publicTenantOnlyFrom: undefined, ...marks };
}

function ofOurs(methods: CdiEndpoint['methods']): CdiEndpoint {
  return endpoint(methods, { takesAnyVersion: true, ...OF_THE_APP });
}

/** CDI versions that can be served, oldest first. For the session and jwt calls those before 5.6 are all the same (A5). */
export const CDI_VERSIONS: readonly string[] = ['5.0', '5.1', '5.2', '5.3', '5.4', '5.5', '5.6'];

/** Returns the versions that a core can be served in: 5.6 needs one that rotates at once. */
export function versionsOf(core: { readonly canRotateAtOnce: boolean }): readonly string[] {
  return core.canRotateAtOnce ? CDI_VERSIONS : CDI_VERSIONS.filter((version) => !rotatesAtOnce(version));
}

/** Returns whether calls of a version have the semantics of 5.6. */
export function rotatesAtOnce(version: string): boolean {
  return compareVersions(version, ROTATES_AT_ONCE_FROM) >= 0;
}

/**
 * Returns the version of a call without `cdi-version`: the newest before 5.6, or the oldest where none of these is served. A Core
 * takes its newest one, which would change the semantics for such callers when it learns 5.6.
 */
export function unstatedVersion(served: readonly string[]): string {
  return served.findLast((version) => !rotatesAtOnce(version)) ?? served[0] ?? '';
}

const WELL_FORMED = /^[0-9]+(\.[0-9]+)*$/;

/**
 * Returns why a call with this `cdi-version` header is refused, in a Core's words; undefined when it is not. A call without the
 * header gets {@link unstatedVersion}. The oldest one acts as a Core's `supertokens_min_cdi_version`, the newest as its
 * maximum.
 *
 * @param served oldest first, at least one
 * @param mustBeListed false for the calls that take any version in the range, listed or not
 * @see docs/protocol/core.md A3, checks 4 to 8
 */
export function refuseVersion(
  version: string | undefined,
  served: readonly string[],
  mustBeListed: boolean,
): string | undefined {
  if (version === undefined) return undefined;
  if (!WELL_FORMED.test(version)) return 'cdi-version header is invalid';
  const oldest = served[0] ?? '';
  if (compareVersions(version, served.at(-1) ?? '') > 0) return `cdi-version ${version} not supported`;
  if (compareVersions(version, oldest) < 0) {
    return `cdi-version ${version} is lower than the minimum allowed version ${oldest}`;
  }
  return mustBeListed && !served.includes(version) ? `cdi-version ${version} not supported` : undefined;
}

/** Numeric per component: `5.10` is later than `5.9`, `5.4.0` equals `5.4`. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [a.split('.').map(Number), b.split('.').map(Number)];
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0 && !Number.isNaN(difference)) return difference;
  }
  return 0;
}
