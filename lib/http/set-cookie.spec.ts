import { describe, expect, it } from '@jest/globals';
import {
  CookieJar,
  formatCookieHeader,
  matchesCookiePath,
  parseSetCookie,
  splitSetCookie,
  type ReceivedCookie,
} from './set-cookie.js';

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

  it('has only what its attributes say', () => {
    expect(cookieOf('a=b; SameSite=other', new URL('https://api.shop.io/login'))).toEqual({
      name: 'a',
      value: 'b',
      path: '/',
      secure: false,
      httpOnly: false,
      partitioned: false,
      isRemoval: false,
    });
    expect(['Lax', 'none'].map((value) => cookieOf(`a=b; SameSite=${value}`).sameSite)).toEqual([
      'lax',
      'none',
    ]);
    expect(cookieOf('a=b; Domain=').domain).toBeUndefined();
    expect(cookieOf('a=b; Domain=..shop.io').domain).toBe('.shop.io');
    expect(cookieOf('a=b; Domain=api.shop.io').domain).toBe('api.shop.io');
  });

  it('is split without a judgement', () => {
    const { name, value, attributes } = splitSetCookie('a=b%20c; Path = /x ; HttpOnly') ?? {};
    expect([name, value, Object.fromEntries(attributes ?? [])]).toEqual([
      'a',
      'b%20c',
      { path: '/x', httponly: '' },
    ]);
    expect(splitSetCookie('a')).toBeUndefined();
  });

  it.each([
    ['a=; Path=/', true],
    ['a=b; Max-Age=0', true],
    ['a=b; Max-Age=-1', true],
    ['a=b; Max-Age=1', false],
    ['a=b; Max-Age=1x; Expires=Thu, 01 Jan 1970 00:00:00 GMT', true],
    ['a=b; Max-Age=x0', false],
    ['a=b; Max-Age=x1; Expires=Thu, 01 Jan 1970 00:00:00 GMT', true],
    ['a=b; Expires=Sat, 21 Nov 2026 00:00:00 GMT', true],
    ['a=b; Expires=Sat, 21 Nov 2026 00:00:01 GMT', false],
    ['a=b', false],
    ['a=b; Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT', false],
    ['a=b; Expires=Thu, 01 Jan 1970 00:00:00 GMT', true],
    ['a=b; Expires=Thu, 01 Jan 2099 00:00:00 GMT', false],
    ['a=b; Expires=soon', false],
  ])('%s removes: %s', (line, isRemoval) => {
    expect(cookieOf(line).isRemoval).toBe(isRemoval);
  });
});

describe('the cookies of a client', () => {
  it.each([
    ['/', '/a/b', true],
    ['/a', '/a', true],
    ['/a', '/a/b', true],
    ['/a/', '/a/b', true],
    ['/a/', '/a/', true],
    ['/a', '/ab', false],
    ['/a/b', '/a', false],
  ])('with the path %s go to %s: %s', (cookiePath, path, isSent) => {
    expect(matchesCookiePath(cookiePath, path)).toBe(isSent);
  });

  it('are one for each name, domain, path and partition', () => {
    const jar = new CookieJar();
    const cookie = { name: 'a', value: '1', path: '/' };
    const others = [
      { ...cookie, name: 'b' },
      { ...cookie, domain: 'shop.io' },
      { ...cookie, path: '/x' },
      { ...cookie, partitioned: true },
    ];
    for (const each of [cookie, ...others]) jar.set(each);
    jar.set({ ...cookie, value: '2', partitioned: false });
    expect(jar.list()).toEqual([{ ...cookie, value: '2', partitioned: false }, ...others]);
    jar.set({ ...cookie, isRemoval: true });
    jar.set({ ...cookie, name: 'b', isRemoval: false });
    expect(jar.list()).toHaveLength(4);
    expect(formatCookieHeader(jar.list().slice(0, 2))).toBe('b=1; a=1');
    jar.clear();
    expect(jar.list()).toEqual([]);
  });
});
