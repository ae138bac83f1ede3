import { describe, expect, it } from '@jest/globals';
import { checkAddress } from '../../lib/doctor/checks/address.js';
import { checkCaching } from '../../lib/doctor/checks/caching.js';
import { checkClock } from '../../lib/doctor/checks/clock.js';
import { checkCookies } from '../../lib/doctor/checks/cookies.js';
import { checkCors } from '../../lib/doctor/checks/cors.js';
import { checkRoutes } from '../../lib/doctor/checks/routes.js';
import { checkSignIn } from '../../lib/doctor/checks/sign-in.js';
import { checkSizeOfHeads } from '../../lib/doctor/checks/sizes.js';
import type { Finding } from '../../lib/doctor/finding.js';
import {
  ACCESS_COOKIE,
  ACCESS_TOKEN,
  responded,
  API,
  CORS,
  CORS_OF_PREFLIGHT,
  factsOf,
  FRONT_TOKEN,
  NO_STORE,
  NOW_MS,
  refusedRefresh,
  REFRESH_COOKIE,
  signInWith,
  SIGNED_IN,
} from './facts-under-test.js';
import { jwtWith } from './made-jwt.js';

/** `level code` of all that is not ok. */
function problemsOf(findings: readonly Finding[]): string[] {
  return findings.filter(({ level }) => level !== 'ok').map(({ level, code }) => `${level} ${code}`);
}

function seenIn(findings: readonly Finding[], code: string): string | undefined {
  return findings.find((finding) => finding.code === code)?.seen;
}

describe('the address', () => {
  it.each([
    ['https://api.shop.io/auth', 'https://shop.io', []],
    ['http://api.shop.io/auth', 'http://shop.io', ['error address.scheme']],
    ['http://api.shop.io/auth', 'https://shop.io', ['error address.scheme', 'error address.mixed-content']],
    ['http://localhost:3000/auth', 'http://localhost:5173', []],
    ['http://127.0.0.1:3000/auth', 'http://127.0.0.1:5173', []],
    ['http://[::1]:3000/auth', 'http://[::1]:5173', []],
    ['http://api.localhost:3000/auth', 'http://api.localhost:5173', []],
    ['http://localhost:3000/auth', 'http://127.0.0.1:5173', ['error address.local-names']],
    ['http://127.0.0.1:3000/auth', 'http://localhost:5173', ['error address.local-names']],
    ['http://localhost:3000/auth', 'http://[::1]:5173', ['error address.local-names']],
    ['http://localhost:3000/auth', 'https://localhost:5173', ['warning address.mixed-content']],
    ['http://localhost:3000/auth', 'https://shop.io', ['warning address.mixed-content']],
  ])('%s called from %s: %j', (api, website, expected) => {
    expect(problemsOf(checkAddress(factsOf({}, { api, website })))).toEqual(expected);
  });

  it('tells where a redirect goes, without query, user and control characters', () => {
    const emptyRefresh = responded('POST', `${API}/session/refresh`, 302, [
      'location: https://user:secret@login.shop.io/?token=secret#secret',
    ]);
    expect(seenIn(checkAddress(factsOf({ emptyRefresh })), 'address.redirect')).toBe(
      'POST /auth/session/refresh is redirected to https://login.shop.io/',
    );
    const odd = responded('POST', `${API}/session/refresh`, 302, ['location: http://[\u001b[31m?secret']);
    expect(seenIn(checkAddress(factsOf({ emptyRefresh: odd })), 'address.redirect')).toBe(
      'POST /auth/session/refresh is redirected to "http://[?[31m"',
    );
  });
});

describe('text that strangers send', () => {
  it('reaches no terminal as a command: neither in a name of a cookie nor as direction of text', () => {
    const cookie = `set-cookie: \u009b31m\u202eR=opaque; Path=/auth/session/refresh; Secure`;
    const findings = checkCookies(factsOf({ signIn: signInWith([cookie]) }));
    expect(seenIn(findings, 'cookie.http-only')).toBe('?31m?R is not HttpOnly');
    expect(JSON.stringify(findings)).not.toMatch(/[\u009b\u202e]/);
  });
});

