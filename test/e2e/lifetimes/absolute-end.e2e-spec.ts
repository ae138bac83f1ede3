import { describe, expect, it } from '@jest/globals';
import { embeddedCore, NIST_LIFETIMES, SessionConfigError, SessionEvents } from 'nest-sessions';
import type { CoreProvider, SessionStore } from 'nest-sessions/core';
import { seededMemoryStore, TEST_START_MS } from '../../support/embedded.js';
import { jwt, V5_CLAIMS, V5_HEADER } from '../../fixtures/made-tokens.js';
import {
  ADAPTERS,
  sessionModule,
  TestApplication,
  type ApplicationStarter,
} from '../../support/test-application.js';
import { DAY_SEC, HOUR_SEC, LIFETIME_HANDLERS, signIn, use } from './lifetime-handlers.js';

const METHODS = ['cookie', 'header'] as const;
/** So that refreshing for years makes no keys. */
const KEYS_THAT_STAY = { accessTokenDynamicSigningKeyUpdateIntervalSec: 3650 * DAY_SEC };

describe.each(ADAPTERS)('the absolute end of a session on %s', (adapter) => {
  const starter = (lifetime: object): ApplicationStarter =>
    TestApplication.on(adapter).handlers(LIFETIME_HANDLERS).with({ lifetime });

  it.each(METHODS)('comes on time after refreshing for two years (%s) (S037 S031)', async (mode) => {
    const absoluteSec = 730 * DAY_SEC;
    const step = 10 * DAY_SEC;
    const { signedIn, clock, sessions } = await starter({ absoluteSec })
      .engine({ ...KEYS_THAT_STAY, accessTokenValiditySec: step })
      .start();
    const client = await signedIn(mode);
    const end = TEST_START_MS + absoluteSec * 1000;
    const { sessionHandle } = (await client.get('/me')).body as { sessionHandle: string };
    for (let refreshes = 0; clock.now() + step * 1000 < end; refreshes++) {
      clock.advanceSeconds(step);
      expect({ refreshes, status: await use(client) }).toEqual({ refreshes, status: 200 });
    }
    clock.set(end - 1000);
    expect(await use(client)).toBe(200);
    expect(client.front.ate).toBeLessThanOrEqual(end);
    expect(await sessions.getSessionInformation(sessionHandle)).toMatchObject({ expiry: end });
    clock.set(end);
    expect(await use(client)).toBe(401);
    expect(await sessions.getSessionInformation(sessionHandle)).toBeUndefined();
    expect(client.refreshToken ?? client.cookie('sRefreshToken')).toBeUndefined();
  });

  it('is kept by the server: a client that ignores expiries gets nothing out of old tokens (S036 S037 S041)', async () => {
    const { signedIn, clock, send } = await starter({ absoluteSec: 2 * HOUR_SEC }).start();
    const client = await signedIn('header');
    const { accessToken, refreshToken } = client;
    clock.advanceSeconds(2 * HOUR_SEC);
    const headers = (token?: string) => ({ authorization: `Bearer ${token}`, 'st-auth-mode': 'header' });
    expect((await send({ path: '/me', headers: headers(accessToken) })).status).toBe(401);
    expect((await send({ path: '/checked', headers: headers(accessToken) })).status).toBe(401);
    const refresh = await send({
      method: 'POST',
      path: '/auth/session/refresh',
      headers: headers(refreshToken),
    });
    expect(refresh.status).toBe(401);
    expect(refresh.header('front-token')).toBe('remove');
  });

  it('caps the access token, the front token and the refresh cookie', async () => {
    const { client } = await starter({ absoluteSec: 600 }).start();
    const visitor = client();
    const response = await visitor.login();
    const end = TEST_START_MS + 600_000;
    expect(visitor.front).toMatchObject({ ate: end, up: { exp: end / 1000, session_expiry: end / 1000 } });
    expect(response.setCookie('sRefreshToken')?.expires).toBe(new Date(end).toUTCString());
  });

  it('is another one where a sign-in says so: remembered or not', async () => {
    const { client, clock } = await starter({ absoluteSec: DAY_SEC }).start();
    const [short, usual, remembered] = [client(), client(), client()];
    await signIn(short, { userId: 'user-1', lifetime: { absoluteSec: HOUR_SEC } });
    await signIn(usual, { userId: 'user-1' });
    await signIn(remembered, { userId: 'user-1', lifetime: { absoluteSec: 30 * DAY_SEC } });
    const all = async (): Promise<number[]> => [await use(short), await use(usual), await use(remembered)];
    clock.advanceSeconds(HOUR_SEC - 1);
    expect(await all()).toEqual([200, 200, 200]);
    clock.advanceSeconds(1);
    expect(await all()).toEqual([401, 200, 200]);
    clock.set(TEST_START_MS + DAY_SEC * 1000);
    expect(await all()).toEqual([401, 401, 200]);
    clock.set(TEST_START_MS + 30 * DAY_SEC * 1000);
    expect(await all()).toEqual([401, 401, 401]);
  });

  it('is there only where it is asked for, and only then `lifetime` can be given at sign-in', async () => {
    const { client, sessions } = await TestApplication.on(adapter).handlers(LIFETIME_HANDLERS).start();
    const visitor = client();
    await visitor.login('user-1', { payload: { auth_time: 1, session_idle: 'mine' } });
    expect(visitor.front.up).toMatchObject({ auth_time: 1, session_idle: 'mine' });
    expect(visitor.front.up).not.toHaveProperty('session_expiry');
    const refused = sessions.createNewSessionWithoutRequestResponse({
      userId: 'user-1',
      lifetime: { absoluteSec: HOUR_SEC },
    });
    await expect(refused).rejects.toThrow(TypeError);
  });

  it.each(['auth_time', 'session_expiry', 'session_idle'])(
    'cannot be moved by what the application puts into the payload: %s (S013 S037)',
    async (name) => {
      const { client, sessions } = await starter(NIST_LIFETIMES.AAL2).start();
      const visitor = client();
      const handle = await signIn(visitor, {
        userId: 'user-1',
        accessTokenPayload: { [name]: 9_999_999_999, mine: 1 },
      });
      const limits = {
        auth_time: TEST_START_MS / 1000,
        session_expiry: TEST_START_MS / 1000 + DAY_SEC,
        session_idle: HOUR_SEC,
      };
      expect(visitor.front.up).toMatchObject({ ...limits, mine: 1 });
      for (const value of [9_999_999_999, null]) {
        expect((await visitor.post('/run/merge', { [name]: value })).status).toBe(500);
        await expect(sessions.mergeIntoAccessTokenPayload(handle, { [name]: value })).rejects.toThrow(
          TypeError,
        );
      }
      expect((await visitor.post('/run/merge', { mine: 2 })).status).toBe(200);
      expect(visitor.front.up).toMatchObject({ ...limits, mine: 2 });
      expect(await sessions.mergeIntoAccessTokenPayload(handle, { mine: 3 })).toBe(true);
      const information = await sessions.getSessionInformation(handle);
      expect(information?.customClaimsInAccessTokenPayload).toMatchObject({ ...limits, mine: 3 });
    },
  );

  it('holds where an override forgets or forges it (S037)', async () => {
    const { signedIn } = await starter({ absoluteSec: HOUR_SEC })
      .with({
        override: {
          functions: (original) => ({
            ...original,
            createNewSession: (given) =>
              original.createNewSession({
                ...given,
                accessTokenPayload: { session_expiry: 9_999_999_999 },
              }),
            regenerateAccessToken: (given) =>
              original.regenerateAccessToken({ ...given, newAccessTokenPayload: {} }),
          }),
        },
      })
      .start();
    const client = await signedIn();
    const end = { session_expiry: TEST_START_MS / 1000 + HOUR_SEC };
    expect(client.front.up).toMatchObject(end);
    expect((await client.post('/run/merge', { mine: 1 })).status).toBe(200);
    expect(client.front.up).toMatchObject(end);
    expect(client.front.up).not.toHaveProperty('mine');
  });
});

