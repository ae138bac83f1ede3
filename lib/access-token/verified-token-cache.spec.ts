import { describe, expect, it } from '@jest/globals';
import type { AccessTokenInfo } from './access-token.js';
import { VerifiedTokenCache } from './verified-token-cache.js';

const NOW = { generation: 0, epoch: 0 };
const infoOf = (sessionHandle: string): AccessTokenInfo => ({
  version: 5,
  kid: 'd-1',
  sessionHandle,
  userId: 'user-1',
  recipeUserId: 'user-1',
  tenantId: 'public',
  refreshTokenHash1: '',
  parentRefreshTokenHash1: undefined,
  antiCsrfToken: undefined,
  expiryMs: 0,
  timeCreatedMs: 0,
  payload: {},
});

describe('the memory of verified tokens', () => {
  it('S012 stays at its bound under a million tokens, and keeps the newest', () => {
    const cache = new VerifiedTokenCache(1000);
    const info = infoOf('s');
    for (let n = 0; n < 1_000_000; n++) cache.set(`token-${n}`, info, NOW);
    expect(cache.size).toBe(1000);
    expect(cache.get('token-999999', 0)).toBe(info);
    expect(cache.get('token-999000', 0)).toBe(info);
    expect(cache.get('token-998999', 0)).toBeUndefined();
  });

  it('S012 is empty when the key set has changed', () => {
    const cache = new VerifiedTokenCache(10);
    cache.set('a', infoOf('s'), NOW);
    expect(cache.get('a', 1)).toBeUndefined();
    expect(cache.size).toBe(0);
    cache.set('a', infoOf('s'), NOW);
    expect(cache.size).toBe(0);
    cache.set('a', infoOf('s'), { generation: 1, epoch: 0 });
    expect(cache.get('a', 1)).toBeDefined();
  });

  it('forgets single tokens and all tokens of sessions', () => {
    const cache = new VerifiedTokenCache(10);
    for (const [token, handle] of [
      ['a', 's'],
      ['b', 's'],
      ['c', 't'],
      ['d', 'u'],
    ] as const) {
      cache.set(token, infoOf(handle), NOW);
    }
    cache.delete('d');
    cache.deleteSessions(['s', 'unknown']);
    expect(['a', 'b', 'c', 'd'].filter((token) => cache.get(token, 0))).toEqual(['c']);
    expect(cache.epoch).toBe(1);
    cache.set('a', infoOf('s'), NOW);
    expect(cache.get('a', 0)).toBeUndefined();
  });

  it('finds no token that is called like a member of the language', () => {
    const cache = new VerifiedTokenCache(10);
    for (const name of ['__proto__', 'constructor', 'size']) expect(cache.get(name, 0)).toBeUndefined();
  });
});