describe('the routes', () => {
  const refresh = (status: number, body: unknown, lines: string[] = []) =>
    factsOf({ emptyRefresh: responded('POST', `${API}/session/refresh`, status, lines, body) });

  it.each([
    [401, { message: 'unauthorised' }, []],
    [440, { message: 'unauthorised' }, []],
    [401, 'Basic authentication required', ['warning routes.refresh']],
    [404, 'Cannot POST', ['error routes.refresh']],
    [404, { message: 'unauthorised' }, ['error routes.refresh']],
    [403, { message: 'invalid csrf token' }, ['error routes.refresh']],
    [429, '', ['error routes.refresh']],
    [200, '<html>', ['error routes.refresh']],
    [500, '', ['error routes.refresh', 'error core.unavailable']],
    [503, { message: 'service unavailable' }, ['error routes.refresh', 'error core.unavailable']],
  ])('a refresh without a token that gets %i %j: %j', (status, body, expected) => {
    expect(problemsOf(checkRoutes(refresh(status, body)))).toEqual(expected);
  });

  it('knows its own refusal by the cleared front token where the body is the application’s', () => {
    expect(problemsOf(checkRoutes(refresh(401, 'please sign in', ['front-token: remove'])))).toEqual([]);
  });

  it('mentions a status that the client has to know', () => {
    expect(seenIn(checkRoutes(refresh(440, { message: 'unauthorised' })), 'routes.refresh')).toContain(
      'sessionExpiredStatusCode',
    );
  });

  const keys = (status: number, body: unknown) => responded('GET', `${API}/jwt/jwks.json`, status, [], body);

  it.each([
    [200, { keys: [{ kid: 'd-1' }] }, []],
    [200, { keys: [] }, ['warning routes.jwks']],
    [200, '<html>', ['warning routes.jwks']],
    [404, '', ['warning routes.jwks']],
    [503, { message: 'service unavailable' }, ['error core.unavailable']],
  ])('a request for keys that gets %i %j: %j', (status, body, expected) => {
    expect(problemsOf(checkRoutes(factsOf({ jwks: keys(status, body) })))).toEqual(expected);
  });

  it.each([
    ['https://api.shop.io/auth', []],
    ['http://api.shop.io/auth', ['warning routes.issuer']],
    ['https://localhost/auth', ['warning routes.issuer']],
    ['https://api.shop.io/gateway/auth', ['warning routes.issuer']],
    ['not a url', ['warning routes.issuer']],
    [7, ['warning routes.discovery']],
  ])('an application that takes %s for its address: %j', (issuer, expected) => {
    const discovery = responded('GET', `${API}/.well-known/openid-configuration`, 200, [], { issuer });
    expect(problemsOf(checkRoutes(factsOf({ discovery })))).toEqual(expected);
  });
});

