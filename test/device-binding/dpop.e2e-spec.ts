import { describe, expect, it } from '@jest/globals';
import type { SessionModuleOptions } from 'nest-sessions';
import type { DeviceBoundOptions } from 'nest-sessions/core';
import { jwt } from '../fixtures/made-tokens.js';
import { deviceBound } from '../support/device-bound.js';
import { DpopClient, ProofKey } from '../support/dpop-client.js';
import { seededMemoryStore } from '../support/embedded.js';
import type { ClientResponse } from '../support/http-client.js';
import { ADAPTERS, TestApplication, type Adapter, type EngineOptions } from '../support/test-application.js';

type DpopOptions = Exclude<DeviceBoundOptions['dpop'], boolean | undefined>;

interface ShopInput {
  readonly dpop?: DpopOptions;
  readonly options?: Partial<SessionModuleOptions>;
  readonly engine?: EngineOptions;
}

async function startShop(adapter: Adapter, { dpop = {}, options = {}, engine = {} }: ShopInput = {}) {
  const app = await TestApplication.on(adapter)
    .with({ ...deviceBound({ dpop }), ...options })
    .engine(engine)
    .handlers({
      guarded: {
        again: async (_session, { sessions, req, res }) => ({
          userId: (await sessions.getSession(req, res)).getUserId(),
        }),
        rename: async (session) => session.mergeIntoAccessTokenPayload({ name: 'Ada' }),
        switch: async (_session, { sessions, req, res }) => {
          await sessions.createNewSession(req, res, { userId: 'other-account' });
        },
      },
      open: {
        token: async ({ sessions, body }) => {
          const { accessToken } = body as { accessToken: string };
          const session = await sessions.getSessionWithoutRequestResponse({ accessToken });
          return { userId: session.getUserId() };
        },
      },
    })
    .start();
  const newClient = (key?: ProofKey) => new DpopClient(app.http, app.clock, key);
  const signIn = async (key?: ProofKey, userId?: string) => {
    const client = newClient(key);
    await client.login(userId);
    return client;
  };
  return { app, newClient, signIn };
}

/** The status, and the error of the challenge. */
function refusal(response: ClientResponse): [status: number, error: string | undefined] {
  return [response.status, /^DPoP error="(\w+)"/.exec(response.header('www-authenticate') ?? '')?.[1]];
}

