import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { PrimitiveClaim, SessionError, type RecipeInterface, type SessionContainer } from 'nest-sessions';
import { jwtClaims } from '../fixtures/jwt-parts.js';
import type { SessionClient } from '../support/session-client.js';
import { ADAPTERS, TestApplication } from '../support/test-application.js';
import { NOTHING, tokenTraffic } from '../support/token-traffic.js';
import { TestClock } from '../../lib/testing/test-clock.js';
import { TEST_START_MS } from '../support/embedded.js';

const plan = new PrimitiveClaim<string>({ key: 'plan', fetchValue: () => 'pro' });
const nothing = new PrimitiveClaim<string>({ key: 'nothing', fetchValue: () => undefined });

/** A call of every method, made on a session that has ended meanwhile. */
const METHODS: Record<string, (session: SessionContainer) => Promise<unknown>> = {
  getSessionDataFromDatabase: (session) => session.getSessionDataFromDatabase(),
  updateSessionDataInDatabase: (session) => session.updateSessionDataInDatabase({ a: 1 }),
  mergeIntoAccessTokenPayload: (session) => session.mergeIntoAccessTokenPayload({ a: 1 }),
  getTimeCreated: (session) => session.getTimeCreated(),
  getExpiry: (session) => session.getExpiry(),
  revokeSession: (session) => session.revokeSession(),
};

