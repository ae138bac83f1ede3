import { isJsonObject, type JsonObject, type JsonValue } from '../../util/json.js';
import { readCursor } from '../../util/session-cursor.js';
import { DEFAULT_TENANT_ID } from '../../util/tenant-id.js';
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
import { readFeedQuestion, type FeedQuestion } from '../../feed/served-feed.js';

/** The refusal of another tenant than `public` for a call that belongs to the app. */
export const PUBLIC_TENANT_ONLY = 'Only public tenantId can call this app specific API';

const ONE_OF_BOTH = 'Invalid JSON input - use one of userId or sessionHandles array';
const FLAGS_OF_USER =
  'Invalid JSON input - revokeAcrossAllTenants and revokeSessionsForLinkedAccounts belong to userId';

const DEFAULT_PAGE = 50;

/** Deeper values would overflow the stack when they are written as JSON again. */
const MAX_NESTING = 500;

/**
 * Reads a request's body: always as UTF-8, whatever its content type says, and only as strict JSON.
 *
 * @throws {CdiRefusal} 400 for everything that is not a JSON object, or one that is nested more than 500 deep
 * @see docs/protocol/core.md A4
 */
export function parseBody(bytes: Uint8Array): JsonObject {
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    if (isJsonObject(value) && !isDeeperThan(value, MAX_NESTING)) return value;
  } catch {
    // Falls through: broken text is one of several ways to send no object.
  }
  throw new CdiRefusal(400, 'Invalid Json Input');
}

/**
 * Reads the body of `POST [/<tenant>]/recipe/session` (A6.1).
 *
 * @param rotation that of the caller's version, here and below: `at-once` from CDI 5.6 on
 */
export function createSessionInput(
  body: JsonObject,
  tenantId: string | undefined,
  rotation: TokenRotation,
): CreateSessionInput {
  return {
    tenantId: tenantId ?? DEFAULT_TENANT_ID,
    recipeUserId: required(body, 'userId', isString),
    enableAntiCsrf: required(body, 'enableAntiCsrf', isBoolean),
    userDataInJWT: required(body, 'userDataInJWT', isJsonObject),
    userDataInDatabase: required(body, 'userDataInDatabase', isJsonObject),
    useDynamicSigningKey: optional(body, 'useDynamicSigningKey', isBoolean) ?? true,
    accessTokenValidityMs: accessTokenValidity(body, rotation),
  };
}

/** Reads the body of `POST /recipe/session/verify` (A6.3). */
export function verifySessionInput(body: JsonObject, rotation: TokenRotation): VerifySessionInput {
  return {
    accessToken: required(body, 'accessToken', isString),
    doAntiCsrfCheck: required(body, 'doAntiCsrfCheck', isBoolean),
    enableAntiCsrf: required(body, 'enableAntiCsrf', isBoolean),
    antiCsrfToken: optional(body, 'antiCsrfToken', isString),
    checkDatabase: required(body, 'checkDatabase', isBoolean),
    rotation,
  };
}

/** Reads the body of `POST /recipe/session/refresh` (A6.4). */
export function refreshSessionInput(body: JsonObject, rotation: TokenRotation): RefreshSessionInput {
  return {
    refreshToken: required(body, 'refreshToken', isString),
    enableAntiCsrf: required(body, 'enableAntiCsrf', isBoolean),
    antiCsrfToken: optional(body, 'antiCsrfToken', isString),
    useDynamicSigningKey: required(body, 'useDynamicSigningKey', isBoolean),
    accessTokenValidityMs: accessTokenValidity(body, rotation),
    rotation,
  };
}

/** Reads the body of `POST /recipe/session/regenerate` (A6.5). */
export function regenerateInput(body: JsonObject): RegenerateInput {
  return {
    accessToken: required(body, 'accessToken', isString),
    userDataInJWT: optional(body, 'userDataInJWT', isJsonObject),
  };
}

/** The sessions that `POST [/<tenant>]/recipe/session/remove` ends (A6.6): by handles, or by user. */
export type RemoveInput =
  | { readonly by: 'handles'; readonly sessionHandles: readonly string[] }
  | { readonly by: 'user'; readonly sessions: UserSessionsInput };

/** Reads which sessions to end. Exactly one of handles and user is given; the two flags belong to the user. */
export function removeInput(body: JsonObject, tenantId: string | undefined): RemoveInput {
  const userId = optional(body, 'userId', isString);
  const sessionHandles = optional(body, 'sessionHandles', isStrings);
  const acrossAllTenants = optional(body, 'revokeAcrossAllTenants', isBoolean);
  const ofLinkedAccounts = optional(body, 'revokeSessionsForLinkedAccounts', isBoolean);
  if (sessionHandles !== undefined && userId === undefined) {
    if (acrossAllTenants !== undefined || ofLinkedAccounts !== undefined) {
      throw new CdiRefusal(400, FLAGS_OF_USER);
    }
    return { by: 'handles', sessionHandles };
  }
  if (userId === undefined || sessionHandles !== undefined) throw new CdiRefusal(400, ONE_OF_BOTH);
  return {
    by: 'user',
    sessions: {
      userId,
      tenantId: tenantOrAll(tenantId, acrossAllTenants ?? true),
      includeLinkedAccounts: ofLinkedAccounts ?? true,
    },
  };
}

/** Reads the query of `GET [/<tenant>]/recipe/session/user` (A6.7). */
export function listSessionsInput(query: URLSearchParams, tenantId: string | undefined): UserSessionsInput {
  return {
    userId: requiredParameter(query, 'userId'),
    includeLinkedAccounts: flagParameter(query, 'fetchSessionsForAllLinkedAccounts'),
    tenantId: tenantOrAll(tenantId, flagParameter(query, 'fetchAcrossAllTenants')),
  };
}

