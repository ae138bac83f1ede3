import { describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import { wireConfig } from '../../test/fixtures/wire-config.js';
import type { HttpRequest } from '../util/http-exchange.js';
import {
  browserPaths,
  cookiesOfHeader,
  findCookies,
  findRequestCookies,
  identifiedBy,
  IncomingRequest,
  isSentFrom,
  MAX_CREDENTIAL_LENGTH,
  presentedCookie,
  readAuthorization,
  requestIdentity,
  type IncomingRequestSource,
} from './incoming-request.js';

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
    for (const cookies of [null, 'sAccessToken=text', () => ({})])
      expect(requestWith({ headers, cookies }).getCookieValue('sAccessToken')).toBe('raw');
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

/** The first value and the number of the cookies of one name. */
function find(header: string, name: string): [value: string | undefined, count: number] {
  const [found] = findCookies(header, [name]);
  return [found?.value, found?.count ?? 0];
}

describe('reading a Cookie header', () => {
  it.each([
    ['an ordinary cookie', 'sAccessToken=abc', 'abc'],
    ['the first of several with the name', 'sAccessToken=first; sAccessToken=second', 'first'],
    ['a value in double quotes (T74)', 'sAccessToken="abc"', 'abc'],
    ['nothing in double quotes', 'sAccessToken=""', ''],
    ['a single quote mark as it is', 'sAccessToken="', '"'],
    ['an opening quote mark as it is', 'sAccessToken="abc', '"abc'],
    ['a closing quote mark as it is', 'sAccessToken=abc"', 'abc"'],
    ['a percent-encoded value', 'sAccessToken=a%2Bb%2F%3D', 'a+b/='],
    ['a value raw where decoding fails', 'sAccessToken=100%', '100%'],
    ['a value holding "="', 'sAccessToken=a=b==', 'a=b=='],
    ['an empty value', 'sAccessToken=', ''],
    ['nothing for a name without a value', 'sAccessToken', undefined],
    ['the first value, not that of a name without one', 'sAccessToken; sAccessToken=b', 'b'],
    ['a value starting with j: as text (T76)', 'sAccessToken=j:{"a":1}', 'j:{"a":1}'],
    ['beside a cookie with broken encoding (T75)', 'other=%E0%A4%A; sAccessToken=abc', 'abc'],
    ['between stray separators', ';; sAccessToken = abc ;=x;flag', 'abc'],
  ])('gives %s', (_case, header, value) => {
    expect(find(header, 'sAccessToken')[0]).toBe(value);
  });

  it('finds nothing where there is nothing, whatever the name', () => {
    const nothing = [undefined, 0];
    expect(find('', 'a')).toEqual(nothing);
    expect(find('a=1', '__proto__')).toEqual(nothing);
    expect(find('a=1', 'constructor')).toEqual(nothing);
  });

  it('treats names case-sensitively, so a look-alike is another cookie', () => {
    expect(find('saccesstoken=abc', 'sAccessToken')).toEqual([undefined, 0]);
  });

  it.each([
    ['', 0],
    ['sAccessToken=a', 1],
    ['sAccessToken=a; x=1;sAccessToken=b', 2],
    ['sAccessTokenOther=a; sAccessToken=b', 1],
    ['sAccessToken=a; s%41ccessToken=b', 2],
    ['sAccessToken; sAccessToken=b', 2],
    ['x=sAccessToken=1; %E0%A4%A=2', 0],
  ])('counts sAccessToken in "%s": %d', (header, count) => {
    expect(find(header, 'sAccessToken')[1]).toBe(count);
  });

  it('finds several names in one pass as if each cookie had been taken apart', () => {
    const names = ['a', 'sAccessToken', 'b%41', '__proto__'];
    const piece = fc.constantFrom(
      ...names,
      's%41ccessToken',
      '=',
      ';',
      ' ',
      '"',
      '%',
      '%3B',
      '\u00a0',
      '\t',
      'x',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 24 }), (pieces) => {
        const header = pieces.join('');
        expect(findCookies(header, names)).toEqual(names.map((name) => takenApart(header, name)));
      }),
    );
  });

  it('reads a header without any "=" as fast as another one (S102)', () => {
    expect(find('a;'.repeat(32_000), 'a')).toEqual([undefined, 32_000]);
  });

  it('looks for a "=" once where there is none (S102)', () => {
    const indexOf = jest.spyOn(String.prototype, 'indexOf');
    try {
      find('a;'.repeat(100), 'a');
      expect(indexOf.mock.calls.filter(([character]) => character === '=')).toHaveLength(1);
    } finally {
      indexOf.mockRestore();
    }
  });
});