describe('CORS', () => {
  const preflight = (lines: readonly string[] = CORS_OF_PREFLIGHT, status = 204) =>
    responded('OPTIONS', `${API}/session/refresh`, status, lines);
  const without = (name: string, lines: readonly string[]) => lines.filter((line) => !line.startsWith(name));

  it.each([
    ['everything is there', preflight(), []],
    ['the preflight needs credentials', preflight(CORS_OF_PREFLIGHT, 401), ['error cors.preflight']],
    [
      'there is no origin',
      preflight(without('access-control-allow-origin', CORS_OF_PREFLIGHT)),
      ['error cors.origin'],
    ],
    [
      'there are no credentials',
      preflight(without('access-control-allow-credentials', CORS_OF_PREFLIGHT)),
      ['error cors.credentials'],
    ],
    [
      'there are no allowed headers',
      preflight(without('access-control-allow-headers', CORS_OF_PREFLIGHT)),
      ['error cors.request-headers'],
    ],
  ])('when %s', (_what, exchange, expected) => {
    expect(problemsOf(checkCors(factsOf({ preflight: exchange })))).toEqual(expected);
  });

  it.each([
    ['https://shop.io', true],
    ['https://shop.io/', false],
    ['http://shop.io', false],
    ['https://SHOP.io', false],
    ['*', false],
    ['null', false],
    ['https://shop.io, https://shop.io', false],
    ['https://shop.io, https://www.shop.io', false],
  ])('counts the origin %s as named: %s', (origin, isGood) => {
    const lines = [...without('access-control-allow-origin', CORS), `access-control-allow-origin: ${origin}`];
    const findings = checkCors(factsOf({ emptyRefresh: refusedRefresh(lines) }));
    expect(problemsOf(findings)).toEqual(isGood ? [] : ['error cors.origin']);
  });

  it.each([
    ['front-token', true],
    ['FRONT-TOKEN , x', true],
    ['*', false],
    ['front-token-x', false],
    [undefined, false],
  ])('lets scripts read the front token by "%s": %s', (exposed, isGood) => {
    const lines = [
      ...without('access-control-expose-headers', CORS),
      FRONT_TOKEN,
      ...(exposed === undefined ? [] : [`access-control-expose-headers: ${exposed}`]),
    ];
    const findings = checkCors(factsOf({ signIn: signInWith(lines) }));
    expect(problemsOf(findings)).toEqual(isGood ? [] : ['error cors.exposed-headers']);
  });

  it.each([
    ['https://nest-sessions-doctor.invalid', 'true', ['error cors.foreign-origin']],
    ['null', 'true', ['error cors.foreign-origin']],
    ['https://nest-sessions-doctor.invalid', 'false', []],
    ['https://shop.io', 'true', []],
  ])('for a stranger who gets %s with credentials %s: %j', (origin, credentials, expected) => {
    const foreignPreflight = preflight([
      `access-control-allow-origin: ${origin}`,
      `access-control-allow-credentials: ${credentials}`,
    ]);
    expect(problemsOf(checkCors(factsOf({ foreignPreflight })))).toEqual(expected);
  });

  it('asks for Vary where the response depends on the origin, not where it is always the same', () => {
    const bare = preflight(without('vary', CORS_OF_PREFLIGHT));
    expect(problemsOf(checkCors(factsOf({ preflight: bare, foreignPreflight: preflight([]) })))).toEqual([
      'warning cors.vary',
    ]);
    expect(problemsOf(checkCors(factsOf({ preflight: bare, foreignPreflight: bare })))).toEqual([]);
  });
});