describe.each(ADAPTERS)('working with a session on %s', (adapter) => {
  const clock = new TestClock(TEST_START_MS);
  let application: TestApplication;
  let browser: SessionClient;

  beforeAll(async () => {
    application = await TestApplication.on(adapter)
      .clock(clock)
      .with({ antiCsrf: 'VIA_TOKEN' })
      .handlers({
        guarded: {
          merge: async (session, { body }) => {
            await session.mergeIntoAccessTokenPayload(body as object);
            return session.getAccessTokenPayload();
          },
          'merge-late': async (session, { body }) => {
            clock.advanceSeconds(3601);
            await session.mergeIntoAccessTokenPayload(body as object);
            return session.getAccessTokenPayload();
          },
          'merge-twice': async (session) => {
            await session.mergeIntoAccessTokenPayload({ a: 1 });
            await session.mergeIntoAccessTokenPayload({ a: 2 });
          },
          'set-data': async (session, { body }) => {
            await session.updateSessionDataInDatabase((body as { data: null }).data);
            return session.getSessionDataFromDatabase();
          },
          claims: async (session) => {
            await session.setClaimValue(plan, 'free');
            const set = await session.getClaimValue(plan);
            await session.fetchAndSetClaim(plan);
            const fetched = await session.getClaimValue(plan);
            await session.fetchAndSetClaim(nothing);
            await session.removeClaim(plan);
            const removed = await session.getClaimValue(plan);
            return { set, fetched, removed: removed ?? null, payload: session.getAccessTokenPayload() };
          },
          'after-the-end': async (session, { body, sessions }) => {
            await sessions.revokeSession(session.getHandle());
            try {
              await METHODS[(body as { method: string }).method]?.(session);
            } catch (error) {
              if (!SessionError.isSessionError(error)) throw error;
              return { type: error.type, payload: (error as { payload?: unknown }).payload };
            }
            return { type: null };
          },
        },
      })
      .start();
  });

  beforeEach(async () => {
    browser = application.client('cookie');
    await browser.login('user-1', { payload: { plan: 'free', old: true }, data: { cart: [1] } });
  });

  afterAll(() => application.close());

  it('sends a merged payload to a browser at once, with nothing else (T183, T184)', async () => {
    const ate = browser.front.ate;
    const response = await browser.post('/run/merge', { k: 'v', old: null });
    expect(response.body).toMatchObject({ k: 'v', plan: 'free', sub: 'user-1' });
    expect(response.body).not.toHaveProperty('old');
    expect(tokenTraffic(response)).toEqual({ ...NOTHING, accessCookie: 'set', frontToken: 'set' });
    expect(jwtClaims(browser.cookie('sAccessToken'))).toEqual(response.body);
    expect(browser.front).toEqual({ uid: 'user-1', ate, up: response.body });
    expect((await browser.get('/me')).body).toMatchObject({ payload: response.body });
  });

  it('sends a merged payload to a mobile client as the access token alone (T185)', async () => {
    const mobile = await application.signedIn('header');
    const response = await mobile.post('/run/merge', { k: 'v' });
    expect(tokenTraffic(response)).toEqual({ ...NOTHING, accessHeader: 'set', frontToken: 'set' });
    expect(response.header('access-control-expose-headers')).toBe('front-token, st-access-token');
  });

  it('sends the last of several merges (T183)', async () => {
    const response = await browser.post('/run/merge-twice', {});
    expect(response.lines('set-cookie')).toHaveLength(1);
    expect(jwtClaims(browser.cookie('sAccessToken'))['a']).toBe(2);
  });

  it('keeps the expiry of the token that it replaces (T190)', async () => {
    const { ate } = browser.front;
    application.clock.advanceSeconds(1000);
    await browser.post('/run/merge', { k: 'v' });
    expect(browser.front.ate).toBe(ate);
    expect(browser.front.up).toMatchObject({
      exp: Math.floor(ate / 1000),
      iat: Math.floor(clock.now() / 1000),
    });
  });

  it('stores a merge for the next refresh when the token expired during the request (T186)', async () => {
    const response = await browser.post('/run/merge-late', { k: 'v', old: null });
    expect(response.body).toMatchObject({ k: 'v', plan: 'free', sub: 'user-1' });
    expect(response.body).not.toHaveProperty('old');
    expect(tokenTraffic(response)).toEqual(NOTHING);
    await browser.refresh();
    expect(browser.front.up).toMatchObject({ k: 'v' });
    expect(browser.front.up).not.toHaveProperty('old');
  });

  it.each(['sub', 'exp', 'sessionHandle', 'tId', 'antiCsrfToken'])(
    'refuses to merge %s, and writes nothing (Q16, S013)',
    async (name) => {
      const response = await browser.post('/run/merge', { [name]: 'mine' });
      expect(response.status).toBe(500);
      expect(tokenTraffic(response)).toEqual(NOTHING);
      expect((await browser.post('/run/merge', { [name]: null })).status).toBe(200);
    },
  );

  it.each([
    ['null', null],
    ['undefined', undefined],
  ])('stores %s as empty session data (T180)', async (_case, data) => {
    expect((await browser.post('/run/set-data', { data })).text).toBe('{}');
  });

  it('takes null for payload and data at sign-in as empty (T182)', async () => {
    const client = application.client('header');
    const { sessionHandle } = (await client.login('user-1', { payload: null, data: null })).body as {
      sessionHandle: string;
    };
    expect(await application.sessions.getSessionInformation(sessionHandle)).toMatchObject({
      sessionDataInDatabase: {},
      customClaimsInAccessTokenPayload: { iss: 'https://api.shop.io/auth' },
    });
  });

  it('knows eight facts about a session (T194)', async () => {
    const handle = String(browser.front.up['sessionHandle']);
    expect(await application.sessions.getSessionInformation(handle)).toEqual({
      sessionHandle: handle,
      userId: 'user-1',
      recipeUserId: 'user-1',
      tenantId: 'public',
      timeCreated: clock.now(),
      expiry: clock.now() + 8_640_000_000,
      sessionDataInDatabase: { cart: [1] },
      customClaimsInAccessTokenPayload: { plan: 'free', old: true, iss: 'https://api.shop.io/auth' },
    });
  });

  it('changes a payload by handle: nulls go, the issuer stays, the client gets it later (T187, T188)', async () => {
    const { sessions } = application;
    const handle = String(browser.front.up['sessionHandle']);
    expect(await sessions.mergeIntoAccessTokenPayload(handle, { k: 'v', old: null })).toBe(true);
    expect((await sessions.getSessionInformation(handle))?.customClaimsInAccessTokenPayload).toEqual({
      plan: 'free',
      k: 'v',
      iss: 'https://api.shop.io/auth',
    });
    expect((await browser.get('/me')).body).toMatchObject({ payload: { old: true } });
    await browser.refresh();
    expect((await browser.get('/me')).body).toMatchObject({ payload: { k: 'v' } });
    expect(await sessions.mergeIntoAccessTokenPayload('unknown', { k: 'v' })).toBe(false);
    await expect(sessions.mergeIntoAccessTokenPayload(handle, { sub: 'x' })).rejects.toThrow(TypeError);
  });

  it('returns false for the data of an unknown handle (T181)', async () => {
    expect(await application.sessions.updateSessionDataInDatabase('unknown', {})).toBe(false);
  });

  it.each(Object.keys(METHODS).filter((method) => method !== 'revokeSession'))(
    '%s is UNAUTHORISED when the session has ended meanwhile (T181, T191)',
    async (method) => {
      expect((await browser.post('/run/after-the-end', { method })).body).toEqual({
        type: 'UNAUTHORISED',
        payload: { clearTokens: true },
      });
    },
  );

  it('can be revoked when it has ended already (T192)', async () => {
    const response = await browser.post('/run/after-the-end', { method: 'revokeSession' });
    expect(response.body).toEqual({ type: null });
  });

  it('sets, fetches and removes claims (T228-T230)', async () => {
    const response = await browser.post('/run/claims', {});
    expect(response.body).toMatchObject({
      set: 'free',
      fetched: 'pro',
      removed: null,
      payload: { old: true },
    });
    expect(browser.front.up).not.toHaveProperty('plan');
    expect(browser.front.up).not.toHaveProperty('nothing');
  });
});

describe.each(ADAPTERS)('a session under an overridden recipe on %s', (adapter) => {
  it('reads its data through the overridden getSessionInformation (T193)', async () => {
    const functions = (original: RecipeInterface): RecipeInterface => ({
      ...original,
      getSessionInformation: async (input) => {
        const information = await original.getSessionInformation(input);
        return information && { ...information, sessionDataInDatabase: { overridden: true } };
      },
    });
    const guarded = { data: (session: SessionContainer) => session.getSessionDataFromDatabase() };
    const { signedIn } = await TestApplication.on(adapter)
      .with({ override: { functions } })
      .handlers({ guarded })
      .start();
    expect((await (await signedIn('cookie')).get('/run/data')).body).toEqual({ overridden: true });
  });
});
