import { describe, expect, it } from '@jest/globals';
import { DYNAMIC_TEST_KEY, keyPairOf, STATIC_TEST_KID } from '../../test/fixtures/signing-keys.js';
import { accessTokenClaims, lengthOfNewAccessToken } from './access-token-claims.js';
import { signJwt } from './jws.js';

describe('the claims of a new access token', () => {
  const CONTENT = {
    userId: 'user-1',
    recipeUserId: 'recipe-user-1',
    tenantId: 't1',
    sessionHandle: 'h',
    refreshTokenHash1: 'own',
    parentRefreshTokenHash1: undefined,
    antiCsrfToken: undefined,
    expiryMs: 1_760_003_600_999,
    timeCreatedMs: 1_760_000_000_999,
    userPayload: { role: 'admin' },
  };
  const V3 = { sub: 'user-1', exp: 1_760_003_600, iat: 1_760_000_000 };
  const REST = { sessionHandle: 'h', refreshTokenHash1: 'own', role: 'admin' };
  const UNSET = { parentRefreshTokenHash1: null, antiCsrfToken: null };

  it.each([
    [3, { ...V3, ...REST, ...UNSET }],
    [4, { ...V3, ...REST, ...UNSET, tId: 't1' }],
    [5, { ...V3, ...REST, ...UNSET, tId: 't1', rsub: 'recipe-user-1' }],
    [
      2,
      {
        userId: 'recipe-user-1',
        expiryTime: 1_760_003_600_999,
        timeCreated: 1_760_000_000_999,
        sessionHandle: 'h',
        refreshTokenHash1: 'own',
        userData: { role: 'admin' },
      },
    ],
  ] as const)('of version %d', (version, claims) => {
    expect(accessTokenClaims({ ...CONTENT, version })).toEqual(claims);
    const lineage = { parentRefreshTokenHash1: 'parent', antiCsrfToken: 'anti' };
    expect(accessTokenClaims({ ...CONTENT, ...lineage, version })).toEqual({ ...claims, ...lineage });
  });
});

describe('the length of a new access token', () => {
  const HASH = 'a'.repeat(64);
  const UUID = '11111111-1111-4111-8111-111111111111';

  it.each([
    ['nothing in its payload', 'user-1', 'recipe-user-1', 't1', {}],
    [
      'texts that need more than one byte for a character',
      'ü',
      'ü',
      'tenant',
      { name: '山田 😀', n: [1, null] },
    ],
    [
      'much in its payload',
      'user-1',
      'user-1',
      'a-tenant',
      { roles: Array.from({ length: 99 }, () => 'admin') },
    ],
  ])('is known before it is made: with %s', async (_, userId, recipeUserId, tenantId, userPayload) => {
    const claims = accessTokenClaims({
      version: 5,
      userId,
      recipeUserId,
      tenantId,
      sessionHandle: `${UUID}_${tenantId}`,
      refreshTokenHash1: HASH,
      parentRefreshTokenHash1: HASH,
      antiCsrfToken: UUID,
      expiryMs: 1_760_003_600_999,
      timeCreatedMs: 1_760_000_000_999,
      userPayload,
    });
    const key = { kid: STATIC_TEST_KID, algorithm: 'RS256' as const, ...keyPairOf(DYNAMIC_TEST_KEY) };
    const token = await signJwt(claims, key, 5);
    expect(lengthOfNewAccessToken({ userId, recipeUserId, tenantId }, userPayload)).toBe(token.length);
  });
});
