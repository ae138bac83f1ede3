import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ADAPTERS } from '../support/adapters.js';
import { ACCESS_VALIDITY_SEC } from '../support/embedded.js';
import { HttpClient } from '../support/http-client.js';
import type { TestApplication } from '../support/test-application.js';
import { Shop } from './shop/shop.js';
import { startWebsite } from './shop/website.js';
import { API, type Tab, type Visitor } from './shop/visitor.js';

const BOUND = '__Host-sBound';
const REGISTER = '200 POST /auth/session/device/register';
const RENEW = 'POST /auth/session/device/refresh';
const COOKIE_LIFE_SEC = 600;

let shop: Shop;
beforeAll(async () => {
  shop = await Shop.open({ bindsSessions: true });
});
afterAll(async () => shop.close());

/** The requests that the server got for one path, with the statuses of its responses; the browser's own are not shown to pages. */
function watchRoutes(api: TestApplication): string[] {
  const seen: string[] = [];
  const server = api.app.getHttpServer() as import('node:http').Server;
  server.prependListener('request', (request, response) => {
    response.on('finish', () => {
      if (request.url?.includes('/device/') === true)
        seen.push(`${response.statusCode} ${request.method} ${request.url}`);
    });
  });
  return seen;
}

async function until(condition: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setImmediate(resolve));
}

async function hasBoundCookie(visitor: Visitor): Promise<boolean> {
  return (await visitor.context.cookies(API)).some(({ name }) => name === BOUND);
}

/** As when its life is over. */
async function loseBoundCookie(visitor: Visitor): Promise<void> {
  await visitor.context.clearCookies({ name: BOUND });
}

/** A shop whose visitor has signed in, and whose browser has bound the session. */
async function signInBound(api: TestApplication): Promise<{ visitor: Visitor; tab: Tab; seen: string[] }> {
  const seen = watchRoutes(api);
  const visitor = await shop.visitor({ mode: 'cookie' });
  const tab = await visitor.signIn('ada');
  await until(() => hasBoundCookie(visitor));
  return { visitor, tab, seen };
}

const options = { deviceBound: { dbsc: { cookieLifeSec: COOKIE_LIFE_SEC } } } as const;

describe.each(ADAPTERS)('Chromium binds a session to a key of its own, on %s', (adapter) => {
  const openApi = async () => shop.openApi({ adapter, options });

  it('registers after the sign-in, and the session names its key (D10, D12, D20)', async () => {
    const api = await openApi();
    const { tab, seen } = await signInBound(api);
    expect(seen).toEqual([REGISTER]);
    expect(await tab.call('/me')).toMatchObject({ status: 200, body: { payload: { cnf: { via: 'dbsc' } } } });
  });

  it('renews the cookie by itself before the next request, in one round trip, for a page of another host of the site (D16, D21, D40, D41, D54)', async () => {
    const api = await openApi();
    const { visitor, tab, seen } = await signInBound(api);
    await loseBoundCookie(visitor);
    expect(await tab.statusOf('/me')).toBe(200);
    expect(seen).toEqual([REGISTER, `200 ${RENEW}`]);
    expect(await hasBoundCookie(visitor)).toBe(true);
  });

  it('renews once for many requests at once (D40)', async () => {
    const api = await openApi();
    const { visitor, tab, seen } = await signInBound(api);
    await loseBoundCookie(visitor);
    const statuses = await Promise.all(Array.from({ length: 8 }, async () => tab.statusOf('/me')));
    expect(new Set(statuses)).toEqual(new Set([200]));
    expect(seen.slice(1)).toEqual([`200 ${RENEW}`]);
  });

  it('refreshes the session beside it: the client asks, the browser proves', async () => {
    const api = await openApi();
    const { visitor, tab } = await signInBound(api);
    for (let round = 0; round < 2; round++) {
      await loseBoundCookie(visitor);
      api.clock.advanceSeconds(ACCESS_VALIDITY_SEC + 1);
      expect(await tab.statusOf('/me')).toBe(200);
    }
    expect(visitor.refreshes).toEqual([200, 200]);
  });

  it('is ended by the sign-out, and binds the next session anew (D50)', async () => {
    const api = await openApi();
    const { visitor, tab, seen } = await signInBound(api);
    await tab.signOut();
    expect(await hasBoundCookie(visitor)).toBe(false);
    const next = await visitor.signIn('grace');
    await until(() => hasBoundCookie(visitor));
    await loseBoundCookie(visitor);
    expect(await next.call('/me')).toMatchObject({ status: 200, body: { userId: 'grace' } });
    expect(seen.filter((each) => each === REGISTER)).toHaveLength(2);
  });

  it('tells the page of it with the next refresh, because no script sees the registration (D55)', async () => {
    const api = await openApi();
    const { tab } = await signInBound(api);
    expect(await tab.payload()).not.toHaveProperty('cnf');
    await tab.refresh();
    expect(await tab.payload()).toMatchObject({ cnf: { via: 'dbsc' } });
  });

  it('renews a cookie that the server has deleted because it was not good (D56)', async () => {
    const api = await openApi();
    const { visitor, tab } = await signInBound(api);
    const [cookie] = (await visitor.context.cookies(API)).filter(({ name }) => name === BOUND);
    if (cookie === undefined) throw new Error('There is no bound cookie');
    await visitor.context.addCookies([{ ...cookie, value: 'zzzzzz.wrong' }]);
    api.clock.advanceSeconds(60);
    expect(await tab.statusOf('/me')).toBe(200);
  });

  it('goes on as the user who signed in last, without a sign-out between (D57)', async () => {
    const api = await openApi();
    const { visitor, seen } = await signInBound(api);
    const tab = await visitor.signIn('grace');
    await until(() => seen.filter((each) => each === REGISTER).length === 2);
    for (let round = 0; round < 2; round++) {
      await loseBoundCookie(visitor);
      expect(await tab.call('/me')).toMatchObject({ status: 200, body: { userId: 'grace' } });
    }
  });

  it('shuts a thief out who has copied all cookies, once the bound cookie is over (S112)', async () => {
    const api = await openApi();
    const { visitor, tab } = await signInBound(api);
    const stolen = await visitor.context.cookies([`${API}/auth/session/refresh`]);
    const cookie = stolen.map(({ name, value }) => `${name}=${value}`).join('; ');
    expect(cookie).toContain(BOUND);
    const thief = new HttpClient(api.port);
    const askAs = async (path: string, method: string) =>
      (await thief.send({ path, method, headers: { cookie, rid: 'session' } })).status;
    expect(await askAs('/me', 'GET')).toBe(200);
    api.clock.advanceSeconds(COOKIE_LIFE_SEC + 1);
    expect(await askAs('/me', 'GET')).toBe(401);
    expect(await askAs('/auth/session/refresh', 'POST')).toBe(503);
    thief.close();
    await loseBoundCookie(visitor); // its life is over in the browser, too
    expect(await tab.statusOf('/me')).toBe(200);
  });
});

