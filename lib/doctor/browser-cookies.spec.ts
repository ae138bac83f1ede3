import { describe, expect, it } from '@jest/globals';
import { parseSetCookie, type ReceivedCookie } from '../http/set-cookie.js';
import { dropReasons, isSent, jarAfter } from './browser-cookies.js';

const FROM = new URL('https://api.shop.io/auth/session/refresh');
const NOW_MS = Date.UTC(2026, 10, 21);

function cookieOf(line: string, from = FROM): ReceivedCookie {
  const cookie = parseSetCookie(line, from, NOW_MS);
  if (cookie === undefined) throw new Error('It is no cookie');
  return cookie;
}

describe('a Set-Cookie line, as a browser reads it', () => {
  it.each([
    ['a=b', FROM.href, []],
    ['a=b; Domain=shop.io', FROM.href, []],
    ['a=b; Domain=evilshop.io', FROM.href, ['foreign-domain']],
    ['a=b; Domain=i.shop.io', FROM.href, ['foreign-domain']],
    ['a=b; Domain=sub.api.shop.io', FROM.href, ['foreign-domain']],
    ['a=b; Domain=io', FROM.href, ['public-suffix']],
    ['a=b; Domain=vercel.app', 'https://shop.vercel.app/', ['public-suffix']],
    ['a=b; Domain=127.0.0.1', 'https://127.0.0.1/', []],
    ['a=b; Domain=0.0.1', 'https://127.0.0.1/', ['foreign-domain']],
    ['a=b; Domain=localhost', 'http://localhost/', []],
    ['a=b; Secure', 'http://api.shop.io/', ['secure-over-http']],
    ['a=b; Secure', 'http://localhost/', []],
    ['a=b; Secure', 'http://127.0.0.9/', []],
    ['a=b; SameSite=None', FROM.href, ['none-without-secure']],
    ['a=b; Partitioned', FROM.href, ['partitioned-without-secure']],
    ['__Host-a=b; Secure; Path=/', FROM.href, []],
    ['__HOST-a=b; Secure; Path=/x', FROM.href, ['prefix']],
    ['__Secure-a=b', FROM.href, ['prefix']],
    [`a=${'b'.repeat(4095)}`, FROM.href, []],
    [`a=${'b'.repeat(4096)}`, FROM.href, ['too-large']],
  ])('%.60s from %s is dropped for %j', (line, from, reasons) => {
    expect(dropReasons(cookieOf(line, new URL(from)), new URL(from))).toEqual(reasons);
  });

  it.each([
    ['a=b; Path=/auth', '/auth', 'https://shop.io', true],
    ['a=b; Path=/auth', '/auth/x', 'https://shop.io', true],
    ['a=b; Path=/auth', '/authx', 'https://shop.io', false],
    ['a=b; Path=/auth/', '/auth', 'https://shop.io', false],
    ['a=b; Path=/', '/auth', 'https://shop.io', true],
    ['a=b; Path=/', '/auth', 'https://shop.com', false],
    ['a=b; Path=/', '/auth', 'http://shop.io', false],
    ['a=b; Path=/; SameSite=None; Secure', '/auth', 'https://shop.com', true],
    ['a=; Path=/', '/auth', 'https://shop.io', false],
  ])('%s goes to %s from pages of %s: %s', (line, path, website, sent) => {
    expect(isSent(cookieOf(line), new URL(path, FROM), new URL(website))).toBe(sent);
  });
});

describe('the jar of a browser', () => {
  const jar = (...lines: string[]) =>
    jarAfter(
      lines.map((line) => cookieOf(line)),
      FROM,
    ).map(({ name, value }) => `${name}=${value}`);

  it('keeps the newest of a name, domain and path, and what others set elsewhere', () => {
    expect(jar('a=1; Path=/', 'a=2; Path=/', 'a=3; Path=/; Domain=shop.io', 'a=4; Path=/x')).toEqual([
      'a=2',
      'a=3',
      'a=4',
    ]);
  });

  it('forgets what is removed at the same place, and only that', () => {
    expect(jar('a=1; Path=/', 'a=2; Path=/x', 'a=; Path=/')).toEqual(['a=2']);
    expect(jar('a=1; Path=/', 'a=; Path=/; Domain=shop.io')).toEqual(['a=1']);
  });

  it('does not take what a browser drops', () => {
    expect(jar('a=1; Path=/; Domain=shop.com', 'b=1; Path=/; SameSite=None')).toEqual([]);
  });
});
