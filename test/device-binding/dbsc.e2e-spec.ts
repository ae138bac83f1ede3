import { describe, expect, it } from '@jest/globals';
import { type SessionEvent } from 'nest-sessions';
import {
  type BindingBrowser,
  browserOf,
  DeviceKey,
  offeredChallenge,
  REGISTER,
  RENEW,
} from '../support/binding-browser.js';
import { deviceBound } from '../support/device-bound.js';
import { DemoController } from '../support/demo.controller.js';
import { ACCESS_VALIDITY_SEC } from '../support/embedded.js';
import { ADAPTERS, TestApplication, type Adapter } from '../support/test-application.js';
import { VaultController } from '../support/vault.controller.js';

const COOKIE_LIFE_SEC = 600;
const DROPPED = '__Host-sBound=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT';

const starter = (adapter: Adapter) =>
  TestApplication.on(adapter)
    .with(deviceBound({ dbsc: true }))
    .controllers(DemoController, VaultController);

async function start(adapter: Adapter) {
  const application = await starter(adapter).start();
  const { clock, http, client, sessions } = application;
  const browser = () => browserOf(application);
  const signedIn = async (userId?: string): Promise<BindingBrowser> => {
    const visitor = browser();
    await visitor.login(userId);
    return visitor;
  };
  const types = (): string[] => (application.events as SessionEvent[]).map(({ type }) => type);
  return { application, client, sessions, clock, http, browser, signedIn, types };
}

