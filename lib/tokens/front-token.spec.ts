import { describe, expect, it } from '@jest/globals';
import { buildFrontToken } from './front-token.js';

describe('the front token', () => {
  it('is padded base64 of JSON with the keys uid, ate, up in this order (T27)', () => {
    const token = buildFrontToken({
      userId: 'u1',
      accessTokenExpiryMs: 1_700_000_000_123,
      payload: { sub: 'u1', exp: 1 },
    });
    expect(Buffer.from(token, 'base64').toString('utf8')).toBe(
      '{"uid":"u1","ate":1700000000123,"up":{"sub":"u1","exp":1}}',
    );
    expect(token).toMatch(/^[A-Za-z0-9+/]+={0,2}$/);
    expect(token.length % 4).toBe(0);
  });

  it('carries text beyond ASCII as UTF-8', () => {
    const token = buildFrontToken({ userId: 'ü', accessTokenExpiryMs: 0, payload: { name: '山田 😀' } });
    expect(JSON.parse(Buffer.from(token, 'base64').toString('utf8'))).toEqual({
      uid: 'ü',
      ate: 0,
      up: { name: '山田 😀' },
    });
  });

  it('is the standard alphabet, not base64url', () => {
    const token = buildFrontToken({ userId: '???>>>', accessTokenExpiryMs: 0, payload: {} });
    expect(token).toMatch(/[+/]/);
  });
});
