import { describe, expect, it } from '@jest/globals';
import { normaliseDomain, normalisePath, normaliseSessionScope, registrableSite } from './domains.js';

describe('what a person writes as a domain', () => {
  it.each([
    ['api.example.com/x', 'https://api.example.com'],
    ['localhost:3000', 'http://localhost:3000'],
    ['api.localhost:3000', 'http://api.localhost:3000'],
    ['127.0.0.1:4000/one/two', 'http://127.0.0.1:4000'],
    ['  http://API.Example.com/HellO/ ', 'http://api.example.com'],
    ['.example.com/one', 'https://example.com'],
    ['https://x.com:443/', 'https://x.com'],
    ['http://x.com:443/?a=b#c', 'http://x.com:443'],
    ['https://user:secret@x.com', 'https://x.com'],
    ['supertokens://x.com:3567/path', 'supertokens://x.com:3567'],
    ['https://XN--bcher-kva.example', 'https://xn--bcher-kva.example'],
  ])('%j is the origin %s', (text, origin) => {
    expect(normaliseDomain(text)).toBe(origin);
  });

  it.each([
    ['[::1]:3000', 'http://[::1]:3000'],
    ['https://[2001:DB8::1]/x', 'https://[2001:db8::1]'],
  ])('%j, an IPv6 address, is the origin %s (Q23)', (text, origin) => {
    expect(normaliseDomain(text)).toBe(origin);
  });

  it.each([
    ['localhostfoo.com', 'https://localhostfoo.com'],
    ['localhost.example.com', 'https://localhost.example.com'],
  ])('%j only starts like a local name and gets https (Q17)', (text, origin) => {
    expect(normaliseDomain(text)).toBe(origin);
  });

  it.each([
    '',
    ' ',
    '/one/two',
    'one/two/',
    'one/two.html',
    '/.netlify/functions/api',
    'example',
    'localhostfoo',
  ])('%j is refused', (text) => {
    expect(() => normaliseDomain(text)).toThrow('Please provide a valid domain name');
  });

  it.each(['https://', 'http://:80', 'http:/x.com', 'https://exa mple.com', 'https://x.com:99999', '::1'])(
    '%j does not parse and is refused',
    (text) => {
      expect(() => normaliseDomain(text)).toThrow('Please provide a valid domain name');
    },
  );

  it.each(['ftp://x.com', 'javascript://x.com', 'file:///etc', 'ws://x.com'])(
    '%j has a scheme that no API is served by and is refused (Q18)',
    (text) => {
      expect(() => normaliseDomain(text)).toThrow('Please provide a valid domain name');
    },
  );
});

describe('what a person writes as a path', () => {
  it.each([
    ['api.example.com/x', '/x'],
    ['localhost:3000', ''],
    ['localhost/a', '/a'],
    ['127.0.0.1:4000/one/two', '/one/two'],
    ['http://API.Example.com/HellO/', '/HellO'],
    ['.example.com/one', '/one'],
    ['/one/two', '/one/two'],
    ['one/two/', '/one/two'],
    ['one/two.html', '/one/two.html'],
    ['/.netlify/functions/api', '/.netlify/functions/api'],
    ['example', '/example'],
    ['https://x.com:443/', ''],
    ['', ''],
    ['/', ''],
    ['//', '/'],
    ['/a b?query#fragment', '/a%20b'],
    [' /padded/ ', '/padded'],
    ['localhost-admin/x', '/localhost-admin/x'],
  ])('%j is %j', (text, path) => {
    expect(normalisePath(text)).toBe(path);
  });

  it.each(['https://', 'http://:80/x', 'ftp://x.com/a', '/a; Domain=evil.com'])('%j is refused', (text) => {
    expect(() => normalisePath(text)).toThrow('Please provide a valid URL path');
  });

  it('cannot carry control characters into a cookie', () => {
    expect(normalisePath('/a\r\nb\u0000c')).toBe('/ab%00c');
  });
});

describe('what a person writes as a cookie domain', () => {
  it.each([
    ['testDomain (T250)', 'testDomain', 'testdomain'],
    ['a whole URL (T251)', 'http://api.x.com:8080/p?q#h', 'api.x.com'],
    ['a leading dot (T251)', '.x.com/', '.x.com'],
    ['localhost with a dot (T251)', '.localhost:8080', 'localhost'],
    ['an address with a dot (T251)', '.127.0.0.1', '127.0.0.1'],
    ['a space before the dot (T251)', ' .x.com', 'x.com'],
    ['an IPv6 address (Q23)', '.[::1]:80', '[::1]'],
  ])('%s', (_title, text, scope) => {
    expect(normaliseSessionScope(text)).toBe(scope);
  });

  it.each(['', ' ', '.', 'http://', '..x.com', 'ftp://x.com', 'x y.com'])('%j is refused (T250)', (text) => {
    expect(() => normaliseSessionScope(text)).toThrow('Please provide a valid sessionScope');
  });
});

describe('the site that browsers count a domain to (S060)', () => {
  it.each([
    ['https://api.example.com:8080', 'example.com'],
    ['https://a.b.test.co.uk', 'test.co.uk'],
    ['https://foo.github.io', 'foo.github.io'],
    ['https://a.foo.github.io', 'foo.github.io'],
    ['https://a.internal', 'a.internal'],
    ['http://printer.local', 'printer.local'],
    ['http://localhost:3000', 'localhost'],
    ['http://127.0.0.1', 'localhost'],
    ['https://192.168.1.5:4000', 'localhost'],
    ['https://ec2-1-2-3-4.compute-1.amazonaws.com', 'ec2-1-2-3-4.compute-1.amazonaws.com'],
    ['https://xn--bcher-kva.example', 'xn--bcher-kva.example'],
  ])('%s belongs to %s', (domain, site) => {
    expect(registrableSite(domain)).toBe(site);
  });

  it.each([
    ['https://localhostfoo.com', 'localhostfoo.com'],
    ['https://localhost.example.com', 'example.com'],
    ['http://api.localhost:3000', 'localhost'],
  ])('%s belongs to %s: only localhost and names below it are local (Q17)', (domain, site) => {
    expect(registrableSite(domain)).toBe(site);
  });

  it.each([
    ['http://[::1]:3000', 'localhost'],
    ['https://[2001:db8::1]:3000', '[2001:db8::1]'],
  ])('%s belongs to %s (Q23)', (domain, site) => {
    expect(registrableSite(domain)).toBe(site);
  });

  it.each(['http://intranet', 'https://github.io', 'https://co.uk'])('%s has none', (domain) => {
    expect(() => registrableSite(domain)).toThrow('check apiDomain and websiteDomain');
  });
});