describe('cookies', () => {
  const cookie = (name: string, attributes: string) => `set-cookie: ${name}=opaque; ${attributes}`;
  const found = (lines: readonly string[], options?: Parameters<typeof factsOf>[1]) =>
    problemsOf(checkCookies(factsOf({ signIn: signInWith(lines) }, options)));
  const refresh = (attributes: string) => [
    cookie('sRefreshToken', `Path=/auth/session/refresh; HttpOnly; ${attributes}`),
  ];

  it('that are as they should be', () => {
    expect(found(SIGNED_IN)).toEqual([]);
  });

  it.each([
    ['Secure; SameSite=Lax; Domain=shop.io', []],
    ['Secure; SameSite=Lax; Domain=.SHOP.io', []],
    ['Secure; SameSite=Lax; Domain=api.shop.io', []],
    ['Secure; SameSite=Lax; Domain=www.shop.io', ['error cookie.domain']],
    ['Secure; SameSite=Lax; Domain=pi.shop.io', ['error cookie.domain']],
    ['Secure; SameSite=Lax; Domain=io', ['error cookie.domain']],
    ['SameSite=Lax', ['error cookie.secure']],
    ['Secure; SameSite=None', ['warning cookie.same-site']],
    ['SameSite=None', ['error cookie.same-site', 'error cookie.secure']],
    ['Secure; SameSite=Lax; Partitioned', []],
    ['SameSite=Lax; Partitioned', ['error cookie.secure', 'error cookie.partitioned']],
  ])('of the refresh token with %s: %j', (attributes, expected) => {
    expect(found(refresh(attributes))).toEqual(expected);
  });

  it.each([
    ['https://shop.io', 'Lax', []],
    ['https://www.shop.io', 'Strict', []],
    ['https://shop.com', 'Lax', ['error cookie.same-site', 'warning cookie.third-party']],
    ['https://shop.com', 'None', ['warning cookie.third-party']],
    ['http://shop.io', 'Lax', ['error cookie.same-site', 'warning cookie.third-party']],
  ])('for pages of %s with SameSite=%s: %j', (website, sameSite, expected) => {
    expect(found(refresh(`Secure; SameSite=${sameSite}`), { website })).toEqual(expected);
  });

  it('without SameSite count as lax', () => {
    expect(found(refresh('Secure'), { website: 'https://shop.com' })).toContain('error cookie.same-site');
    expect(found(refresh('Secure'))).toEqual([]);
  });

  it('tell neighbours below a public suffix that they are two sites', () => {
    const api = 'https://shop-api.vercel.app/auth';
    const lines = refresh('Secure; SameSite=None');
    const facts = factsOf(
      { signIn: responded('POST', 'https://shop-api.vercel.app/login', 201, lines) },
      { api, website: 'https://shop.vercel.app' },
    );
    expect(seenIn(checkCookies(facts), 'cookie.third-party')).toContain('vercel.app is a public suffix');
  });

  it.each([
    ['/auth/session/refresh', []],
    ['/auth', ['warning cookie.path']],
    ['/', ['warning cookie.path']],
    ['/gateway/auth/session/refresh', ['error cookie.path']],
    ['/auth/session/refresh/', ['error cookie.path']],
    ['/auth/session/ref', ['error cookie.path']],
  ])('of the refresh token at %s: %j', (path, expected) => {
    expect(found([cookie('sRefreshToken', `Path=${path}; HttpOnly; Secure; SameSite=Lax`)])).toEqual(
      expected,
    );
  });

  it.each([
    ['sAccessToken', 'Path=/api; HttpOnly; Secure; SameSite=Lax', ['warning cookie.path']],
    ['sAccessToken', 'Path=/; Secure; SameSite=Lax', ['error cookie.http-only']],
    ['__Host-sAccessToken', 'Path=/; HttpOnly; Secure; SameSite=Lax', []],
    [
      '__Host-sAccessToken',
      'Path=/; HttpOnly; Secure; SameSite=Lax; Domain=api.shop.io',
      ['error cookie.prefix'],
    ],
    [
      '__secure-sAccessToken',
      'Path=/; HttpOnly; SameSite=Lax',
      ['error cookie.secure', 'error cookie.prefix'],
    ],
  ])('%s with %s: %j', (name, attributes, expected) => {
    expect(found([cookie(name, attributes)])).toEqual(expected);
  });

  it.each([
    ['http://api.shop.io/auth', 'http://shop.io', 'Secure; ', ['error cookie.secure']],
    ['http://localhost:3000/auth', 'http://localhost:5173', 'Secure; ', ['warning cookie.secure']],
    ['http://localhost:3000/auth', 'http://localhost:5173', '', []],
    ['http://[::1]:3000/auth', 'http://[::1]:5173', 'Secure; ', ['warning cookie.secure']],
  ])('of %s with "%s"', (api, website, secure, expected) => {
    const lines = [cookie('sAccessToken', `${secure}Path=/; HttpOnly; SameSite=Lax`)];
    const signIn = responded('POST', new URL('/login', api).href, 201, lines);
    expect(problemsOf(checkCookies(factsOf({ signIn }, { api, website })))).toEqual(expected);
  });

  it('that a second instance sets at another domain are two', () => {
    const findings = checkCookies(
      factsOf({
        signIn: signInWith(refresh('Secure; SameSite=Lax')),
        refresh: signInWith(refresh('Secure; SameSite=Lax; Domain=shop.io')),
      }),
    );
    expect(problemsOf(findings)).toEqual(['error cookie.duplicate']);
    expect(seenIn(findings, 'cookie.duplicate')).toContain('this host "/auth/session/refresh", "shop.io"');
  });

  it('that a sign-out removes elsewhere stay', () => {
    const removal = refresh('Secure; SameSite=Lax; Domain=shop.io; Expires=Thu, 01 Jan 1970 00:00:00 GMT');
    const findings = checkCookies(
      factsOf({ signIn: signInWith(refresh('Secure; SameSite=Lax')), signOut: signInWith(removal) }),
    );
    expect(problemsOf(findings)).toEqual(['error cookie.duplicate']);
  });

  it.each([
    [3500, []],
    [3501, ['warning cookie.size']],
    [4096, ['warning cookie.size']],
    [4097, ['error cookie.size']],
  ])('of %i octets: %j', (octets, expected) => {
    const value = 'x'.repeat(octets - 'sAccessToken'.length);
    const line = `set-cookie: sAccessToken=${value}; Path=/; HttpOnly; Secure; SameSite=Lax`;
    expect(found([line])).toEqual(expected);
  });

  it('of others, and of an application that uses headers, are not looked at', () => {
    expect(checkCookies(factsOf({ signIn: signInWith(['set-cookie: theme=dark']) }))).toEqual([]);
    const removal = 'set-cookie: sAccessToken=; Path=/x; Expires=Thu, 01 Jan 1970 00:00:00 GMT';
    const emptyRefresh = refusedRefresh([removal]);
    const signIn = signInWith([`st-access-token: ${ACCESS_TOKEN}`, 'st-refresh-token: opaque', removal]);
    expect(checkCookies(factsOf({ emptyRefresh, signIn }))).toEqual([]);
    expect(checkCookies(factsOf({ emptyRefresh }))).not.toEqual([]);
  });
});

