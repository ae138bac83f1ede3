import { describe, expect, it } from '@jest/globals';
import type { SessionModuleOptions } from 'nest-sessions';
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
import { ACCESS_VALIDITY_SEC, seededMemoryStore } from '../support/embedded.js';
import type { ClientResponse } from '../support/http-client.js';
import { storeWithHeldUpdate } from '../support/intercepted-store.js';
import { SHOP, TestApplication } from '../support/test-application.js';
import { watchedStore } from '../support/watched-store.js';

const LIFE = 600;
const starter = (options: Partial<SessionModuleOptions> = deviceBound({ dbsc: true })) =>
  TestApplication.on('express').with(options);
const clears = (response: ClientResponse): boolean =>
  response.lines('set-cookie').some((line) => line.startsWith('sRefreshToken=;'));
const outcome = (response: ClientResponse) => ({
  clearsTokens: clears(response),
  isUnauthorised: response.status === 401 && response.text.includes('unauthorised'),
});
const FINE = { clearsTokens: false, isUnauthorised: false };

describe('an honest browser keeps its session', () => {
  it('at a refresh in the last second of a cookie, which the browser counts from the receipt', async () => {
    const application = await starter().start();
    const { clock } = application;
    clock.advance(900); // the clock is not at a full second
    const browser = browserOf(application);
    await browser.login();
    clock.advance(LIFE * 1000 - 500); // half a second of Max-Age is left
    expect(browser.session.cookie('__Host-sBound')).toBeDefined();
    const response = await browser.refresh();
    expect(browser.ownRequests.at(-1)).toBe(`${REGISTER} 200`); // the browser sees no reason to renew
    expect(outcome(response)).toEqual(FINE);
  });

  it('at a refresh that comes first after the secret was replaced', async () => {
    const { store } = await watchedStore();
    const of = (text: string) => deviceBound({ dbsc: true, secret: text.repeat(32) });
    let browser!: BindingBrowser;
    await starter(of('a'))
      .store(store)
      .run(async (application) => {
        browser = browserOf(application);
        await browser.login();
      });
    const application = await starter(of('b')).store(store).start();
    application.clock.advanceSeconds(60);
    const later = browserOf(application);
    later.session.adoptTokens(browser.session);
    const response = await later.session.refresh(); // the cookie is there, so that the browser renews nothing
    expect(outcome(response)).toEqual(FINE);
  });

  it('after a registration whose responses were lost (Chromium sends it twice at once, then never again)', async () => {
    const application = await starter().start();
    const { session: client } = browserOf(application);
    const challenge = offeredChallenge(await client.login());
    const headers = { ...OWN_REQUEST, 'secure-session-response': new DeviceKey().registration(challenge) };
    expect((await client.copy().send({ path: REGISTER, method: 'POST', headers })).status).toBe(200); // never arrives
    expect((await client.get('/me')).status).toBe(200);
    application.clock.advanceSeconds(ACCESS_VALIDITY_SEC + 1);
    expect(outcome(await client.refresh())).toEqual(FINE);
  });

  it('when a page of another site asks that crossSiteRequests lets in, and for which browsers do not renew (D51)', async () => {
    const options = {
      ...deviceBound({ dbsc: true }),
      crossSiteRequests: 'allow',
      cookieSameSite: 'none',
    } as const;
    const application = await starter(options).start();
    const browser = browserOf(application);
    await browser.login();
    application.clock.advanceSeconds(LIFE + 1);
    browser.lose('__Host-sBound'); // its life is over
    const partner = {
      origin: 'https://partner.example',
      'sec-fetch-site': 'cross-site',
      'sec-fetch-mode': 'cors',
      rid: 'session',
    };
    expect((await browser.session.get('/me', partner)).status).toBe(401);
    const refresh = await browser.session.refresh(partner);
    expect(outcome(refresh).clearsTokens).toBe(false); // takes the tokens of the shop's own tabs as well
  });

  it('after a change of cookieDomain, while browsers have the bound cookie under its former name', async () => {
    const { store } = await watchedStore();
    let browser!: BindingBrowser;
    const before = { ...deviceBound({ dbsc: true }) };
    await starter(before)
      .store(store)
      .run(async (application) => {
        browser = browserOf(application);
        await browser.login();
      });
    const after = { ...before, cookieDomain: '.shop.io', olderCookieDomain: '' };
    const application = await starter(after).store(store).start();
    application.clock.advanceSeconds(60);
    const later = browserOf(application);
    later.session.adoptTokens(browser.session);
    expect(outcome(await later.session.refresh())).toEqual(FINE);
  });

  it('after the browser’s late registration, after which another user has signed in', async () => {
    const { store, holdNext } = storeWithHeldUpdate(await seededMemoryStore());
    const application = await starter().store(store).start();
    const client = application.client('cookie');
    const challenge = offeredChallenge(await client.login('ada'));
    const headers = { ...OWN_REQUEST, 'secure-session-response': new DeviceKey().registration(challenge) };
    const { reached, release } = holdNext();
    const late = client.copy().send({ path: REGISTER, method: 'POST', headers });
    await reached;
    await client.signOut();
    await client.login('grace');
    release();
    const response = await late; // arrives last: its Set-Cookie lines count in the browser
    expect(clears(response)).toBe(false);
  });

  it('beside an access token of an earlier place of the cookies beside the present one', async () => {
    const application = await starter().start();
    const { clock } = application;
    const former = application.client('cookie');
    await former.login('former');
    const browser = browserOf(application);
    await browser.login('present');
    clock.advanceSeconds(LIFE + 1);
    const own = browser.session.cookie('sAccessToken');
    const { binding } = browser;
    const cookie = `sAccessToken=${former.cookie('sAccessToken')}; sAccessToken=${own}`;
    const response = await application.send({
      path: RENEW,
      method: 'POST',
      headers: {
        ...OWN_REQUEST,
        cookie,
        'sec-secure-session-id': binding?.id,
        'secure-session-response': binding?.key.renewal(binding.challenge ?? ''),
      },
    });
    expect(response.text).not.toContain('"continue":false'); // the key would be lost for good
  });

  it('is bound on no second website of another site, which `origin` chooses per request: it could not renew there', async () => {
    const { websiteDomain: _, ...rest } = SHOP;
    const appInfo = {
      ...rest,
      origin: ({ request }: { request: { getHeaderValue(name: string): string | undefined } | undefined }) =>
        request?.getHeaderValue('origin') === 'https://outlet.example'
          ? 'https://outlet.example'
          : 'https://shop.io',
    };
    const application = await starter({
      appInfo,
      cookieSameSite: 'none',
      ...deviceBound({ dbsc: true }),
    }).start();
    const client = application.client('cookie');
    const website = {
      origin: 'https://outlet.example',
      'sec-fetch-site': 'cross-site',
      'sec-fetch-mode': 'cors',
    };
    const login = await client.post('/login', { userId: 'ada' }, website);
    expect(login.header('secure-session-registration')).toBeUndefined();
  });

  it('is not bound where it reaches the API at another address than apiDomain, where it never renews', async () => {
    const application = await starter().start();
    const client = application.client('cookie');
    const login = await client.post('/login', { userId: 'ada' });
    const elsewhere = { ...OWN_REQUEST, origin: 'https://www.shop.io' }; // the browser's own request names the origin of its URL (D12)
    const headers = {
      ...elsewhere,
      'secure-session-response': new DeviceKey().registration(offeredChallenge(login)),
    };
    expect((await client.send({ path: REGISTER, method: 'POST', headers })).status).not.toBe(200);
  });

  it('beside a cookie that a neighbouring host has planted beside the good one (cookieDomain)', async () => {
    const application = await starter({ ...deviceBound({ dbsc: true }), cookieDomain: '.shop.io' }).start();
    const browser = browserOf(application);
    await browser.login();
    application.clock.advanceSeconds(60);
    const { session } = browser;
    const good = session.cookie('__Secure-sBound');
    expect(good).toBeDefined();
    const cookie = [
      '__Secure-sBound=zzzzzz.planted',
      `sAccessToken=${session.cookie('sAccessToken')}`,
      `__Secure-sBound=${good}`,
      `sRefreshToken=${session.cookie('sRefreshToken')}`,
    ].join('; ');
    const reversed = cookie.split('; ').toReversed().join('; ');
    const results = [];
    for (const each of [cookie, reversed]) {
      const response = await application.send({
        path: '/auth/session/refresh',
        method: 'POST',
        headers: { cookie: each },
      });
      results.push(outcome(response));
    }
    expect(results).toEqual([FINE, FINE]);
  });
});
