import type { JsonObject } from '../util/json.js';

/** The facts that go into a new access token. */
export interface AccessTokenContent {
  readonly version: 2 | 3 | 4 | 5;
  readonly userId: string;
  readonly recipeUserId: string;
  readonly tenantId: string;
  readonly sessionHandle: string;
  readonly refreshTokenHash1: string;
  readonly parentRefreshTokenHash1: string | undefined;
  readonly antiCsrfToken: string | undefined;
  readonly expiryMs: number;
  readonly timeCreatedMs: number;
  readonly userPayload: JsonObject;
}

/**
 * Returns the claims of a new token.
 *
 * @see docs/protocol/core.md B3
 */
export function accessTokenClaims(content: AccessTokenContent): JsonObject {
  const { version, parentRefreshTokenHash1, antiCsrfToken } = content;
  if (version === 2) {
    return {
      userId: content.recipeUserId,
      expiryTime: content.expiryMs,
      timeCreated: content.timeCreatedMs,
      sessionHandle: content.sessionHandle,
      refreshTokenHash1: content.refreshTokenHash1,
      ...(parentRefreshTokenHash1 === undefined ? {} : { parentRefreshTokenHash1 }),
      ...(antiCsrfToken === undefined ? {} : { antiCsrfToken }),
      userData: content.userPayload,
    };
  }
  return {
    sub: content.userId,
    exp: Math.floor(content.expiryMs / 1000),
    iat: Math.floor(content.timeCreatedMs / 1000),
    ...(version >= 4 ? { tId: content.tenantId } : {}),
    ...(version >= 5 ? { rsub: content.recipeUserId } : {}),
    sessionHandle: content.sessionHandle,
    refreshTokenHash1: content.refreshTokenHash1,
    parentRefreshTokenHash1: parentRefreshTokenHash1 ?? null,
    antiCsrfToken: antiCsrfToken ?? null,
    ...content.userPayload,
  };
}

/**
 * Characters of a JWT's header and of its RS256 signature by a key of 2048 bits, with the dots between the parts.
 */
const HEADER_AND_SIGNATURE_LENGTH =
  // All in ASCII. A `Buffer` here would keep the verifying door from starting in a worker, which loads this file too.
  base64Length(JSON.stringify({ kid: 's-'.padEnd(38), typ: 'JWT', version: '5', alg: 'RS256' }).length) +
  342 +
  2;

/** Returns the greatest length of a new access token with this payload, in characters. */
export function lengthOfNewAccessToken(
  ids: Pick<AccessTokenContent, 'userId' | 'recipeUserId' | 'tenantId'>,
  userPayload: JsonObject,
): number {
  const hash = ''.padEnd(64);
  const claims = accessTokenClaims({
    ...ids,
    version: 5,
    sessionHandle: `${''.padEnd(37)}${ids.tenantId}`,
    refreshTokenHash1: hash,
    parentRefreshTokenHash1: hash,
    antiCsrfToken: ''.padEnd(36),
    expiryMs: 1e12,
    timeCreatedMs: 1e12,
    userPayload,
  });
  return HEADER_AND_SIGNATURE_LENGTH + base64Length(Buffer.byteLength(JSON.stringify(claims)));
}

function base64Length(bytes: number): number {
  return Math.ceil((bytes * 4) / 3);
}

/**
 * Payload names that belong to the session itself. The recipe removes them from every payload that it writes back;
 * `iss` is not among them.
 *
 * @see docs/protocol/sdk.md §2
 */
export const PROTECTED_CLAIM_NAMES: readonly string[] = [
  'sub',
  'iat',
  'exp',
  'sessionHandle',
  'parentRefreshTokenHash1',
  'refreshTokenHash1',
  'antiCsrfToken',
  'rsub',
  'tId',
  'stt',
];

const RESERVED_V2 = ['userId', 'expiryTime', 'timeCreated', 'sessionHandle', 'refreshTokenHash1'];
const RESERVED_V3 = [
  'sub',
  'exp',
  'iat',
  'sessionHandle',
  'refreshTokenHash1',
  'parentRefreshTokenHash1',
  'antiCsrfToken',
];
const RESERVED_V4 = [...RESERVED_V3, 'tId'];
const RESERVED_V5 = [...RESERVED_V4, 'rsub'];

/**
 * Returns the first name in a payload that a token of that version reserves, even when its value is null.
 *
 * @see docs/protocol/core.md B11
 */
export function findReservedClaim(payload: JsonObject, version: number): string | undefined {
  return reservedClaims(version).find((name) => Object.hasOwn(payload, name));
}

/**
 * Returns the first claim that a Core puts into every token of that version (null if it has no value) and that this
 * payload lacks.
 *
 * @see docs/protocol/core.md B3 step 4
 */
export function findMissingClaim(payload: JsonObject, version: number): string | undefined {
  return reservedClaims(version).find((name) => !Object.hasOwn(payload, name));
}

function reservedClaims(version: number): readonly string[] {
  if (version <= 2) return RESERVED_V2;
  if (version === 3) return RESERVED_V3;
  return version === 4 ? RESERVED_V4 : RESERVED_V5;
}

/** Returns a copy of a payload without the names that belong to the session. */
export function withoutProtectedClaims(payload: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(payload).filter(([name]) => !PROTECTED_CLAIM_NAMES.includes(name)),
  );
}