describe('heads', () => {
  it.each([
    [3000, []],
    [9000, ['warning header.size']],
    [17_000, ['error header.size']],
  ])('with a front token of %i octets: %j', (octets, expected) => {
    const signIn = signInWith([...CORS, ACCESS_COOKIE, REFRESH_COOKIE, `front-token: ${'x'.repeat(octets)}`]);
    expect(problemsOf(checkSizeOfHeads(factsOf({ signIn })))).toEqual(expected);
  });

  it('count the cookies that requests will carry', () => {
    const cookies = ['a', 'b'].map((letter) => ACCESS_COOKIE.replace('=', `=${letter.repeat(3900)}`));
    const refresh = REFRESH_COOKIE.replace('opaque', 'x'.repeat(500));
    const findings = checkSizeOfHeads(factsOf({ signIn: signInWith([...cookies, refresh]) }));
    expect(problemsOf(findings)).toEqual(['warning header.size']);
  });
});

describe('caching', () => {
  it.each([
    ['no-store', []],
    ['private, No-Store', []],
    ['no-cache', ['error caching.no-store']],
    ['public, max-age=60', ['error caching.no-store']],
    [undefined, ['error caching.no-store']],
  ])('of a sign-in with Cache-Control %s: %j', (value, expected) => {
    const lines = [ACCESS_COOKIE, ...(value === undefined ? [] : [`cache-control: ${value}`])];
    expect(problemsOf(checkCaching(factsOf({ signIn: signInWith(lines) })))).toEqual(expected);
  });

  it('notices a response that comes from a cache, and does not mind responses without tokens', () => {
    const cached = signInWith([ACCESS_COOKIE, NO_STORE, 'age: 7']);
    expect(problemsOf(checkCaching(factsOf({ signIn: cached })))).toEqual(['error caching.no-store']);
    expect(checkCaching(factsOf({ signIn: signInWith([]) }))).toEqual([]);
  });
});

