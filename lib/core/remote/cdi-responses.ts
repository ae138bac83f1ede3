import { isJsonObject, type JsonObject, parseJsonObject } from '../../util/json.js';
import { isAbsent, list, optionalText, text, UnexpectedResponse } from '../../util/response-members.js';
import { parsePublicKeys } from '../../tokens/published-keys.js';
import type {
  CoreSession,
  CoreSessionInformation,
  CoreSessionTokens,
  CoreJwtResult,
  JwksResult,
  RefreshSessionResult,
  RegenerateResult,
  TokenInfo,
  TokenReuseSubtype,
  VerifySessionResult,
} from '../core.types.js';
import type { CoreResponseError } from '../../errors.js';
import type { CdiRequest } from './cdi-requests.js';
import { attemptError, badResponse } from './core-call-errors.js';
import type { CoreHost } from './host-pool.js';
import type { HttpResponse } from './http-transport.js';

/** How long the keys may be cached if the core does not name a time, seconds. */
const DEFAULT_JWKS_VALIDITY_SEC = 60;
/** Begins the core's text about an access token whose refresh token is neither the current one nor the one before. */
const ROTATED_OUT = 'rotated-out token branch';
const REUSE_SUBTYPES: readonly TokenReuseSubtype[] = ['RECENT_PREV', 'ORPHANED_BRANCH', 'STALE_LINEAGE'];

/** The versions that the core speaks. */
export function parseApiVersions(response: JsonObject): string[] {
  return texts(response, 'versions');
}

export function parseCreated(response: JsonObject): CoreSessionTokens {
  readStatus(response, ['OK']);
  return sessionTokens(response);
}

/** From CDI 5.6 on a token of a branch that was replaced is UNAUTHORISED there: the session goes on, and a refresh leads back to it. */
export function parseVerified(response: JsonObject): VerifySessionResult {
  const status = readStatus(response, ['OK', 'UNAUTHORISED', 'TRY_REFRESH_TOKEN']);
  if (status !== 'OK') {
    const message = readMessage(response);
    return { status: message.startsWith(ROTATED_OUT) ? 'TRY_REFRESH_TOKEN' : status, message };
  }
  const payloadUpdateAvailable = optionalFlag(response, 'payloadUpdateAvailable');
  return {
    status,
    ...sessionAndToken(response),
    ...(payloadUpdateAvailable === undefined ? {} : { payloadUpdateAvailable }),
  };
}

export function parseRefreshed(response: JsonObject): RefreshSessionResult {
  const status = readStatus(response, ['OK', 'UNAUTHORISED', 'TOKEN_THEFT_DETECTED']);
  switch (status) {
    case 'OK':
      return { status, ...sessionTokens(response) };
    case 'UNAUTHORISED':
      return { status, message: readMessage(response), ...reuseSubtype(response) };
    case 'TOKEN_THEFT_DETECTED':
      return { status, session: stolenSession(object(response, 'session')), ...reuseSubtype(response) };
  }
}

/** A subtype that is not known is left out, because the refusal itself must count in any case. */
function reuseSubtype({ recentTokenReuseSubtype: given }: JsonObject): {
  recentTokenReuseSubtype?: TokenReuseSubtype;
} {
  const found = REUSE_SUBTYPES.find((candidate) => candidate === given);
  return found === undefined ? {} : { recentTokenReuseSubtype: found };
}

export function parseRegenerated(response: JsonObject): RegenerateResult {
  const status = readStatus(response, ['OK', 'UNAUTHORISED']);
  return status === 'OK'
    ? { status, ...sessionAndToken(response) }
    : { status, message: readMessage(response) };
}

/** Undefined if the core knows no such session. */
export function parseSessionInformation(response: JsonObject): CoreSessionInformation | undefined {
  if (readStatus(response, ['OK', 'UNAUTHORISED']) === 'UNAUTHORISED') return undefined;
  return {
    sessionHandle: text(response, 'sessionHandle'),
    userId: text(response, 'userId'),
    recipeUserId: text(response, 'recipeUserId'),
    tenantId: text(response, 'tenantId'),
    userDataInDatabase: object(response, 'userDataInDatabase'),
    userDataInJWT: object(response, 'userDataInJWT'),
    expiry: time(response, 'expiry'),
    timeCreated: time(response, 'timeCreated'),
  };
}

export function parseSessionHandles(response: JsonObject): string[] {
  readStatus(response, ['OK']);
  return texts(response, 'sessionHandles');
}

export function parseRevokedHandles(response: JsonObject): string[] {
  readStatus(response, ['OK']);
  return texts(response, 'sessionHandlesRevoked');
}

/** Whether there was a session to update. */
export function parseUpdated(response: JsonObject): boolean {
  return readStatus(response, ['OK', 'UNAUTHORISED']) === 'OK';
}

/** The primary user id; undefined where the core does not know the user. */
export function parsePrimaryUserId(response: JsonObject): string | undefined {
  const status = readStatus(response, ['OK', 'UNKNOWN_USER_ID_ERROR']);
  return status === 'OK' ? text(object(response, 'user'), 'id') : undefined;
}

