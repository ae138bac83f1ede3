import { describe, expect, it } from '@jest/globals';
import { BODY_LIMIT } from './body-errors.js';
import { incomingRequest, readBody, type PlainRequest } from './plain-request.js';

function read(request: Partial<PlainRequest>) {
  return incomingRequest({ method: 'GET', url: '/', headers: {}, ...request });
}

describe('a plain request in the form of Node', () => {
  it('has method, URL and address', () => {
    expect(read({ method: 'post', url: '/me?page=2', ip: '192.0.2.7' })).toEqual({
      method: 'POST',
      url: '/me?page=2',
      headers: {},
      body: undefined,
      ip: '192.0.2.7',
    });
    expect(read({})).not.toHaveProperty('ip');
  });

  it.each<[string, PlainRequest['headers'], Record<string, string>]>([
    ['in lower case', { RID: 'session' }, { rid: 'session' }],
    [
      'joined where there are several',
      { 'x-trace': ['a', 'b'], accept: 'c' },
      { 'x-trace': 'a, b', accept: 'c' },
    ],
    [
      'of cookies by a semicolon',
      [
        ['Cookie', 'a=1'],
        ['cookie', 'b=2'],
      ],
      { cookie: 'a=1; b=2' },
    ],
    ['that were not given, left out', { a: undefined, b: 'c' }, { b: 'c' }],
    ['of an empty list, left out', { a: [] }, {}],
    ['of Headers', new Headers({ A: 'b' }), { a: 'b' }],
  ])('has headers %s', (_, headers, expected) => {
    expect({ ...read({ headers }).headers }).toEqual(expected);
  });

  it.each([
    'age',
    'authorization',
    'content-length',
    'content-type',
    'etag',
    'expires',
    'from',
    'host',
    'if-modified-since',
    'if-unmodified-since',
    'last-modified',
    'location',
    'max-forwards',
    'proxy-authorization',
    'referer',
    'retry-after',
    'server',
    'user-agent',
  ])('keeps the first line of %s, as Node does', (name) => {
    expect(read({ headers: { [name]: ['first', 'second'] } }).headers[name]).toBe('first');
  });

  it.each<[string, object, string]>([
    ['an empty method', { method: '' }, "request.method: expected text, 'GET' for example"],
    ['a method that is none', { method: 7 }, "request.method: expected text, 'GET' for example"],
    ['an empty URL', { url: '' }, "request.url: expected text, '/me?page=2' for example"],
    ['a URL that is none', { url: 7 }, "request.url: expected text, '/me?page=2' for example"],
    ['an address that is none', { ip: 7 }, 'request.ip: expected text, or left out'],
    [
      'no headers',
      { headers: undefined },
      'request.headers: expected an object, a list of pairs, or Headers',
    ],
    [
      'null in place of headers',
      { headers: null },
      'request.headers: expected an object, a list of pairs, or Headers',
    ],
    [
      'a number in a list',
      { headers: { a: ['b', 1] } },
      'request.headers: expected names with text or lists of texts',
    ],
    [
      'a pair without a name',
      { headers: [[undefined, 'a']] },
      'request.headers: expected names with text or lists of texts',
    ],
    ['a pair of nothing', { headers: [[]] }, 'request.headers: expected names with text or lists of texts'],
    [
      'a text in place of a pair',
      { headers: ['ab'] },
      'request.headers: expected names with text or lists of texts',
    ],
  ])('refuses %s, and says what is expected', (_, request, message) => {
    expect(() => read(request)).toThrow(new TypeError(message));
  });
});

describe('the body of a plain request', () => {
  const JSON_TYPE = 'application/json';

  it.each<[string, unknown, string | undefined, unknown]>([
    ['JSON', '{"a":1}', JSON_TYPE, { a: 1 }],
    ['bytes of JSON', new TextEncoder().encode('"ü"'), JSON_TYPE, 'ü'],
    ['what a parser made of it', { a: 1 }, undefined, { a: 1 }],
    ['a form', 'logout_token=x', 'application/x-www-form-urlencoded', { logout_token: 'x' }],
    ['broken JSON', '{', JSON_TYPE, undefined],
    ['a text', '{"a":1}', 'text/plain', undefined],
    ['no content type', '{"a":1}', undefined, undefined],
    ['a list', [1], JSON_TYPE, undefined],
    ['a number', 7, JSON_TYPE, undefined],
    ['nothing', undefined, JSON_TYPE, undefined],
    ['the greatest length', `1${' '.repeat(BODY_LIMIT - 1)}`, JSON_TYPE, 1],
    ['one character more', `1${' '.repeat(BODY_LIMIT)}`, JSON_TYPE, undefined],
  ])('is read where it is %s', (_, body, contentType, expected) => {
    expect(readBody(body, contentType)).toEqual(expected);
    const headers: PlainRequest['headers'] = contentType === undefined ? {} : { 'Content-Type': contentType };
    expect(read({ headers, body }).body).toEqual(expected);
  });
});