describe.each(ADAPTERS)('a client that signs in with a proof on %s', (adapter) => {
  it.each(['ES256', 'EdDSA'] as const)(
    'gets a session that is bound to its key: %s (P2, P5)',
    async (alg) => {
      const { app, signIn } = await startShop(adapter);
      const client = await signIn(new ProofKey(alg));
      const me = await client.get('/me');
      expect(me.status).toBe(200);
      const cnf = { jkt: client.key.jkt, via: 'dpop', boundAt: Math.floor(app.clock.now() / 1000) };
      expect(me.body).toMatchObject({ payload: { cnf } });
      expect(app.events.map(({ type }) => type)).toContain('device.registered');
    },
  );

  it('is refused at sign-in with a bad proof, and no session is made', async () => {
    const { app, newClient } = await startShop(adapter);
    const client = newClient();
    const dpop = client.proof('POST', '/login', { claims: { htm: 'GET' } });
    const response = await client.post('/login', { userId: 'user-1' }, { dpop });
    expect(refusal(response)).toEqual([401, 'invalid_dpop_proof']);
    expect(await app.sessions.getAllSessionHandlesForUser({ userId: 'user-1' })).toEqual([]);
  });

  it('is refused under Bearer, without a proof, with that of another key, and by cookie (P1, P6, S110)', async () => {
    const { app, newClient, signIn } = await startShop(adapter);
    const client = await signIn();
    const accessToken = client.accessToken ?? '';
    const thief = newClient();
    thief.adoptTokens(client);
    expect(refusal(await client.get('/me', { authorization: `Bearer ${accessToken}` }))).toEqual([
      401,
      'invalid_token',
    ]);
    expect(refusal(await client.get('/me', { dpop: undefined }))).toEqual([401, 'invalid_dpop_proof']);
    expect(refusal(await thief.get('/me'))).toEqual([401, 'invalid_token']);
    const byCookie = await app.send({ path: '/me', headers: { cookie: `sAccessToken=${accessToken}` } });
    expect([byCookie.status, byCookie.lines('set-cookie')]).toEqual([401, []]);
    expect((await client.get('/me')).status).toBe(200);
    await Promise.resolve();
    const refused = app.events.filter(({ type }) => type === 'device.proof-refused');
    expect(refused).toHaveLength(3);
    expect(refused[0]).toMatchObject({ userId: 'user-1' });
  });

  it('is refused on a route with an optional session, too, and ignored on a public one', async () => {
    const { newClient, signIn } = await startShop(adapter);
    const thief = newClient();
    thief.adoptTokens(await signIn());
    expect((await thief.get('/optional')).status).toBe(401);
    expect((await thief.get('/public')).body).toEqual({ session: null });
  });

  it('cannot use a proof twice, nor for another request (P4)', async () => {
    const { signIn } = await startShop(adapter);
    const client = await signIn();
    const dpop = client.proof('GET', '/me');
    expect((await client.get('/me', { dpop })).status).toBe(200);
    expect(refusal(await client.get('/me', { dpop }))).toEqual([401, 'invalid_dpop_proof']);
    expect(refusal(await client.post('/me', undefined, { dpop: client.proof('GET', '/me') }))).toEqual([
      401,
      'invalid_dpop_proof',
    ]);
    expect(refusal(await client.get('/checked', { dpop: client.proof('GET', '/me') }))).toEqual([
      401,
      'invalid_dpop_proof',
    ]);
  });

  it('may use one proof for everything that one request does', async () => {
    const { signIn } = await startShop(adapter);
    const client = await signIn();
    expect((await client.get('/run/again')).body).toEqual({ userId: 'user-1' });
    expect((await client.get('/run/switch')).status).toBe(200);
    expect((await client.get('/me')).body).toMatchObject({
      userId: 'other-account',
      payload: { cnf: { jkt: client.key.jkt } },
    });
  });

  it('keeps the binding when its payload changes', async () => {
    const { signIn } = await startShop(adapter);
    const client = await signIn();
    const before = client.accessToken;
    expect((await client.get('/run/rename')).status).toBe(200);
    expect(client.accessToken).not.toBe(before);
    expect((await client.get('/me')).body).toMatchObject({
      payload: { name: 'Ada', cnf: { jkt: client.key.jkt } },
    });
  });

  it('signs out with a proof', async () => {
    const { signIn } = await startShop(adapter);
    const client = await signIn();
    const thief = client.copy();
    expect((await thief.signOut({ authorization: `Bearer ${client.accessToken ?? ''}` })).status).toBe(401);
    expect((await client.get('/checked')).status).toBe(200);
    expect((await client.signOut()).status).toBe(200);
  });

  it('is asked to refresh when its token has expired, as every client', async () => {
    const { app, signIn } = await startShop(adapter);
    const client = await signIn();
    app.clock.advanceSeconds(3601);
    const response = await client.get('/me');
    expect([response.status, response.body]).toEqual([401, { message: 'try refresh token' }]);
    expect((await client.refresh()).status).toBe(200);
    expect((await client.get('/me')).status).toBe(200);
  });

  it.each([
    [60, 200],
    [61, 401],
  ])('is heard %s seconds after it made the proof: %s (P4)', async (seconds, status) => {
    const { app, signIn } = await startShop(adapter);
    const client = await signIn();
    const dpop = client.proof('GET', '/me');
    app.clock.advanceSeconds(seconds);
    expect((await client.get('/me', { dpop })).status).toBe(status);
  });

  it('may have a clock that is five seconds fast', async () => {
    const { app, signIn } = await startShop(adapter);
    const client = await signIn();
    const iat = Math.floor(app.clock.now() / 1000) + 5;
    const dpop = client.proof('GET', '/me', { claims: { iat } });
    expect((await client.get('/me', { dpop })).status).toBe(200);
    app.clock.advanceSeconds(65);
    expect(refusal(await client.get('/me', { dpop }))).toEqual([401, 'invalid_dpop_proof']); // still remembered
  });

  it('has a token that the application may verify by itself, without a request', async () => {
    const { signIn } = await startShop(adapter);
    const client = await signIn();
    const response = await client.post('/open/token', { accessToken: client.accessToken });
    expect(response.body).toEqual({ userId: 'user-1' });
  });
});

