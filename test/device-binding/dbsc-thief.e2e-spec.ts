import { describe, expect, it } from '@jest/globals';
import { type SessionEvent, type SessionModuleOptions } from 'nest-sessions';
import {
  BindingBrowser,
  browserOf,
  DeviceKey,
  offeredChallenge,
  OWN_REQUEST,
  REGISTER,
  RENEW,
} from '../support/binding-browser.js';
import { deviceBound } from '../support/device-bound.js';
import { ACCESS_VALIDITY_SEC } from '../support/embedded.js';
import { DemoController } from '../support/demo.controller.js';
import { TestApplication } from '../support/test-application.js';
import { VaultController } from '../support/vault.controller.js';
import { watchedStore } from '../support/watched-store.js';

const starter = (options: Partial<SessionModuleOptions> = deviceBound({ dbsc: true })) =>
  TestApplication.on('express').with(options).controllers(DemoController, VaultController);
const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

const DROPPED = '__Host-sBound=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT';

describe('a thief, and a stranger', () => {
  it('a route for bound sessions stays closed to a token that was copied before the registration', async () => {
    const application = await starter().start();
    const { clock } = application;
    const client = application.client('cookie');
    await client.login();
    clock.advanceSeconds(ACCESS_VALIDITY_SEC + 1);
    const challenge = offeredChallenge(await client.refresh());
    const thief = client.copy(); // before the registration: no bound cookie, no key
    const headers = { ...OWN_REQUEST, 'secure-session-response': new DeviceKey().registration(challenge) };
    expect((await client.send({ path: REGISTER, method: 'POST', headers })).status).toBe(200);
    expect((await client.get('/vault')).status).toBe(200);
    const statuses = [];
    statuses.push((await thief.copy().get('/vault')).status);
    clock.advanceSeconds(1800);
    statuses.push((await thief.copy().get('/vault')).status);
    expect(statuses).not.toContain(200);
  });

  it('a forged token publishes no device.skipped of a user’s session', async () => {
    const application = await starter().start();
    const browser = browserOf(application);
    await browser.login('victim');
    const [head = '', payload = ''] = decodeURIComponent(browser.session.cookie('sAccessToken') ?? '').split(
      '.',
    );
    const real = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<string, unknown>;
    const forged = { ...real, sub: 'ceo', cnf: { jkt: 'x', via: 'dbsc', boundAt: 1 } };
    const token = `${head}.${part(forged)}.${'A'.repeat(342)}`;
    const before = application.events.length;
    const response = await application.send({
      path: '/me',
      headers: {
        cookie: `sAccessToken=${encodeURIComponent(token)}`,
        'secure-session-skipped': 'unreachable',
      },
    });
    expect(response.status).toBe(401);
    expect(application.events.slice(before)).toEqual([]);
  });

  it('a refused refresh is reported, and not as a refresh', async () => {
    const application = await starter().start();
    const { clock } = application;
    const browser = browserOf(application);
    await browser.login();
    clock.advanceSeconds(20);
    const thief = browser.stolenCookies();
    thief.keep({ lines: (name) => (name === 'set-cookie' ? [DROPPED] : []) });
    const before = application.events.length;
    expect((await thief.refresh()).status).toBe(401);
    const types = (application.events as SessionEvent[]).slice(before).map(({ type }) => type);
    expect(types).toEqual(['device.proof-refused']);
  });

  it('isBound() is not satisfied while the option is off and no proof is asked for', async () => {
    const { store } = await watchedStore();
    let browser!: BindingBrowser;
    await starter()
      .store(store)
      .run(async (application) => {
        browser = browserOf(application);
        await browser.login();
      });
    const application = await starter({}).store(store).start();
    const thief = application.client('cookie');
    thief.adoptTokens(browser.session);
    thief.setCookie('__Host-sBound', '', '/');
    expect((await thief.get('/vault')).status).toBe(403);
  });

  it('a script of the own origin registers no key of its own', async () => {
    const application = await starter().start();
    const client = application.client('cookie');
    const login = await client.login();
    const script = {
      origin: 'https://api.shop.io',
      'sec-fetch-site': 'same-origin',
      'sec-fetch-mode': 'cors',
    };
    const headers = {
      ...script,
      'secure-session-response': new DeviceKey().registration(offeredChallenge(login)),
    };
    expect((await client.send({ path: REGISTER, method: 'POST', headers })).status).not.toBe(200);
  });

  it('a page’s own bearer token passes beside the bound cookie (exposeAccessTokenToFrontendInCookieBasedAuth)', async () => {
    const application = await starter({
      ...deviceBound({ dbsc: true }),
      exposeAccessTokenToFrontendInCookieBasedAuth: true,
    }).start();
    const browser = browserOf(application);
    await browser.login();
    const token = decodeURIComponent(browser.session.cookie('sAccessToken') ?? '');
    expect((await browser.session.get('/me', { authorization: `Bearer ${token}` })).status).toBe(200);
  });

  it('refused proofs of a stranger who knows a handle publish no events without end', async () => {
    const application = await starter().start();
    const browser = browserOf(application);
    await browser.login();
    const before = application.events.length;
    const stranger = new DeviceKey();
    for (let i = 0; i < 50; i++)
      await application.send({
        path: RENEW,
        method: 'POST',
        headers: {
          'sec-secure-session-id': browser.binding?.id,
          'secure-session-response': stranger.renewal('x'),
        },
      });
    expect(application.events.length - before).toBeLessThan(50);
  });
});
