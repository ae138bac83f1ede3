import type { RevocationsQuestion } from '../../feed/long-poll-feed.js';
import type { JsonObject, JsonValue } from '../../util/json.js';
import { writeCursor } from '../../util/session-cursor.js';
import { assertTenantId } from '../../util/tenant-id.js';
import type {
  CoreJwtInput,
  CoreSessionSearch,
  CreateSessionInput,
  RefreshSessionInput,
  RegenerateInput,
  TokenRotation,
  UserSessionsInput,
  VerifySessionInput,
} from '../core.types.js';
import { assertTakesValidity, rotatesAtOnce, type CdiVersion } from './cdi-version.js';

/** A call in the words of the CDI, before host, version and keys. */
export interface CdiRequest {
  readonly method: 'GET' | 'POST' | 'PUT';
  /** Path below the host's base path, the tenant's segment included. */
  readonly path: string;
  /** `rid`; undefined for paths without `recipe` in them. */
  readonly recipeId?: 'session' | 'jwt' | 'userroles';
  readonly params?: Readonly<Record<string, string | boolean>>;
  /** Members that are undefined are left out: the core refuses null for an optional one. */
  readonly body?: Readonly<Record<string, JsonValue | undefined>>;
  /** True if the core may do it twice without harm, so it may be sent again when its response was lost. */
  readonly isRepeatable: boolean;
  /** True if it must not be sent again while the core may still be at work on it, so not after a timeout. Default false. */
  readonly mustNotOverlap?: boolean;
  /** `at-first-use`: the call needs a version with that rule, as long as the core has one. Default: the best version. */
  readonly rotation?: TokenRotation | undefined;
  /** Returns the call as a version has it; undefined where all versions have the same. */
  readonly inVersion?: (version: CdiVersion) => CdiRequest;
  /** The secrets of the call, so that no error message repeats them. */
  readonly secrets?: readonly (string | undefined)[];
}

/** Sent with every call, as by supertokens-node: nothing between us and the core may respond in its place. */
export const NO_CACHE_HEADERS = { 'cache-control': 'no-cache', pragma: 'no-cache' } as const;

type Body = NonNullable<CdiRequest['body']>;

export function apiVersionRequest(apiDomain: string): CdiRequest {
  return { method: 'GET', path: '/apiversion', params: { apiDomain }, isRepeatable: true };
}

/** Not repeatable, because a second call would leave a session without a holder. */
export function createSessionRequest({
  tenantId,
  recipeUserId,
  accessTokenValidityMs,
  ...rest
}: CreateSessionInput): CdiRequest {
  const path = `${tenantSegment(tenantId)}/recipe/session`;
  const request = { ...post(path, { userId: recipeUserId, ...rest }), isRepeatable: false };
  return withValidity(request, accessTokenValidityMs);
}

export function verifySessionRequest({ rotation, ...input }: VerifySessionInput): CdiRequest {
  const secrets = [input.accessToken, input.antiCsrfToken];
  return { ...post('/recipe/session/verify', { ...input }), rotation, secrets };
}

/**
 * Repeatable by the rules up to CDI 5.5, where a refresh does not write. From 5.6 on a repeat within the grace period is one,
 * too, and gets a new successor that kills the one before. So no repeat may overtake the first attempt: its successor, which
 * the client then holds, would be the killed one.
 *
 * @see docs/protocol/core.md B9
 */
export function refreshSessionRequest({
  rotation,
  accessTokenValidityMs,
  ...input
}: RefreshSessionInput): CdiRequest {
  const secrets = [input.refreshToken, input.antiCsrfToken];
  return withValidity(
    { ...post('/recipe/session/refresh', { ...input }), rotation, secrets },
    accessTokenValidityMs,
    {
      mustNotOverlap: true,
    },
  );
}

/** @param atOnce what else differs where a refresh replaces its token at once */
function withValidity(
  request: CdiRequest,
  accessTokenValidity: number | undefined,
  atOnce: Partial<CdiRequest> = {},
): CdiRequest {
  const inVersion = (version: CdiVersion): CdiRequest => {
    assertTakesValidity(version, accessTokenValidity);
    if (!rotatesAtOnce(version)) return request;
    return { ...request, ...atOnce, body: { ...request.body, accessTokenValidity } };
  };
  return { ...request, inVersion };
}

export function regenerateRequest(input: Omit<RegenerateInput, 'change'>): CdiRequest {
  return { ...post('/recipe/session/regenerate', { ...input }), secrets: [input.accessToken] };
}

export function sessionInformationRequest(sessionHandle: string): CdiRequest {
  return get('/recipe/session', { sessionHandle }, 'session');
}

