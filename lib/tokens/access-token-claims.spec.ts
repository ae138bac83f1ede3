import { describe, expect, it } from '@jest/globals';
import { accessTokenClaims } from './access-token-claims.js';

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
