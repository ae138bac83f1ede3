import { Injectable, type CanActivate } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { HttpException } from '@nestjs/common';
import { describe, expect, it } from '@jest/globals';
import type { SessionModuleOptions } from 'nest-sessions';
import {
  BindingBrowser,
  browserOf,
  DeviceKey,
  offeredChallenge,
  REGISTER,
  RENEW,
} from '../support/binding-browser.js';
import { deviceBound } from '../support/device-bound.js';
import { ACCESS_VALIDITY_SEC } from '../support/embedded.js';
import type { ClientResponse } from '../support/http-client.js';
import type { SessionClient } from '../support/session-client.js';
import { ADAPTERS, SHOP, TestApplication, type Adapter } from '../support/test-application.js';
import { watchedStore } from '../support/watched-store.js';

const COOKIE_LIFE_SEC = 600;
const SKIPPED = { 'secure-session-skipped': 'server_error;session_identifier="x"' };

const starter = (adapter: Adapter, options: Partial<SessionModuleOptions> = deviceBound({ dbsc: true })) =>
  TestApplication.on(adapter).with(options);

async function bound(application: TestApplication, userId?: string): Promise<BindingBrowser> {
  const browser = browserOf(application);
  await browser.login(userId);
  if (browser.binding === undefined) throw new Error('The browser has bound nothing');
  return browser;
}

/** The browser's own request for a new cookie, with a proof of the challenge or of the one that it holds. */
async function renew(
  browser: BindingBrowser,
  challenge = browser.binding?.challenge ?? '',
): Promise<ClientResponse> {
  const { binding, session } = browser;
  const headers = {
    'sec-secure-session-id': binding?.id,
    'secure-session-response': binding?.key.renewal(challenge),
  };
  return session.send({ path: RENEW, method: 'POST', headers });
}

/** The challenge that comes back for a proof. */
function nextChallenge(response: ClientResponse): string {
  return /^"([\w.-]{40,})"/.exec(response.header('secure-session-challenge') ?? '')?.[1] ?? '';
}

describe.each(ADAPTERS)('a bound cookie that the browser could not renew, on %s', (adapter) => {
  it('makes the client try again later, and takes no token from it (D6, D49)', async () => {
    const application = await starter(adapter).start();
    const browser = await bound(application);
    application.clock.advanceSeconds(COOKIE_LIFE_SEC + 1);
    const client = browser.session;
    const guarded = await client.get('/me', SKIPPED);
    expect([guarded.status, guarded.text]).toEqual([401, '{"message":"try refresh token"}']);
    const refresh = await client.refresh(SKIPPED);
    expect([refresh.status, refresh.header('retry-after')]).toEqual([503, '5']);
    expect(refresh.lines('set-cookie').filter((line) => line.startsWith('sAccessToken'))).toEqual([]);
    expect(application.events.at(-1)).toMatchObject({ type: 'device.skipped', reason: 'server_error' });
    expect((await browser.send({ path: '/me' })).status).toBe(200);
  });

  it('passes where the application wants it so, for a thief as well (D49)', async () => {
    const options = deviceBound({ dbsc: { whenSkipped: 'accept' } });
    const application = await starter(adapter, options).start();
    const { session: client } = await bound(application);
    application.clock.advanceSeconds(COOKIE_LIFE_SEC + 1);
    expect((await client.get('/me')).status).toBe(401);
    expect((await client.get('/me', SKIPPED)).status).toBe(200);
    expect((await client.refresh(SKIPPED)).status).toBe(200);
  });
});

