import { describe, expect, it } from '@jest/globals';
import { SessionConfigError, type ConfigProblem } from './config-error.js';
import type { HttpRequest } from '../util/http-exchange.js';
import type { RequestScope } from '../util/user-context.js';
import { resolveSessionConfig } from './session-config.js';
import { WIRE_OPTIONS, type SessionWireOptions } from './wire-options.js';
import { resolveSessionOptions } from '../session.options.js';
import type { AppInfoOptions } from './app-info.js';

const appInfo: AppInfoOptions = {
  appName: 'Shop',
  apiDomain: 'https://api.example.com',
  websiteDomain: 'https://example.com',
};
const scope: RequestScope = { request: undefined, userContext: {} };

function requestWith(headers: Record<string, string>): HttpRequest {
  return {
    original: {},
    getMethod: () => 'post',
    getOriginalURL: () => '/',
    getHeaderValue: (name) => headers[name],
    getCookieValue: () => undefined,
  };
}

/** What a JavaScript application can hand over, whatever the types say. */
function problemsOf(
  options: unknown,
  resolve: (options: SessionWireOptions) => unknown = resolveSessionConfig,
): readonly ConfigProblem[] {
  try {
    resolve(options as SessionWireOptions);
  } catch (error) {
    if (error instanceof SessionConfigError) return error.problems;
    throw error;
  }
  return [];
}

function withOptions(extra: object): object {
  return { appInfo, ...extra };
}

function withAppInfo(extra: object): object {
  return { appInfo: { ...appInfo, ...extra } };
}

describe('the configuration of an application that only says where it lives', () => {
  it('has the defaults of the protocol (T260)', () => {
    const config = resolveSessionConfig({ appInfo });
    expect(config).toMatchObject({
      cookieDomain: undefined,
      olderCookieDomain: undefined,
      olderCookieName: undefined,
      olderAccessTokenPath: undefined,
      olderRefreshTokenPath: undefined,
      cookieSecure: true,
      cookiePartitioned: false,
      accessTokenIssuers: undefined,
      accessTokenAudience: undefined,
      accessTokenPath: '/',
      refreshTokenPath: '/auth/session/refresh',
      useDynamicAccessTokenSigningKey: true,
      jwksRefreshIntervalSec: 60,
      sessionExpiredStatusCode: 401,
      invalidClaimStatusCode: 403,
      showClaimValues: false,
      exposeAccessTokenToFrontendInCookieBasedAuth: false,
      antiCsrf: 'default',
    });
    expect(config.appInfo).toMatchObject({
      appName: 'Shop',
      apiDomain: 'https://api.example.com',
      apiBasePath: '/auth',
      apiGatewayPath: '',
      websiteBasePath: '/auth',
      apiSite: 'example.com',
    });
    expect(config.appInfo.websiteOrigin(scope)).toBe('https://example.com');
    expect(config.appInfo.websiteSite(scope)).toBe('example.com');
  });

  it('names cookies and headers as the clients expect', () => {
    const config = resolveSessionConfig({ appInfo });
    const req = requestWith({});
    expect(config.getCookieNameForTokenType(req, 'access', {})).toBe('sAccessToken');
    expect(config.getCookieNameForTokenType(req, 'refresh', {})).toBe('sRefreshToken');
    expect(config.getResponseHeaderNameForTokenType(req, 'access', {})).toBe('st-access-token');
    expect(config.getResponseHeaderNameForTokenType(req, 'refresh', {})).toBe('st-refresh-token');
  });

  it.each([
    [false, 'header', 'any'],
    [false, undefined, 'any'],
    [true, 'header', 'header'],
    [true, 'cookie', 'cookie'],
    [true, 'COOKIE', 'cookie'],
    [true, 'other', 'any'],
    [true, undefined, 'any'],
  ])(
    'when creating is %s and st-auth-mode is %s, the transfer method is %s',
    (forCreateNewSession, mode, method) => {
      const config = resolveSessionConfig({ appInfo });
      const req = requestWith(mode === undefined ? {} : { 'st-auth-mode': mode });
      expect(config.getTokenTransferMethod({ req, forCreateNewSession, userContext: {} })).toBe(method);
    },
  );

  it('cannot be changed afterwards', () => {
    const config = resolveSessionConfig({ appInfo });
    expect(Object.isFrozen(config)).toBe(true);
    expect(Object.isFrozen(config.appInfo)).toBe(true);
  });

  it('takes options that are explicitly undefined as absent', () => {
    expect(
      problemsOf(
        withOptions({ cookieDomain: undefined, antiCsrf: undefined, getTokenTransferMethod: undefined }),
      ),
    ).toEqual([]);
  });
});

