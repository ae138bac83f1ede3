import { describe, expect, it } from '@jest/globals';
import type { AntiCsrfMode, TokenTransferMethod } from '../options/wire-options.js';
import { UnauthorisedError } from '../errors.js';
import { safeEqual } from '../util/safe-equal.js';
import type { HttpRequest } from '../util/http-exchange.js';
import { wireConfig } from '../../test/fixtures/wire-config.js';
import type { SessionConfig } from '../options/session-config.js';
import {
  assertAllowedOrigin,
  assertOwnSignIn,
  decideAntiCsrfOnRefresh,
  decideAntiCsrfOnVerify,
  isAllowedOrigin,
  isForeignRequest,
} from './csrf.js';
import type { SessionRequest } from './session-request.js';

type Outcome = boolean | 'CUSTOM_HEADER_MISSING';
type VerifyRow = [
  title: string,
  mode: AntiCsrfMode,
  method: string,
  transfer: TokenTransferMethod | undefined,
  requested: boolean | undefined,
  rid: boolean,
  outcome: Outcome,
];
type RefreshRow = [
  title: string,
  mode: AntiCsrfMode,
  transfer: TokenTransferMethod,
  rid: boolean,
  outcome: Outcome,
];

const MISSING = 'CUSTOM_HEADER_MISSING';

describe('anti-CSRF when a session is verified', () => {
  it.each<VerifyRow>([
    ['checks the token on POST (T45)', 'VIA_TOKEN', 'post', 'cookie', undefined, false, true],
    ['does not on GET (T47)', 'VIA_TOKEN', 'get', 'cookie', undefined, false, false],
    ['does on GET when the route asks (T48)', 'VIA_TOKEN', 'get', 'cookie', true, false, true],
    ['does not on POST when the route declines (T49)', 'VIA_TOKEN', 'post', 'cookie', false, false, false],
    ['does on HEAD (T50)', 'VIA_TOKEN', 'head', 'cookie', undefined, false, true],
    ['does not let a rid header replace the token', 'VIA_TOKEN', 'post', 'cookie', undefined, true, true],
    ['never checks bearer tokens (T51)', 'VIA_TOKEN', 'post', 'header', true, false, false],
    ['never, with custom header (T51)', 'VIA_CUSTOM_HEADER', 'post', 'header', true, false, false],
    [
      'wants the custom header on POST (T52)',
      'VIA_CUSTOM_HEADER',
      'post',
      'cookie',
      undefined,
      false,
      MISSING,
    ],
    ['is satisfied by it (T52)', 'VIA_CUSTOM_HEADER', 'post', 'cookie', undefined, true, false],
    ['wants nothing without a token (T53)', 'VIA_CUSTOM_HEADER', 'post', undefined, true, false, false],
    [
      'wants nothing when the route declines (T54)',
      'VIA_CUSTOM_HEADER',
      'post',
      'cookie',
      false,
      false,
      false,
    ],
    ['wants nothing on GET', 'VIA_CUSTOM_HEADER', 'get', 'cookie', undefined, false, false],
    [
      'wants the header on GET when the route asks',
      'VIA_CUSTOM_HEADER',
      'get',
      'cookie',
      true,
      false,
      MISSING,
    ],
    [
      'passes the flag on where the mode checks nothing (T56)',
      'NONE',
      'post',
      'cookie',
      undefined,
      false,
      true,
    ],
  ])('%s', (_title, mode, method, transferMethod, requested, hasCustomHeader, outcome) => {
    const request = { method, transferMethod, hasCustomHeader: () => hasCustomHeader };
    expect(decideAntiCsrfOnVerify({ mode: () => mode, requested, ...request })).toEqual(
      outcome === MISSING ? outcome : { check: outcome },
    );
  });
});

describe('anti-CSRF when a session is refreshed', () => {
  it.each<RefreshRow>([
    ['is off for bearer tokens (T132)', 'VIA_TOKEN', 'header', false, true],
    ['is off for bearer tokens without custom header', 'VIA_CUSTOM_HEADER', 'header', false, true],
    ['is left to the core under VIA_TOKEN (T129)', 'VIA_TOKEN', 'cookie', false, false],
    ['cannot be switched off by a rid header under VIA_TOKEN', 'VIA_TOKEN', 'cookie', true, false],
    ['fails without the custom header (T143)', 'VIA_CUSTOM_HEADER', 'cookie', false, MISSING],
    ['is off when the custom header is there (T144)', 'VIA_CUSTOM_HEADER', 'cookie', true, true],
    ['is nothing to switch off under NONE', 'NONE', 'cookie', false, false],
  ])('%s', (_title, mode, transferMethod, hasCustomHeader, outcome) => {
    expect(decideAntiCsrfOnRefresh({ mode, transferMethod, hasCustomHeader })).toEqual(
      outcome === MISSING ? outcome : { disableAntiCsrf: outcome },
    );
  });
});

