import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { jwt, V5_CLAIMS, V5_HEADER } from '../fixtures/made-tokens.js';
import type { SessionClient } from '../support/session-client.js';
import { ADAPTERS, TestApplication } from '../support/test-application.js';
import { COOKIES_SET, signedOut, tokenTraffic, outcomeOf } from '../support/token-traffic.js';
import { watchedStore, type WatchedStore } from '../support/watched-store.js';

describe.each(ADAPTERS)('signing in with what an attacker planted on %s', (adapter) => {
  let watched: WatchedStore;
  let application: TestApplication;
  let attacker: SessionClient;

  beforeAll(async () => {
    watched = await watchedStore();
    application = await TestApplication.on(adapter)
      .store(watched.store)
      .handlers({
        open: {
          'fixed-user': async ({ sessions, req, res }) => {
            const session = await sessions.createNewSession(req, res, { userId: 'decided-by-the-server' });
            return { userId: session.getUserId(), tenantId: session.getTenantId() };
          },
        },
      })
      .start();
  });

  beforeEach(async () => {
    attacker = await application.signedIn('cookie', 'attacker');
  });

  afterAll(() => application.close());

  it("replaces the attacker's cookies by a session with a new handle and new tokens (S034)", async () => {
    const victim = attacker.copy();
    const response = await victim.login('victim');
    expect(tokenTraffic(response)).toEqual(COOKIES_SET);
    expect(victim.front.up['sessionHandle']).not.toBe(attacker.front.up['sessionHandle']);
    for (const name of ['sAccessToken', 'sRefreshToken']) {
      expect(victim.cookie(name)).not.toBe(attacker.cookie(name));
    }
    expect((await victim.get('/me')).body).toMatchObject({ userId: 'victim' });
    expect((await attacker.get('/checked')).body).toMatchObject({ userId: 'attacker' });
    expect((await attacker.refresh()).status).toBe(200);
    expect((await attacker.get('/checked')).body).toMatchObject({ userId: 'attacker' });
    expect((await victim.get('/checked')).body).toMatchObject({ userId: 'victim' });
  });

  it("takes the attacker's cookies away when the victim signs in by header (S034)", async () => {
    const victim = application.client('header');
    const response = await victim.post(
      '/login',
      { userId: 'victim' },
      { cookie: `sAccessToken=${attacker.cookie('sAccessToken')}` },
    );
    expect(tokenTraffic(response)).toMatchObject({
      accessCookie: 'deleted',
      refreshCookie: 'deleted',
      accessHeader: 'set',
    });
    expect((await victim.get('/me')).body).toMatchObject({ userId: 'victim' });
  });

  it('adopts no handle that a client made up (S035)', async () => {
    const made = jwt(V5_HEADER, { ...V5_CLAIMS, sub: 'attacker' });
    const before = watched.size;
    const headers = { cookie: `sAccessToken=${made}; sRefreshToken=${made}` };
    expect(outcomeOf(await application.send({ path: '/checked', headers }))).toEqual(signedOut());
    expect(
      outcomeOf(await application.send({ method: 'POST', path: '/auth/session/refresh', headers })),
    ).toEqual(signedOut());
    expect(watched.size).toBe(before);
    const client = application.client('cookie');
    await client.post('/login', { userId: 'victim' }, headers);
    expect(client.front.up['sessionHandle']).not.toBe(V5_CLAIMS.sessionHandle);
    expect(await application.sessions.getSessionInformation(V5_CLAIMS.sessionHandle)).toBeUndefined();
  });

  it('takes the user from the application alone, whatever the request says (S044)', async () => {
    const names = ['userId', 'recipeUserId', 'tenantId', 'sub', 'sessionHandle', 'user'];
    const lies = Object.fromEntries(names.map((name) => [name, 'admin']));
    const query = new URLSearchParams(lies).toString();
    const headers = {
      ...lies,
      authorization: 'Bearer admin',
      cookie: names.map((name) => `${name}=admin`).join('; '),
    };
    const response = await application.send({
      method: 'POST',
      path: `/open/fixed-user?${query}`,
      headers,
      body: lies,
    });
    expect(response.body).toEqual({ userId: 'decided-by-the-server', tenantId: 'public' });
  });

  it('stores nothing for 500 requests of nobody (S042)', async () => {
    const before = watched.size;
    for (let i = 0; i < 500; i++) {
      const path = ['/optional', '/me', '/public'][i % 3] ?? '';
      await application.send({ path, headers: { cookie: `sAccessToken=${i}; visitor=${i}` } });
    }
    expect(watched.size).toBe(before);
  });

  it('ends no session that a request merely names (S056)', async () => {
    const victim = await application.signedIn('cookie', 'victim');
    const handle = String(victim.front.up['sessionHandle']);
    const body = { sessionHandle: handle, sessionHandles: [handle], userId: 'victim', sessions: [handle] };
    const cookie = `sAccessToken=${attacker.cookie('sAccessToken')}; sessionHandle=${handle}; sAccessToken-victim=${handle}`;
    const path = `/auth/signout?sessionHandle=${handle}`;
    expect((await application.send({ method: 'POST', path, body, headers: { cookie } })).status).toBe(200);
    expect((await victim.get('/checked')).status).toBe(200);
    expect((await attacker.get('/checked')).status).toBe(401);
  });

  it('creates a session only where the application says so: no route of ours does (S043)', async () => {
    const before = watched.size;
    watched.calls.length = 0;
    const paths = [
      '/auth/session/refresh',
      '/auth/signout',
      '/auth/jwt/jwks.json',
      '/auth/.well-known/openid-configuration',
    ];
    for (const path of [...paths, '/me', '/optional', '/public', '/checked']) {
      for (const method of ['GET', 'POST', 'HEAD', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']) {
        const body = method === 'POST' ? { userId: 'attacker' } : undefined;
        await attacker.copy().send({ method, path, body });
        await application.send({ method, path, body, headers: { 'st-auth-mode': 'cookie' } });
      }
    }
    expect(watched.calls).not.toContain('insertSession');
    expect(watched.size).toBe(before - 1); // the attacker signed out among these requests
  });
});