describe.each(ADAPTERS)('a session bound to the browser, on %s', (adapter) => {
  it('is offered at sign-in with a path and a challenge, and never without a key (D1, D13, S111)', async () => {
    const { client } = await start(adapter);
    const response = await client('cookie').login();
    const offer = response.header('secure-session-registration') ?? '';
    expect(offer).toMatch(
      /^\(ES256\);path="\/auth\/session\/device\/register";challenge="register\.[\w.-]{60,}"$/,
    );
    expect(offer).not.toContain('none');
  });

  it('is registered by the browser at once, and the access token then names the key (D15, D30)', async () => {
    const { signedIn, types } = await start(adapter);
    const browser = await signedIn();
    expect(browser.ownRequests).toEqual([`${REGISTER} 200`]);
    const me = (await browser.send({ path: '/me' })).body as { payload: Record<string, { jkt: string }> };
    expect(me.payload['cnf']).toMatchObject({ via: 'dbsc', jkt: expect.stringMatching(/^[\w-]{43}$/) });
    expect(types()).toEqual(['session.created', 'device.registered']);
  });

  it('has a bound cookie whose attributes are those that the instructions name, and the scope is the API as clients see it (D32, D35-D38)', async () => {
    const { client } = await start(adapter);
    const visitor = client('cookie');
    const login = await visitor.login();
    const headers = { 'secure-session-response': new DeviceKey().registration(offeredChallenge(login)) };
    const registered = await visitor.send({ path: REGISTER, method: 'POST', headers });
    const { credentials, ...rest } = registered.body as {
      credentials: { name: string; attributes: string }[];
    };
    const cookie = registered.setCookie('__Host-sBound');
    const withoutTimes = cookie?.line
      .split('; ')
      .slice(1)
      .filter((attribute) => !/^(Max-Age|Expires)=/.test(attribute));
    expect(credentials).toEqual([
      { type: 'cookie', name: '__Host-sBound', attributes: withoutTimes?.join('; ') },
    ]);
    expect(cookie?.line).toContain(`; Max-Age=${COOKIE_LIFE_SEC}`);
    expect(rest).toEqual({
      session_identifier: expect.any(String),
      refresh_url: RENEW,
      continue: true,
      scope: { origin: 'https://api.shop.io', include_site: false, scope_specification: [] },
      allowed_refresh_initiators: ['shop.io', '*.shop.io'],
    });
    expect(registered.header('cache-control')).toBe('no-store');
  });

  it('goes on for as long as the browser renews its cookie, one round trip each time (D40, D42, D43)', async () => {
    const { signedIn, clock, types } = await start(adapter);
    const browser = await signedIn();
    for (let round = 0; round < 3; round++) {
      clock.advanceSeconds(COOKIE_LIFE_SEC + 1);
      expect((await browser.send({ path: '/me' })).status).toBe(200);
    }
    expect(browser.ownRequests).toEqual([`${REGISTER} 200`, ...Array<string>(3).fill(`${RENEW} 200`)]);
    expect(types().filter((type) => type === 'device.refreshed')).toHaveLength(3);
  });

  it('responds to a renewal without a proof with 403 and a challenge, and takes the proof of it (D42, S112)', async () => {
    const { signedIn, clock } = await start(adapter);
    const browser = await signedIn();
    clock.advanceSeconds(COOKIE_LIFE_SEC + 1);
    if (browser.binding !== undefined) browser.binding.challenge = undefined;
    expect((await browser.send({ path: '/me' })).status).toBe(200);
    expect(browser.ownRequests.slice(1)).toEqual([`${RENEW} 403`, `${RENEW} 200`]);
  });

  it('is refreshed with its cookie, and stays bound to the same key', async () => {
    const { signedIn, clock } = await start(adapter);
    const browser = await signedIn();
    const keyOf = async (): Promise<unknown> =>
      ((await browser.send({ path: '/me' })).body as { payload: Record<string, unknown> }).payload['cnf'];
    const before = await keyOf();
    for (let round = 0; round < 2; round++) {
      clock.advanceSeconds(ACCESS_VALIDITY_SEC + 1);
      expect((await browser.send({ path: '/me' })).status).toBe(401);
      expect((await browser.refresh()).status).toBe(200);
      expect(await keyOf()).toEqual({ ...(before as object), confirmed: true });
    }
    expect(browser.ownRequests.filter((each) => each.startsWith(REGISTER))).toHaveLength(1);
  });

  it('is of no use to a thief with all cookies, once the bound cookie is over (S112)', async () => {
    const { signedIn, clock, sessions } = await start(adapter);
    const browser = await signedIn();
    const thief = browser.stolenCookies();
    expect((await thief.get('/me')).status).toBe(200); // until then a copy works
    clock.advanceSeconds(COOKIE_LIFE_SEC + 1);
    const refused = await thief.get('/me');
    expect([refused.status, refused.text]).toEqual([401, '{"message":"try refresh token"}']);
    const refresh = await thief.refresh();
    expect([refresh.status, refresh.text]).toEqual([401, '{"message":"unauthorised"}']);
    expect((await browser.send({ path: '/me' })).status).toBe(200);
    expect((await browser.refresh()).status).toBe(200);
    expect(await sessions.getAllSessionHandlesForUser({ userId: 'user-1' })).toHaveLength(1);
  });

  it('cannot be refreshed by a thief who has the refresh token alone, and the owner keeps both', async () => {
    const { signedIn, clock } = await start(adapter);
    const browser = await signedIn();
    clock.advanceSeconds(20);
    const thief = browser.stolenCookies();
    thief.keep({ lines: (name) => (name === 'set-cookie' ? [DROPPED] : []) });
    expect((await thief.refresh()).status).toBe(401);
    clock.advanceSeconds(ACCESS_VALIDITY_SEC + 1);
    expect((await browser.refresh()).status).toBe(200);
    expect((await browser.send({ path: '/me' })).status).toBe(200);
  });

  it('does not take the stolen access token in a header, where it would need no cookie', async () => {
    const { signedIn, client } = await start(adapter);
    const browser = await signedIn();
    const accessToken = decodeURIComponent(browser.session.cookie('sAccessToken') ?? '');
    const response = await client('header').get('/me', { authorization: `Bearer ${accessToken}` });
    expect([response.status, response.text]).toEqual([401, '{"message":"unauthorised"}']);
    const refreshToken = decodeURIComponent(browser.session.cookie('sRefreshToken') ?? '');
    const refresh = await client('header').refresh({ authorization: `Bearer ${refreshToken}` });
    expect(refresh.status).toBe(401);
  });

  it('passes a request that was on its way with the cookie before (D47)', async () => {
    const { signedIn, clock } = await start(adapter);
    const browser = await signedIn();
    clock.advanceSeconds(COOKIE_LIFE_SEC - 5);
    const onItsWay = browser.stolenCookies();
    browser.lose('__Host-sBound');
    await browser.send({ path: '/me' });
    expect(browser.ownRequests.at(-1)).toBe(`${RENEW} 200`);
    expect(browser.session.cookie('__Host-sBound')).not.toBe(onItsWay.cookie('__Host-sBound'));
    expect((await onItsWay.get('/me')).status).toBe(200);
  });

  it('deletes a bound cookie that is not good, so that the browser renews it', async () => {
    const { signedIn } = await start(adapter);
    const browser = await signedIn();
    browser.session.setCookie('__Host-sBound', 'zzzzzz.wrong');
    const response = await browser.session.get('/me');
    expect(response.status).toBe(401);
    expect(response.setCookie('__Host-sBound')?.value).toBe('');
  });

  it('ends with the sign-out: the cookie goes, and the next renewal tells the browser to give up its key (D50, S112)', async () => {
    const { signedIn } = await start(adapter);
    const browser = await signedIn();
    const response = await browser.send({ path: '/auth/signout', method: 'POST' });
    expect(response.setCookie('__Host-sBound')).toMatchObject({ value: '' });
    const { binding } = browser;
    const ended = await browser.session.send({
      path: RENEW,
      method: 'POST',
      headers: { 'sec-secure-session-id': binding?.id },
    });
    expect([ended.status, ended.body]).toEqual([200, { session_identifier: binding?.id, continue: false }]);
  });

  it('gives way to the next sign-in in the same browser: its key does not renew the cookie of the new session (D31, D57)', async () => {
    const { signedIn, clock } = await start(adapter);
    const browser = await signedIn('ada');
    const { binding: ofAda } = browser;
    browser.binding = undefined;
    await browser.login('grace');
    const response = await browser.session.send({
      path: RENEW,
      method: 'POST',
      headers: {
        'sec-secure-session-id': ofAda?.id,
        'secure-session-response': ofAda?.key.renewal(ofAda.challenge ?? ''),
      },
    });
    expect(response.body).toEqual({ session_identifier: ofAda?.id, continue: false });
    expect(response.lines('set-cookie')).toEqual([]);
    clock.advanceSeconds(COOKIE_LIFE_SEC + 1);
    expect((await browser.send({ path: '/me' })).body).toMatchObject({ userId: 'grace' });
  });

  it('takes no proof for an access token, and no access token for a proof (D25)', async () => {
    const { signedIn, client } = await start(adapter);
    const { session, binding } = await signedIn();
    const proof = binding?.key.renewal(binding.challenge ?? '');
    expect((await client('header').get('/me', { authorization: `Bearer ${proof}` })).status).toBe(401);
    const accessToken = decodeURIComponent(session.cookie('sAccessToken') ?? '');
    const headers = { 'sec-secure-session-id': binding?.id, 'secure-session-response': accessToken };
    expect((await session.send({ path: RENEW, method: 'POST', headers })).status).toBe(403);
  });

  it('opens routes for bound sessions, which are closed to others (DeviceBoundClaim)', async () => {
    const { signedIn, client } = await start(adapter);
    expect((await (await signedIn()).send({ path: '/vault' })).status).toBe(200);
    const other = client('cookie');
    await other.login();
    const refused = await other.get('/vault');
    expect([refused.status, refused.body]).toEqual([
      403,
      {
        message: 'invalid claim',
        claimValidationErrors: [{ id: 'cnf', reason: { message: 'value does not exist' } }],
      },
    ]);
  });
});

describe.each(ADAPTERS)('a browser without device-bound sessions, on %s', (adapter) => {
  it('notices nothing: the session works, is offered again at each refresh, and stays as it is (D18, S112)', async () => {
    const { client, clock } = await start(adapter);
    const visitor = client('cookie');
    await visitor.login();
    for (let round = 0; round < 2; round++) {
      clock.advanceSeconds(ACCESS_VALIDITY_SEC + 1);
      expect((await visitor.refresh()).header('secure-session-registration')).toContain('challenge=');
      const response = await visitor.get('/me');
      expect(response.status).toBe(200);
      expect(response.header('secure-session-registration')).toBeUndefined();
    }
  });

  it('neither do clients by header', async () => {
    const { client, clock } = await start(adapter);
    const visitor = client('header');
    expect((await visitor.login()).header('secure-session-registration')).toBeUndefined();
    clock.advanceSeconds(ACCESS_VALIDITY_SEC + 1);
    expect((await visitor.refresh()).header('secure-session-registration')).toBeUndefined();
    expect((await visitor.get('/me')).status).toBe(200);
  });
});