/** The rules, written out for one name. */
function takenApart(header: string, name: string): { value: string | undefined; count: number } {
  const decode = (text: string): string => {
    try {
      return decodeURIComponent(text);
    } catch {
      return text;
    }
  };
  const pairs = header.split(';').map((pair) => /^(?<key>[^=]*)(?<value>=.*)?$/su.exec(pair)?.groups ?? {});
  const keys = pairs.map(({ key = '' }) => key.trim());
  const first = pairs.find(({ value }, i) => keys[i] === name && value !== undefined)?.['value'];
  const unquoted = first
    ?.slice(1)
    .trim()
    .replace(/^"(.*)"$/su, '$1');
  return {
    value: unquoted === undefined ? undefined : decode(unquoted),
    count: keys.filter((key) => decode(key) === name).length,
  };
}

describe('a Cookie header beyond 64 kB', () => {
  it('holds no cookies, so that its length costs nothing (S102)', () => {
    const header = `sAccessToken=a; ${'x=y; '.repeat(14_000)}sAccessToken=b`;
    expect(find(header, 'sAccessToken')).toEqual([undefined, 0]);
    const longest = `sAccessToken=a;${' '.repeat(64 * 1024 - 'sAccessToken=a;'.length)}`;
    expect(find(longest, 'sAccessToken')).toEqual(['a', 1]);
    expect(find(`${longest} `, 'sAccessToken')).toEqual([undefined, 0]);
  });
});

describe('the paths whose cookies a browser sends', () => {
  it.each([
    ['/', '/me', true],
    ['/me', '/me', true],
    ['/me', '/me/friends?page=2', true],
    ['/me', '/menu', false],
    ['/me', '/', false],
    ['/me', '', true],
    ['/gateway/me', '/me', false],
  ])('%s goes with %j: %s', (cookiePath, url, isSent) => {
    expect(isSentFrom(cookiePath, requestWith({ url }), wireConfig())).toBe(isSent);
  });

  it('count with the prefix that a gateway strips, and without', () => {
    const config = wireConfig({ appInfo: { ...wireConfig().appInfo, apiGatewayPath: '/gateway' } });
    const request = requestWith({ url: '/me?a' });
    expect(browserPaths(request, config)).toEqual(['/gateway/me', '/me']);
    expect(browserPaths(request, wireConfig())).toEqual(['/me']);
    expect(isSentFrom('/gateway', request, config)).toBe(true);
    expect(isSentFrom('/me', request, config)).toBe(true);
  });
});

function readCredential(authorization?: string): ReturnType<typeof readAuthorization> {
  return readAuthorization(requestWith({ headers: { authorization } }));
}

describe('the Authorization header', () => {
  it.each([
    ['Bearer a.b.c', { scheme: 'Bearer', token: 'a.b.c' }],
    ['Bearer   a  ', { scheme: 'Bearer', token: 'a' }],
    ['Bearer ', { scheme: 'Bearer', token: '' }],
    ['DPoP a.b.c', { scheme: 'DPoP', token: 'a.b.c' }],
    ['dpop  a ', { scheme: 'DPoP', token: 'a' }],
    ['bearer a', undefined],
    ['DPoPa', undefined],
    ['x DPoP a', undefined],
    ['Basic YTpi', undefined],
    [undefined, undefined],
  ])('%j brings %j', (value, authorization) => {
    expect(readCredential(value)).toEqual(authorization);
  });

  it('counts up to 16 kB', () => {
    const token = 'x'.repeat(MAX_CREDENTIAL_LENGTH - 'Bearer '.length);
    expect(readCredential(`Bearer ${token}`)?.token).toBe(token);
    expect(readCredential(`Bearer ${token}x`)).toBeUndefined();
    expect(MAX_CREDENTIAL_LENGTH).toBe(16_384);
  });
});

const requestOf = (original: unknown): HttpRequest => ({ original }) as HttpRequest;

describe('the object that stands for a request', () => {
  it('is the request of the framework, however often it is wrapped', () => {
    const original = {};
    expect(requestIdentity(requestOf(original))).toBe(original);
    expect(requestIdentity(requestOf(original))).toBe(requestIdentity(requestOf(original)));
  });

  it('is the one origin of requests that are made anew', () => {
    const origin = {};
    const requests = [1, 2].map((n) => requestOf({ n, ...identifiedBy(origin) }));
    expect(requests.map(requestIdentity)).toEqual([origin, origin]);
    expect(requests.every((request) => requestIdentity(request) === origin)).toBe(true);
  });

  it.each([undefined, null, 'GET /'])('is the wrapper itself around %j', (original) => {
    const request = requestOf(original);
    expect(requestIdentity(request)).toBe(request);
  });
});
