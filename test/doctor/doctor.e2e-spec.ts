import { Catch, type ArgumentsHost, type ExceptionFilter, type INestApplication } from '@nestjs/common';
import { describe, expect, it } from '@jest/globals';
import type { RecordedExchange } from '../../lib/doctor/exchange.js';
import { ADAPTERS, SHOP } from '../support/test-application.js';
import {
  allowShop,
  examine,
  finding,
  problem,
  problemCodes,
  withHeaders,
  type ExaminationInput,
  RunningClock,
} from './examined-application.js';

/** A catch-all filter as many applications have one: it looks at no status. */
@Catch()
class FailsAlways implements ExceptionFilter {
  catch(_error: unknown, host: ArgumentsHost): void {
    const response = host
      .switchToHttp()
      .getResponse<{ status(code: number): { send(body: object): void } }>();
    response.status(500).send({ message: 'Something went wrong' });
  }
}

const OTHER_WEBSITE = 'https://shop.com';

function allowing(origins: unknown, more: object = {}): (app: INestApplication) => void {
  return (app) => app.enableCors({ origin: origins as string[], credentials: true, ...more });
}

describe.each(ADAPTERS)('the doctor asks an application on %s', (adapter) => {
  const examined = (input: Partial<ExaminationInput> = {}) => examine({ adapter, ...input });

  it('and finds nothing to fix where the README was followed', async () => {
    const diagnosis = await examined();
    expect(diagnosis).toMatchObject({ isReachable: true, notChecked: [] });
    expect(diagnosis.findings.filter(({ level }) => level !== 'ok')).toEqual([]);
    expect(diagnosis.findings.map(({ code }) => code)).toEqual([
      'address.scheme',
      'address.redirect',
      'routes.refresh',
      'routes.jwks',
      'routes.discovery',
      'routes.issuer',
      'cors.preflight',
      'cors.origin',
      'cors.credentials',
      'cors.request-headers',
      'cors.exposed-headers',
      'cors.foreign-origin',
      'sign-in.answer',
      'sign-in.tokens',
      'sign-in.refresh',
      'sign-in.sign-out',
      'cookie.domain',
      'cookie.path',
      'cookie.same-site',
      'cookie.secure',
      'cookie.http-only',
      'cookie.duplicate',
      'cookie.size',
      'header.size',
      'caching.no-store',
      'clock.server',
      'clock.token',
      'token.lifetime',
    ]);
  });

  it.each<[string, Partial<ExaminationInput>]>([
    ['where all is well', {}],
    ['where a browser would not have sent the cookies', { ask: { website: OTHER_WEBSITE } }],
    ['where the sign-in redirects', { proxy: redirectingSignIn }],
  ])('and leaves no session behind %s', async (_where, input) => {
    expect.assertions(1);
    await examined({
      ...input,
      afterwards: async ({ sessions }) =>
        expect(await sessions.getAllSessionHandlesForUser({ userId: 'user-1' })).toEqual([]),
    });
  });

  it('looks at CORS, routes and the attributes of the cookies without a sign-in, and says what it left out', async () => {
    const diagnosis = await examined({ hasSignIn: false });
    expect(problemCodes(diagnosis)).toEqual([]);
    expect(finding(diagnosis, 'cookie.path').seen).toBe(
      'the refresh token goes to /auth/session/refresh only',
    );
    expect(diagnosis.notChecked).toEqual([expect.stringContaining('--sign-in')]);
  });

  it('whose CORS is not set up at all', async () => {
    const diagnosis = await examined({ configure: () => undefined });
    expect(problemCodes(diagnosis)).toEqual(['cors.preflight', 'cors.origin']);
    expect(problem(diagnosis, 'cors.origin').seen).toContain(
      'POST /auth/session/refresh (401) has no Access-Control-Allow-Origin',
    );
    expect(problem(diagnosis, 'cors.origin').fix).toContain('Allow exactly https://shop.io');
  });

  it('which allows any origin by a star', async () => {
    const diagnosis = await examined({ configure: allowing('*') });
    expect(problem(diagnosis, 'cors.origin').seen).toContain('"*", which does not count');
  });

  it('which reflects whoever asks', async () => {
    const diagnosis = await examined({ configure: allowing(true) });
    expect(problemCodes(diagnosis)).toContain('cors.foreign-origin');
    expect(problem(diagnosis, 'cors.foreign-origin').level).toBe('error');
  });

  it('which allows another website than ours', async () => {
    const diagnosis = await examined({ configure: allowing(['https://www.shop.io']) });
    expect(problem(diagnosis, 'cors.origin').level).toBe('error');
  });

  it("which allows none of the client's headers", async () => {
    const diagnosis = await examined({
      configure: allowing([SHOP.websiteDomain], { allowedHeaders: ['content-type', '*'] }),
    });
    expect(problemCodes(diagnosis)).toEqual(['cors.request-headers']);
    expect(problem(diagnosis, 'cors.request-headers').seen).toMatch(
      /does not allow rid, fdi-version, anti-csrf, authorization, st-auth-mode \("\*" does not count/,
    );
  });

  it('which believes that its website is another site', async () => {
    const configure = allowing([OTHER_WEBSITE], { allowedHeaders: ['*'] });
    const refused = await examined({ configure, ask: { website: OTHER_WEBSITE } });
    expect(problem(refused, 'sign-in.answer').fix).toContain('correct websiteDomain in appInfo');

    const diagnosis = await examined({
      options: { crossSiteRequests: 'allow' },
      configure,
      ask: { website: OTHER_WEBSITE },
    });
    expect(problem(diagnosis, 'cookie.same-site').seen).toBe(
      'SameSite is lax, but https://shop.com and https://shop.io are two sites',
    );
    expect(problemCodes(diagnosis)).toContain('cookie.third-party');
    expect(diagnosis.notChecked).toEqual([expect.stringContaining('would not send the refresh token')]);
  });

  it('which is another site, knows it, and depends on cookies of third parties', async () => {
    const website = 'https://shop.com';
    const diagnosis = await examined({
      options: { appInfo: { ...SHOP, websiteDomain: website } },
      configure: allowing([website], { allowedHeaders: corsHeaders() }),
      ask: { website },
    });
    expect(problemCodes(diagnosis)).toEqual(['cookie.third-party']);
    expect(finding(diagnosis, 'sign-in.refresh').level).toBe('ok');
  });

  it('whose apiDomain lacks the https of the proxy in front', async () => {
    const diagnosis = await examined({
      options: { appInfo: { ...SHOP, apiDomain: 'http://api.shop.io', websiteDomain: 'http://shop.io' } },
    });
    expect(problemCodes(diagnosis)).toEqual(['routes.issuer', 'cookie.secure']);
    expect(problem(diagnosis, 'cookie.secure').fix).toContain('appInfo.apiDomain');
  });

  it('whose cookieDomain does not cover the host that browsers use', async () => {
    const diagnosis = await examined({
      options: { cookieDomain: '.shop.io' },
      configure: allowing(['https://shop.com'], { allowedHeaders: corsHeaders() }),
      ask: { api: 'https://api.shop.com/auth', website: 'https://shop.com' },
    });
    expect(problemCodes(diagnosis)).toEqual(['routes.issuer', 'cookie.domain']);
    expect(problem(diagnosis, 'cookie.domain').seen).toContain(
      'sRefreshToken has Domain "shop.io", which api.shop.com is not part of',
    );
  });

  it('at a base path that is not its own', async () => {
    const diagnosis = await examined({ ask: { api: `${SHOP.apiDomain}/api/auth` } });
    expect(problem(diagnosis, 'routes.refresh').seen).toBe(
      'POST /api/auth/session/refresh returns 404, the session routes are at /auth',
    );
    expect(problem(diagnosis, 'cookie.path').level).toBe('error');
  });

  it('whose cookies have moved, with a browser that holds both generations', async () => {
    const cookie = 'sAccessToken=older; sAccessToken=newer; sRefreshToken=any';
    const diagnosis = await examined({ hasSignIn: false, ask: { headers: { cookie } } });
    expect(problemCodes(diagnosis)).toContain('cookie.older');
    expect(problem(diagnosis, 'cookie.older').fix).toContain('olderAccessTokenPath');
  });

  it('which removes cookies of an earlier place, too', async () => {
    const options = { olderCookieDomain: '.shop.io', olderAccessTokenPath: '/api' };
    expect(problemCodes(await examined({ options }))).toEqual([]);
  });

  it('behind a gateway whose prefix it does not know', async () => {
    const gateway: Partial<ExaminationInput> = {
      ask: { api: `${SHOP.apiDomain}/shop/auth`, signIn: 'POST /shop/login {"userId":"user-1"}' },
      pathOf: ({ pathname }) => pathname.replace(/^\/shop/, ''),
    };
    const wrong = await examined(gateway);
    expect(problemCodes(wrong)).toEqual(['routes.issuer', 'routes.mount', 'cookie.path']);
    expect(problem(wrong, 'routes.mount').fix).toContain('Set appInfo.apiGatewayPath to "/shop"');
    expect(problem(wrong, 'cookie.path').seen).toContain(
      'sRefreshToken is not sent to /shop/auth/session/refresh',
    );
    const right = await examined({
      ...gateway,
      options: { appInfo: { ...SHOP, apiGatewayPath: '/shop' } },
    });
    expect(problemCodes(right)).toEqual([]);
  });

  it.each([
    ['http to https', 'http://api.shop.io', 'https://api.shop.io/auth/session/refresh', 'https:// address'],
    [
      'a slash at the end',
      'https://api.shop.io',
      'https://api.shop.io/auth/session/refresh/',
      'adds a slash',
    ],
    [
      'another host',
      'https://api.shop.io',
      'https://www.shop.io/?token=secret',
      'the address that responds without a redirect',
    ],
  ])('behind a redirect: %s', async (_what, api, location, fix) => {
    const diagnosis = await examined({
      ask: { api: `${api}/auth` },
      proxy: (exchange) => ({
        ...exchange,
        response: { status: 308, headers: [['location', location]], body: '' },
      }),
    });
    expect(problem(diagnosis, 'address.redirect').fix).toContain(fix);
    expect(problem(diagnosis, 'address.redirect').seen).toContain(location.split('?')[0]);
    expect(JSON.stringify(diagnosis)).not.toContain('secret');
  });

  it('behind a proxy that sets CORS once more', async () => {
    const diagnosis = await examined({
      proxy: (exchange) =>
        withHeaders(exchange, { 'access-control-allow-origin': [SHOP.websiteDomain, SHOP.websiteDomain] }),
    });
    expect(problem(diagnosis, 'cors.origin').seen).toContain('several Access-Control-Allow-Origin');
  });

  it('behind a proxy that sets CORS on successes only', async () => {
    const diagnosis = await examined({
      proxy: (exchange) =>
        (exchange.response?.status ?? 0) < 400
          ? exchange
          : withHeaders(exchange, { 'access-control-allow-origin': undefined }),
    });
    expect(problemCodes(diagnosis)).toEqual(['cors.origin']);
    expect(problem(diagnosis, 'cors.origin').seen).toBe(
      'POST /auth/session/refresh (401) has no Access-Control-Allow-Origin',
    );
  });

  it('behind a proxy that hides headers from scripts', async () => {
    const diagnosis = await examined({
      proxy: (exchange) => withHeaders(exchange, { 'access-control-expose-headers': 'x-own' }),
    });
    expect(problemCodes(diagnosis)).toEqual(['cors.exposed-headers']);
    expect(problem(diagnosis, 'cors.exposed-headers').seen).toContain('front-token');
  });

  it('behind a cache that may keep tokens', async () => {
    const diagnosis = await examined({
      proxy: (exchange) => withHeaders(exchange, { 'cache-control': 'public, max-age=60' }),
    });
    expect(problemCodes(diagnosis)).toEqual(['caching.no-store']);
  });

  it('whose payload fills the cookie', async () => {
    const payload = { text: 'x'.repeat(2200) };
    const diagnosis = await examined({
      ask: { signIn: `POST /login ${JSON.stringify({ userId: 'user-1', payload })}` },
    });
    expect(problemCodes(diagnosis)).toEqual(['cookie.size', 'header.size']);
    expect(problem(diagnosis, 'cookie.size').level).toBe('warning');
  });

  it('whose core counts time differently', async () => {
    const diagnosis = await examined({ clock: new RunningClock(-120_000) });
    expect(problemCodes(diagnosis)).toEqual(['clock.token']);
    expect(problem(diagnosis, 'clock.token').seen).toMatch(/issued 1[12]\d s behind/);
  });

  it('whose access tokens live for days', async () => {
    const diagnosis = await examined({ coreOptions: { accessTokenValiditySec: 7 * 24 * 60 * 60 } });
    expect(problemCodes(diagnosis)).toEqual(['token.lifetime']);
  });

  it('whose guarded route refuses a visitor, stands open, or fails by a filter of the application', async () => {
    const guarded = 'GET /me';
    expect(finding(await examined({ ask: { guarded } }), 'routes.guarded').level).toBe('ok');
    const open = await examined({ ask: { guarded: 'GET /public' } });
    expect(problem(open, 'routes.guarded').why).toContain('open');
    const configure = (app: INestApplication): void => {
      allowShop(app);
      app.useGlobalFilters(new FailsAlways());
    };
    const failing = problem(await examined({ ask: { guarded }, configure }), 'routes.guarded');
    expect(failing.seen).toContain('GET /me returns 500');
    expect(failing.fix).toContain('getStatus()');
  });

  it('which sends tokens in headers', async () => {
    const diagnosis = await examined({ options: { getTokenTransferMethod: () => 'header' } });
    expect(problemCodes(diagnosis)).toEqual(['sign-in.tokens']);
    expect(finding(diagnosis, 'sign-in.refresh').level).toBe('ok');
    expect(finding(diagnosis, 'sign-in.sign-out').level).toBe('ok');
  });

  it.each(['VIA_TOKEN', 'VIA_CUSTOM_HEADER', 'NONE'] as const)(
    'whose anti-CSRF mode is %s, and refreshes as the client does',
    async (antiCsrf) => {
      const diagnosis = await examined({ options: { antiCsrf } });
      expect(problemCodes(diagnosis)).toEqual([]);
      expect(finding(diagnosis, 'sign-in.refresh').level).toBe('ok');
    },
  );

  it('whose cookies have names of their own', async () => {
    const diagnosis = await examined({
      options: { getCookieNameForTokenType: (_req, type) => (type === 'access' ? 'shopA' : 'shopR') },
    });
    expect(problemCodes(diagnosis)).toEqual([]);
    expect(finding(diagnosis, 'cookie.size').seen).toContain('shopA');
  });

  it('whose cookies have prefixes', async () => {
    const diagnosis = await examined({ options: { cookieNamePrefixes: true } });
    expect(problemCodes(diagnosis)).toEqual([]);
    expect(finding(diagnosis, 'cookie.prefix').level).toBe('ok');
  });

  it('whose sign-in route does not create a session', async () => {
    const diagnosis = await examined({ ask: { signIn: 'POST /open/nothing' } });
    expect(problemCodes(diagnosis)).toEqual(['sign-in.tokens']);
    expect(problem(diagnosis, 'sign-in.tokens').fix).toContain('createNewSession');
  });

  it('whose sign-in is refused', async () => {
    const diagnosis = await examined({ ask: { signIn: 'POST /me' } });
    expect(problemCodes(diagnosis)).toEqual(['sign-in.answer']);
  });

  it('whose refresh route is switched off', async () => {
    const diagnosis = await examined({
      options: { override: { apis: (original) => ({ ...original, refreshPOST: undefined }) } },
    });
    expect(problem(diagnosis, 'routes.refresh').seen).toBe('POST /auth/session/refresh returns 404');
  });

  it('and tells no token, cookie or password to anybody', async () => {
    const secrets = new Set<string>(['user-with-password']);
    const diagnosis = await examined({
      configure: () => undefined,
      ask: { signIn: 'POST /login {"userId":"user-with-password"}', headers: { 'x-proxy': 'proxy-secret' } },
      proxy: (exchange) => {
        for (const [name, value] of exchange.response?.headers ?? []) {
          const found = name === 'set-cookie' ? /^[^=]+=([^;]{20,});/.exec(value)?.[1] : undefined;
          if (found !== undefined) secrets.add(found);
          if (name === 'front-token' && value !== 'remove') secrets.add(value);
        }
        return exchange;
      },
    });
    expect(secrets.size).toBeGreaterThan(5);
    const text = JSON.stringify(diagnosis);
    expect([...secrets, 'proxy-secret'].filter((secret) => text.includes(secret))).toEqual([]);
  });

  it('with CORS as the README says, on one origin', async () => {
    const diagnosis = await examined({
      options: { appInfo: { ...SHOP, apiDomain: 'https://shop.io' } },
      configure: allowShop,
      ask: { api: 'https://shop.io/auth' },
    });
    expect(problemCodes(diagnosis)).toEqual([]);
    expect(finding(diagnosis, 'cors.origin').seen).toContain('CORS is not needed');
  });
});

/** Of a form that leads on to a page. */
function redirectingSignIn(exchange: RecordedExchange): RecordedExchange {
  const { response: answer, url, method } = exchange;
  if (answer === undefined || method !== 'POST' || !url.endsWith('/login')) return exchange;
  return {
    ...exchange,
    response: { ...answer, status: 303, headers: [...answer.headers, ['location', '/']] },
  };
}

function corsHeaders(): string[] {
  return ['content-type', 'rid', 'fdi-version', 'anti-csrf', 'authorization', 'st-auth-mode'];
}