describe('comparing anti-CSRF tokens (S069)', () => {
  it.each([
    ['b2c5', 'b2c5', true],
    ['b2c5', 'b2c6', false],
    ['b2c5', 'b2c5x', false],
    ['b2c5', undefined, false],
    [undefined, 'b2c5', false],
    [null, 'null', false],
    [undefined, undefined, false],
    ['', '', false],
    ['é', '\u0065\u0301', false],
  ])('%p and %p: %p', (expected, presented, outcome) => {
    expect(safeEqual(expected, presented)).toBe(outcome);
  });
});

describe('the origin of a request that brings cookies (S070)', () => {
  const allowed = ['https://good.com', 'https://app.good.com:8443'];
  const check = (request: Asked) => isAllowedOrigin(asked(request), wireConfig({ allowedOrigins: allowed }));

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
});

describe('the origin of a request that brings cookies, where no list is configured (S070)', () => {
  const check = (request: Asked, changes: Partial<SessionConfig> = {}) =>
    isAllowedOrigin(asked(request), wireConfig(changes));

  it.each(['same-origin', 'same-site', 'none'])(
    'Fetch Metadata that says %s passes, whatever the origin',
    (site) => {
      expect(check({ secFetchSite: site, origin: 'https://blog.shop.io' })).toBe(true);
      expect(check({ secFetchSite: site, origin: 'null' })).toBe(true);
      expect(check({ secFetchSite: site })).toBe(true);
    },
  );

  it.each([
    ['the website', 'https://shop.io', true],
    ['the API itself', 'https://api.shop.io', true],
    ['a stranger', 'https://evil.example', false],
    ['a name that begins like the website', 'https://shop.io.evil.example', false],
    ['a sandboxed frame', 'null', false],
    ['a page without Origin', undefined, false],
  ])('of another site passes %s: %s %s', (_who, origin, expected) => {
    expect(check({ secFetchSite: 'cross-site', origin })).toBe(expected);
  });

  it.each(['http://preview.hosting.example', 'http://blog.shop.io'])(
    'of another site does not pass the host of the request or a neighbour, whose scheme is another: %s',
    (origin) => {
      expect(check({ secFetchSite: 'cross-site', origin, host: 'preview.hosting.example' })).toBe(false);
    },
  );

  it.each([
    ['the website', 'https://shop.io', true],
    ['a neighbour on the site of the API', 'https://blog.shop.io', true],
    ['a page that this server has sent', 'https://preview.hosting.example', true],
    ['a stranger', 'https://evil.example', false],
    ['a neighbour under a public suffix', 'https://com', false],
    ['a sandboxed frame', 'null', false],
    ['nonsense', 'https://', false],
    ['a client that is no browser', undefined, true],
  ])('without Fetch Metadata Origin decides about %s: %s %s', (_who, origin, expected) => {
    expect(check({ origin, host: 'preview.hosting.example' })).toBe(expected);
  });

  it.each(['get', 'head', 'options', 'trace'])('%s is not checked', (method) => {
    expect(check({ method, origin: 'https://evil.example', secFetchSite: 'cross-site' })).toBe(true);
  });

  it("is not checked with crossSiteRequests: 'allow'", () => {
    const request = { origin: 'https://evil.example', secFetchSite: 'cross-site' };
    expect(check(request, { crossSiteRequests: 'allow' })).toBe(true);
    expect(check(request, { crossSiteRequests: 'allow', allowedOrigins: ['https://shop.io'] })).toBe(false);
  });
});

