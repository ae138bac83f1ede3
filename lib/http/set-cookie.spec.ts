import { describe, expect, it } from '@jest/globals';
import { parseSetCookie, type ReceivedCookie } from './set-cookie.js';

const FROM = new URL('https://api.shop.io/auth/session/refresh');
const NOW_MS = Date.UTC(2026, 10, 21);

function cookieOf(line: string, from = FROM): ReceivedCookie {
  const cookie = parseSetCookie(line, from, NOW_MS);
  if (cookie === undefined) throw new Error('It is no cookie');
  return cookie;
}

describe('a Set-Cookie line, as a browser reads it', () => {
  it('has name, value and attributes, whatever their case and spaces', () => {
    expect(
      cookieOf(
        ' a = b=c ;DOMAIN= .Shop.io ; path=/x;SECURE; HttpOnly ;samesite=STRICT; Partitioned; other=1',
      ),
    ).toEqual({
      name: 'a',
      value: 'b=c',
      domain: 'shop.io',
      path: '/x',
      sameSite: 'strict',
      secure: true,
      httpOnly: true,
      partitioned: true,
      isRemoval: false,
    });
  });

  it.each(['', 'a', '=a', ';a=b'])('needs a name: "%s" has none', (line) => {
    expect(parseSetCookie(line, FROM, NOW_MS)).toBeUndefined();
  });

  it.each([
    ['a=b', '/auth/session'],
    ['a=b; Path=', '/auth/session'],
    ['a=b; Path=x', '/auth/session'],
    ['a=b; Path=/y; Path=/x', '/x'],
  ])('%s is for %s', (line, path) => {
    expect(cookieOf(line).path).toBe(path);
  });

  it.each([
    ['a=; Path=/', true],
    ['a=b; Max-Age=0', true],
    ['a=b; Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT', false],
    ['a=b; Expires=Thu, 01 Jan 1970 00:00:00 GMT', true],
    ['a=b; Expires=Thu, 01 Jan 2099 00:00:00 GMT', false],
    ['a=b; Expires=soon', false],
  ])('%s removes: %s', (line, isRemoval) => {
    expect(cookieOf(line).isRemoval).toBe(isRemoval);
  });
});
