import { describe, expect, it, jest } from '@jest/globals';

const crypto = await import('node:crypto');
let derivations = 0;
jest.unstable_mockModule('node:crypto', () => ({
  ...crypto,
  default: crypto,
  pbkdf2Sync: (...args: Parameters<typeof crypto.pbkdf2Sync>): Buffer => {
    derivations++;
    return crypto.pbkdf2Sync(...args);
  },
}));
const { RefreshTokens } = await import('./refresh-token.js');

const NONCE = 'b'.repeat(64);

/** Key derivations that opening a text costs. */
function costOf(token: string): number {
  const tokens = new RefreshTokens('1000:aa:bb');
  const before = derivations;
  expect(tokens.open(token)).toBeUndefined();
  return derivations - before;
}

describe('the price of a forged refresh token', () => {
  it.each<[string, string]>([
    ['nothing', ''],
    ['a megabyte', 'A'.repeat(1_000_000)],
    ['a megabyte of dots', '.'.repeat(1_000_000)],
    ['a JWT', 'eyJhbGciOiJSUzI1NiJ9.e30.AAAA'],
    ['a wrong type', `${'A'.repeat(64)}.${NONCE}.V9`],
    ['a wrong nonce', `${'A'.repeat(64)}.${'x'.repeat(64)}.V2`],
    ['a short nonce', `${'A'.repeat(64)}.${'b'.repeat(63)}.V2`],
    ['no base64', `${'!'.repeat(64)}.${NONCE}.V2`],
    ['base64 without its padding', `${'A'.repeat(65)}.${NONCE}.V2`],
    ['too few sealed bytes', `AAAA.${NONCE}.V2`],
  ])('S102 is no key derivation for %s', (_, token) => {
    expect(costOf(token)).toBe(0);
  });

  it('S102 is one key derivation for what looks like a token, and not more', () => {
    expect(costOf(`${'A'.repeat(400)}.${NONCE}.V2`)).toBe(1);
  });
});
