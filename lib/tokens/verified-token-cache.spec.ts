import { describe, expect, it } from '@jest/globals';
import type { AccessTokenInfo } from './access-token.js';
import { estimatedBytes, VerifiedTokenCache } from './verified-token-cache.js';

const START = { generation: 0, epoch: 0 };
const ALWAYS = { fromMs: -Infinity, untilMs: Infinity };
const NOW_MS = 1_760_000_000_000;
const infoOf = (sessionHandle: string, payload: AccessTokenInfo['payload'] = {}): AccessTokenInfo => ({
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
  payload,
});

function setUp({ maxEntries = 10, maxBytes = 1e9 } = {}) {
  const cache = new VerifiedTokenCache({ maxEntries, maxBytes });
  return {
    cache,
    add: (token: string, info = infoOf('s')) =>
      cache.set(token, info, ALWAYS, { ...START, epoch: cache.epoch }),
    get: (token: string) => cache.get(token, 0, NOW_MS),
    has: (token: string) => cache.get(token, 0, NOW_MS) !== undefined,
  };
}

describe('the memory of verified tokens', () => {
  it('stays at its bound under 50,000 tokens, and keeps the newest (S012)', () => {
    const { cache, add, get, has } = setUp({ maxEntries: 1000 });
    const info = infoOf('s');
    for (let n = 0; n < 50_000; n++) add(`token-${n}`, info);
    expect(cache.size).toBe(1000);
    expect(get('token-49999')).toBe(info);
    expect(has('token-49000')).toBe(true);
    expect(has('token-48999')).toBe(false);
  });

  it('stays at its bound of bytes, however large the tokens are (S012)', () => {
    const maxBytes = 1_000_000;
    const { cache, add } = setUp({ maxEntries: 100_000, maxBytes });
    for (let n = 0; n < 5000; n++) {
      add(`token-${n}`, infoOf('s', { text: 'x'.repeat((n * 7919) % 8000), list: [n, { n }] }));
      expect(cache.bytes).toBeLessThanOrEqual(maxBytes);
    }
    expect(cache.size).toBeGreaterThan(100);
  });

  it('counts what it takes, and nothing when it is empty again (S012)', () => {
    const { cache, add } = setUp();
    add('a', infoOf('s', { role: 'admin' }));
    const one = estimatedBytes('a', infoOf('s', { role: 'admin' }));
    expect(cache.bytes).toBe(one);
    add('a', infoOf('s', { role: 'admin' }));
    expect({ size: cache.size, bytes: cache.bytes }).toEqual({ size: 1, bytes: one });
    add('b');
    cache.delete('b');
    cache.deleteSessions(['s']);
    expect({ size: cache.size, bytes: cache.bytes }).toEqual({ size: 0, bytes: 0 });
  });

  it.each<[what: string, payload: AccessTokenInfo['payload'], bytes: number]>([
    ['an empty payload', {}, 56],
    ['a text', { ab: 'xyz' }, 56 + 32 + 2 + 24 + 3],
    ['a text that is not all ASCII', { ab: 'xyü' }, 56 + 32 + 2 + 24 + 2 * 3],
    ['numbers, and values that need no memory of their own', { a: 1, b: true, c: null }, 56 + 3 * 33 + 16],
    ['a list', { a: [1, 'x'] }, 56 + 33 + 56 + 2 * 8 + 16 + 25],
    ['an object in an object', { a: { b: 1 } }, 56 + 33 + 56 + 33 + 16],
  ])('estimates the bytes of %s (S012)', (_, payload, bytes) => {
    const { cache, add } = setUp();
    add('token', infoOf('s', payload));
    expect(cache.bytes).toBe(600 + 'token'.length + bytes);
  });

  it('never keeps a token that would take more than a 64th of the bytes (S012)', () => {
    const { cache, add, has } = setUp({ maxBytes: 64_000 });
    add('small');
    add('large', infoOf('s', { text: 'x'.repeat(1000) }));
    expect([has('small'), has('large')]).toEqual([true, false]);
    expect(cache.size).toBe(1);
  });

  it('is full to the last byte with 64 tokens that take a 64th each', () => {
    const tokens = Array.from({ length: 64 }, (_, n) => `token-${n + 10}`);
    const { add, has } = setUp({ maxEntries: 1000, maxBytes: 64 * estimatedBytes('token-10', infoOf('s')) });
    for (const token of tokens) add(token);
    expect(tokens.filter(has)).toEqual(tokens);
    add('token-99');
    expect(tokens.filter(has)).toEqual(tokens.filter((token) => token !== 'token-10'));
  });

  it('keeps a proof that was under way when no session was revoked', () => {
    const { cache, has } = setUp();
    cache.deleteSessions([]);
    cache.set('a', infoOf('s'), ALWAYS, START);
    expect(has('a')).toBe(true);
  });

  it.each([{ maxEntries: 0 }, { maxBytes: 0 }])('keeps nothing with %o', (limits) => {
    const { cache, add } = setUp(limits);
    add('a');
    expect(cache.size).toBe(0);
  });

  it('keeps tokens that are in use while others pass through (S102)', () => {
    const { add, has } = setUp({ maxEntries: 100 });
    for (let n = 0; n < 50; n++) add(`mine-${n}`);
    for (let n = 0; n < 10_000; n++) {
      add(`flood-${n}`);
      expect(has(`mine-${n % 50}`)).toBe(true);
    }
  });

  it('makes room although every token was used', () => {
    const { cache, add, has } = setUp({ maxEntries: 3 });
    for (const token of ['a', 'b', 'c']) {
      add(token);
      has(token);
    }
    add('d');
    expect(cache.size).toBe(3);
    expect(['a', 'b', 'c', 'd'].map(has)).toEqual([false, true, true, true]);
  });

  it('passes over 64 used tokens at most to make room (S102)', () => {
    const { add, has } = setUp({ maxEntries: 200 });
    for (let n = 0; n < 200; n++) add(`token-${n}`);
    for (let n = 0; n < 200; n++) has(`token-${n}`);
    add('one-more');
    expect([has('token-0'), has('token-64'), has('token-65'), has('one-more')]).toEqual([
      true,
      false,
      true,
      true,
    ]);
  });

  it('tells tokens apart that end alike (S012)', () => {
    const { add, get, has, cache } = setUp();
    const end = 'x'.repeat(100);
    const info = infoOf('s');
    add(`a${end}`, info);
    expect([has(`b${end}`), has(end)]).toEqual([false, false]);
    cache.delete(`b${end}`);
    expect(get(`a${end}`)).toBe(info);
    add(`b${end}`, infoOf('t'));
    expect([has(`a${end}`), has(`b${end}`)]).toEqual([false, true]);
    expect(cache.size).toBe(1);
    expect(cache.bytes).toBe(estimatedBytes(`b${end}`, infoOf('t')));
  });

  it('knows a token only while it is good (S012)', () => {
    const { cache } = setUp();
    cache.set('a', infoOf('s'), { fromMs: NOW_MS, untilMs: NOW_MS + 10 }, START);
    const known = [-1, 0, 9, 10].map((ms) => cache.get('a', 0, NOW_MS + ms) !== undefined);
    expect(known).toEqual([false, true, true, false]);
  });

  it('is empty when the key set has changed (S012)', () => {
    const { cache } = setUp();
    cache.set('a', infoOf('s'), ALWAYS, START);
    expect(cache.get('a', 1, NOW_MS)).toBeUndefined();
    expect({ size: cache.size, bytes: cache.bytes }).toEqual({ size: 0, bytes: 0 });
    cache.set('a', infoOf('s'), ALWAYS, START);
    expect(cache.size).toBe(0);
    cache.set('a', infoOf('s'), ALWAYS, { generation: 1, epoch: 0 });
    expect(cache.get('a', 1, NOW_MS)).toBeDefined();
  });

  it('forgets the tokens that fulfil a condition, and keeps no proof from before', () => {
    const { cache, add, has } = setUp();
    add('a', { ...infoOf('s'), userId: 'ada' });
    add('b', infoOf('s'));
    add('c', { ...infoOf('t'), userId: 'ada' });
    cache.deleteWhere(({ userId }) => userId === 'ada');
    expect(['a', 'b', 'c'].filter(has)).toEqual(['b']);
    cache.set('a', infoOf('s'), ALWAYS, START);
    expect(has('a')).toBe(false);
  });

  it('forgets single tokens and all tokens of sessions', () => {
    const { cache, add, has } = setUp();
    for (const [token, handle] of [
      ['a', 's'],
      ['b', 's'],
      ['c', 't'],
      ['d', 'u'],
      ['e', 's'],
      ['f', 's'],
    ] as const) {
      add(token, infoOf(handle));
    }
    cache.delete('d');
    cache.delete('b');
    cache.delete('f');
    cache.deleteSessions(['s', 'unknown']);
    expect(['a', 'b', 'c', 'd', 'e', 'f'].filter(has)).toEqual(['c']);
    expect(cache.epoch).toBe(1);
    cache.set('a', infoOf('s'), ALWAYS, START);
    expect(has('a')).toBe(false);
  });

  it.each<[how: string, forget: (cache: VerifiedTokenCache) => void]>([
    ['by a condition', (cache) => cache.deleteWhere(() => false)],
    ['all at once', (cache) => cache.deleteAll()],
  ])('keeps no proof from before two revocations, the second %s (S012)', (_, forget) => {
    const { cache, has } = setUp();
    cache.deleteSessions(['t']);
    forget(cache);
    cache.set('a', infoOf('s'), ALWAYS, START);
    expect(has('a')).toBe(false);
    expect(cache.epoch).toBe(2);
  });

  it('makes room by the oldest token also after a younger one was forgotten', () => {
    const { cache, add, has } = setUp({ maxEntries: 4 });
    for (const token of ['a', 'b', 'c', 'd']) add(token);
    cache.delete('b');
    add('e');
    add('f');
    add('g');
    expect(['a', 'b', 'c', 'd', 'e', 'f', 'g'].filter((token) => has(token)).join('')).toBe('defg');
  });

  it('keeps nothing of a session whose last token is forgotten', () => {
    const { cache, add } = setUp();
    add('a', infoOf('s'));
    add('b', infoOf('s'));
    cache.delete('b');
    cache.delete('a');
    expect(Reflect.get(cache, 'sessions')).toEqual(new Map());
  });

  it('finds the tokens of a session also when others of it have made room', () => {
    const { cache, add, has } = setUp({ maxEntries: 4 });
    for (let n = 0; n < 20; n++) add(`token-${n}`, infoOf(n % 3 === 0 ? 's' : 't'));
    cache.deleteSessions(['s']);
    expect(Array.from({ length: 20 }, (_, n) => n).filter((n) => has(`token-${n}`))).toEqual([16, 17, 19]);
    cache.deleteSessions(['t']);
    expect({ size: cache.size, bytes: cache.bytes }).toEqual({ size: 0, bytes: 0 });
  });

  it('finds no token that is called like a member of the language', () => {
    const { has } = setUp();
    for (const name of ['__proto__', 'constructor', 'size']) expect(has(name)).toBe(false);
  });
});
