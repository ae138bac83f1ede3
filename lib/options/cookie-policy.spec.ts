import { describe, expect, it } from '@jest/globals';
import { normaliseDomain, registrableSite } from './domains.js';
import {
  cookieDomainProblem,
  defaultAntiCsrf,
  defaultCookieSameSite,
  isInsecureSameSiteNone,
} from './cookie-policy.js';

function sites(api: string, website: string) {
  const apiDomain = normaliseDomain(api);
  const websiteOrigin = normaliseDomain(website);
  return {
    apiDomain,
    websiteOrigin,
    apiSite: registrableSite(apiDomain),
    websiteSite: registrableSite(websiteOrigin),
  };
}

describe('cookies where nothing is configured (T253, S060)', () => {
  it.each([
    ['https://api.a.com', 'https://a.com', 'lax', 'NONE', false],
    ['http://api.a.com', 'http://a.com', 'lax', 'NONE', false],
    ['http://api.a.com', 'https://a.com', 'none', 'VIA_CUSTOM_HEADER', true],
    ['https://api.a.com', 'http://a.com', 'none', 'VIA_CUSTOM_HEADER', false],
    ['https://api.a.com', 'https://b.com', 'none', 'VIA_CUSTOM_HEADER', false],
    ['http://localhost:1', 'http://localhost:2', 'lax', 'NONE', false],
    ['http://127.0.0.1:1', 'http://localhost:2', 'lax', 'NONE', false],
    ['http://localhost:1', 'https://localhost:2', 'none', 'VIA_CUSTOM_HEADER', false],
    ['https://foo.github.io', 'https://bar.github.io', 'none', 'VIA_CUSTOM_HEADER', false],
    ['http://localhost:1', 'https://b.com', 'none', 'VIA_CUSTOM_HEADER', true],
    ['http://localhostfoo.com', 'http://localhost:2', 'none', 'VIA_CUSTOM_HEADER', true],
    ['http://[::1]:1', 'http://localhost:2', 'lax', 'NONE', false],
  ] as const)(
    'API %s, website %s: SameSite %s, anti-CSRF %s, dropped by browsers: %s',
    (api, website, sameSite, antiCsrf, dropped) => {
      const input = sites(api, website);
      const cookieSameSite = defaultCookieSameSite(input);
      expect(cookieSameSite).toBe(sameSite);
      expect(defaultAntiCsrf(cookieSameSite)).toBe(antiCsrf);
      expect(
        isInsecureSameSiteNone({ ...input, cookieSameSite, cookieSecure: api.startsWith('https') }),
      ).toBe(dropped);
    },
  );

  it('counts EC2 hosts as sites of their own (T255)', () => {
    const one = 'https://ec2-1-1-1-1.compute-1.amazonaws.com';
    const other = 'https://ec2-2-2-2-2.compute-1.amazonaws.com';
    expect(defaultCookieSameSite(sites(one, other))).toBe('none');
    expect(defaultCookieSameSite(sites(`${one}:8080`, one))).toBe('lax');
  });
});

describe('SameSite=None without Secure', () => {
  const apart = { apiSite: 'a.com', websiteSite: 'b.com' };
  it.each([
    ['none', false, apart, true],
    ['none', true, apart, false],
    ['lax', false, apart, false],
    ['strict', false, apart, false],
    ['none', false, { apiSite: 'localhost', websiteSite: 'b.com' }, true],
    ['none', false, { apiSite: 'a.com', websiteSite: 'localhost' }, true],
    ['none', false, { apiSite: 'localhost', websiteSite: 'localhost' }, false],
  ] as const)('SameSite %s, Secure %s, %j: %s', (cookieSameSite, cookieSecure, where, insecure) => {
    expect(isInsecureSameSiteNone({ cookieSameSite, cookieSecure, ...where })).toBe(insecure);
  });
});

describe('a cookie domain', () => {
  it.each([
    ['.example.com', 'https://api.example.com', undefined],
    ['example.com', 'https://example.com', undefined],
    ['api.example.com', 'https://api.example.com', undefined],
    ['localhost', 'http://localhost:3000', undefined],
    ['127.0.0.1', 'http://127.0.0.1:3000', undefined],
    ['foo.github.io', 'https://a.foo.github.io', undefined],
    ['ec2-1-1-1-1.compute-1.amazonaws.com', 'https://ec2-1-1-1-1.compute-1.amazonaws.com', undefined],
    ['.other.com', 'https://api.example.com', 'foreign'],
    ['ample.com', 'https://example.com', 'foreign'],
    ['a.api.example.com', 'https://api.example.com', 'foreign'],
    ['0.0.1', 'http://127.0.0.1', 'foreign'],
    ['.com', 'https://example.com', 'public-suffix'],
    ['co.uk', 'https://test.co.uk', 'public-suffix'],
    ['.github.io', 'https://foo.github.io', 'public-suffix'],
    ['localhost', 'http://api.localhost', 'public-suffix'],
  ] as const)('%s on responses of %s: %s', (scope, apiDomain, problem) => {
    expect(cookieDomainProblem(scope, apiDomain)).toBe(problem);
  });
});