describe.each(ADAPTERS)('races and repeats, on %s', (adapter) => {
  it('let a refresh pass that was sent before the registration arrived, and offer to bind its session anew (D10)', async () => {
    const application = await starter(adapter).start();
    const browser = browserOf(application);
    const unbound = browser.session;
    const login = await unbound.login();
    const onItsWay = unbound.copy();
    const proof = new DeviceKey().registration(offeredChallenge(login));
    await unbound.send({ path: REGISTER, method: 'POST', headers: { 'secure-session-response': proof } });
    const refresh = await onItsWay.refresh();
    expect([refresh.status, refresh.header('secure-session-registration')]).toEqual([
      200,
      expect.stringContaining('challenge='),
    ]);
    expect((await onItsWay.get('/me')).status).toBe(200);
  });

  it('bind a session to the first of two keys', async () => {
    const application = await starter(adapter).start();
    const { session: client } = browserOf(application);
    const challenge = offeredChallenge(await client.login());
    const other = client.copy();
    const register = async (holder: SessionClient): Promise<ClientResponse> =>
      holder.send({
        path: REGISTER,
        method: 'POST',
        headers: { 'secure-session-response': new DeviceKey().registration(challenge) },
      });
    const statuses = (await Promise.all([register(client), register(other)])).map(({ status }) => status);
    expect(statuses.toSorted((a, b) => a - b)).toEqual([200, 403]);
    expect(application.events.filter(({ type }) => type === 'device.registered')).toHaveLength(1);
  });

  it('respond to a registration whose response was lost with the same instructions', async () => {
    const application = await starter(adapter).start();
    const { session: client } = browserOf(application);
    const challenge = offeredChallenge(await client.login());
    const headers = { 'secure-session-response': new DeviceKey().registration(challenge) };
    const lost = client.copy();
    const first = await lost.send({ path: REGISTER, method: 'POST', headers });
    const second = await client.send({ path: REGISTER, method: 'POST', headers });
    expect([second.status, second.body]).toEqual([200, first.body]);
    expect((await client.get('/me')).status).toBe(200);
  });

  it('take the same proof twice, because a browser may send it again (D24)', async () => {
    const application = await starter(adapter).start();
    const browser = await bound(application);
    const challenge = browser.binding?.challenge ?? '';
    expect((await renew(browser, challenge)).status).toBe(200);
    expect((await renew(browser, challenge)).status).toBe(200);
  });

  it('take the challenge before the last one, and none that is older than two lives of the cookie (D46)', async () => {
    const application = await starter(adapter).start();
    const browser = await bound(application);
    const before = browser.binding?.challenge ?? '';
    application.clock.advanceSeconds(COOKIE_LIFE_SEC);
    await renew(browser);
    expect((await renew(browser, before)).status).toBe(200);
    application.clock.advanceSeconds(COOKIE_LIFE_SEC + 1);
    const late = await renew(browser, before);
    expect(late.status).toBe(403);
    expect((await renew(browser, nextChallenge(late))).status).toBe(200);
  });
});

