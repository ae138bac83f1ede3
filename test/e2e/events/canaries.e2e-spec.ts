import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { AuthenticationTimeClaim, remoteCore, SessionEvents, type SessionModuleOptions } from 'nest-sessions';
import type { SessionStore } from 'nest-sessions/core';
import { DYNAMIC_TEST_KEY, STATIC_TEST_KEY } from '../../fixtures/signing-keys.js';
import type { Handlers } from '../../support/demo.controller.js';
import { seededMemoryStore } from '../../support/embedded.js';
import { FakeCore, sendJson, sendText, type Behaviour } from '../../support/fake-core.js';
import { interceptedStore } from '../../support/intercepted-store.js';
import { jwt, V5_CLAIMS, V5_HEADER } from '../../fixtures/made-tokens.js';
import { startServedCore } from '../../support/served-core.js';
import type { SessionClient } from '../../support/session-client.js';
import { ADAPTERS, type Adapter, TestApplication } from '../../support/test-application.js';
import { Sinks } from './sinks.js';
import { SECRET } from '../../support/sealed-keys.js';

const API_KEY = 'canary-api-key-0123456789';
const PAYLOAD = 'canary-in-the-payload';
const DATA = 'canary-in-the-session-data';
const COOKIE = 'canary-in-another-cookie';
const HEADER = 'canary-in-another-header';
const FORGED = 'canary-in-a-forged-token';
const REFRESH = '/auth/session/refresh';

/** Secrets by where they come from; each of its parts counts as much as the whole. */
class Canaries {
  private readonly values = new Map<string, string>();

  add(name: string, value: string | undefined): void {
    if (value === undefined || value === '') return;
    for (const [i, part] of [value, decodeURIComponent(value), ...value.split(/[.;|]/)].entries()) {
      if (part.length >= 12) this.values.set(part, `${name}${i > 1 ? ` (part ${i - 1})` : ''}`);
    }
  }

  /** The tokens that a client holds now. */
  addTokensOf(client: SessionClient): void {
    for (const name of ['sAccessToken', 'sRefreshToken']) this.addToken(name, client.cookie(name));
    this.addToken('access token', client.accessToken);
    this.addToken('refresh token', client.refreshToken);
    this.add('anti-csrf token', client.antiCsrf);
  }

  /** The first part of a JWT is the same for all, so it is no secret. */
  private addToken(name: string, value: string | undefined): void {
    this.add(name, value?.split('.').slice(-2).join('.'));
  }

  get size(): number {
    return this.values.size;
  }

  foundIn(text: string): string[] {
    return [...this.values].filter(([value]) => text.includes(value)).map(([, name]) => name);
  }
}

let sinks: Sinks;
let canaries: Canaries;

beforeEach(() => {
  sinks = new Sinks();
  canaries = new Canaries();
  for (const [name, value] of Object.entries({ API_KEY, PAYLOAD, DATA, COOKIE, HEADER, FORGED })) {
    canaries.add(name, value);
  }
  canaries.add('signing key', DYNAMIC_TEST_KEY.split('|')[1]);
  canaries.add('static signing key', STATIC_TEST_KEY.split('|')[1]);
});
afterEach(async () => sinks.close());

const HANDLERS: Handlers = {
  guarded: {
    boom: () => Promise.reject(new Error('boom')),
    claims: async (session) =>
      session.assertClaims([{ id: 'never', validate: () => ({ isValid: false, reason: 'no' }) }]),
    'broken-claim': async (session) =>
      session.assertClaims([
        {
          id: 'broken',
          validate: () => {
            throw new Error('the validator broke');
          },
        },
      ]),
    merge: async (session) => session.mergeIntoAccessTokenPayload({ more: PAYLOAD }),
    grow: async (session) => session.mergeIntoAccessTokenPayload({ more: 'x'.repeat(5000) }),
    protected: async (session) => session.mergeIntoAccessTokenPayload({ sub: PAYLOAD }),
    reauthenticate: async (session) => session.recordAuthentication(),
    data: async (session) => session.updateSessionDataInDatabase({ secret: DATA }),
    container: (session) => {
      sinks.note('container', session, JSON.stringify(session));
    },
  },
};

const OPTIONS: Partial<SessionModuleOptions> = {
  antiCsrf: 'VIA_TOKEN',
  claims: [AuthenticationTimeClaim],
  rateLimit: { limiter: async () => Promise.reject(new Error('no connection to the counters')) },
};

