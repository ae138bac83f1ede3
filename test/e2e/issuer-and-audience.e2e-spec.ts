import { describe, expect, it } from '@jest/globals';
import { remoteCore, type SessionModuleOptions } from 'nest-sessions';
import type { SessionStore } from 'nest-sessions/core';
import type { TestSession } from 'nest-sessions/testing';
import { DYNAMIC_TEST_KEY } from '../fixtures/signing-keys.js';
import { DYNAMIC_TEST_KID, seededMemoryStore } from '../support/embedded.js';
import { FakeCore, sendJson } from '../support/fake-core.js';
import { jwtClaims } from '../fixtures/jwt-parts.js';
import { publicJwkOf } from '../fixtures/key-set.js';
import { legacyToken, V2_CLAIMS } from '../fixtures/made-tokens.js';
import type { SessionClient } from '../support/session-client.js';
import { ADAPTERS, SHOP, TestApplication } from '../support/test-application.js';
import { NOTHING, outcomeOf, refused, tokenTraffic, type Outcome } from '../support/token-traffic.js';

// Applications on one core whose sessions are not for each other.

const HERE = 'https://api.shop.io/auth';
const THERE = 'https://old.shop.io/auth';
const ONLY_OURS = { accessTokenIssuers: [HERE] } satisfies Partial<SessionModuleOptions>;
const FOR_SHOP = { accessTokenAudience: 'shop' } satisfies Partial<SessionModuleOptions>;
const MODES = ['cookie', 'header'] as const;

/** A session that another application on the same core has made. */
async function madeElsewhere(
  store: SessionStore,
  accessTokenPayload: object = {},
  apiDomain = 'https://old.shop.io',
): Promise<TestSession> {
  let session: TestSession | undefined;
  const options = { appInfo: { ...SHOP, apiDomain } };
  await TestApplication.on('express')
    .store(store)
    .with(options)
    .run(async ({ testSessions }) => {
      session = await testSessions.createTestSession({ accessTokenPayload });
    });
  if (session === undefined) throw new Error('There is no session');
  return session;
}

/** The response of every route that looks for a session. */
async function outcomesEverywhere(client: SessionClient): Promise<Outcome[]> {
  const responses = [await client.copy().signOut(), await client.copy().refresh()];
  for (const path of ['/me', '/optional', '/checked', '/checked-optional', '/me']) {
    responses.push(await client.copy().get(path));
  }
  return responses.map(outcomeOf);
}

const REFUSED_EVERYWHERE = Array.from({ length: 7 }, () => refused('unauthorised'));

describe.each(ADAPTERS)('accessTokenIssuers on %s', (adapter) => {
  it.each(MODES)(
    'keeps out sessions of another issuer, and ends none of them, by %s (S009)',
    async (mode) => {
      const store = await seededMemoryStore();
      const session = await madeElsewhere(store);
      await TestApplication.on(adapter)
        .store(store)
        .with(ONLY_OURS)
        .run(async ({ clientOf }) => {
          expect(await outcomesEverywhere(clientOf(session, mode))).toEqual(REFUSED_EVERYWHERE);
        });
      const both = { accessTokenIssuers: [THERE, HERE] };
      const { clientOf } = await TestApplication.on(adapter).store(store).with(both).start();
      const client = clientOf(session, mode);
      expect((await client.get('/checked')).status).toBe(200);
      expect((await client.refresh()).status).toBe(200);
      expect((await client.get('/me')).body).toMatchObject({ userId: 'user-1', payload: { iss: THERE } });
    },
  );

  it('lets our own sessions live as ever: known, promoted, refreshed, changed (S009)', async () => {
    const merge = {
      merge: async (session: { mergeIntoAccessTokenPayload(update: object): Promise<void> }) =>
        session.mergeIntoAccessTokenPayload({ plan: 'pro' }),
    };
    const { signedIn } = await TestApplication.on(adapter)
      .with(ONLY_OURS)
      .handlers({ guarded: merge })
      .start();
    const client = await signedIn('cookie');
    for (const _ of [1, 2]) expect((await client.get('/me')).status).toBe(200);
    expect((await client.refresh()).status).toBe(200);
    expect((await client.get('/me')).status).toBe(200);
    expect((await client.post('/run/merge')).status).toBe(200);
    expect((await client.get('/checked')).body).toMatchObject({ payload: { iss: HERE, plan: 'pro' } });
    expect((await client.signOut()).status).toBe(200);
  });

  it('without the option every session of the core counts (S009)', async () => {
    const store = await seededMemoryStore();
    const session = await madeElsewhere(store, { aud: 'admin' });
    const { clientOf } = await TestApplication.on(adapter).store(store).start();
    const client = clientOf(session);
    expect((await client.get('/me')).status).toBe(200);
    expect((await client.refresh()).status).toBe(200);
  });

  it('holds for tokens of version 2, whose key the core might know better (S009)', async () => {
    const store = await seededMemoryStore();
    const session = await madeElsewhere(store);
    const { clientOf, testSessions } = await TestApplication.on(adapter).store(store).with(ONLY_OURS).start();
    const asVersion2 = ({ accessToken }: TestSession, mine: string): string => {
      const { sub, sessionHandle, refreshTokenHash1, exp, iat, iss } = jwtClaims(accessToken);
      expect(iss).toBe(mine);
      const times = { expiryTime: Number(exp) * 1000, timeCreated: Number(iat) * 1000 };
      return legacyToken({ userId: sub, sessionHandle, refreshTokenHash1, ...times, userData: { iss } });
    };
    const stranger = clientOf(session, 'header');
    stranger.accessToken = asVersion2(session, THERE);
    for (const path of ['/me', '/checked']) {
      expect(outcomeOf(await stranger.get(path))).toEqual(refused('unauthorised'));
    }
    const own = await testSessions.createTestSession();
    const client = clientOf(own, 'header');
    client.accessToken = asVersion2(own, HERE);
    expect((await client.get('/me')).status).toBe(200);
  });

  it('that does not name our own issuer stops the sign-in, before there is a session (S009)', async () => {
    const options = { accessTokenIssuers: [THERE] };
    const { client, sessions } = await TestApplication.on(adapter).with(options).start();
    const response = await client('cookie').post('/login', { userId: 'ada' });
    expect([response.status, tokenTraffic(response)]).toEqual([500, NOTHING]);
    await expect(sessions.createNewSessionWithoutRequestResponse({ userId: 'ada' })).rejects.toThrow(
      /^createNewSession: accessTokenIssuers does not name this application's own issuer/,
    );
    expect(await sessions.getAllSessionHandlesForUser({ userId: 'ada' })).toEqual([]);
  });
});

