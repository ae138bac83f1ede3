import type { JsonObject } from '../util/json.js';

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
 * The first name in a payload that a token of that version keeps for itself, even when its value is null.
 *
 * @see docs/protocol/core.md B11
 */
export function findReservedClaim(payload: JsonObject, version: number): string | undefined {
  return reservedClaims(version).find((name) => Object.hasOwn(payload, name));
}

/**
 * The first claim that a Core puts into every token of that version (null where there is nothing to say) and that this
 * one lacks.
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

/** A copy of a payload without the names that belong to the session. */
export function withoutProtectedClaims(payload: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(payload).filter(([name]) => !PROTECTED_CLAIM_NAMES.includes(name)),
  );
}