describe.each(ADAPTERS)('a proof that is not good, on %s', (adapter) => {
  it('gets one more challenge, then the browser gives up its key; the session lives (D42, D45)', async () => {
    const application = await starter(adapter).start();
    const { session: client, binding } = await bound(application);
    const thief = new DeviceKey();
    const send = async (challenge: string): Promise<ClientResponse> =>
      client.send({
        path: RENEW,
        method: 'POST',
        headers: {
          'sec-secure-session-id': binding?.id,
          'secure-session-response': thief.renewal(challenge),
        },
      });
    const first = await send(binding?.challenge ?? '');
    expect([first.status, first.setCookie('__Host-sBound')]).toEqual([403, undefined]);
    const second = await send(nextChallenge(first));
    expect([second.status, second.body]).toEqual([200, { session_identifier: binding?.id, continue: false }]);
    const refusals = application.events.filter(({ type }) => type === 'device.proof-refused');
    expect(refusals).toEqual([
      expect.objectContaining({ userId: 'user-1', reason: 'the signature is wrong' }),
      expect.objectContaining({ userId: 'user-1', reason: 'the signature is wrong' }),
    ]);
    expect(await application.sessions.getSessionInformation(binding?.id ?? '')).toBeDefined();
  });

  it('is told nothing more than a browser needs, and never by a redirect (D3, D44, D52)', async () => {
    const application = await starter(adapter).start();
    const { session: client, binding } = await bound(application);
    const response = await client.send({
      path: RENEW,
      method: 'POST',
      headers: { 'sec-secure-session-id': binding?.id, 'secure-session-response': 'a.b.c' },
    });
    expect([response.status, response.text]).toEqual([403, '{"message":"a proof is expected"}']);
    expect(response.header('secure-session-challenge')).toMatch(/^"retry\.[\w.-]+";id="[\w-]+"$/);
    expect(response.header('x-frame-options')).toBe('DENY');
    expect(response.header('cross-origin-resource-policy')).toBe('same-origin');
    expect(response.header('cache-control')).toBe('no-store');
    expect(response.header('access-control-allow-origin')).toBeUndefined();
  });

  it('cannot come from a page: the browser alone names the session (D5, D52)', async () => {
    const application = await starter(adapter).start();
    const { session: client, binding } = await bound(application);
    const proof = binding?.key.renewal(binding.challenge ?? '');
    const response = await client.post(RENEW, undefined, { 'secure-session-response': proof });
    expect([response.status, response.setCookie('__Host-sBound')]).toEqual([400, undefined]);
  });

  it.each([
    ['bare, as Chromium sends them', (text: string) => text],
    ['quoted, as the draft says', (text: string) => `"${text}"`],
    ['quoted, with a parameter', (text: string) => `"${text}";x=1`],
  ])('may be written %s (D4, D5)', async (_of, write) => {
    const application = await starter(adapter).start();
    const { session: client, binding } = await bound(application);
    const response = await client.send({
      path: RENEW,
      method: 'POST',
      headers: {
        'sec-secure-session-id': write(binding?.id ?? ''),
        'secure-session-response': write(binding?.key.renewal(binding.challenge ?? '') ?? ''),
      },
    });
    expect(response.status).toBe(200);
  });

  it('must be one (D4)', async () => {
    const application = await starter(adapter).start();
    const { session: client, binding } = await bound(application);
    const proof = binding?.key.renewal(binding.challenge ?? '') ?? '';
    const headers = { 'sec-secure-session-id': binding?.id, 'secure-session-response': [proof, proof] };
    expect((await client.send({ path: RENEW, method: 'POST', headers })).status).toBe(403);
  });
});

@Injectable()
class FullThrottler implements CanActivate {
  canActivate(context: { switchToHttp(): { getRequest(): { url: string } } }): boolean {
    if (context.switchToHttp().getRequest().url.includes('/device/'))
      throw new HttpException('Too many', 429);
    return true;
  }
}

describe.each(ADAPTERS)('the routes of browsers, on %s', (adapter) => {
  it('respond with 503 while the store is away, and the browser goes on afterwards (D45)', async () => {
    const { store, failing } = await watchedStore();
    const application = await starter(adapter).store(store).start();
    const browser = await bound(application);
    failing.add('findSession');
    const response = await renew(browser);
    expect([response.status, response.header('retry-after')]).toEqual([503, '5']);
    application.clock.advanceSeconds(COOKIE_LIFE_SEC + 1);
    await browser.send({ path: '/me' });
    expect(browser.binding).toBeDefined();
    failing.clear();
    expect((await browser.send({ path: '/me' })).status).toBe(200);
  });

  it('bind nothing by half: a registration that fails leaves an unbound session, which is offered again', async () => {
    const { store, failing } = await watchedStore();
    const application = await starter(adapter).store(store).start();
    const browser = browserOf(application);
    failing.add('update');
    const response = await browser.login();
    expect(response.status).toBe(201);
    expect(browser.ownRequests).toEqual([`${REGISTER} 503`]);
    failing.clear();
    expect((await browser.send({ path: '/me' })).status).toBe(200);
    application.clock.advanceSeconds(ACCESS_VALIDITY_SEC + 1);
    await browser.refresh();
    expect(browser.ownRequests.at(-1)).toBe(`${REGISTER} 200`);
  });

  it('are exempt from guards of the application, a limiter for example (D45)', async () => {
    const application = await TestApplication.on(adapter)
      .with(deviceBound({ dbsc: true }))
      .providers({ provide: APP_GUARD, useClass: FullThrottler })
      .start();
    const browser = await bound(application);
    expect((await renew(browser)).status).toBe(200);
  });

  it('are named to the browser as it reaches them, behind a gateway (D2)', async () => {
    const appInfo = { ...SHOP, apiGatewayPath: '/gateway', apiBasePath: '/auth' };
    const application = await starter(adapter, { appInfo, ...deviceBound({ dbsc: true }) }).start();
    const { session: client } = browserOf(application);
    const offer = (await client.login()).header('secure-session-registration');
    expect(offer).toContain('path="/gateway/auth/session/device/register"');
    const headers = {
      'secure-session-response': new DeviceKey().registration(
        /challenge="([^"]*)"/.exec(offer ?? '')?.[1] ?? '',
      ),
    };
    const response = await client.send({ path: REGISTER, method: 'POST', headers });
    expect(response.body).toMatchObject({ refresh_url: '/gateway/auth/session/device/refresh' });
  });
});