describe.each(ADAPTERS)('a refresh with a proof on %s', (adapter) => {
  it('gives tokens that are bound to the same key, again and again (P9, P13)', async () => {
    const { signIn } = await startShop(adapter);
    const client = await signIn();
    for (let i = 0; i < 3; i++) {
      expect((await client.refresh()).status).toBe(200);
      expect((await client.get('/me')).body).toMatchObject({ payload: { cnf: { jkt: client.key.jkt } } });
    }
  });

  it('may come under either scheme, and again when its response was lost (P13)', async () => {
    const { signIn } = await startShop(adapter);
    const client = await signIn();
    const authorization = `Bearer ${client.refreshToken ?? ''}`;
    const [first, second] = [await client.copyWithKey().refresh({ authorization }), await client.refresh()];
    expect([first.status, second.status]).toEqual([200, 200]);
    expect(second.header('st-refresh-token')).toBe(first.header('st-refresh-token'));
    expect((await client.get('/me')).status).toBe(200);
  });

  it('by a thief without the key is refused, and the owner loses nothing (P9)', async () => {
    const { app, newClient, signIn } = await startShop(adapter);
    const client = await signIn();
    const thief = newClient();
    thief.adoptTokens(client);
    const stolen = await thief.refresh();
    expect(refusal(stolen)).toEqual([401, 'invalid_token']);
    expect([stolen.header('st-refresh-token'), stolen.header('front-token')]).toEqual([undefined, undefined]);
    expect(refusal(await thief.refresh({ dpop: undefined }))).toEqual([401, 'invalid_dpop_proof']);
    const byCookie = await app.send({
      method: 'POST',
      path: '/auth/session/refresh',
      headers: { cookie: `sRefreshToken=${encodeURIComponent(client.refreshToken ?? '')}`, rid: 'session' },
    });
    expect([byCookie.status, byCookie.lines('set-cookie')]).toEqual([401, []]);
    expect((await client.refresh()).status).toBe(200);
    expect((await client.get('/me')).status).toBe(200);
  });

  it('with a refresh token that was replaced before is a theft, with or without the key', async () => {
    const { app, newClient, signIn } = await startShop(adapter);
    const client = await signIn();
    const thief = newClient();
    thief.adoptTokens(client);
    await client.refresh();
    expect((await client.get('/me')).status).toBe(200);
    expect((await thief.refresh({ dpop: undefined })).body).toEqual({ message: 'token theft detected' });
    expect((await client.get('/checked')).status).toBe(401);
    expect(app.events.map(({ type }) => type)).toContain('session.theft-detected');
  });

  it('cannot be replayed as a whole (P4)', async () => {
    const { signIn } = await startShop(adapter);
    const client = await signIn();
    const [thief, dpop] = [client.copy(), client.proof('POST', '/auth/session/refresh', {}, '')];
    expect((await client.refresh({ dpop })).status).toBe(200);
    const authorization = `DPoP ${thief.refreshToken ?? ''}`;
    expect(refusal(await thief.refresh({ authorization, dpop }))).toEqual([401, 'invalid_dpop_proof']);
    expect((await client.get('/me')).status).toBe(200);
  });

  it('leaves a session unbound that began so', async () => {
    const { app, newClient } = await startShop(adapter);
    const plain = await app.signedIn('header');
    const client = newClient();
    client.adoptTokens(plain);
    expect((await client.refresh()).status).toBe(200);
    plain.adoptTokens(client);
    expect((await plain.get('/me')).body).not.toHaveProperty('payload.cnf');
    expect((await plain.refresh()).status).toBe(200);
  });
});

describe.each(ADAPTERS)('clients without DPoP beside it on %s', (adapter) => {
  it.each(['cookie', 'header'] as const)('notice nothing: %s', async (mode) => {
    const { app } = await startShop(adapter);
    const client = await app.signedIn(mode);
    for (const path of ['/me', '/checked', '/optional']) expect((await client.get(path)).status).toBe(200);
    expect((await client.refresh()).status).toBe(200);
    const me = await client.get('/me');
    expect([me.status, me.header('www-authenticate'), me.header('dpop-nonce')]).toEqual([
      200,
      undefined,
      undefined,
    ]);
    expect(me.body).not.toHaveProperty('payload.cnf');
    expect((await client.signOut()).status).toBe(200);
  });

  it('may not use the scheme DPoP for a token that is bound to nothing (P6)', async () => {
    const { app } = await startShop(adapter);
    const client = await app.signedIn('header');
    const authorization = `DPoP ${client.accessToken ?? ''}`;
    expect(refusal(await client.get('/me', { authorization }))).toEqual([401, 'invalid_token']);
  });

  it('sign in by cookie, whatever the header DPoP says', async () => {
    const { app } = await startShop(adapter);
    const client = app.client('cookie');
    const response = await client.post('/login', { userId: 'user-1' }, { dpop: 'nothing' });
    expect(response.status).toBe(201);
    expect((await client.get('/me', { dpop: 'nothing' })).status).toBe(200);
  });

  it.each([
    ['of another party', jwt({ alg: 'RS256', kid: 'x', typ: 'JWT' }, { sub: 'other', exp: 4_102_444_800 })],
    ['that is no JWT', 'opaque'],
  ])('keep their cookie session beside a DPoP token %s', async (_which, token) => {
    const { app } = await startShop(adapter);
    const browser = await app.signedIn('cookie');
    const authorization = `DPoP ${token}`;
    expect((await browser.get('/me', { authorization, dpop: 'theirs' })).status).toBe(200);
    expect((await browser.refresh({ authorization })).status).toBe(200);
    expect((await app.send({ path: '/me', headers: { authorization } })).status).toBe(401);
  });
});

describe.each(ADAPTERS)('switching DPoP off and on again on %s', (adapter) => {
  it('signs nobody out', async () => {
    const store = await seededMemoryStore();
    const clients: DpopClient[] = [];
    const key = new ProofKey();
    for (const isOn of [true, false, true]) {
      await TestApplication.on(adapter)
        .with(isOn ? deviceBound({ dpop: true }) : {})
        .store(store)
        .run(async (app) => {
          const client = new DpopClient(app.http, app.clock, key);
          const before = clients.at(-1);
          if (before === undefined) await client.login();
          else client.adoptTokens(before);
          expect((await client.get('/me')).status).toBe(200);
          expect((await client.refresh()).status).toBe(200);
          expect((await client.get('/me')).body).toMatchObject({ payload: { cnf: { jkt: key.jkt } } });
          clients.push(client);
        });
    }
  });
});
