import { describe, expect, it } from '@jest/globals';
import { isAllowedOrigin } from './origin-check.js';

describe('the origin of a request that brings cookies (S070)', () => {
  const allowed = ['https://good.com', 'https://app.good.com:8443'];
  const check = (request: { method?: string; origin?: string; secFetchSite?: string }) =>
    isAllowedOrigin(allowed, {
      method: request.method ?? 'post',
      origin: request.origin,
      secFetchSite: request.secFetchSite,
    });

  it.each(['https://good.com', 'https://app.good.com:8443'])('%s passes, as a whole', (origin) => {
    expect(check({ origin })).toBe(true);
  });

  it.each([
    'https://good.com.evil',
    'https://evil-good.com',
    'https://sub.good.com',
    'http://good.com',
    'https://good.com:443',
    'https://good.com/',
    'https://app.good.com',
    'null',
    '',
    'HTTPS://GOOD.COM',
  ])('%s does not', (origin) => {
    expect(check({ origin })).toBe(false);
    expect(check({ origin, secFetchSite: 'same-origin' })).toBe(false);
  });

  it.each([
    ['same-origin', true],
    ['none', true],
    ['same-site', false],
    ['cross-site', false],
    ['nonsense', false],
  ])('without Origin, Sec-Fetch-Site %s decides: %s', (secFetchSite, expected) => {
    expect(check({ secFetchSite })).toBe(expected);
  });

  it('without either header a request passes: it is not from a browser of today', () => {
    expect(check({})).toBe(true);
  });

  it.each(['get', 'head', 'options', 'trace'])('%s is not checked', (method) => {
    expect(check({ method, origin: 'https://evil.com' })).toBe(true);
  });

  it('nothing is checked unless origins are configured', () => {
    const request = { method: 'post', origin: 'https://evil.com', secFetchSite: 'cross-site' };
    expect(isAllowedOrigin(undefined, request)).toBe(true);
  });
});
