import { describe, expect, it } from '@jest/globals';
import { parseSessionHandle } from '../../lib/core/embedded/session-handle.js';
import type { Handlers } from '../support/demo.controller.js';
import { DYNAMIC_TEST_KEY_CREATED_AT_MS, seededMemoryStore, TEST_START_MS } from '../support/embedded.js';
import type { ClientResponse } from '../support/http-client.js';
import { jwtClaims, jwtHeader } from '../fixtures/jwt-parts.js';
import { jwt, legacyToken, V5_CLAIMS, V5_HEADER } from '../fixtures/made-tokens.js';
import type { SessionClient } from '../support/session-client.js';
import { ADAPTERS, TestApplication } from '../support/test-application.js';
import { outcomeOf, refused, signedOut } from '../support/token-traffic.js';
import { watchedStore } from '../support/watched-store.js';

const merge = {
  guarded: { merge: async (session, { body }) => session.mergeIntoAccessTokenPayload(body as object) },
} satisfies Handlers;

/** The token that an older core would have made for a client's session. */
function asVersion2(client: SessionClient, userData: object = {}): string {
  const { sub, sessionHandle, refreshTokenHash1, exp, iat } = client.front.up;
  return legacyToken({
    userId: sub,
    sessionHandle,
    refreshTokenHash1,
    expiryTime: Number(exp) * 1000,
    timeCreated: Number(iat) * 1000,
    userData,
  });
}

describe.each(ADAPTERS)('the signing keys under running sessions on %s', (adapter) => {
  it.each([
    [true, /^s-/],
    [false, /^d-/],
  ])(
    'useDynamicAccessTokenSigningKey changed from %s: clients refresh once (T104, T105)',
    async (before, kid) => {
      const store = await seededMemoryStore();
      let client: SessionClient | undefined;
      const first = { useDynamicAccessTokenSigningKey: before };
      await TestApplication.on(adapter)
        .store(store)
        .with(first)
        .run(async ({ signedIn }) => {
          client = await signedIn('header');
        });
      const second = { useDynamicAccessTokenSigningKey: !before };
      const { client: newClient } = await TestApplication.on(adapter).store(store).with(second).start();
      const moved = newClient('header');
      moved.accessToken = client?.accessToken;
      moved.refreshToken = client?.refreshToken;
      expect(outcomeOf(await moved.get('/me'))).toEqual(refused('try refresh token'));
      expect((await moved.refresh()).status).toBe(200);
      expect(jwtHeader(moved.accessToken)['kid']).toMatch(kid);
      expect((await moved.get('/me')).status).toBe(200);
      expect(jwtHeader(moved.accessToken)['kid']).toMatch(kid);
    },
  );

  it('a new key signs new tokens, and the tokens of the old one stay good (T119, S015)', async () => {
    const { store, calls } = await watchedStore();
    const { signedIn, clock } = await TestApplication.on(adapter).store(store).start();
    const rotation = DYNAMIC_TEST_KEY_CREATED_AT_MS + 604_800_000 - TEST_START_MS;
    clock.advance(rotation - 1_800_000);
    const old = await signedIn('header');
    clock.advance(3_000_000);
    const young = await signedIn('header');
    expect(jwtHeader(young.accessToken)['kid']).not.toBe(jwtHeader(old.accessToken)['kid']);
    calls.length = 0;
    for (const client of [old, young, old]) expect((await client.get('/me')).status).toBe(200);
    expect(calls).toEqual([]);
  });

  it('strangers with made-up keys cause one look at the store per half second (T117, T118, T120, S018)', async () => {
    const { store, calls } = await watchedStore();
    const { send, clock } = await TestApplication.on(adapter).store(store).start();
    const asked = () => calls.filter((name) => name === 'findDynamicKeys').length;
    const tryWith = (token: string): Promise<ClientResponse> =>
      send({ path: '/me', headers: { authorization: `Bearer ${token}` } });
    const made = (kid: string): string => jwt({ ...V5_HEADER, kid }, V5_CLAIMS);
    clock.advance(501);
    const atFirst = asked();
    for (let i = 0; i < 20; i++) {
      expect(outcomeOf(await tryWith(made(`d-${i}`)))).toEqual(refused('try refresh token'));
    }
    expect(asked()).toBe(atFirst + 1);
    clock.advance(501);
    await tryWith(made('d-99'));
    expect(asked()).toBe(atFirst + 2);
    clock.advance(501);
    const forged = jwt(V5_HEADER, V5_CLAIMS, () => Buffer.alloc(256, 1));
    expect(outcomeOf(await tryWith(forged))).toEqual(refused('try refresh token'));
    expect(asked()).toBe(atFirst + 2);
  });
});

describe.each(ADAPTERS)('tokens of older versions on %s', (adapter) => {
  async function withClient(
    test: (client: SessionClient, application: TestApplication) => Promise<void>,
  ): Promise<void> {
    await TestApplication.on(adapter)
      .handlers(merge)
      .run(async (application) => test(await application.signedIn('header'), application));
  }

  it('a version 2 token stays one when its payload changes, and ends with a refresh (T109, T113)', async () => {
    await withClient(async (client) => {
      client.accessToken = asVersion2(client, { plan: 'free' });
      expect((await client.get('/me')).body).toMatchObject({ userId: 'user-1', payload: { plan: 'free' } });
      expect((await client.post('/run/merge', { plan: 'pro' })).status).toBe(200);
      expect(jwtClaims(client.accessToken)).toMatchObject({ userId: 'user-1', userData: { plan: 'pro' } });
      expect(client.front).toMatchObject({ uid: 'user-1', up: { plan: 'pro' } });
      expect((await client.get('/me')).body).toMatchObject({ payload: { plan: 'pro' } });
      await client.refresh();
      expect(jwtHeader(client.accessToken)['version']).toBe('5');
      expect(jwtClaims(client.accessToken)['plan']).toBe('pro');
    });
  });

  it('a payload with a reserved name of before can be mended by merging null (T114)', async () => {
    const store = await seededMemoryStore();
    const { signedIn } = await TestApplication.on(adapter).store(store).handlers(merge).start();
    const client = await signedIn('header');
    const key = parseSessionHandle(String(client.front.up['sessionHandle']));
    if (key === undefined) throw new Error('The handle is malformed');
    await store.update(key, {}, { accessTokenPayload: '{"sub":"x"}' });
    expect(outcomeOf(await client.copy().refresh())).toEqual(signedOut());
    client.accessToken = asVersion2(client, { sub: 'x' });
    expect((await client.post('/run/merge', { sub: null })).status).toBe(200);
    expect((await client.refresh()).status).toBe(200);
  });
});

describe.each(ADAPTERS)('a token without anti-csrf value under VIA_TOKEN on %s', (adapter) => {
  it('is refused by cookie where anti-CSRF is checked, and fine elsewhere (T115)', async () => {
    const { sessions, send } = await TestApplication.on(adapter).with({ antiCsrf: 'VIA_TOKEN' }).start();
    const session = await sessions.createNewSessionWithoutRequestResponse({
      userId: 'user-1',
      disableAntiCsrf: true,
    });
    const headers = { cookie: `sAccessToken=${session.getAccessToken()}`, 'anti-csrf': 'null' };
    expect(outcomeOf(await send({ method: 'POST', path: '/me', headers }))).toEqual(
      refused('try refresh token'),
    );
    expect((await send({ path: '/me', headers })).status).toBe(200);
    const byHeader = { authorization: `Bearer ${session.getAccessToken()}` };
    expect((await send({ method: 'POST', path: '/me', headers: byHeader })).status).toBe(200);
  });
});
