import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { fcRuns } from '../../test/fixtures/fc-runs.js';
import { normaliseUri } from './target-uri.js';

describe('an address in its one spelling', () => {
  it.each([
    ['https://api.shop.io', 'https://api.shop.io/'],
    ['https://api.shop.io/', 'https://api.shop.io/'],
    ['https://api.shop.io?a=/b', 'https://api.shop.io/'],
    ['https://api.shop.io#a', 'https://api.shop.io/'],
    ['HTTPS://API.Shop.IO/Me', 'https://api.shop.io/Me'],
    ['https://api.shop.io:443/me', 'https://api.shop.io/me'],
    ['http://api.shop.io:80/me', 'http://api.shop.io/me'],
    ['http://api.shop.io:443/me', 'http://api.shop.io:443/me'],
    ['https://[2001:DB8::1]:443/me', 'https://[2001:db8::1]/me'],
    ['https://h/%7e%41%2f%e9', 'https://h/~A%2F%E9'],
    ['https://h/a%zz%4', 'https://h/a%zz%4'],
    ['https://h/%%37e', 'https://h/%%37e'], // and not /%7e, which is /~ in its turn
    ['https://h/%7e%', 'https://h/%7e%'],
    ['https://h/%/../%7e', 'https://h/~'],
    ['https://h/%252e', 'https://h/%252e'],
    // RFC 3986 5.4, and its leftovers
    ['https://h/a/b/c/./../../g', 'https://h/a/g'],
    ['https://h/../g', 'https://h/g'],
    ['https://h/a/..', 'https://h/'],
    ['https://h/a/b/..', 'https://h/a/'],
    ['https://h/a/.', 'https://h/a/'],
    ['https://h/.', 'https://h/'],
    ['https://h/a/%2E%2e/b', 'https://h/b'],
    ['https://h/.a/..b/c.', 'https://h/.a/..b/c.'],
    ['https://h//a', 'https://h//a'],
    ['https://h/a//..', 'https://h/a/'],
  ])('%s is %s (P4)', (uri, expected) => {
    expect(normaliseUri(uri)).toBe(expected);
  });

  it.each([
    '',
    '/me',
    'me',
    '//h/me',
    'https:/h/me',
    'https:h/me',
    'https:///me',
    'https://user@h/me',
    'https://user:word@h/me',
    'https://h@evil/me',
    'https://h:8x/me',
    'https://h:123456/me',
    'https://h/a b',
    'https://h/a\nb',
    ' https://h/a',
    'https://h\\@evil/me',
    'https://h/a\\b',
    'wss://h/me',
    'ftp://h/me',
    'https://[::1/me',
  ])('there is none of %j', (uri) => {
    expect(normaliseUri(uri)).toBeUndefined();
  });

  const segment = fc.oneof(
    fc.constantFrom('.', '..', '', '%2e', '%2E%2e', 'a', '%61', '%2f', '%2F', '%', 'ä', 'b.c'),
    fc.stringMatching(/^[\w.~!$&'()*+,;=:@-]{0,6}$/),
  );
  const path = fc
    .array(segment, { maxLength: 8 })
    .map((segments) => segments.map((each) => `/${each}`).join(''));

  it('does not change any more', () => {
    fc.assert(
      fc.property(path, (given) => {
        const once = normaliseUri(`https://h${given}`) ?? '';
        expect(normaliseUri(once)).toBe(once);
        expect(once.split('/').slice(3)).not.toContain('..');
      }),
      { numRuns: fcRuns(150) },
    );
  });

  it('is reached for any text, without an error', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 300, unit: 'binary' }), (text) => {
        expect(['string', 'undefined']).toContain(typeof normaliseUri(text));
        expect(['string', 'undefined']).toContain(typeof normaliseUri(`https://h/${text}`));
      }),
      { numRuns: fcRuns(150) },
    );
  });
});