export function sessionsOfUserRequest(input: UserSessionsInput): CdiRequest {
  const { path, acrossAllTenants } = userSessionsScope(input, '/recipe/session/user');
  const params = {
    userId: input.userId,
    fetchSessionsForAllLinkedAccounts: input.includeLinkedAccounts,
    fetchAcrossAllTenants: acrossAllTenants,
  };
  return get(path, params, 'session');
}

/** Repeatable: the second response misses the sessions that the first call ended, which does no harm. */
export function removeSessionsRequest(sessionHandles: readonly string[]): CdiRequest {
  return post('/recipe/session/remove', { sessionHandles: [...sessionHandles] });
}

export function removeSessionsOfUserRequest(input: UserSessionsInput): CdiRequest {
  const { path, acrossAllTenants } = userSessionsScope(input, '/recipe/session/remove');
  return post(path, {
    userId: input.userId,
    revokeSessionsForLinkedAccounts: input.includeLinkedAccounts,
    revokeAcrossAllTenants: acrossAllTenants,
  });
}

export function updateSessionDataRequest(sessionHandle: string, data: JsonObject): CdiRequest {
  return put('/recipe/session/data', { sessionHandle, userDataInDatabase: data });
}

export function updateAccessTokenPayloadRequest(sessionHandle: string, payload: JsonObject): CdiRequest {
  return put('/recipe/jwt/data', { sessionHandle, userDataInJWT: payload });
}

export function userIdRequest(userId: string): CdiRequest {
  return { method: 'GET', path: '/user/id', params: { userId }, isRepeatable: true };
}

export function createJwtRequest(input: CoreJwtInput): CdiRequest {
  return { ...post('/recipe/jwt', { ...input }), recipeId: 'jwt' };
}

export function jwksRequest(): CdiRequest {
  return { method: 'GET', path: '/.well-known/jwks.json', isRepeatable: true };
}

/** A read of a core that this library serves. It has a body, because a position may be longer than a URL. */
export function revocationsRequest(question: RevocationsQuestion): CdiRequest {
  return { method: 'POST', path: '/nest-sessions/revocations', body: { ...question }, isRepeatable: true };
}

/** A call of a core that this library serves. */
export function searchRequest(path: string, search: CoreSessionSearch): CdiRequest {
  const { tenantId, userId, createdSinceMs, after, limit } = search;
  const params = {
    ...(tenantId !== undefined && { tenantId }),
    ...(userId !== undefined && { userId }),
    ...(createdSinceMs !== undefined && { createdSinceMs: String(createdSinceMs) }),
    ...(after !== undefined && { after: writeCursor(after) }),
    limit: String(limit),
  };
  return { method: 'GET', path, params, isRepeatable: true };
}

export function rolesOfUserRequest(tenantId: string, userId: string): CdiRequest {
  return get(`${tenantSegment(tenantId)}/recipe/user/roles`, { userId }, 'userroles');
}

export function permissionsOfRoleRequest(role: string): CdiRequest {
  return get('/recipe/role/permissions', { role }, 'userroles');
}

function get(
  path: string,
  params: Record<string, string | boolean>,
  recipeId: NonNullable<CdiRequest['recipeId']>,
): CdiRequest {
  return { method: 'GET', path, params, recipeId, isRepeatable: true };
}

function post(path: string, body: Body): CdiRequest {
  return { method: 'POST', path, body, recipeId: 'session', isRepeatable: true };
}

function put(path: string, body: Body): CdiRequest {
  return { method: 'PUT', path, body, recipeId: 'session', isRepeatable: true };
}

function userSessionsScope(
  { tenantId }: UserSessionsInput,
  path: string,
): { path: string; acrossAllTenants: boolean } {
  return tenantId === undefined
    ? { path, acrossAllTenants: true }
    : { path: tenantSegment(tenantId) + path, acrossAllTenants: false };
}

/**
 * Returns a tenant's segment of the path. The id is checked, because another text could lead to another tenant or
 * app.
 */
function tenantSegment(tenantId: string): string {
  assertTenantId(tenantId);
  return `/${tenantId}`;
}

/** Returns the handles, each once, by the tenant that they name; handles of the public one name none. */
export function groupByTenant(sessionHandles: readonly string[]): string[][] {
  const groups = new Map<string, string[]>();
  for (const handle of new Set(sessionHandles)) {
    const [, ...tenant] = handle.split('_');
    const name = tenant.join('_');
    groups.set(name, [...(groups.get(name) ?? []), handle]);
  }
  return [...groups.values()];
}