/** Lets the route that renews cookies return something else for a while. */
function respondToRenewals(api: TestApplication, act: (respond: Respond) => void): () => void {
  const server = api.app.getHttpServer() as import('node:http').Server;
  const [own] = server.listeners('request') as [(...input: unknown[]) => void];
  const emit = server.emit.bind(server);
  server.emit = (event: string, ...input: unknown[]) => {
    const [request, response] = input as [{ url?: string }, Respond];
    if (event !== 'request' || request.url?.endsWith('/device/refresh') !== true)
      return emit(event, ...input);
    act(response);
    return own.length >= 0;
  };
  return () => {
    server.emit = emit;
  };
}
type Respond = import('node:http').ServerResponse;

describe('Chromium at a response that is no renewal', () => {
  const openApi = async () => shop.openApi({ adapter: 'express', options });

  it('keeps the key through an outage: 503, and the next request renews (D6, D44, D45)', async () => {
    const api = await openApi();
    const { visitor, tab } = await signInBound(api);
    const skipped: unknown[] = [];
    (api.app.getHttpServer() as import('node:http').Server).on('request', (request) =>
      skipped.push(request.headers['secure-session-skipped']),
    );
    const repair = respondToRenewals(api, (response) =>
      response.writeHead(503, { 'retry-after': '5' }).end(),
    );
    await loseBoundCookie(visitor);
    api.clock.advanceSeconds(60);
    expect(await tab.statusOf('/me')).not.toBe(200);
    expect(await tab.hasSession()).toBe(true);
    expect(skipped.join(' ')).toContain('server_error');
    repair();
    expect(await tab.statusOf('/me')).toBe(200);
  });

  it('keeps the key when the connection breaks (D44)', async () => {
    const api = await openApi();
    const { visitor, tab, seen } = await signInBound(api);
    let lost = 0;
    shop.network.fateOf = (request) =>
      request.includes('/device/refresh') && lost++ === 0 ? 'is lost' : 'arrives';
    await loseBoundCookie(visitor);
    expect(await tab.statusOf('/me')).toBe(200);
    expect(lost).toBeGreaterThan(1);
    expect(seen).toContain(`200 ${RENEW}`);
  });

  it.each([
    ['429 of a limiter in front', 429],
    ['401 of a guard in front', 401],
  ])('gives the key up at a %s, so that the user has to sign in anew (D44, D45)', async (_of, status) => {
    const api = await openApi();
    const { visitor, tab } = await signInBound(api);
    const repair = respondToRenewals(api, (response) => response.writeHead(status).end());
    await loseBoundCookie(visitor);
    api.clock.advanceSeconds(60);
    await tab.statusOf('/me');
    repair();
    expect(await tab.statusOf('/me')).not.toBe(200);
    expect(await tab.hasSession()).toBe(false);
  });
});

describe('a page of another host than the website', () => {
  it('renews the cookie where it is on the site of the API (D54)', async () => {
    const website = await startWebsite();
    shop.network.lead('admin.shop.io', (website.address() as AddressInfo).port);
    const admin = 'https://admin.shop.io';
    const api = await shop.openApi({ adapter: 'express', options, pages: [admin] });
    const seen = watchRoutes(api);
    const visitor = await shop.visitor({ mode: 'cookie', site: admin });
    const tab = await visitor.signIn('ada');
    await until(() => hasBoundCookie(visitor));
    await loseBoundCookie(visitor);
    expect(await tab.statusOf('/me')).toBe(200);
    expect(seen).toEqual([REGISTER, `200 ${RENEW}`]);
    await visitor.leaves();
    website.close();
    website.closeAllConnections();
  });

  it('renews it as the website of another site, where the browser takes cookies of third parties (D58)', async () => {
    const website = 'https://elsewhere.org';
    const tolerant = await Shop.open({ thirdPartyCookies: 'taken', bindsSessions: true });
    try {
      const api = await tolerant.openApi({ adapter: 'express', options, website });
      const seen = watchRoutes(api);
      const visitor = await tolerant.visitor({ mode: 'cookie', site: website });
      const tab = await visitor.signIn('ada');
      await until(() => hasBoundCookie(visitor));
      await loseBoundCookie(visitor);
      expect(await tab.statusOf('/me')).toBe(200);
      expect(seen).toEqual([REGISTER, `200 ${RENEW}`]);
    } finally {
      await tolerant.close();
    }
  });
});