/** Reads the body of `PUT /recipe/session/data` and `PUT /recipe/jwt/data` (A6.8, A6.9). */
export function updateInput(
  body: JsonObject,
  field: 'userDataInDatabase' | 'userDataInJWT',
): { sessionHandle: string; data: JsonObject } {
  return {
    sessionHandle: required(body, 'sessionHandle', isString),
    data: required(body, field, isJsonObject),
  };
}

/** Reads the body of `POST /recipe/jwt` (A6.10). */
export function createJwtInput(body: JsonObject): CoreJwtInput {
  return {
    payload: required(body, 'payload', isJsonObject),
    algorithm: required(body, 'algorithm', isString),
    jwksDomain: required(body, 'jwksDomain', isString),
    validity: Math.trunc(required(body, 'validity', isFiniteNumber)),
    useStaticSigningKey: optional(body, 'useStaticSigningKey', isBoolean) ?? true,
  };
}

/** Reads the query of `GET /nest-sessions/sessions`, and of its count. @param maxLimit the largest `limit` */
export function searchInput(query: URLSearchParams, maxLimit: number): CoreSessionSearch {
  const after = query.get('after');
  const position = after === null ? undefined : readCursor(after);
  if (after !== null && position === undefined)
    throw new CdiRefusal(400, 'after must be the place that a page before named as next');
  const createdSince = query.get('createdSinceMs');
  const search = {
    tenantId: query.get('tenantId') ?? undefined,
    userId: query.get('userId') ?? undefined,
    createdSinceMs: createdSince === null ? undefined : Number(createdSince || Number.NaN),
    after: position,
    limit: Number(query.get('limit') ?? DEFAULT_PAGE),
  };
  if (search.createdSinceMs !== undefined && !Number.isSafeInteger(search.createdSinceMs))
    throw new CdiRefusal(400, 'createdSinceMs must be a time in milliseconds');
  if (!Number.isInteger(search.limit) || search.limit < 1 || search.limit > maxLimit)
    throw new CdiRefusal(400, `limit must be a whole number from 1 to ${maxLimit}`);
  return search;
}

/** Reads the body of `POST /nest-sessions/revocations`. A feed begins anew at a position that it does not know. */
export function revocationsInput(body: JsonObject): FeedQuestion {
  const question = readFeedQuestion(body);
  if (typeof question === 'string') throw new CdiRefusal(400, question);
  return question;
}

/** Returns a query parameter; an empty value counts as present. */
export function requiredParameter(query: URLSearchParams, name: string): string {
  const value = query.get(name);
  if (value === null) throw new CdiRefusal(400, `Field name '${name}' is missing in GET request`);
  return value;
}

/** Returns true if the parameter is absent or is the word `true`. */
function flagParameter(query: URLSearchParams, name: string): boolean {
  return (query.get(name) ?? 'true').toLowerCase() === 'true';
}

/** Returns the life of this one access token, which callers of older versions cannot choose: from them it is an unknown field. */
function accessTokenValidity(body: JsonObject, rotation: TokenRotation): number | undefined {
  if (rotation !== 'at-once') return undefined;
  const validityMs = optional(body, 'accessTokenValidity', isFiniteNumber);
  return validityMs === undefined ? undefined : Math.trunc(validityMs);
}

/** Returns undefined for all tenants, which only the public tenant may request. */
function tenantOrAll(tenantId: string | undefined, acrossAllTenants: boolean): string | undefined {
  const tenant = tenantId ?? DEFAULT_TENANT_ID;
  if (!acrossAllTenants) return tenant;
  if (tenant !== DEFAULT_TENANT_ID) throw new CdiRefusal(403, PUBLIC_TENANT_ONLY);
  return undefined;
}

type Narrow<T extends JsonValue> = (value: JsonValue) => value is T;

function required<T extends JsonValue>(body: JsonObject, name: string, isWanted: Narrow<T>): T {
  const value = optional(body, name, isWanted);
  if (value === undefined) throw invalidField(name);
  return value;
}

/** An optional field may be left out, but `null` is no value for it. */
function optional<T extends JsonValue>(body: JsonObject, name: string, isWanted: Narrow<T>): T | undefined {
  const value = body[name];
  if (value === undefined) return undefined;
  if (!isWanted(value)) throw invalidField(name);
  return value;
}

function invalidField(name: string): CdiRefusal {
  return new CdiRefusal(400, `Field name '${name}' is invalid in JSON input`);
}

function isDeeperThan(value: JsonValue, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levels === 0 || Object.values(value).some((child) => isDeeperThan(child, levels - 1));
}

function isString(value: JsonValue): value is string {
  return typeof value === 'string';
}

function isBoolean(value: JsonValue): value is boolean {
  return typeof value === 'boolean';
}

function isFiniteNumber(value: JsonValue): value is number {
  return Number.isFinite(value);
}

function isStrings(value: JsonValue): value is string[] {
  return Array.isArray(value) && value.every(isString);
}

/**
 * The refusal of a call: a status other than 200 and a line of text, as a Core sends it (docs/protocol/core.md A3).
 */
export class CdiRefusal extends Error {
  constructor(
    readonly status: 400 | 401 | 403 | 404 | 405 | 413 | 415,
    message: string,
  ) {
    super(message);
    this.name = 'CdiRefusal';
  }
}
