import { describe, expect, it } from '@jest/globals';
import { MAX_CREDENTIAL_LENGTH } from './authorization.js';
import { cookiesOfHeader, findRequestCookies, IncomingRequest, presentedCookie } from './incoming-request.js';
import type { IncomingRequestSource } from './incoming-request.js';

function requestWith(source: Partial<IncomingRequestSource>): IncomingRequest {
  return new IncomingRequest({ method: 'GET', url: '/', headers: {}, ...source });
}

describe('reading a request', () => {
  it('finds headers in any letter case and takes the first of several values', () => {
    const request = requestWith({ headers: { 'st-auth-mode': 'cookie', rid: ['a', 'b'] } });
    expect(request.getHeaderValue('St-Auth-Mode')).toBe('cookie');
    expect(request.getHeaderValue('rid')).toBe('a');
  });

  it.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty'])(
    'does not mistake %s for a header or a cookie',
    (name) => {
      expect(requestWith({}).getHeaderValue(name)).toBeUndefined();
      expect(requestWith({}).getCookieValue(name)).toBeUndefined();
      expect(requestWith({ cookies: {} }).getCookieValue(name)).toBeUndefined();
    },
  );

  it('uses the cookies that a parser of the application has read', () => {
    const headers = { cookie: 'sAccessToken=raw' };
    expect(requestWith({ headers, cookies: { sAccessToken: 'parsed' } }).getCookieValue('sAccessToken')).toBe(
      'parsed',
    );
    expect(requestWith({ headers, cookies: {} }).getCookieValue('sAccessToken')).toBeUndefined();
  });

  it('reads the header itself where no parser ran', () => {
    const headers = { cookie: 'sAccessToken=raw' };
    expect(requestWith({ headers }).getCookieValue('sAccessToken')).toBe('raw');
    expect(requestWith({ headers, cookies: null }).getCookieValue('sAccessToken')).toBe('raw');
  });

  it('takes strings only: a parser makes objects of values starting with j: (T76)', () => {
    expect(
      requestWith({ cookies: { sAccessToken: { a: 1 } } }).getCookieValue('sAccessToken'),
    ).toBeUndefined();
  });

  it('notices when a middleware changes the Cookie header', () => {
    const headers: Record<string, string> = { cookie: 'a=1' };
    const request = requestWith({ headers });
    expect(request.getCookieValue('a')).toBe('1');
    headers['cookie'] = 'a=2';
    expect(request.getCookieValue('a')).toBe('2');
  });

  it('gives the method in lower case', () => {
    expect(requestWith({ method: 'DELETE' }).getMethod()).toBe('delete');
  });

  it('gives the URL from before a router took its prefix off', () => {
    expect(requestWith({ url: '/me', originalUrl: '/api/me' }).getOriginalURL()).toBe('/api/me');
    expect(requestWith({ url: '/me' }).getOriginalURL()).toBe('/me');
  });

  it('is of no method and no URL where the framework names none', () => {
    const request = new IncomingRequest({ headers: {} });
    expect([request.getMethod(), request.getOriginalURL()]).toEqual(['', '']);
  });
});

describe('the cookies of a request', () => {
  const absent = { value: undefined, count: 0, isPresent: false };

  it('are found in its header, with their number', () => {
    const request = requestWith({ headers: { cookie: 'a=1; b=; a=2' } });
    expect(findRequestCookies(request, ['a', 'b', 'c'])).toEqual([
      { value: '1', count: 2, isPresent: true },
      { value: '', count: 1, isPresent: true },
      absent,
    ]);
    expect(findRequestCookies(requestWith({}), ['a'])).toEqual([absent]);
  });

  it('are those of a parser where one has run, and there whatever it made of them', () => {
    const request = requestWith({
      headers: { cookie: 'a=1; b=j:{}' },
      cookies: { a: 'parsed', b: {}, c: 'signed' },
    });
    expect(findRequestCookies(request, ['a', 'b', 'c', 'd'])).toEqual([
      { value: 'parsed', count: 1, isPresent: true },
      { value: undefined, count: 1, isPresent: true },
      { value: 'signed', count: 0, isPresent: true },
      absent,
    ]);
  });

  it('are asked for by name of the request of another framework', () => {
    const mine = {
      original: undefined,
      getMethod: () => 'get',
      getOriginalURL: () => '/',
      getHeaderValue: () => undefined,
      getCookieValue: (name: string) => `${name} of mine`,
    };
    expect(findRequestCookies(mine, ['a'])).toEqual([{ value: 'a of mine', count: 0, isPresent: true }]);
  });

  it('are found in a header by itself', () => {
    expect(cookiesOfHeader('a=1; a=2', ['a', 'b'])).toEqual([
      { value: '1', count: 2, isPresent: true },
      absent,
    ]);
    expect(cookiesOfHeader(undefined, ['a'])).toEqual([absent]);
  });

  it('are presented as far as a token is concerned', () => {
    const cookie = { value: 'x', count: 1, isPresent: true };
    const token = { token: 'x', isPresent: true, isDuplicated: false, hasLegacyCookie: false };
    expect(presentedCookie(cookie, undefined)).toEqual(token);
    expect(presentedCookie({ ...cookie, count: 2 }, absent)).toEqual({ ...token, isDuplicated: true });
    expect(presentedCookie(cookie, cookie)).toEqual({ ...token, hasLegacyCookie: true });
    const none = { ...token, token: undefined, isPresent: false };
    expect(presentedCookie(undefined, undefined)).toEqual(none);
    expect(presentedCookie(absent, undefined)).toEqual(none);
    const long = 'x'.repeat(MAX_CREDENTIAL_LENGTH);
    expect(presentedCookie({ ...cookie, value: long }, undefined).token).toBe(long);
    expect(presentedCookie({ ...cookie, value: `${long}x` }, undefined)).toEqual({
      ...token,
      token: undefined,
    });
  });
});