describe('paths', () => {
  it.each([
    ['T252', { apiBasePath: 'test/' }, '/test', '/test/session/refresh'],
    ['T252', { apiBasePath: '/' }, '', '/session/refresh'],
    ['T259', { apiGatewayPath: '/gateway' }, '/gateway/auth', '/gateway/auth/session/refresh'],
    [
      'a gateway in front of the root',
      { apiGatewayPath: 'gw', apiBasePath: '/' },
      '/gw',
      '/gw/session/refresh',
    ],
  ])('%s: %j gives the base path %j and the refresh path %s', (_title, extra, basePath, refreshPath) => {
    const config = resolveSessionConfig({ appInfo: { ...appInfo, ...extra } });
    expect(config.appInfo.apiBasePath).toBe(basePath);
    expect(config.refreshTokenPath).toBe(refreshPath);
  });

  it.each([
    ['/access', '/access'],
    ['/', '/'],
    ['', '/'],
    ['api/', '/api'],
  ])('accessTokenPath %j is %s', (accessTokenPath, path) => {
    expect(resolveSessionConfig({ appInfo, accessTokenPath }).accessTokenPath).toBe(path);
  });
});

describe('SameSite, Secure and anti-CSRF of a configuration (S060)', () => {
  it.each([
    ['https://api.a.com', 'https://a.com', {}, 'lax', true, 'NONE'],
    ['http://api.a.com', 'http://a.com', {}, 'lax', false, 'NONE'],
    ['https://api.a.com', 'http://a.com', {}, 'none', true, 'VIA_CUSTOM_HEADER'],
    ['https://api.a.com', 'https://b.com', {}, 'none', true, 'VIA_CUSTOM_HEADER'],
    ['https://api.a.com', 'https://b.com', { cookieSameSite: 'lax' }, 'lax', true, 'NONE'],
    ['https://api.a.com', 'https://a.com', { cookieSameSite: 'none' }, 'none', true, 'VIA_CUSTOM_HEADER'],
    ['https://api.a.com', 'https://b.com', { antiCsrf: 'VIA_TOKEN' }, 'none', true, 'VIA_TOKEN'],
    ['http://localhost:1', 'http://localhost:2', {}, 'lax', false, 'NONE'],
    ['http://127.0.0.1:1', 'http://localhost:2', {}, 'lax', false, 'NONE'],
    ['http://localhost:1', 'https://localhost:2', {}, 'none', false, 'VIA_CUSTOM_HEADER'],
    ['https://foo.github.io', 'https://bar.github.io', {}, 'none', true, 'VIA_CUSTOM_HEADER'],
    ['http://api.a.com', 'https://a.com', { cookieSecure: true }, 'none', true, 'VIA_CUSTOM_HEADER'],
  ] as const)(
    'API %s, website %s, %j: SameSite %s, Secure %s, %s (T253)',
    (apiDomain, websiteDomain, extra, sameSite, secure, antiCsrf) => {
      const config = resolveSessionConfig({ appInfo: { appName: 'a', apiDomain, websiteDomain }, ...extra });
      expect(config.cookieSameSite(scope)).toBe(sameSite);
      expect(config.cookieSecure).toBe(secure);
      expect(config.antiCsrfMode(scope)).toBe(antiCsrf);
    },
  );

  it('https://localhost with a website on http://localhost:3000 is secure and SameSite none (T254)', () => {
    const config = resolveSessionConfig({
      appInfo: { appName: 'a', apiDomain: 'https://localhost', websiteDomain: 'http://localhost:3000' },
    });
    expect(config.cookieSecure).toBe(true);
    expect(config.cookieSameSite(scope)).toBe('none');
  });

  it.each([
    [' Lax ', 'lax'],
    ['STRICT', 'strict'],
    ['none', 'none'],
  ])('cookieSameSite %j is %s (T248)', (cookieSameSite, expected) => {
    const config = resolveSessionConfig(withOptions({ cookieSameSite }) as SessionWireOptions);
    expect(config.cookieSameSite(scope)).toBe(expected);
  });

  it.each([
    ['derived from the schemes', { apiDomain: 'http://api.a.com', websiteDomain: 'https://a.com' }, {}],
    [
      'configured',
      { apiDomain: 'http://api.a.com', websiteDomain: 'http://a.com' },
      { cookieSameSite: 'none' },
    ],
    [
      'with Secure switched off',
      { apiDomain: 'https://api.a.com', websiteDomain: 'https://b.com' },
      { cookieSecure: false },
    ],
    ['with a local API only', { apiDomain: 'http://localhost:1', websiteDomain: 'https://b.com' }, {}],
  ])('refuses SameSite none without Secure at start: %s (S060)', (_title, where, extra) => {
    expect(problemsOf({ appInfo: { appName: 'a', ...where }, ...extra })).toEqual([
      { path: 'cookieSecure', message: expect.stringContaining('browsers drop such cookies') },
    ]);
  });

  it('leaves that check to the request when the origin depends on it', () => {
    const origin = () => 'https://b.com';
    expect(problemsOf({ appInfo: { appName: 'a', apiDomain: 'http://api.a.com', origin } })).toEqual([]);
  });
});

