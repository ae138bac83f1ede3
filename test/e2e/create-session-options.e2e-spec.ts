import { describe, expect, it } from '@jest/globals';
import {
  PrimitiveClaim,
  getRequestFromUserContext,
  type RecipeInterface,
  type SessionModuleOptions,
  type UserContext,
} from 'nest-sessions';
import { seededMemoryStore } from '../support/embedded.js';
import { jwtHeader } from '../fixtures/jwt-parts.js';
import { coreOfLinkedAccounts } from '../support/linked-accounts.js';
import { ADAPTERS, SHOP, TestApplication } from '../support/test-application.js';
import { COOKIES_SET, HEADERS_SET, NOTHING, tokenTraffic } from '../support/token-traffic.js';

describe.each(ADAPTERS)('signing in with options on %s', (adapter) => {
  it.each([
    ['any', 'cookie', COOKIES_SET],
    ['header', 'cookie', HEADERS_SET],
    ['cookie', 'header', COOKIES_SET],
  ] as const)(
    'allowed %s, st-auth-mode %s: the allowed method wins (T8-T10)',
    async (allowed, mode, traffic) => {
      const getTokenTransferMethod = () => allowed;
      const { client } = await TestApplication.on(adapter).with({ getTokenTransferMethod }).start();
      expect(tokenTraffic(await client(mode).login())).toEqual(traffic);
    },
  );

  it('can choose the method by where a request comes from (T42)', async () => {
    const options: Partial<SessionModuleOptions> = {
      getTokenTransferMethod: ({ req }) =>
        req.getHeaderValue('origin') === 'https://shop.io' ? 'cookie' : 'header',
    };
    const { client } = await TestApplication.on(adapter).with(options).start();
    const body = { userId: 'user-1' };
    const byWebsite = await client('header').post('/login', body, { origin: 'https://shop.io' });
    expect(tokenTraffic(byWebsite)).toEqual(COOKIES_SET);
    const byApp = await client('cookie').post('/login', body, { origin: 'capacitor://localhost' });
    expect(tokenTraffic(byApp)).toEqual(HEADERS_SET);
  });

  it('puts paths, domain and gateway into the cookies (T14-T16)', async () => {
    const appInfo = { ...SHOP, apiGatewayPath: '/gw' };
    const options = { appInfo, accessTokenPath: '/access', cookieDomain: '.shop.io' };
    const { client } = await TestApplication.on(adapter).with(options).start();
    const response = await client('cookie').login();
    expect(response.setCookie('sAccessToken')).toMatchObject({ path: '/access', domain: '.shop.io' });
    expect(response.setCookie('sRefreshToken')).toMatchObject({
      path: '/gw/auth/session/refresh',
      domain: '.shop.io',
    });
  });

  it('responds with 500 without tokens when an override adds a name of the session again (T21)', async () => {
    const functions = (original: RecipeInterface): RecipeInterface => ({
      ...original,
      createNewSession: (input) =>
        original.createNewSession({
          ...input,
          accessTokenPayload: { ...input.accessTokenPayload, sub: 'x' },
        }),
    });
    const options = { override: { functions } };
    const { client } = await TestApplication.on(adapter).with(options).start();
    const response = await client('cookie').post('/login', { userId: 'user-1' });
    expect(response.status).toBe(500);
    expect(tokenTraffic(response)).toEqual(NOTHING);
  });

  it('signs with the key that never changes when told to (T26)', async () => {
    const options = { useDynamicAccessTokenSigningKey: false };
    const { signedIn } = await TestApplication.on(adapter).with(options).start();
    const client = await signedIn('header');
    expect(jwtHeader(client.accessToken)['kid']).toMatch(/^s-/);
    expect((await client.get('/me')).status).toBe(200);
  });

  it('names the primary user of linked accounts to everybody but the core (T28)', async () => {
    const store = await seededMemoryStore();
    const { signedIn, sessions } = await TestApplication.on(adapter)
      .with({ core: coreOfLinkedAccounts(store) })
      .start();
    const client = await signedIn('cookie', 'by-email');
    expect(client.front).toMatchObject({ uid: 'primary', up: { sub: 'primary', rsub: 'by-email' } });
    expect((await client.get('/me')).body).toMatchObject({ userId: 'primary', recipeUserId: 'by-email' });
    expect(await sessions.getAllSessionHandlesForUser({ userId: 'by-email' })).toHaveLength(1);
  });

  it('creates the session in the tenant that was named (T29)', async () => {
    const { client } = await TestApplication.on(adapter).start();
    const browser = client('cookie');
    await browser.login('user-1', { tenantId: 't1' });
    expect((await browser.get('/me')).body).toMatchObject({ tenantId: 't1' });
  });

  it('refuses cookies that every browser would drop, and creates nothing (T30, T31)', async () => {
    const store = await seededMemoryStore();
    const appInfo = {
      appName: 'Shop',
      apiDomain: 'http://api.shop.io',
      origin: () => 'http://other.example',
    };
    const { client } = await TestApplication.on(adapter).store(store).with({ appInfo }).start();
    const refused = await client('cookie').post('/login', { userId: 'user-1' });
    expect(refused.status).toBe(500);
    expect(tokenTraffic(refused)).toEqual(NOTHING);
    expect(store.size).toBe(0);
    expect(tokenTraffic(await client('header').login())).toEqual(HEADERS_SET);
  });

  it.each([
    ['http://localhost:3000', 'http://127.0.0.1:8080'],
    ['http://127.0.0.1:3000', 'http://localhost:8080'],
  ])(
    'lets API %s and website %s have SameSite=None without Secure (T32)',
    async (apiDomain, websiteDomain) => {
      const appInfo = { appName: 'Shop', apiDomain, websiteDomain };
      const { client } = await TestApplication.on(adapter).with({ appInfo, cookieSameSite: 'none' }).start();
      const response = await client('cookie').login();
      for (const name of ['sAccessToken', 'sRefreshToken']) {
        expect(response.setCookie(name)?.line).toMatch(/; HttpOnly; SameSite=None$/);
      }
    },
  );

  it('builds the claims of the module into the session (T36, T37)', async () => {
    const calls: unknown[][] = [];
    const plan = new PrimitiveClaim<string>({
      key: 'plan',
      fetchValue: (...input) => {
        calls.push(input);
        return 'pro';
      },
    });
    const nothing = new PrimitiveClaim<string>({ key: 'nothing', fetchValue: () => undefined });
    const { client } = await TestApplication.on(adapter)
      .with({ claims: [plan, nothing] })
      .start();
    const browser = client('cookie');
    await browser.login('user-1', { tenantId: 't1', payload: { a: 1 } });
    expect(browser.front.up).toMatchObject({ a: 1, plan: { v: 'pro', t: expect.any(Number) } });
    expect(browser.front.up).not.toHaveProperty('nothing');
    const [userId, recipeUserId, tenantId, payload, userContext] = calls[0] ?? [];
    expect([userId, recipeUserId, tenantId]).toEqual(['user-1', 'user-1', 't1']);
    expect(payload).toEqual({ a: 1, iss: 'https://api.shop.io/auth' });
    expect(getRequestFromUserContext(userContext as UserContext)?.getOriginalURL()).toBe('/login');
  });
});
