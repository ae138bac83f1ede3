import { describe, expect, it, jest } from '@jest/globals';

const crypto = await import('node:crypto');
let derivations = 0;
jest.unstable_mockModule('node:crypto', () => ({
  ...crypto,
  default: crypto,
  pbkdf2: (...args: Parameters<typeof crypto.pbkdf2>): void => {
    derivations++;
    crypto.pbkdf2(...args);
  },
  pbkdf2Sync: (...args: Parameters<typeof crypto.pbkdf2Sync>): Buffer => {
    derivations++;
    return crypto.pbkdf2Sync(...args);
  },
}));
const { RefreshTokens } = await import('../../tokens/refresh-token.js');

const NONCE = 'b'.repeat(64);

/** Key derivations that opening a text costs. */
async function costOf(token: string): Promise<number> {
  const tokens = new RefreshTokens('1000:aa:bb');
  const before = derivations;
  expect(await tokens.open(token)).toBeUndefined();
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
  ])('is no key derivation for %s (S102)', async (_, token) => {
    expect(await costOf(token)).toBe(0);
  });

  it('is one key derivation for what looks like a token, and not more (S102)', async () => {
    expect(await costOf(`${'A'.repeat(400)}.${NONCE}.V2`)).toBe(1);
  });
});

describe('the price of a refresh token of ours', () => {
  const content = {
    sessionHandle: 'handle',
    userId: 'user-1',
    tenantId: 'public',
    parentRefreshTokenHash1: undefined,
    antiCsrfToken: undefined,
  };

  async function derivationsOf(work: () => Promise<unknown>): Promise<number> {
    const before = derivations;
    await work();
    return derivations - before;
  }

  it('is one key derivation when it is made, and none when this process opens it', async () => {
    const tokens = new RefreshTokens('1000:aa:bb');
    let token = '';
    expect(await derivationsOf(async () => (token = await tokens.issue(content)))).toBe(1);
    for (let time = 0; time < 3; time++) {
      expect(await derivationsOf(async () => expect(await tokens.open(token)).toMatchObject(content))).toBe(
        0,
      );
    }
  });

  it('is one when another process opens it for the first time', async () => {
    const token = await new RefreshTokens('1000:aa:bb').issue(content);
    const tokens = new RefreshTokens('1000:aa:bb');
    expect(await derivationsOf(async () => tokens.open(token))).toBe(1);
    expect(await derivationsOf(async () => tokens.open(token))).toBe(0);
  });

  it('is remembered for the 16,384 newest, whose place no forged token takes (S012 S102)', async () => {
    const tokens = new RefreshTokens('1000:aa:bb');
    const issue = async (): Promise<string> => tokens.issue(content);
    const oldest = await issue();
    const next = await issue();
    for (let made = 2; made < 16_384 - 64; made += 64) await Promise.all(Array.from({ length: 64 }, issue));
    for (let n = 1000; n < 1100; n++) await tokens.open(`${n}${'A'.repeat(300)}.${NONCE}.V2`);
    expect(await derivationsOf(async () => tokens.open(next))).toBe(0);
    await Promise.all(Array.from({ length: 64 }, issue));
    expect(await derivationsOf(async () => tokens.open(oldest))).toBe(1);
  });
});