describe('the origin of the website', () => {
  it('wins over websiteDomain (T257)', () => {
    const config = resolveSessionConfig({ appInfo: { ...appInfo, origin: 'https://other.com/login' } });
    expect(config.appInfo.websiteOrigin(scope)).toBe('https://other.com');
    expect(config.cookieSameSite(scope)).toBe('none');
  });

  it('as a function gets request and userContext, at each use (T257)', () => {
    const seen: unknown[] = [];
    const config = resolveSessionConfig({
      appInfo: {
        appName: 'a',
        apiDomain: 'https://api.a.com',
        origin: (input) => {
          seen.push(input);
          return input.request?.getHeaderValue('origin') ?? 'a.com';
        },
      },
    });
    const request = requestWith({ origin: 'https://b.com' });
    const userContext = { tenant: 'b' };

    expect(seen).toEqual([]);
    expect(config.cookieSameSite({ request, userContext })).toBe('none');
    expect(config.antiCsrfMode({ request, userContext })).toBe('VIA_CUSTOM_HEADER');
    expect(config.cookieSameSite(scope)).toBe('lax');
    expect(config.antiCsrfMode(scope)).toBe('NONE');
    expect(config.appInfo.websiteSite(scope)).toBe('a.com');
    expect(seen[0]).toEqual({ request, userContext });
  });

  it.each([
    ['not a domain', () => '/x', 'Please provide a valid domain name'],
    ['no text', () => undefined, 'appInfo.origin gave undefined'],
    ['without a site', () => 'http://intranet', 'cannot be determined'],
  ])('as a function that returns %s is an error at use', (_title, origin, message) => {
    const options = { appInfo: { appName: 'a', apiDomain: 'https://api.a.com', origin } };
    const config = resolveSessionConfig(options as unknown as SessionWireOptions);
    expect(() => config.cookieSameSite(scope)).toThrow(message);
  });
});

describe('functions among the options', () => {
  it('replace the defaults', () => {
    const config = resolveSessionConfig({
      appInfo,
      getTokenTransferMethod: () => 'header',
      getCookieNameForTokenType: (_req, tokenType) => `my-${tokenType}`,
      getResponseHeaderNameForTokenType: (_req, tokenType) => `x-${tokenType}`,
    });
    const req = requestWith({});
    expect(config.getTokenTransferMethod({ req, forCreateNewSession: true, userContext: {} })).toBe('header');
    expect(config.getCookieNameForTokenType(req, 'access', {})).toBe('my-access');
    expect(config.getResponseHeaderNameForTokenType(req, 'refresh', {})).toBe('x-refresh');
  });

  it('may be methods of a class that uses its own fields', () => {
    class Options implements SessionWireOptions {
      readonly appInfo = appInfo;
      #prefix = 'shop';
      getCookieNameForTokenType(_req: HttpRequest, tokenType: string): string {
        return `${this.#prefix}-${tokenType}`;
      }
    }
    const config = resolveSessionConfig(new Options());
    expect(config.getCookieNameForTokenType(requestWith({}), 'access', {})).toBe('shop-access');
  });
});