describe.each(ADAPTERS)('switching the option, on %s', (adapter) => {
  it('off and on again signs no one out, and keeps the browsers’ keys', async () => {
    const { store } = await watchedStore();
    const options = deviceBound({ dbsc: true });
    const { http: _http, ...kept } = await starter(adapter, options)
      .store(store)
      .run(async (application) => {
        const browser = await bound(application);
        return { http: application.http, session: browser.session, binding: browser.binding };
      });
    const resumed = async (application: TestApplication): Promise<BindingBrowser> => {
      const browser = browserOf(application);
      browser.session.adoptTokens(kept.session);
      browser.binding = kept.binding;
      return browser;
    };
    await starter(adapter, {})
      .store(store)
      .run(async (application) => {
        const browser = await resumed(application);
        expect((await browser.send({ path: '/me' })).status).toBe(200);
        expect(browser.ownRequests).toEqual([`${RENEW} 503`]);
        application.clock.advanceSeconds(ACCESS_VALIDITY_SEC + 1);
        expect((await browser.refresh()).status).toBe(200);
        kept.session.adoptTokens(browser.session);
      });
    const application = await starter(adapter, options).store(store).start();
    const browser = await resumed(application);
    expect((await browser.send({ path: '/me' })).status).toBe(200);
    expect((await browser.stolenCookies().get('/me')).status).toBe(200);
    application.clock.advanceSeconds(COOKIE_LIFE_SEC + 1);
    expect((await browser.stolenCookies().get('/me')).status).toBe(401);
  });

  it('to another secret makes browsers renew, and ends nothing', async () => {
    const { store } = await watchedStore();
    const secretOf = (text: string): Partial<SessionModuleOptions> =>
      deviceBound({ dbsc: true, secret: text.repeat(32) });
    let browser!: BindingBrowser;
    await starter(adapter, secretOf('a'))
      .store(store)
      .run(async (application) => {
        browser = await bound(application);
      });
    const application = await starter(adapter, secretOf('b')).store(store).start();
    const later = browserOf(application);
    later.session.adoptTokens(browser.session);
    later.binding = browser.binding;
    expect((await later.session.get('/me')).status).toBe(401); // the cookie of the other secret is deleted
    expect((await later.send({ path: '/me' })).status).toBe(200);
  });
});

describe('a set-up in which browsers bind nothing', () => {
  it.each([
    [
      'an API without https (D11)',
      { ...SHOP, apiDomain: 'http://api.shop.io', websiteDomain: 'http://shop.io' },
    ],
  ])('offers nothing: %s', async (_of, appInfo) => {
    const { client } = await starter('express', { appInfo, ...deviceBound({ dbsc: true }) }).start();
    expect((await client('cookie').login()).header('secure-session-registration')).toBeUndefined();
  });

  it.each<[string, Partial<SessionModuleOptions>, string]>([
    ['access tokens that its routes do not see', { accessTokenPath: '/api' }, 'needs the access token at'],
    ['partitioned cookies (D35)', { cookiePartitioned: true }, 'browsers bind no partitioned cookies'],
    ['insecure cookies', { cookieSecure: false }, 'set cookieSecure to true'],
  ])('does not start: %s', async (_of, options, message) => {
    await expect(starter('express', { ...deviceBound({ dbsc: true }), ...options }).start()).rejects.toThrow(
      message,
    );
  });

  it('does not start with a short secret', async () => {
    await expect(
      starter('express', { deviceBound: { dbsc: true, secret: 'short' } }).start(),
    ).rejects.toThrow('deviceBound.secret: a text of at least 32 characters is expected');
  });
});