describe('clocks', () => {
  const dated = (offsetSec: number) => `date: ${new Date(NOW_MS + offsetSec * 1000).toUTCString()}`;

  it.each([
    [0, []],
    [5, []],
    [-5, []],
    [20, ['warning clock.server']],
    [-20, ['warning clock.server']],
    [90, ['error clock.server']],
    [-90, ['error clock.server']],
  ])('of an API that is %i s off: %j', (offsetSec, expected) => {
    const emptyRefresh = refusedRefresh([dated(offsetSec)]);
    expect(problemsOf(checkClock(factsOf({ emptyRefresh })))).toEqual(expected);
  });

  it('believes the quickest response', () => {
    const slow = { ...refusedRefresh([dated(0)]), receivedAtMs: NOW_MS + 60_000 };
    const quick = responded('GET', `${API}/jwt/jwks.json`, 200, [dated(0)]);
    expect(problemsOf(checkClock(factsOf({ emptyRefresh: slow, jwks: quick })))).toEqual([]);
  });

  it.each([
    [0, 3600, []],
    [0, 30, ['warning token.lifetime']],
    [0, 7 * 86_400, ['warning token.lifetime']],
    [20, 3600, ['warning clock.token']],
    [-90, 3600, ['error clock.token']],
  ])('of a token issued %i s off that lives %i s: %j', (offsetSec, life, expected) => {
    const iat = NOW_MS / 1000 + offsetSec;
    const token = jwtWith({ sessionHandle: 'handle', iat, exp: iat + life });
    const signIn = signInWith([dated(0), `set-cookie: sAccessToken=${token}; Path=/`]);
    expect(problemsOf(checkClock(factsOf({ signIn })))).toEqual(expected);
  });

  it('says nothing without a Date, or about tokens that are no JWTs', () => {
    expect(checkClock(factsOf({ signIn: signInWith(['set-cookie: sAccessToken=a.b.c; Path=/']) }))).toEqual(
      [],
    );
  });
});

describe('the sign-in', () => {
  const tokens = (lines: readonly string[], status?: number) =>
    problemsOf(checkSignIn(factsOf({ signIn: signInWith(lines, status) })));

  it.each([
    ['gives cookies', SIGNED_IN, 201, []],
    ['is refused', [], 401, ['error sign-in.answer']],
    ['fails', [], 500, ['error sign-in.answer']],
    ['gives nothing', [FRONT_TOKEN], 200, ['error sign-in.tokens']],
    ['gives an access token only', [ACCESS_COOKIE, FRONT_TOKEN], 200, ['error sign-in.tokens']],
    ['gives no front token', [ACCESS_COOKIE, REFRESH_COOKIE], 200, ['error sign-in.tokens']],
    [
      'clears the front token',
      [ACCESS_COOKIE, REFRESH_COOKIE, 'front-token: remove'],
      200,
      ['error sign-in.tokens'],
    ],
    [
      'gives headers',
      [`st-access-token: ${ACCESS_TOKEN}`, 'st-refresh-token: opaque', FRONT_TOKEN],
      200,
      ['warning sign-in.tokens'],
    ],
  ])('that %s', (_what, lines, status, expected) => {
    expect(tokens(lines, status)).toEqual(expected);
  });

  it.each([
    [200, SIGNED_IN, 200, []],
    [401, [], 200, ['error sign-in.refresh']],
    [200, [], 200, ['error sign-in.refresh']],
    [200, SIGNED_IN, 404, ['warning sign-in.sign-out']],
  ])('whose refresh gets %i and its sign-out …', (status, lines, signOutStatus, expected) => {
    const facts = factsOf({
      signIn: signInWith(SIGNED_IN),
      refresh: responded('POST', `${API}/session/refresh`, status, lines),
      signOut: responded('POST', `${API}/signout`, signOutStatus),
    });
    expect(problemsOf(checkSignIn(facts))).toEqual(expected);
  });
});