describe('bad options', () => {
  it.each([
    ['no appInfo (T256)', {}, 'appInfo'],
    ['appInfo as text', { appInfo: 'x' }, 'appInfo'],
    ['no apiDomain (T256)', withAppInfo({ apiDomain: undefined }), 'appInfo.apiDomain'],
    ['no appName (T256)', withAppInfo({ appName: undefined }), 'appInfo.appName'],
    ['an empty appName', withAppInfo({ appName: ' ' }), 'appInfo.appName'],
    [
      'neither origin nor websiteDomain (T256)',
      withAppInfo({ websiteDomain: undefined }),
      'appInfo.websiteDomain',
    ],
    ['a bad apiDomain', withAppInfo({ apiDomain: '/x' }), 'appInfo.apiDomain'],
    ['an apiDomain without a site', withAppInfo({ apiDomain: 'http://intranet' }), 'appInfo.apiDomain'],
    ['an ftp apiDomain (Q18)', withAppInfo({ apiDomain: 'ftp://x.com' }), 'appInfo.apiDomain'],
    [
      'an apiDomain that is a URL object',
      withAppInfo({ apiDomain: new URL('https://x.com') }),
      'appInfo.apiDomain',
    ],
    ['a bad websiteDomain', withAppInfo({ websiteDomain: 'example' }), 'appInfo.websiteDomain'],
    ['a bad constant origin', withAppInfo({ origin: 'http://intranet' }), 'appInfo.origin'],
    ['a null origin', withAppInfo({ origin: null }), 'appInfo.origin'],
    ['a bad base path', withAppInfo({ apiBasePath: 'https://' }), 'appInfo.apiBasePath'],
    ['a bad gateway path', withAppInfo({ apiGatewayPath: 5 }), 'appInfo.apiGatewayPath'],
    ['a bad website path', withAppInfo({ websiteBasePath: 'ftp://x.com' }), 'appInfo.websiteBasePath'],
    ['an unknown name in appInfo', withAppInfo({ apiDomian: 'x' }), 'appInfo.apiDomian'],
    ['an unknown name', withOptions({ cookieSamesite: 'lax' }), 'cookieSamesite'],
    ['cookieSameSite (T248)', withOptions({ cookieSameSite: 'laxx' }), 'cookieSameSite'],
    ['cookieSameSite as a boolean', withOptions({ cookieSameSite: true }), 'cookieSameSite'],
    ['antiCsrf (T249)', withOptions({ antiCsrf: 'RANDOM' }), 'antiCsrf'],
    ['an empty cookieDomain (T250)', withOptions({ cookieDomain: '' }), 'cookieDomain'],
    ['a cookieDomain of a scheme (T250)', withOptions({ cookieDomain: 'http://' }), 'cookieDomain'],
    ['a cookieDomain elsewhere', withOptions({ cookieDomain: '.other.com' }), 'cookieDomain'],
    ['a public suffix as cookieDomain (S060)', withOptions({ cookieDomain: '.com' }), 'cookieDomain'],
    ['an olderCookieDomain elsewhere', withOptions({ olderCookieDomain: 'other.com' }), 'olderCookieDomain'],
    ['an olderCookieDomain of a space', withOptions({ olderCookieDomain: ' ' }), 'olderCookieDomain'],
    [
      'cookiePartitioned without Secure (S066)',
      withOptions({ cookiePartitioned: true, cookieSecure: false }),
      'cookiePartitioned',
    ],
    ['cookieSecure as text', withOptions({ cookieSecure: 'true' }), 'cookieSecure'],
    ['one issuer as text', withOptions({ accessTokenIssuers: 'https://a.io/auth' }), 'accessTokenIssuers'],
    ['no issuers', withOptions({ accessTokenIssuers: [] }), 'accessTokenIssuers'],
    ['an empty issuer', withOptions({ accessTokenIssuers: ['https://a.io', ''] }), 'accessTokenIssuers'],
    ['an issuer that is no text', withOptions({ accessTokenIssuers: [undefined] }), 'accessTokenIssuers'],
    ['null for the issuers', withOptions({ accessTokenIssuers: null }), 'accessTokenIssuers'],
    ['an empty audience', withOptions({ accessTokenAudience: '' }), 'accessTokenAudience'],
    ['several audiences', withOptions({ accessTokenAudience: ['shop', 'admin'] }), 'accessTokenAudience'],
    ['null for the audience', withOptions({ accessTokenAudience: null }), 'accessTokenAudience'],
    ['a bad accessTokenPath', withOptions({ accessTokenPath: '/a; Secure' }), 'accessTokenPath'],
    [
      'a rule that is no function',
      withOptions({ getTokenTransferMethod: 'cookie' }),
      'getTokenTransferMethod',
    ],
    [
      'a cookie name that is no function',
      withOptions({ getCookieNameForTokenType: 'a' }),
      'getCookieNameForTokenType',
    ],
    [
      'a header name that is no function',
      withOptions({ getResponseHeaderNameForTokenType: 1 }),
      'getResponseHeaderNameForTokenType',
    ],
    [
      'expose as a number',
      withOptions({ exposeAccessTokenToFrontendInCookieBasedAuth: 1 }),
      'exposeAccessTokenToFrontendInCookieBasedAuth',
    ],
    [
      'the kind of key as text',
      withOptions({ useDynamicAccessTokenSigningKey: 'no' }),
      'useDynamicAccessTokenSigningKey',
    ],
    ['no time between key fetches', withOptions({ jwksRefreshIntervalSec: 0 }), 'jwksRefreshIntervalSec'],
    ['NaN between key fetches', withOptions({ jwksRefreshIntervalSec: NaN }), 'jwksRefreshIntervalSec'],
    ['a status below 300 (Q21)', withOptions({ sessionExpiredStatusCode: 200 }), 'sessionExpiredStatusCode'],
    ['a status above 599', withOptions({ invalidClaimStatusCode: 600 }), 'invalidClaimStatusCode'],
    ['half a status', withOptions({ invalidClaimStatusCode: 403.5 }), 'invalidClaimStatusCode'],
    ['equal statuses (T247)', withOptions({ invalidClaimStatusCode: 401 }), 'invalidClaimStatusCode'],
  ])('%s: one problem, at its option path', (_title, options, path) => {
    expect(problemsOf(options).map((problem) => problem.path)).toEqual([path]);
  });

  it.each([[undefined], [null], ['options'], [[]]])('%j instead of options is refused', (options) => {
    expect(problemsOf(options)).toEqual([
      { path: 'options', message: expect.stringContaining('an object with appInfo') },
    ]);
  });

  it('are all listed in one error', () => {
    const options = {
      appInfo: { ...appInfo, apiDomain: 'example', basePath: '/x' },
      cookieSameSite: 'laxx',
      antiCsrf: 'RANDOM',
      sessionExpiredStatusCode: 403,
      cookiePath: '/',
    };
    expect(
      problemsOf(options)
        .map(({ path }) => path)
        .sort(),
    ).toEqual(
      [
        'antiCsrf',
        'appInfo.apiDomain',
        'appInfo.basePath',
        'cookiePath',
        'cookieSameSite',
        'invalidClaimStatusCode',
      ].sort(),
    );
    expect(() => resolveSessionConfig(options as unknown as SessionWireOptions)).toThrow(
      /6 options are wrong[^]*RANDOM/,
    );
  });

  it('are described by what was seen and what is accepted', () => {
    expect(problemsOf(withOptions({ antiCsrf: 'RANDOM', cookieSecure: 1, cookieSameSite: true }))).toEqual([
      { path: 'cookieSecure', message: '1 does not work: true or false is expected' },
      { path: 'cookieSameSite', message: 'true does not work: accepted are strict, lax, none' },
      {
        path: 'antiCsrf',
        message: '"RANDOM" does not work: accepted are VIA_TOKEN, VIA_CUSTOM_HEADER, NONE',
      },
    ]);
  });

  it('that would refuse every token are told from "no check"', () => {
    expect(problemsOf(withOptions({ accessTokenIssuers: [], accessTokenAudience: '' }))).toEqual([
      {
        path: 'accessTokenIssuers',
        message:
          'an array does not work: the list is empty, which would refuse every token; left out, all are accepted',
      },
      {
        path: 'accessTokenAudience',
        message:
          '"" does not work: one audience is expected, exactly as tokens name it; left out, all are accepted',
      },
    ]);
  });

  it('are found by name among the options read elsewhere, too', () => {
    expect(problemsOf(withOptions({ claims: [] }), resolveSessionOptions)).toEqual([]);
    expect(problemsOf(withOptions({ errorHandler: {} }), resolveSessionOptions)).toEqual([
      { path: 'errorHandler', message: 'there is no such option; did you mean errorHandlers?' },
    ]);
    expect(problemsOf(withOptions({ core: {} }))).toHaveLength(1);
  });
});