describe('the pages for which a browser renews the cookie', () => {
  it.each<[string, Partial<SessionModuleOptions>, string[]]>([
    ['the whole site of the API', {}, ['shop.io', '*.shop.io']],
    [
      'and a website of another site',
      { appInfo: { ...SHOP, websiteDomain: 'https://elsewhere.org' } },
      ['shop.io', '*.shop.io', 'elsewhere.org'],
    ],
    ['those of allowedOrigins alone', { allowedOrigins: ['https://admin.shop.io'] }, ['admin.shop.io']],
    [
      'none beside those of the API, where it has an address',
      { appInfo: { ...SHOP, apiDomain: 'https://192.0.2.1', websiteDomain: 'https://192.0.2.1' } },
      [],
    ],
  ])('are %s (D51)', async (_of, options, expected) => {
    const application = await starter('express', { ...deviceBound({ dbsc: true }), ...options }).start();
    const { session: client } = browserOf(application);
    const headers = { origin: options.allowedOrigins?.[0] };
    const login = await client.send({ path: '/login', method: 'POST', body: { userId: 'ada' }, headers });
    const proof = new DeviceKey().registration(offeredChallenge(login));
    const response = await client.send({
      path: REGISTER,
      method: 'POST',
      headers: { 'secure-session-response': proof },
    });
    expect(response.body).toMatchObject({ allowed_refresh_initiators: expected });
  });
});

describe('another name of the access token', () => {
  it('names the bound cookie, too, so that two modules do not meet', async () => {
    const names = (prefix: string): Partial<SessionModuleOptions> => ({
      ...deviceBound({ dbsc: true }),
      getCookieNameForTokenType: (_req, type) => `${prefix}${type}`,
    });
    const application = await starter('express', names('admin-')).start();
    const browser = browserOf(application);
    await browser.login();
    expect(browser.binding?.cookieName).toBe('__Host-admin-accessBound');
    expect((await browser.send({ path: '/me' })).status).toBe(200);
  });
});

describe('a start while the store is away', () => {
  it('fails sign-ins as without the option, and binds sessions afterwards', async () => {
    const { store, failing } = await watchedStore();
    failing.add('getOrSetRefreshTokenKey');
    const application = await starter('express').store(store).start();
    expect((await application.client('cookie').post('/login', { userId: 'ada' })).status).toBe(503);
    failing.clear();
    const browser = await bound(application);
    expect((await browser.send({ path: '/me' })).status).toBe(200);
  });
});

describe('the claim of a bound session', () => {
  it('can neither be set nor removed by the application, and stays when it changes the payload', async () => {
    const application = await TestApplication.on('express')
      .with(deviceBound({ dbsc: true }))
      .handlers({
        guarded: {
          forge: (session) =>
            session.mergeIntoAccessTokenPayload({ cnf: { jkt: 'x', via: 'dbsc', boundAt: 1 } }),
          remove: (session) => session.mergeIntoAccessTokenPayload({ cnf: null }),
          change: (session) => session.mergeIntoAccessTokenPayload({ colour: 'red' }),
        },
      })
      .start();
    const browser = await bound(application);
    expect((await browser.send({ path: '/run/forge' })).status).toBe(500);
    expect((await browser.send({ path: '/run/remove' })).status).toBe(500);
    expect((await browser.send({ path: '/run/change' })).status).toBe(200);
    const { payload } = (await browser.send({ path: '/me' })).body as { payload: object };
    expect(payload).toMatchObject({ colour: 'red', cnf: { via: 'dbsc' } });
    const login = await application
      .client('cookie')
      .post('/login', { userId: 'eve', payload: { cnf: { jkt: 'x' } } });
    expect(login.status).toBe(201);
  });
});