describe('a request that may take tokens away or bring new ones (S070)', () => {
  const crossSite = { secFetchSite: 'cross-site' } as const;
  const evil = { ...crossSite, origin: 'https://evil.example' };
  const navigation = { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' };
  const check = (request: Asked, changes: Partial<SessionConfig> = {}) =>
    isForeignRequest(asked(request), wireConfig(changes));

  it.each<[what: string, request: Asked, isForeign: boolean]>([
    ['of the page of another site', evil, true],
    ['of the website', { ...crossSite, origin: 'https://shop.io' }, false],
    ['that navigates from another site by GET', { ...crossSite, method: 'get', headers: navigation }, false],
    ['that navigates, and names its origin', { ...evil, method: 'get', headers: navigation }, false],
    ['that may navigate, in a browser that does not say', { ...crossSite, method: 'get' }, false],
    ['that navigates by POST', { ...crossSite, headers: navigation }, true],
    ['for an image', { ...crossSite, method: 'get', headers: { 'sec-fetch-mode': 'no-cors' } }, true],
    [
      'for a frame',
      { ...crossSite, method: 'get', headers: { ...navigation, 'sec-fetch-dest': 'iframe' } },
      true,
    ],
    [
      'that is no navigation by its mode',
      { ...crossSite, method: 'get', headers: { ...navigation, 'sec-fetch-mode': 'cors' } },
      true,
    ],
    ['of a client that is no browser', {}, false],
  ])('%s: %s', (_, request, isForeign) => {
    expect(check(request)).toBe(isForeign);
  });

  it('is judged by the list where there is one, and a navigation without Origin passes', () => {
    const allowedOrigins = ['https://good.com'];
    expect(check({ ...crossSite, method: 'get', headers: navigation }, { allowedOrigins })).toBe(false);
    expect(check({ ...crossSite, headers: navigation }, { allowedOrigins })).toBe(true);
    expect(check({ secFetchSite: 'none', method: 'get', headers: navigation }, { allowedOrigins })).toBe(
      false,
    );
    expect(check({ ...evil, method: 'get', headers: navigation }, { allowedOrigins })).toBe(true);
    expect(
      check({ origin: 'https://good.com', method: 'get', headers: navigation }, { allowedOrigins }),
    ).toBe(false);
  });

  it.each<[what: string, headers: Record<string, string>, isForeign: boolean]>([
    ['a form', { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' }, true],
    ['a form of parts', { 'content-type': ' Multipart/Form-Data; boundary=b' }, true],
    ['a text', { 'content-type': 'text/plain' }, true],
    ['nothing', {}, true],
    ['JSON', { 'content-type': 'application/json' }, false],
    ['a type that begins like a simple one', { 'content-type': 'text/plainer' }, false],
    ['a type that ends like a simple one', { 'content-type': 'x-text/plain' }, false],
    [
      'JSON without CORS, which no browser sends',
      { 'content-type': 'application/json', 'sec-fetch-mode': 'no-cors' },
      true,
    ],
    ['rid', { rid: '' }, false],
    ['st-auth-mode', { 'st-auth-mode': 'cookie' }, false],
    ['fdi-version', { 'fdi-version': '4.1' }, false],
    ['a token in a header', { authorization: 'Bearer x' }, false],
    ['another header', { accept: '*/*' }, true],
  ])(
    "with crossSiteRequests: 'allow' is foreign where no preflight came before: %s",
    (_, headers, isForeign) => {
      expect(check({ ...evil, headers }, { crossSiteRequests: 'allow' })).toBe(isForeign);
    },
  );

  it("is not judged by Origin alone with crossSiteRequests: 'allow'", () => {
    expect(check({ origin: 'https://evil.example' }, { crossSiteRequests: 'allow' })).toBe(false);
    expect(check({ origin: 'https://evil.example' })).toBe(true);
  });
});

describe('a refusal of a foreign page (S070)', () => {
  const evil = asked({ origin: 'https://evil.example', secFetchSite: 'cross-site' });
  const navigation = { 'sec-fetch-mode': 'navigate' };
  const refusal = (work: () => void): UnauthorisedError => {
    try {
      work();
    } catch (error) {
      if (error instanceof UnauthorisedError) return error;
    }
    throw new Error('It is not refused');
  };

  it('keeps the tokens, and names the page and the option', () => {
    const { message, payload } = refusal(() => assertAllowedOrigin(evil, wireConfig()));
    expect(message).toBe(
      'The request comes from a page of https://evil.example: if that is a page of the application, list its origin in allowedOrigins',
    );
    expect(payload.clearTokens).toBe(false);
    expect(
      refusal(() => assertAllowedOrigin(asked({ secFetchSite: 'cross-site' }), wireConfig())).message,
    ).toContain('from a page of another site:');
    assertAllowedOrigin(asked({}), wireConfig());
  });

  it('of a sign-in says so', () => {
    const { message, payload } = refusal(() => assertOwnSignIn(evil, wireConfig()));
    expect(message).toMatch(/^Sign-in refused\. The request comes from a page of https:\/\/evil\.example: /);
    expect(payload.clearTokens).toBe(false);
    assertOwnSignIn(asked({}), wireConfig());
  });

  it('spares a sign-in by a form that navigates, unless there is a list', () => {
    const form = asked({ origin: 'https://id.example', secFetchSite: 'cross-site', headers: navigation });
    assertOwnSignIn(form, wireConfig());
    const listed = wireConfig({ allowedOrigins: ['https://good.com'] });
    expect(refusal(() => assertOwnSignIn(form, listed)).message).toMatch(/^Sign-in refused/);
    expect(refusal(() => assertAllowedOrigin(form, wireConfig())).message).not.toMatch(/^Sign-in refused/);
  });
});

interface Asked {
  readonly headers?: Readonly<Record<string, string>>;
  readonly method?: string;
  readonly origin?: string | undefined;
  readonly secFetchSite?: string;
  readonly host?: string;
}

function asked({ method = 'post', origin, secFetchSite, host, headers: others }: Asked): SessionRequest {
  const headers: Record<string, string | undefined> = {
    origin,
    host,
    'sec-fetch-site': secFetchSite,
    ...others,
  };
  const request: Partial<HttpRequest> = {
    getMethod: () => method,
    getHeaderValue: (name) => headers[name],
  };
  return { request, userContext: {} } as SessionRequest;
}
