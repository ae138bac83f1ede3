import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import {
  embeddedCore,
  remoteCore,
  SessionConfigError,
  type CreateNewSessionInput,
  type SessionModuleOptions,
} from 'nest-sessions';
import { createSessions } from 'nest-sessions/standalone';
import { TestClock } from 'nest-sessions/testing';
import { closeAfterTest } from '../support/close-after-test.js';
import { seededMemoryStore, TEST_START_MS } from '../support/embedded.js';
import { interceptedStore } from '../support/intercepted-store.js';
import {
  CLIENT_ID,
  ISSUER,
  LOGOUT_PATH,
  logoutForm,
  logoutToken,
  PROVIDER,
  PROVIDER_KEY,
  ProviderKey,
  type TokenChange,
} from '../support/openid-provider.js';
import { ProcessWarnings } from '../support/process-warnings.js';
import { ADAPTERS, SHOP, TestApplication, type Adapter } from '../support/test-application.js';

const EVENT = 'http://schemas.openid.net/event/backchannel-logout';
const DAY_SEC = 86_400;
const DEFAULT_MAX_AGE_SEC = 300;
const DEFAULT_TOLERANCE_SEC = 10;
const now = Math.floor(TEST_START_MS / 1000);
const OTHER_KEY = new ProviderKey('two');

type Provider = NonNullable<CreateNewSessionInput['provider']>;
const signInOf = (sid: string | undefined, sub = 'sub-1'): Provider => ({
  issuer: ISSUER,
  sub,
  ...(sid === undefined ? {} : { sid }),
});

/** A shop whose users sign in at the provider. */
async function startShop(adapter: Adapter, options: Partial<SessionModuleOptions> = {}) {
  const inner = await seededMemoryStore();
  let failing: string | undefined;
  const failIf = (name: string): void => {
    if (name === failing) throw new Error('the store is away');
  };
  const values = inner.sharedValues;
  const { read, replace } = values;
  values.read = async (...args) => {
    failIf('read');
    return read.apply(values, args);
  };
  values.replace = async (...args) => {
    failIf('replace');
    return replace.apply(values, args);
  };
  const store = interceptedStore(inner, async (name, call) => {
    failIf(name);
    return call();
  });
  const backChannelLogout = { providers: [PROVIDER] };
  const shop = await TestApplication.on(adapter)
    .with({ backChannelLogout, ...options })
    .store(store)
    .start();
  const { sessions, clock, port } = shop;
  const signIn = async (provider?: Provider, more: Partial<CreateNewSessionInput> = {}): Promise<string> => {
    const input = { userId: 'ada', ...(provider === undefined ? {} : { provider }), ...more };
    return (await sessions.createNewSessionWithoutRequestResponse(input)).getHandle();
  };
  return {
    sessions,
    clock,
    events: shop.events,
    signIn,
    /** Lets one call of the store fail from now on. */
    fail: (name: string | undefined): void => {
      failing = name;
    },
    lives: async (handle: string): Promise<boolean> =>
      (await sessions.getSessionInformation(handle)) !== undefined,
    tokenOf: async (claims: Readonly<Record<string, unknown>>, change: TokenChange = {}): Promise<string> =>
      logoutToken(clock, { ...change, claims }),
    deliver: async (token: string): Promise<Response> =>
      fetch(`http://127.0.0.1:${port}${LOGOUT_PATH}`, logoutForm(token)),
    post: async (init: RequestInit): Promise<Response> =>
      fetch(`http://127.0.0.1:${port}${LOGOUT_PATH}`, { method: 'POST', ...init }),
  };
}