describe.each(ADAPTERS)('the absolute end of a session whose core knows nothing of it, on %s', (adapter) => {
  it('is kept by the recipe at every request, also for a token that is remembered (S037)', async () => {
    const core = embeddedCore({ store: await seededMemoryStore() });
    const { send, clock } = await TestApplication.on(adapter).with({ core, lifetime: {} }).start();
    const claims = { ...V5_CLAIMS, session_expiry: TEST_START_MS / 1000 + 60 };
    const headers = { authorization: `Bearer ${jwt(V5_HEADER, claims)}` };
    for (const second of [0, 59]) {
      clock.set(TEST_START_MS + second * 1000);
      expect((await send({ path: '/me', headers })).status).toBe(200);
    }
    clock.set(TEST_START_MS + 60_000);
    for (const path of ['/me', '/optional', '/me']) {
      const response = await send({ path, headers });
      expect({ path, status: response.status }).toEqual({ path, status: 401 });
      expect(response.header('front-token')).toBe('remove');
    }
  });

  it('is kept at a refresh, which ends the session in the core, too (S037 S049)', async () => {
    const store = await seededMemoryStore();
    const { app, signedIn, clock, events } = await TestApplication.on(adapter)
      .with({ core: laggingCore(store, 3600), lifetime: { absoluteSec: 600 } })
      .start();
    const client = await signedIn('header');
    clock.advanceSeconds(599);
    expect((await client.refresh()).status).toBe(200);
    clock.advanceSeconds(1);
    expect(store.size).toBe(1);
    const response = await client.refresh();
    expect(response.status).toBe(401);
    expect(response.header('front-token')).toBe('remove');
    expect(store.size).toBe(0);
    await app.get(SessionEvents, { strict: false }).delivered();
    expect(events.filter(({ type }) => type === 'session.refreshed')).toHaveLength(1);
    expect(events.at(-1)).toMatchObject({ type: 'session.revoked' });
  });
});

/** A core whose clock is late: it would go on refreshing for so long after the end. */
function laggingCore(store: SessionStore, lagSec: number): CoreProvider {
  const { problems, create } = embeddedCore({ store, accessTokenValidityJitter: 0 });
  return {
    problems,
    create: (context) => create({ ...context, clock: { now: () => context.clock.now() - lagSec * 1000 } }),
  };
}

describe('the limits that NIST recommends', () => {
  it('are there as presets, by the numbers of SP 800-63B-4 (S037)', () => {
    expect(NIST_LIFETIMES).toEqual({
      AAL1: { absoluteSec: 2_592_000 },
      AAL2: { absoluteSec: 86_400, idleSec: 3600 },
      AAL3: { absoluteSec: 43_200, idleSec: 900 },
    });
  });

  it.each([
    [{ absoluteSec: 59 }, 'lifetime.absoluteSec'],
    [{ idleSec: 1.5 }, 'lifetime.idleSec'],
    [{ absolute: 3600 }, 'lifetime.absolute'],
    ['1h', 'lifetime'],
  ])('or others, if they make sense: %j does not', async (lifetime, path) => {
    const start = TestApplication.on('express')
      .modules(await sessionModule({ options: { lifetime: lifetime as object } }))
      .run(async () => {});
    const error = await start.then(
      () => undefined,
      (failure: unknown) => failure,
    );
    expect(error).toBeInstanceOf(SessionConfigError);
    expect((error as SessionConfigError).problems.map((problem) => problem.path)).toEqual([path]);
  });
});
