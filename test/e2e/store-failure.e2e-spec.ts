import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { TokenTheftDetectedError } from 'nest-sessions';
import type { ClientResponse } from '../support/http-client.js';
import type { SessionClient } from '../support/session-client.js';
import { ADAPTERS, TestApplication } from '../support/test-application.js';
import { BOTH_CLEARED, NOTHING, tokenTraffic } from '../support/token-traffic.js';
import { watchedStore, type WatchedStore } from '../support/watched-store.js';

const TRY_LATER = [503, '{"message":"service unavailable"}', '1'];

/** A move of a client, the call of the store that fails (of several that do the same), and the preparation. */
interface Flow {
  readonly fails: string | readonly string[];
  prepare?(client: SessionClient): Promise<unknown>;
  act(client: SessionClient): Promise<ClientResponse>;
}

const FLOWS: Record<string, Flow> = {
  'signing in': { fails: 'insertSession', act: (client) => client.post('/login', { userId: 'user-1' }) },
  refreshing: { fails: 'findSession', act: (client) => client.refresh() },
  'refreshing twice without using the token': {
    fails: 'findAndUpdate',
    prepare: (client) => client.refresh(),
    act: (client) => client.refresh(),
  },
  'the first use of a refreshed token': {
    fails: 'update refreshTokenHash2',
    prepare: (client) => client.refresh(),
    act: (client) => client.get('/me'),
  },
  'a route that asks the database': { fails: 'findSession', act: (client) => client.get('/checked') },
  'an optional session that asks the database': {
    fails: 'findSession',
    act: (client) => client.get('/checked-optional'),
  },
  'a change of the payload': {
    fails: 'update accessTokenPayload',
    act: (client) => client.post('/run/merge'),
  },
  'a change of the data': { fails: 'update sessionData', act: (client) => client.post('/run/data') },
  'signing out': { fails: 'deleteSessions', act: (client) => client.signOut() },
};

describe.each(ADAPTERS)('a store that fails on %s', (adapter) => {
  let watched: WatchedStore;
  let application: TestApplication;
  let client: SessionClient;

  beforeAll(async () => {
    watched = await watchedStore();
    application = await TestApplication.on(adapter)
      .store(watched.store)
      .handlers({
        open: {
          theft: async ({ body }) => {
            const { sessionHandle } = body as { sessionHandle: string };
            throw new TokenTheftDetectedError(sessionHandle, 'user-1');
          },
        },
        guarded: {
          merge: (session) => session.mergeIntoAccessTokenPayload({ a: 1 }),
          data: (session) => session.updateSessionDataInDatabase({ a: 1 }),
        },
      })
      .start();
  });

  beforeEach(async () => {
    client = await application.signedIn('cookie');
  });

  afterEach(() => watched.failing.clear());
  afterAll(() => application.close());

  function expectTryLater(response: ClientResponse): void {
    expect([response.status, response.text, response.header('retry-after')]).toEqual(TRY_LATER);
    expect(response.lines('set-cookie')).toEqual([]);
    expect(tokenTraffic(response)).toEqual(NOTHING);
  }

  it.each(Object.keys(FLOWS))(
    '%s: a server error, no token touched, and it works again afterwards (S030, S049, S096)',
    async (name) => {
      const { fails, prepare, act } = FLOWS[name] as Flow;
      await prepare?.(client);
      for (const method of [fails].flat()) watched.failing.add(method);
      for (let attempt = 0; attempt < 3; attempt++) expectTryLater(await act(client));
      watched.failing.clear();
      expect((await client.copy().get('/checked')).status).toBe(200);
      expect([200, 201]).toContain((await act(client)).status);
    },
  );

  it('does not take a theft for settled before the session is revoked (S030, S049)', async () => {
    const thief = client.copy();
    await client.refresh();
    await client.get('/me');
    watched.failing.add('deleteSessions');
    expectTryLater(await thief.refresh());
    watched.failing.clear();
    expect((await thief.refresh()).text).toBe('{"message":"token theft detected"}');
  });

  it('clears nothing for a theft that the application found, before the session is revoked (S030, S049)', async () => {
    const { sessionHandle } = (await client.get('/me')).body as { sessionHandle: string };
    watched.failing.add('deleteSessions');
    expectTryLater(await client.post('/open/theft', { sessionHandle }));
    expect((await client.get('/checked')).status).toBe(200);
    watched.failing.clear();
    const settled = await client.copy().post('/open/theft', { sessionHandle });
    expect([settled.status, tokenTraffic(settled)]).toEqual([401, BOTH_CLEARED]);
    expect((await client.get('/checked')).status).toBe(401);
  });

  it('leaves the cookie of a very old SDK alone, which goes once a refresh succeeds or the session has ended', async () => {
    const refresh = async () =>
      client.refresh({ cookie: `sIdRefreshToken=x; sRefreshToken=${client.cookie('sRefreshToken')}` });
    watched.failing.add('findSession');
    expectTryLater(await refresh());
    watched.failing.clear();
    expect((await refresh()).setCookie('sIdRefreshToken')?.value).toBe('');
  });

  it('is not needed to verify a session (S096)', async () => {
    const methods = [
      'insertSession',
      'findSession',
      'update refreshTokenHash2',
      'findDynamicKeys',
      'findStaticKeys',
    ];
    for (const method of methods) watched.failing.add(method);
    expect((await client.get('/me')).status).toBe(200);
    application.clock.advanceSeconds(60);
    expect((await client.get('/me')).status).toBe(200);
    expect((await application.send({ path: '/auth/jwt/jwks.json' })).status).toBe(200);
  });

  it('never signs a user out, whichever call fails at whichever request (S030)', async () => {
    const methods = Object.getOwnPropertyNames(Object.getPrototypeOf(watched.store) as object);
    const calls = methods.filter((name) => name !== 'constructor' && name !== 'close');
    expect(calls.length).toBeGreaterThan(10);
    for (const method of calls) {
      watched.failing.add(method);
      for (const path of ['/me', '/checked']) {
        expect([200, TRY_LATER[0]]).toContain((await client.refresh()).status);
        expect([200, TRY_LATER[0]]).toContain((await client.get(path)).status);
      }
      watched.failing.clear();
      expect((await client.refresh()).status).toBe(200);
      expect((await client.get('/checked')).status).toBe(200);
    }
  });
});