/** Serves keys, and returns their address. */
async function serveKeys(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closeAfterTest(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`;
}

function providerAt(jwksUri: string, jwksTimeoutMs = 30_000): Partial<SessionModuleOptions> {
  const { keys: _keys, ...provider } = PROVIDER;
  return { backChannelLogout: { providers: [{ ...provider, jwksUri }], jwksTimeoutMs } };
}

describe.each(ADAPTERS)('a user who signs out at the provider, on %s', (adapter) => {
  it('loses the sessions of that sign-in and no others, with reason and initiator (S125)', async () => {
    const { signIn, deliver, tokenOf, lives, events } = await startShop(adapter);
    const [mine, second, elsewhere, local] = [
      await signIn(signInOf('sid-1')),
      await signIn(signInOf('sid-1')),
      await signIn(signInOf('sid-2')),
      await signIn(),
    ];
    const response = await deliver(await tokenOf({ sid: 'sid-1', sub: 'sub-1' }));
    expect([response.status, response.headers.get('cache-control')]).toEqual([200, 'no-store']);
    expect(await Promise.all([mine, second, elsewhere, local].map(lives))).toEqual([
      false,
      false,
      true,
      true,
    ]);
    const ended = events.filter(({ type }) => type === 'session.revoked');
    expect(ended).toMatchObject([
      { reason: 'provider logout', initiator: ISSUER },
      { reason: 'provider logout', initiator: ISSUER },
    ]);
  });

  it('loses all sessions of the user at that provider if the token names no sid', async () => {
    const { signIn, deliver, tokenOf, lives } = await startShop(adapter);
    const handles = [
      await signIn(signInOf('sid-1')),
      await signIn(signInOf(undefined)),
      await signIn(signInOf('sid-3', 'sub-2')),
      await signIn(),
    ];
    expect((await deliver(await tokenOf({ sub: 'sub-1' }))).status).toBe(200);
    expect(await Promise.all(handles.map(lives))).toEqual([false, false, true, true]);
  });

  it('also loses a session that named no sid, and the token may name the sid alone', async () => {
    const { signIn, deliver, tokenOf, lives } = await startShop(adapter);
    const [without, other] = [await signIn(signInOf(undefined)), await signIn(signInOf('sid-2'))];
    await deliver(await tokenOf({ sid: 'sid-1', sub: 'sub-1' }));
    expect([await lives(without), await lives(other)]).toEqual([false, true]);
    await deliver(await tokenOf({ sid: 'sid-2' }));
    expect(await lives(other)).toBe(false);
  });

  it('loses the sessions of jobs that belong to the one that ends', async () => {
    const { signIn, deliver, tokenOf, lives, sessions } = await startShop(adapter);
    const parentSessionHandle = await signIn(signInOf('sid-1'));
    const child = await sessions.createChildSession({ parentSessionHandle, actorId: 'export' });
    expect((await deliver(await tokenOf({ sid: 'sid-1' }))).status).toBe(200);
    expect(await lives(child.getHandle())).toBe(false);
  });

  it.each([[{ sid: 'sid-1' }], [{ sub: 'sub-1' }]])(
    'loses what has gone on elsewhere (%j)',
    async (claims) => {
      const { signIn, deliver, tokenOf, lives, sessions } = await startShop(adapter);
      const sessionHandle = await signIn(signInOf('sid-1'));
      const audience = 'app';
      const token = await sessions.createHandOverToken({ sessionHandle, audience, as: 'sibling' });
      const sibling = await sessions.redeemHandOverTokenWithoutRequestResponse({ token, audience });
      await sessions.revokeSession(sessionHandle);
      expect(await lives(sibling.getHandle())).toBe(true);
      expect((await deliver(await tokenOf(claims))).status).toBe(200);
      expect(await lives(sibling.getHandle())).toBe(false);
    },
  );

  it('is told once by each token, until its last moment', async () => {
    const { signIn, deliver, tokenOf, lives, clock } = await startShop(adapter);
    const token = await tokenOf({ sub: 'sub-1', exp: now + 3600 });
    const lastMs = (DEFAULT_MAX_AGE_SEC + DEFAULT_TOLERANCE_SEC) * 1000 + 999;
    expect((await deliver(token)).status).toBe(200);
    const again = await signIn(signInOf('sid-9'));
    clock.advance(lastMs);
    expect((await deliver(await tokenOf({ iat: now, exp: now + 3600, sid: 'none' }))).status).toBe(200);
    expect((await deliver(token)).status).toBe(400);
    expect(await lives(again)).toBe(true);
  });

  it('fills no log by tokens that nobody has signed', async () => {
    const warnings = new ProcessWarnings();
    closeAfterTest(async () => warnings.restore());
    const address = await serveKeys((_req, res) =>
      res.end(JSON.stringify({ keys: [PROVIDER_KEY.publicJwk] })),
    );
    const { deliver, tokenOf } = await startShop(adapter, providerAt(address));
    expect((await deliver(await tokenOf({ sid: 'none' }))).status).toBe(200);
    for (const kid of ['x', 'y', 'z']) {
      const token = await tokenOf({}, { header: { kid }, key: OTHER_KEY.privateKey });
      expect((await deliver(token)).status).toBe(503);
    }
    expect(warnings.take()).toEqual(['A logout token got a 503, so its sessions have not ended']);
  });

  it('is no error where there is no such session', async () => {
    const { deliver, tokenOf } = await startShop(adapter);
    expect((await deliver(await tokenOf({ sid: 'unknown' }))).status).toBe(200);
  });

  it('stays signed in after a token without a signature', async () => {
    const { signIn, deliver, tokenOf, lives } = await startShop(adapter);
    const handle = await signIn(signInOf('sid-1'));
    const [, payload] = (await tokenOf({ sid: 'sid-1' })).split('.');
    const header = Buffer.from(JSON.stringify({ alg: 'none', typ: 'logout+jwt' })).toString('base64url');
    expect((await deliver(`${header}.${payload}.`)).status).toBe(400);
    expect(await lives(handle)).toBe(true);
  });

  it('may be told by a token of the type JWT, or without one', async () => {
    const { deliver, tokenOf } = await startShop(adapter);
    for (const typ of ['JWT', undefined, 'application/logout+jwt'])
      expect((await deliver(await tokenOf({ sid: 'sid-1' }, { header: { typ } }))).status).toBe(200);
  });

  it('is told once by each token', async () => {
    const { signIn, deliver, tokenOf, lives } = await startShop(adapter);
    const token = await tokenOf({ sub: 'sub-1' });
    expect((await deliver(token)).status).toBe(200);
    const again = await signIn(signInOf('sid-9'));
    expect((await deliver(token)).status).toBe(400);
    expect(await lives(again)).toBe(true);
  });

  it('loses the session once if a token is delivered twice at once', async () => {
    const { signIn, deliver, tokenOf, lives, events } = await startShop(adapter);
    const handle = await signIn(signInOf('sid-1'));
    const token = await tokenOf({ sid: 'sid-1' });
    const responses = await Promise.all([deliver(token), deliver(token)]);
    expect(responses.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 400]);
    expect(await lives(handle)).toBe(false);
    expect(events.filter(({ type }) => type === 'session.revoked')).toHaveLength(1);
  });

  it.each(['read', 'replace', 'deleteSessions'])(
    'loses the session by the second delivery if the first one found the store away (%s)',
    async (call) => {
      const { signIn, deliver, tokenOf, lives, fail } = await startShop(adapter);
      const handle = await signIn(signInOf('sid-1'));
      const token = await tokenOf({ sid: 'sid-1' });
      fail(call);
      const response = await deliver(token);
      expect([response.status, response.headers.get('cache-control')]).toEqual([503, 'no-store']);
      expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0);
      expect(await response.text()).not.toContain('store');
      fail(undefined);
      expect((await deliver(token)).status).toBe(200);
      expect(await lives(handle)).toBe(false);
    },
  );

  it('loses the session by the second delivery if the keys were slow, away or none at the first', async () => {
    const states: RequestListener[] = [
      () => undefined, // no response in time
      (_req, res) => res.writeHead(500).end(),
      (_req, res) => res.end('<html>'),
      (_req, res) => res.writeHead(302, { location: 'http://127.0.0.1:9/' }).end(),
      (_req, res) => res.end(JSON.stringify({ keys: [PROVIDER_KEY.publicJwk] })),
    ];
    let asked = 0;
    const address = await serveKeys((req, res) => states[asked++]?.(req, res));
    // One of these responses never comes; a busy machine needs time for the others.
    const { signIn, deliver, tokenOf, lives } = await startShop(adapter, providerAt(address, 3000));
    const handle = await signIn(signInOf('sid-1'));
    const token = await tokenOf({ sid: 'sid-1' });
    for (let n = 0; n < 4; n++) expect((await deliver(token)).status).toBe(503);
    expect(await lives(handle)).toBe(true);
    expect((await deliver(token)).status).toBe(200);
    expect(await lives(handle)).toBe(false);
    // The provider may have a new key since: to refuse its token would lose it.
    const newer = await tokenOf({ sid: 'sid-1' }, { header: { kid: 'two' }, key: OTHER_KEY.privateKey });
    expect((await deliver(newer)).status).toBe(503);
    expect(asked).toBe(5);
  });

  it('is not told by another body than a small form with one token', async () => {
    const { signIn, tokenOf, post, lives } = await startShop(adapter);
    const handle = await signIn(signInOf('sid-1'));
    const token = await tokenOf({ sid: 'sid-1' });
    const { headers } = logoutForm('');
    const bodies: RequestInit[] = [
      {},
      { headers, body: 'a=b' },
      { headers, body: 'logout_token=' },
      { headers, body: 'logout_token=a.b.c' },
      { headers, body: `logout_token=${token}&logout_token=${token}` },
      { headers, body: `logout_token[a]=${token}` },
      { headers, body: `logout_token=${'x'.repeat(1024 * 1024)}` },
      { headers, body: `logout_token=${token}${'x'.repeat(9000)}` },
      { headers: { 'content-type': 'application/json' }, body: JSON.stringify({ logout_token: token }) },
      { headers: { 'content-type': 'text/plain' }, body: `logout_token=${token}` },
    ];
    for (const each of bodies) expect((await post(each)).status).toBe(400);
    expect(await lives(handle)).toBe(true);
  });

  it('is known by any text that a provider may choose, and by no other', async () => {
    const { signIn, deliver, tokenOf, lives } = await startShop(adapter);
    const texts = [
      '__proto__',
      'constructor',
      'a\0b',
      '\u202Egnp',
      "';--",
      '*',
      '{}',
      '\n',
      ' ',
      'x'.repeat(900),
    ];
    const handles: string[] = [];
    for (const text of texts) handles.push(await signIn(signInOf(text, text)));
    for (const [n, text] of texts.entries()) {
      expect((await deliver(await tokenOf({ sid: text }))).status).toBe(200);
      expect(await Promise.all(handles.map(lives))).toEqual(handles.map((_handle, other) => other > n));
    }
  });

  it('gets no session any more from a sign-in that has ended meanwhile', async () => {
    const { signIn, deliver, tokenOf, sessions, clock } = await startShop(adapter);
    await deliver(await tokenOf({ sid: 'sid-1' }));
    await expect(signIn(signInOf('sid-1'))).rejects.toMatchObject({ type: 'UNAUTHORISED' });
    await deliver(await tokenOf({ sub: 'sub-1' }));
    const authenticatedAtMs = clock.now() - 5000;
    await expect(signIn(signInOf('sid-2'), { authenticatedAtMs })).rejects.toMatchObject({
      type: 'UNAUTHORISED',
    });
    expect(await sessions.getAllSessionHandlesForUser({ userId: 'ada' })).toEqual([]);
    clock.advanceSeconds(1);
    await signIn(signInOf('sid-3'), { authenticatedAtMs: clock.now() });
    expect(await sessions.getAllSessionHandlesForUser({ userId: 'ada' })).toHaveLength(1);
  });

  it('gets no session that the provider could not end', async () => {
    const { signIn, fail, sessions } = await startShop(adapter);
    fail('replace');
    await expect(signIn(signInOf('sid-1'))).rejects.toThrow('The session store failed');
    fail(undefined);
    expect(await sessions.getAllSessionHandlesForUser({ userId: 'ada' })).toEqual([]);
  });

  it('has sessions that are found until their end, 100 days after the sign-in or as lifetime says', async () => {
    const { signIn, deliver, tokenOf, lives, sessions, clock } = await startShop(adapter, { lifetime: {} });
    const [kept, short] = [
      await signIn(signInOf('sid-1')),
      await signIn(signInOf('sid-1'), { lifetime: { absoluteSec: 600 } }),
    ];
    const local = await signIn();
    const payloads = await Promise.all(
      [kept, short, local].map(async (each) => sessions.getSessionInformation(each)),
    );
    const end = now + 100 * DAY_SEC;
    expect(payloads.map((each) => each?.customClaimsInAccessTokenPayload['session_expiry'])).toEqual([
      end,
      now + 600,
      undefined,
    ]);
    clock.advanceSeconds(99 * DAY_SEC);
    expect(await lives(kept)).toBe(true);
    expect((await deliver(await tokenOf({ sid: 'sid-1' }))).status).toBe(200);
    expect(await lives(kept)).toBe(false);
  });
});

describe('each rule for logout tokens', () => {
  const WRONG: readonly (readonly [title: string, change: TokenChange])[] = [
    ['another issuer', { claims: { iss: 'https://other.example.com' } }],
    ['another audience', { claims: { aud: 'another-client' } }],
    ['no audience', { claims: { aud: undefined } }],
    ['no iat', { claims: { iat: undefined } }],
    ['an old iat, although exp is far', { claims: { iat: now - 3600, exp: now + 3600 } }],
    ['an iat in the future', { claims: { iat: now + 600, exp: now + 700 } }],
    ['an exp that is over', { claims: { exp: now - 60 } }],
    ['no events', { claims: { events: undefined } }],
    ['events as a text', { claims: { events: EVENT } }],
    ['another event', { claims: { events: { 'urn:other': {} } } }],
    ['an event that is no object', { claims: { events: { [EVENT]: true } } }],
    ['a nonce', { claims: { nonce: 'n' } }],
    ['a nonce of null', { claims: { nonce: null } }],
    ['neither sub nor sid', { claims: { sub: undefined, sid: undefined } }],
    ['an empty sid', { claims: { sid: '' } }],
    ['a sid that is a list', { claims: { sid: ['sid-1'] } }],
    ['no jti', { claims: { jti: undefined } }],
    ['a jti that is a number', { claims: { jti: 7 } }],
    ['the type of an access token', { header: { typ: 'at+jwt' } }],
    ['the type of a security event', { header: { typ: 'secevent+jwt' } }],
    ['another key of the same name', { key: OTHER_KEY.privateKey }],
    ['an unknown key', { header: { kid: 'two' }, key: OTHER_KEY.privateKey }],
    [
      'an algorithm that is not allowed',
      { header: { alg: 'HS256' }, key: new TextEncoder().encode(JSON.stringify(PROVIDER_KEY.publicJwk)) },
    ],
  ];

  it.each(WRONG)('stays signed in after a token with %s', async (_title, change) => {
    const { signIn, deliver, tokenOf, lives } = await startShop('express');
    const handle = await signIn(signInOf('sid-1'));
    const token = await tokenOf({ sid: 'sid-1', sub: 'sub-1', ...change.claims }, change);
    const response = await deliver(token);
    expect([response.status, response.headers.get('cache-control')]).toEqual([400, 'no-store']);
    const body = (await response.json()) as Record<string, string>;
    expect(body).toEqual({ error: 'invalid_request', error_description: expect.any(String) as unknown });
    expect(body['error_description']).not.toContain(token);
    expect(await lives(handle)).toBe(true);
  });
});

describe('the option backChannelLogout', () => {
  it('is needed, with the provider, for a session that names one', async () => {
    const { signIn } = await startShop('express');
    await expect(signIn({ issuer: 'https://other.example.com', sub: 's' })).rejects.toThrow(
      `provider.issuer: one of backChannelLogout.providers is expected: ${ISSUER}`,
    );
    const without = await startShop('express', { backChannelLogout: false });
    await expect(without.signIn(signInOf('sid-1'))).rejects.toThrow('needs the option backChannelLogout');
    expect((await without.deliver('a')).status).toBe(404);
    await expect(signIn({ issuer: ISSUER, sub: '' })).rejects.toThrow('sub is an empty string');
  });

  it('needs a core that keeps sign-ins', async () => {
    const starting = TestApplication.on('express')
      .with({
        backChannelLogout: { providers: [PROVIDER] },
        core: remoteCore({ connectionURI: 'http://127.0.0.1:9' }),
      })
      .start();
    await expect(starting).rejects.toThrow(/backChannelLogout.*needs a core that keeps/);
  });

  const { issuer, clientId, keys } = PROVIDER;
  it.each([
    [{}, 'providers: is missing'],
    [{ providers: [] }, 'an array of providers is expected'],
    [{ providers: [{ issuer, clientId }] }, 'providers[0]: needs either jwksUri or keys'],
    [{ providers: [{ issuer, clientId, keys, jwksUri: 'https://a.example' }] }, 'needs either'],
    [{ providers: [{ issuer, clientId, jwksUri: 'http://id.example.com/jwks' }] }, 'an https: address'],
    [{ providers: [{ issuer, clientId, keys, algorithms: ['HS256'] }] }, 'an array of some of RS256'],
    [{ providers: [{ issuer, clientId, keys, algorithms: ['none'] }] }, 'an array of some of RS256'],
    [{ providers: [PROVIDER, PROVIDER] }, 'two providers have one issuer'],
    [
      { providers: [{ issuer, clientId, keys: { keys: [{ kty: 'EC', d: 'x' }] } }] },
      'one of these is private',
    ],
  ])('refuses %j', async (option, message) => {
    const make = (): unknown => createSessions({ appInfo: SHOP, backChannelLogout: option as never });
    expect(make).toThrow(SessionConfigError);
    expect(make).toThrow(message);
  });
});

describe('without Nest', () => {
  it.each(['a plain request', 'a Request of fetch'])('the provider is heard by %s', async (kind) => {
    const clock = new TestClock(TEST_START_MS);
    const core = embeddedCore({ store: await seededMemoryStore() });
    const sessions = createSessions({
      appInfo: SHOP,
      core,
      clock,
      backChannelLogout: { providers: [PROVIDER] },
    });
    await sessions.start();
    closeAfterTest(() => sessions.close());
    const input = { userId: 'ada', provider: signInOf('sid-1') };
    const session = await sessions.service.createNewSessionWithoutRequestResponse(input);
    const form = logoutForm(await logoutToken(clock, { claims: { sid: 'sid-1', aud: [CLIENT_ID] } }));
    const url = `https://api.shop.io${LOGOUT_PATH}`;
    const response = await sessions.handle(
      kind === 'a plain request' ? { ...form, url: LOGOUT_PATH } : new Request(url, form),
    );
    expect(response?.status).toBe(200);
    expect(await sessions.service.getSessionInformation(session.getHandle())).toBeUndefined();
  });
});