export function parseCreatedJwt(response: JsonObject): CoreJwtResult {
  const status = readStatus(response, ['OK', 'UNSUPPORTED_ALGORITHM_ERROR']);
  return status === 'OK' ? { status, jwt: text(response, 'jwt') } : { status };
}

export function parseJwks(response: JsonObject, cacheControl: string | undefined): JwksResult {
  const maxAge = /(?:^|[\s,])max-age=(\d{1,10})(?:$|[\s,])/i.exec(cacheControl ?? '')?.[1];
  return {
    keys: parsePublicKeys(response),
    validityInSeconds: maxAge === undefined ? DEFAULT_JWKS_VALIDITY_SEC : Number(maxAge),
  };
}

export function parseRoles(response: JsonObject): string[] {
  readStatus(response, ['OK']);
  return texts(response, 'roles');
}

/** An unknown role has no permissions. */
export function parsePermissions(response: JsonObject): string[] {
  const status = readStatus(response, ['OK', 'UNKNOWN_ROLE_ERROR']);
  return status === 'OK' ? texts(response, 'permissions') : [];
}

function sessionTokens(response: JsonObject): CoreSessionTokens {
  return {
    session: session(object(response, 'session')),
    accessToken: token(object(response, 'accessToken')),
    refreshToken: token(object(response, 'refreshToken')),
    antiCsrfToken: optionalText(response, 'antiCsrfToken'),
  };
}

function sessionAndToken(response: JsonObject): { session: CoreSession; accessToken?: TokenInfo } {
  const found = session(object(response, 'session'));
  return isAbsent(response, 'accessToken')
    ? { session: found }
    : { session: found, accessToken: token(object(response, 'accessToken')) };
}

function session(value: JsonObject): CoreSession {
  return {
    handle: text(value, 'handle'),
    userId: text(value, 'userId'),
    recipeUserId: text(value, 'recipeUserId'),
    tenantId: text(value, 'tenantId'),
    userDataInJWT: object(value, 'userDataInJWT'),
  };
}

function stolenSession(value: JsonObject): { handle: string; userId: string; recipeUserId: string } {
  const userId = text(value, 'userId');
  // The published specification of the CDI does not list recipeUserId here.
  return {
    handle: text(value, 'handle'),
    userId,
    recipeUserId: optionalText(value, 'recipeUserId') ?? userId,
  };
}

function token(value: JsonObject): TokenInfo {
  return {
    token: text(value, 'token'),
    expiry: time(value, 'expiry'),
    createdTime: time(value, 'createdTime'),
  };
}

function readStatus<T extends string>(response: JsonObject, accepted: readonly T[]): T {
  const { status } = response;
  const found = accepted.find((candidate) => candidate === status);
  if (found === undefined) {
    const seen = typeof status === 'string' && /^[A-Z_]{1,64}$/.test(status) ? status : 'something else';
    throw new UnexpectedResponse(`status is ${seen}; expected ${accepted.join(', ')}`);
  }
  return found;
}

function readMessage(response: JsonObject): string {
  return optionalText(response, 'message') ?? '';
}

function optionalFlag(source: JsonObject, name: string): boolean | undefined {
  const value = source[name];
  if (isAbsent(source, name)) return undefined;
  if (typeof value !== 'boolean') throw new UnexpectedResponse(`${name} is not true or false`);
  return value;
}

function time(source: JsonObject, name: string): number {
  const value = source[name];
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
    throw new UnexpectedResponse(`${name} is not a time in milliseconds`);
  }
  return value;
}

function object(source: JsonObject, name: string): JsonObject {
  const value = source[name];
  if (!isJsonObject(value)) throw new UnexpectedResponse(`${name} is not an object`);
  return value;
}

function texts(source: JsonObject, name: string): string[] {
  return list(source, name).map((value) => {
    if (typeof value !== 'string') throw new UnexpectedResponse(`${name} has something else than text in it`);
    return value;
  });
}

/** A response and the host that sent it. */
export interface HostResponse extends HttpResponse {
  readonly host: CoreHost;
}

/** Parses a response; throws {@link UnexpectedResponse} if it does not follow the CDI. */
export type ParseResponse<T> = (response: JsonObject, cacheControl: string | undefined) => T;

/**
 * Returns the parsed value of a response with status 200.
 *
 * @throws {CoreResponseError} it is no JSON object, or not the requested one
 */
export function readResponse<T>(request: CdiRequest, response: HostResponse, parse: ParseResponse<T>): T {
  const { host, status, contentType, body, cacheControl } = response;
  const refuse = (reason: string): CoreResponseError =>
    badResponse(attemptError(request, host, reason, { status }));
  if (/^\s*text/i.test(contentType)) throw refuse('text instead of JSON');
  const json = parseJsonObject(body);
  if (json === undefined) throw refuse('no JSON object');
  try {
    return parse(json, cacheControl);
  } catch (error) {
    if (error instanceof UnexpectedResponse) throw refuse(error.message);
    throw error;
  }
}