describe('accepted corners', () => {
  it('issuers and audience stay as they are written, and as they were at the start', () => {
    const accessTokenIssuers = ['https://API.example.com/auth/', ' a'];
    const config = resolveSessionConfig({ appInfo, accessTokenIssuers, accessTokenAudience: ' Shop ' });
    accessTokenIssuers.push('https://late.example');
    expect(config.accessTokenIssuers).toEqual(['https://API.example.com/auth/', ' a']);
    expect(config.accessTokenAudience).toBe(' Shop ');
  });

  it.each([
    ['', ''],
    ['.Example.com', '.example.com'],
  ])('olderCookieDomain %j stays %j', (olderCookieDomain, expected) => {
    expect(resolveSessionConfig({ appInfo, olderCookieDomain }).olderCookieDomain).toBe(expected);
  });

  it('a cookieDomain that covers the API is kept with its dot', () => {
    expect(resolveSessionConfig({ appInfo, cookieDomain: '.example.com' }).cookieDomain).toBe('.example.com');
  });

  it('cookiePartitioned is fine with Secure (S066)', () => {
    expect(resolveSessionConfig({ appInfo, cookiePartitioned: true }).cookiePartitioned).toBe(true);
  });

  it('lists every wire option', () => {
    expect(Object.keys(WIRE_OPTIONS)).toEqual(
      expect.arrayContaining(['appInfo', 'antiCsrf', 'cookiePartitioned']),
    );
    expect(Object.keys(WIRE_OPTIONS).length).toBeGreaterThan(20);
  });
});

