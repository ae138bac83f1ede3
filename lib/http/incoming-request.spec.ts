import { describe, expect, it } from '@jest/globals';
import { IncomingRequest } from './incoming-request.js';
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
});