/** Tokens that are wrong in every way, with a canary inside. */
function forgedTokens(real: string): string[] {
  const [header = '', payload = '', signature = ''] = real.split('.');
  const part = (text: string): string => Buffer.from(text).toString('base64url');
  return [
    `${header}.${part(`{"sub":"${FORGED}", broken`)}.${signature}`,
    `${part(`{"kid":"${FORGED}"}`)}.${payload}.${signature}`,
    `${part(`{"alg":"none","version":"5","kid":"d-1","typ":"JWT","x":"${FORGED}"}`)}.${payload}.`,
    `${header}.${payload}.${part(FORGED)}`,
    `${part(FORGED)}.${part(FORGED)}.${part(FORGED)}`,
    jwt({ ...V5_HEADER, kid: `d-${FORGED}` }, { ...V5_CLAIMS, x: FORGED }),
    FORGED,
  ];
}

/** The life of a session and everything that can go wrong in it, over HTTP and without. */
async function liveThrough(
  application: TestApplication,
  outage: (isOn: boolean) => Promise<void>,
): Promise<void> {
  const { app, http, client, clock, sessions } = application;
  app.get(SessionEvents).stream.subscribe((event) => sinks.note('events', event));
  app.get(SessionEvents).stream.subscribe(() => {
    throw new Error('listener broke');
  });
  const extra = { 'x-custom': HEADER, 'user-agent': 'Tester/1.0' };
  for (const mode of ['cookie', 'header'] as const) {
    const user = client(mode);
    const go = async (path: string, method = 'GET', headers: Record<string, string> = {}): Promise<void> => {
      sinks.noteResponse(await user.send({ path, method, headers: { ...extra, ...headers } }));
      canaries.addTokensOf(user);
    };
    const signIn = async (): Promise<void> => {
      await user.login('user-1', { payload: { secret: PAYLOAD }, data: { secret: DATA } });
      canaries.addTokensOf(user);
    };
    await signIn();
    const early = user.copy();
    for (const name of Object.keys(HANDLERS.guarded ?? {})) await go(`/run/${name}`, 'POST');
    await go('/run/boom', 'POST', { 'anti-csrf': FORGED });
    await go(REFRESH, 'POST', { 'anti-csrf': FORGED });
    await outage(true);
    for (const path of ['/checked', '/run/data', '/run/merge']) await go(path, 'POST');
    await go(REFRESH, 'POST');
    await go('/auth/signout', 'POST');
    await outage(false);
    await signIn();
    await go(REFRESH, 'POST');
    await go('/me');

    const { accessToken = user.cookie('sAccessToken') ?? '' } = user;
    for (const token of forgedTokens(accessToken)) {
      canaries.add('forged token', token.split('.').at(-1));
      const headers = { ...extra, authorization: `Bearer ${token}` };
      sinks.noteResponse(await http.send({ path: '/me', headers }));
      sinks.noteResponse(await http.send({ path: REFRESH, method: 'POST', headers }));
      sinks.noteResponse(
        await http.send({ path: '/me', headers: { cookie: `sAccessToken=${token}; other=${COOKIE}` } }),
      );
      await sinks.noteErrorOf(sessions.getSessionWithoutRequestResponse({ accessToken: token }));
      await sinks.noteErrorOf(sessions.refreshSessionWithoutRequestResponse({ refreshToken: token }));
      await sinks.noteErrorOf(sessions.revokeSession(token));
      await sinks.noteErrorOf(sessions.getSessionInformation(token));
    }
    const cookie = `sAccessToken=${accessToken}; sAccessToken=${accessToken}; sRefreshToken=${FORGED}; sRefreshToken=${FORGED}`;
    for (const path of ['/me', REFRESH]) {
      sinks.noteResponse(await http.send({ path, method: 'POST', headers: { ...extra, cookie } }));
    }
    sinks.noteResponse(await early.refresh(extra)); // the session of the first sign-in may have ended
    clock.advanceSeconds(2 * 3600);
    await go('/me');
    await sinks.noteErrorOf(sessions.getSessionWithoutRequestResponse({ accessToken }));
    await go(REFRESH, 'POST');
    await go('/me');
    const thief = user.copy();
    await go(REFRESH, 'POST');
    await go('/me');
    clock.advanceSeconds(60); // no grace for a thief
    sinks.noteResponse(await thief.refresh(extra));
  }
  await application.app.get(SessionEvents).delivered();
}

/** Sinks that lack their evidence, and canaries that were found, each with its sink. */
async function findings(evidence: Readonly<Record<string, RegExp>>): Promise<string[]> {
  const texts = await sinks.read();
  const silent = Object.entries(evidence).filter(([sink, pattern]) => !pattern.test(texts.get(sink) ?? ''));
  const found = [...texts].flatMap(([sink, text]) =>
    canaries.foundIn(text).map((name) => `${sink}: ${name}`),
  );
  return [...silent.map(([sink, pattern]) => `${sink}: nothing of ${pattern}`), ...found];
}

/** The least that a run must have written, so that silence means something. */
const EVIDENCE = {
  log: /UnauthorisedError/,
  warnings: /A listener of session events failed/,
  events: /session\.theft-detected/,
  spans: /session\.refresh/,
  metrics: /nest_sessions\.refusals/,
  channels: /session\.refused[^]*core\.call:asyncEnd/,
  errors: /TryRefreshTokenError/,
  responses: /unauthorised/,
  container: /sessionHandle/,
};

/** A memory store that can be switched off; its errors say what a driver's say. */
async function failingStore(): Promise<{ store: SessionStore; outage: (isOn: boolean) => Promise<void> }> {
  let isOut = false;
  const inner = await seededMemoryStore();
  canaries.add('refresh token key', await inner.getOrSetRefreshTokenKey('canary-key'));
  const store = interceptedStore(inner, async (_name, call) => {
    if (isOut) throw Object.assign(new Error('connection terminated unexpectedly'), { code: 'ECONNRESET' });
    return call();
  });
  return {
    store,
    outage: async (isOn) => {
      isOut = isOn;
    },
  };
}

describe.each(ADAPTERS)('no secret is written down anywhere, on %s (S103)', (adapter: Adapter) => {
  it('with the embedded core', async () => {
    const { store, outage } = await failingStore();
    const coreOptions = { refreshTokenRotationGracePeriodSec: 30, keyEncryption: { secret: SECRET } };
    canaries.add('secret of keyEncryption', SECRET);
    await TestApplication.on(adapter)
      .store(store)
      .logger(sinks.logger)
      .handlers(HANDLERS)
      .with(OPTIONS)
      .engine(coreOptions)
      .providers(sinks.interceptor)
      .run(async (application) => liveThrough(application, outage));
    expect(canaries.size).toBeGreaterThan(40);
    expect(await findings({ ...EVIDENCE, log: /The session store failed at/ })).toEqual([]);
  });

  it('with a remote core', async () => {
    const { store, outage } = await failingStore();
    const served = await startServedCore({ options: { apiKeys: [API_KEY] }, coreOptions: { store } });
    try {
      const core = remoteCore({ connectionURI: served.uri, apiKey: API_KEY });
      await TestApplication.on(adapter)
        .clock(served.clock)
        .logger(sinks.logger)
        .handlers(HANDLERS)
        .with({ ...OPTIONS, core })
        .providers(sinks.interceptor)
        .run(async (application) => liveThrough(application, outage));
    } finally {
      await served.close();
    }
    expect(canaries.size).toBeGreaterThan(40);
    expect(await findings({ ...EVIDENCE, log: /POST \/recipe\/session/ })).toEqual([]);
  });
});

describe('a core that repeats what it was sent (S103)', () => {
  const echoed = (body: unknown, headers: object): string => JSON.stringify({ body, headers });
  const ECHOES: Readonly<Record<string, Behaviour>> = {
    'with status 400': (response, request) =>
      sendText(400, echoed(request.body, request.headers))(response, request),
    'with status 500': (response, request) =>
      sendText(500, echoed(request.body, request.headers))(response, request),
    'as JSON that makes no sense': (response, request) =>
      sendJson({ status: 'OK', echo: echoed(request.body, request.headers) })(response, request),
    'as text': (response, request) => sendText(200, echoed(request.body, request.headers))(response, request),
  };

  it.each(Object.entries(ECHOES))('%s, does not make us repeat it', async (_case, echo) => {
    const core = await FakeCore.start();
    for (const path of ['refresh', 'verify', 'regenerate']) core.on(`/recipe/session/${path}`, echo);
    const refreshToken = 'canary-refresh-token-that-is-long-enough';
    const accessToken = jwt(V5_HEADER, { ...V5_CLAIMS, exp: 1_860_000_000 });
    canaries.add('refresh token', refreshToken);
    canaries.add('access token', accessToken.split('.').at(-1));
    canaries.add('anti-csrf token', 'canary-anti-csrf');
    try {
      const options = {
        core: remoteCore({ connectionURI: core.uri, apiKey: API_KEY }),
        antiCsrf: 'VIA_TOKEN',
      } as const;
      await TestApplication.on('express')
        .logger(sinks.logger)
        .with(options)
        .run(async ({ http, sessions, app }) => {
          app.get(SessionEvents).stream.subscribe((event) => sinks.note('events', event));
          const headers = { 'anti-csrf': 'canary-anti-csrf' };
          const refreshing = { ...headers, authorization: `Bearer ${refreshToken}` };
          sinks.noteResponse(await http.send({ path: REFRESH, method: 'POST', headers: refreshing }));
          const verifying = { ...headers, authorization: `Bearer ${accessToken}` };
          sinks.noteResponse(await http.send({ path: '/checked', headers: verifying }));
          await sinks.noteErrorOf(
            sessions.refreshSessionWithoutRequestResponse({
              refreshToken,
              antiCsrfToken: 'canary-anti-csrf',
            }),
          );
          await sinks.noteErrorOf(
            sessions.getSessionWithoutRequestResponse({
              accessToken,
              checkDatabase: true,
              antiCsrfCheck: false,
            }),
          );
        });
    } finally {
      await core.kill();
    }
    expect(await findings({ errors: /Core|Session/, responses: /message/ })).toEqual([]);
  });
});