describe('prefixes of cookie names (S059)', () => {
  const appInfo = {
    appName: 'App',
    apiDomain: 'https://api.example.com',
    websiteDomain: 'https://example.com',
  };
  const namesFor = (options: Partial<SessionWireOptions>): string[] => {
    const config = resolveSessionConfig({ appInfo, cookieNamePrefixes: true, ...options });
    return (['access', 'refresh'] as const).map((tokenType) =>
      config.getCookieNameForTokenType({} as HttpRequest, tokenType, {}),
    );
  };

  it.each<[string, Partial<SessionWireOptions>, string]>([
    ['host-only, path /', {}, '__Host-sAccessToken'],
    ['with a domain', { cookieDomain: '.example.com' }, '__Secure-sAccessToken'],
    ['with a path', { accessTokenPath: '/api' }, '__Secure-sAccessToken'],
  ])('%s: as strong as browsers accept', (_case, options, accessCookie) => {
    // the refresh cookie's path is the refresh route, which __Host- forbids
    expect(namesFor(options)).toEqual([accessCookie, '__Secure-sRefreshToken']);
  });

  it('are refused without Secure, which they need', () => {
    expect(() => namesFor({ cookieSecure: false })).toThrow(/cookieNamePrefixes/);
  });

  it('leave names of one’s own alone', () => {
    expect(namesFor({ getCookieNameForTokenType: (_req, tokenType) => `my-${tokenType}` })).toEqual([
      'my-access',
      'my-refresh',
    ]);
  });
});

describe('allowedOrigins (S070)', () => {
  const appInfo = {
    appName: 'App',
    apiDomain: 'https://api.example.com',
    websiteDomain: 'https://example.com',
  };

  it.each([
    [[]],
    [['*']],
    [['null']],
    [['https://example.com/']],
    [['example.com']],
    ['https://example.com'],
  ])('%j is refused at start', (allowedOrigins) => {
    const options = { appInfo, allowedOrigins } as unknown as SessionWireOptions;
    expect(() => resolveSessionConfig(options)).toThrow(/allowedOrigins/);
  });

  it('takes exact origins', () => {
    const { allowedOrigins } = resolveSessionConfig({ appInfo, allowedOrigins: ['https://example.com'] });
    expect(allowedOrigins).toEqual(['https://example.com']);
  });
});
