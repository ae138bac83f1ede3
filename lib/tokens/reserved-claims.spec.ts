import { describe, expect, it } from '@jest/globals';
import {
  findMissingClaim,
  findReservedClaim,
  PROTECTED_CLAIM_NAMES,
  withoutProtectedClaims,
} from './access-token-claims.js';

describe('names that belong to the session', () => {
  const V3 = [
    'sub',
    'exp',
    'iat',
    'sessionHandle',
    'refreshTokenHash1',
    'parentRefreshTokenHash1',
    'antiCsrfToken',
  ];
  it.each([
    [
      2,
      ['userId', 'expiryTime', 'timeCreated', 'sessionHandle', 'refreshTokenHash1'],
      ['sub', 'exp', 'tId', 'userData'],
    ],
    [3, V3, ['tId', 'rsub', 'userId', 'stt', 'iss']],
    [4, [...V3, 'tId'], ['rsub', 'userId']],
    [5, [...V3, 'tId', 'rsub'], ['userId', 'iss', 'aud', 'nbf', '__proto__']],
    [9, [...V3, 'tId', 'rsub'], ['userId']],
  ])('are, up to version %d, %j (S013)', (version, reserved, free) => {
    for (const name of reserved) {
      expect(findReservedClaim({ a: 1, [name]: null }, version)).toBe(name);
      const complete = Object.fromEntries(
        reserved.filter((other) => other !== name).map((other) => [other, null]),
      );
      expect(findMissingClaim(complete, version)).toBe(name);
    }
    for (const name of free) expect(findReservedClaim({ [name]: 1 }, version)).toBeUndefined();
    expect(
      findMissingClaim(Object.fromEntries(reserved.map((name) => [name, null])), version),
    ).toBeUndefined();
  });

  it('are removed from a payload, and nothing else is (S013)', () => {
    const all = Object.fromEntries(PROTECTED_CLAIM_NAMES.map((name) => [name, 'x']));
    const payload = { ...all, iss: 'x', role: 'admin', nested: { sub: 'y' } };
    expect(withoutProtectedClaims(payload)).toEqual({ iss: 'x', role: 'admin', nested: { sub: 'y' } });
    expect(payload).toHaveProperty('sub');
  });
});
