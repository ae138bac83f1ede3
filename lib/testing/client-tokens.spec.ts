import { describe, expect, it } from '@jest/globals';
import { ClientTokens } from './client-tokens.js';

const NOW_MS = 1_760_000_000_000;

/** A browser that has received these cookies. */
function browserWith(...lines: string[]): ClientTokens {
  const tokens = new ClientTokens('cookie', { refreshPath: '/auth/session/refresh', now: () => NOW_MS });
  tokens.keep({ lines: (name) => (name === 'set-cookie' ? lines : []) });
  return tokens;
}

describe('the tokens of a client', () => {
  it.each([
    ['/', '/orders', true],
    ['/auth/session/refresh', '/auth/session/refresh', true],
    ['/auth/session/refresh', '/auth/session/refresh?x=1', true],
    ['/auth/session/refresh', '/auth/session/refreshed', false],
    ['/auth/session/refresh', '/orders', false],
    ['/api', '/api/orders', true],
    ['/api', '/apiary', false],
    ['/api/', '/api/orders', true],
  ])('send a cookie of %s with a request to %s: %s', (cookiePath, path, isSent) => {
    const { cookie } = browserWith(`a=1; Path=${cookiePath}`).requestHeaders(path);
    expect(cookie).toBe(isSent ? 'a=1' : undefined);
  });

  it.each([
    ['is empty', 'a=; Path=/'],
    ['ended in the past', `a=1; Path=/; Expires=${new Date(NOW_MS - 1000).toUTCString()}`],
    ['lives for no time', 'a=1; Path=/; Max-Age=0'],
  ])('drop a cookie that %s', (_which, line) => {
    expect(browserWith('a=0; Path=/', line).cookie('a')).toBeUndefined();
  });

  it('keep a cookie that ends in the future, and the newer of two', () => {
    const expires = new Date(NOW_MS + 1000).toUTCString();
    expect(browserWith('a=0; Path=/', `a=b=c; HttpOnly; Expires=${expires}`).cookie('a')).toBe('b=c');
  });

  it('are gone when an response removes the front token', () => {
    const tokens = new ClientTokens('header', { refreshPath: '/auth/session/refresh' });
    const response = (headers: Record<string, string>) => ({
      lines: (name: string) => [headers[name]].filter((value) => value !== undefined),
    });
    tokens.keep(response({ 'st-access-token': 'a', 'st-refresh-token': 'r', 'anti-csrf': 'c' }));
    expect(tokens.requestHeaders('/orders')).toMatchObject({ authorization: 'Bearer a', 'anti-csrf': 'c' });
    expect(tokens.requestHeaders('/auth/session/refresh')).toMatchObject({ authorization: 'Bearer r' });
    tokens.keep(response({ 'front-token': 'remove' }));
    expect(tokens.requestHeaders('/orders')).toEqual({ 'st-auth-mode': 'header', rid: 'anti-csrf' });
  });
});
