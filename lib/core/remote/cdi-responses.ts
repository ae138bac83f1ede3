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
export function parseApiVersions(answer: JsonObject): string[] {
  return texts(answer, 'versions');
}

export function parseCreated(answer: JsonObject): CoreSessionTokens {
  readStatus(answer, ['OK']);
  return sessionTokens(answer);
}

/** From CDI 5.6 on a token of a branch that was replaced is UNAUTHORISED there: the session goes on, and a refresh leads back to it. */
export function parseVerified(answer: JsonObject): VerifySessionResult {
  const status = readStatus(answer, ['OK', 'UNAUTHORISED', 'TRY_REFRESH_TOKEN']);
  if (status !== 'OK') {
    const message = readMessage(answer);
    return { status: message.startsWith(ROTATED_OUT) ? 'TRY_REFRESH_TOKEN' : status, message };
  }
  const payloadUpdateAvailable = optionalFlag(answer, 'payloadUpdateAvailable');
  return {
    status,
    ...sessionAndToken(answer),
    ...(payloadUpdateAvailable === undefined ? {} : { payloadUpdateAvailable }),
  };
}

export function parseRefreshed(answer: JsonObject): RefreshSessionResult {
  const status = readStatus(answer, ['OK', 'UNAUTHORISED', 'TOKEN_THEFT_DETECTED']);
  switch (status) {
    case 'OK':
      return { status, ...sessionTokens(answer) };
    case 'UNAUTHORISED':
      return { status, message: readMessage(answer), ...reuseSubtype(answer) };
    case 'TOKEN_THEFT_DETECTED':
      return { status, session: stolenSession(object(answer, 'session')), ...reuseSubtype(answer) };
  }
}

/** A subtype that is not known is left out, because the refusal itself must count in any case. */
function reuseSubtype({ recentTokenReuseSubtype: given }: JsonObject): {
  recentTokenReuseSubtype?: TokenReuseSubtype;
} {
  const found = REUSE_SUBTYPES.find((candidate) => candidate === given);
  return found === undefined ? {} : { recentTokenReuseSubtype: found };
}

export function parseRegenerated(answer: JsonObject): RegenerateResult {
  const status = readStatus(answer, ['OK', 'UNAUTHORISED']);
  return status === 'OK' ? { status, ...sessionAndToken(answer) } : { status, message: readMessage(answer) };
}

/** Undefined if the core knows no such session. */
export function parseSessionInformation(answer: JsonObject): CoreSessionInformation | undefined {
  if (readStatus(answer, ['OK', 'UNAUTHORISED']) === 'UNAUTHORISED') return undefined;
  return {
    sessionHandle: text(answer, 'sessionHandle'),
    userId: text(answer, 'userId'),
    recipeUserId: text(answer, 'recipeUserId'),
    tenantId: text(answer, 'tenantId'),
    userDataInDatabase: object(answer, 'userDataInDatabase'),
    userDataInJWT: object(answer, 'userDataInJWT'),
    expiry: time(answer, 'expiry'),
    timeCreated: time(answer, 'timeCreated'),
  };
}

export function parseSessionHandles(answer: JsonObject): string[] {
  readStatus(answer, ['OK']);
  return texts(answer, 'sessionHandles');
}

export function parseRevokedHandles(answer: JsonObject): string[] {
  readStatus(answer, ['OK']);
  return texts(answer, 'sessionHandlesRevoked');
}

/** Whether there was a session to update. */
export function parseUpdated(answer: JsonObject): boolean {
  return readStatus(answer, ['OK', 'UNAUTHORISED']) === 'OK';
}

/** The primary user id; undefined where the core does not know the user. */
export function parsePrimaryUserId(answer: JsonObject): string | undefined {
  const status = readStatus(answer, ['OK', 'UNKNOWN_USER_ID_ERROR']);
  return status === 'OK' ? text(object(answer, 'user'), 'id') : undefined;
}

export function parseCreatedJwt(answer: JsonObject): CoreJwtResult {
  const status = readStatus(answer, ['OK', 'UNSUPPORTED_ALGORITHM_ERROR']);
  return status === 'OK' ? { status, jwt: text(answer, 'jwt') } : { status };
}

export function parseJwks(answer: JsonObject, cacheControl: string | undefined): JwksResult {
  const maxAge = /(?:^|[\s,])max-age=(\d{1,10})(?:$|[\s,])/i.exec(cacheControl ?? '')?.[1];
  return {
    keys: parsePublicKeys(answer),
    validityInSeconds: maxAge === undefined ? DEFAULT_JWKS_VALIDITY_SEC : Number(maxAge),
  };
}

export function parseRoles(answer: JsonObject): string[] {
  readStatus(answer, ['OK']);
  return texts(answer, 'roles');
}

/** An unknown role has no permissions. */
export function parsePermissions(answer: JsonObject): string[] {
  const status = readStatus(answer, ['OK', 'UNKNOWN_ROLE_ERROR']);
  return status === 'OK' ? texts(answer, 'permissions') : [];
}

function sessionTokens(answer: JsonObject): CoreSessionTokens {
  return {
    session: session(object(answer, 'session')),
    accessToken: token(object(answer, 'accessToken')),
    refreshToken: token(object(answer, 'refreshToken')),
    antiCsrfToken: optionalText(answer, 'antiCsrfToken'),
  };
}

function sessionAndToken(answer: JsonObject): { session: CoreSession; accessToken?: TokenInfo } {
  const found = session(object(answer, 'session'));
  return isAbsent(answer, 'accessToken')
    ? { session: found }
    : { session: found, accessToken: token(object(answer, 'accessToken')) };
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

function readStatus<T extends string>(answer: JsonObject, accepted: readonly T[]): T {
  const { status } = answer;
  const found = accepted.find((candidate) => candidate === status);
  if (found === undefined) {
    const seen = typeof status === 'string' && /^[A-Z_]{1,64}$/.test(status) ? status : 'something else';
    throw new UnexpectedResponse(`status is ${seen}; expected ${accepted.join(', ')}`);
  }
  return found;
}

function readMessage(answer: JsonObject): string {
  return optionalText(answer, 'message') ?? '';
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
export type ParseResponse<T> = (answer: JsonObject, cacheControl: string | undefined) => T;

/**
 * Returns the parsed value of a response with status 200.
 *
 * @throws {CoreResponseError} it is no JSON object, or not the requested one
 */
export function readResponse<T>(request: CdiRequest, answer: HostResponse, parse: ParseResponse<T>): T {
  const { host, status, contentType, body, cacheControl } = answer;
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