describe.each(ADAPTERS)('accessTokenAudience on %s', (adapter) => {
  it.each<[which: string, payload: object]>([
    ['without an audience', {}],
    ['for another one', { aud: 'admin' }],
    ['for others', { aud: ['admin', 'shop-admin'] }],
    ['whose audience begins like ours', { aud: 'shop-admin' }],
    ['whose audience is no text', { aud: { shop: true } }],
  ])('keeps out sessions %s (S009)', async (_which, payload) => {
    const store = await seededMemoryStore();
    const session = await madeElsewhere(store, payload, SHOP.apiDomain);
    const { clientOf } = await TestApplication.on(adapter).store(store).with(FOR_SHOP).start();
    for (const mode of MODES) {
      expect(await outcomesEverywhere(clientOf(session, mode))).toEqual(REFUSED_EVERYWHERE);
    }
  });

  it.each<[which: string, aud: string | string[]]>([
    ['ours', 'shop'],
    ['a list with ours', ['admin', 'shop']],
  ])('that the sign-in sets stays through refreshes: %s (S009)', async (_which, aud) => {
    const { client: newClient } = await TestApplication.on(adapter)
      .with({ ...ONLY_OURS, ...FOR_SHOP })
      .start();
    const client = newClient('cookie');
    await client.login('ada', { payload: { aud } });
    expect((await client.get('/me')).status).toBe(200);
    expect((await client.refresh()).status).toBe(200);
    for (const path of ['/me', '/checked', '/me']) {
      expect((await client.get(path)).body).toMatchObject({ userId: 'ada', payload: { aud } });
    }
  });

  it('that the sign-in forgets stops it, before there is a session (S009)', async () => {
    const { client, sessions } = await TestApplication.on(adapter).with(FOR_SHOP).start();
    const response = await client('cookie').post('/login', { userId: 'ada' });
    expect([response.status, tokenTraffic(response)]).toEqual([500, NOTHING]);
    await expect(sessions.createNewSessionWithoutRequestResponse({ userId: 'ada' })).rejects.toThrow(
      /^createNewSession: .* put accessTokenAudience into accessTokenPayload as aud$/,
    );
    expect(await sessions.getAllSessionHandlesForUser({ userId: 'ada' })).toEqual([]);
  });
});

describe('sessions of another issuer', () => {
  it('are refused without a request, too (S009)', async () => {
    const store = await seededMemoryStore();
    const { accessToken, refreshToken } = await madeElsewhere(store);
    const { sessions } = await TestApplication.on('express').store(store).with(ONLY_OURS).start();
    const refusal = { type: 'UNAUTHORISED', payload: { clearTokens: false } };
    await expect(sessions.getSessionWithoutRequestResponse({ accessToken })).rejects.toMatchObject(refusal);
    await expect(
      sessions.getSessionWithoutRequestResponse({ accessToken, sessionRequired: false }),
    ).rejects.toMatchObject(refusal);
    await expect(
      sessions.getSessionWithoutRequestResponse({ accessToken, checkDatabase: true }),
    ).rejects.toMatchObject(refusal);
    await expect(sessions.refreshSessionWithoutRequestResponse({ refreshToken })).rejects.toMatchObject(
      refusal,
    );
  });

  it('are refused by tokens of version 2 where our keys prove it, so the core is not asked (S009)', async () => {
    const core = await FakeCore.start();
    const key = publicJwkOf(DYNAMIC_TEST_KEY, DYNAMIC_TEST_KID);
    core.on('/.well-known/jwks.json', sendJson({ keys: [{ ...key }] }));
    const options = { ...ONLY_OURS, core: remoteCore({ connectionURI: core.uri }) };
    const sent = (iss: string) => ({
      path: '/me',
      headers: { authorization: `Bearer ${legacyToken({ ...V2_CLAIMS, userData: { iss } })}` },
    });
    try {
      await TestApplication.on('express')
        .with(options)
        .run(async ({ send }) => {
          expect((await send(sent(HERE))).status).toBe(200);
          core.received.length = 0;
          expect(outcomeOf(await send(sent(THERE)))).toEqual(refused('unauthorised'));
          expect(core.received.filter(({ path }) => path === '/recipe/session/verify')).toEqual([]);
        });
    } finally {
      await core.kill();
    }
  });
});
