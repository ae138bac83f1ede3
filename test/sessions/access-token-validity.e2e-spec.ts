import { describe, expect, it } from '@jest/globals';
import {
  CoreBadInputError,
  embeddedCore,
  remoteCore,
  type SessionContainer,
  type SessionModuleOptions,
} from 'nest-sessions';
import type { CoreProvider } from 'nest-sessions/core';
import { TestClock } from '../../lib/testing/test-clock.js';
import { closeAfterTest } from '../support/close-after-test.js';
import { decoded } from '../support/core-calls.js';
import { seededMemoryStore, TEST_START_MS } from '../support/embedded.js';
import { startServedCore } from '../support/served-core.js';
import type { ClientResponse } from '../support/http-client.js';
import type { SessionClient } from '../support/session-client.js';
import { TestApplication, type Adapter } from '../support/test-application.js';

// The life that one access token is given at a sign-in or a refresh.

const HOUR_SEC = 3600;
const SHORT_SEC = 300;

type Version = '5.4' | '5.6';
type Kind = 'embedded' | Version;

const CORES: [what: string, kind: Kind, adapter: Adapter][] = [
  ['an embedded core', 'embedded', 'express'],
  ['a core of CDI 5.6', '5.6', 'fastify'],
];

async function coreOf(kind: Kind, clock: TestClock): Promise<CoreProvider> {
  const coreOptions = { accessTokenValidityJitter: 0.2, store: await seededMemoryStore() };
  if (kind === 'embedded') return embeddedCore(coreOptions);
  const served = await startServedCore({ clock, coreOptions });
  closeAfterTest(served.close);
  return remoteCore({ connectionURI: served.uri, newestCdiVersion: kind });
}

async function start(kind: Kind, adapter: Adapter, options: Partial<SessionModuleOptions> = {}) {
  const clock = new TestClock(TEST_START_MS);
  const application = await TestApplication.on(adapter)
    .clock(clock)
    .with({ core: await coreOf(kind, clock), ...options })
    .handlers({
      open: {
        login: async ({ sessions, req, res, body }) => {
          await sessions.createNewSession(req, res, { userId: 'user-1', ...(body as object) });
        },
        refresh: async ({ sessions, req, res, body }) => {
          await sessions.refreshSession(req, res, undefined, body as object);
        },
      },
      guarded: {
        merge: async (session: SessionContainer) => session.mergeIntoAccessTokenPayload({ role: 'admin' }),
      },
    })
    .start();
  const signIn = async (input: object = {}): Promise<SessionClient> => {
    const client = application.client('header');
    const response = await client.post('/open/login', input);
    if (response.status >= 300) throw new Error(`The sign-in responded with ${response.status}`);
    return client;
  };
  return { sessions: application.sessions, clock, signIn };
}

/** Refreshes by a route of the application's own. */
async function refreshFor(client: SessionClient, body: object): Promise<ClientResponse> {
  return client.post('/open/refresh', body, { authorization: `Bearer ${client.refreshToken ?? ''}` });
}

/** Seconds that the access token of a client has left, as the token and the front token say. */
function left({ accessToken = '', front }: SessionClient, clock: TestClock): number {
  const { exp } = decoded(accessToken).payload as { exp: number };
  expect(front.ate).toBe(exp * 1000);
  return exp - clock.now() / 1000;
}

describe.each(CORES)('the life of one access token, on %s', (_what, kind, adapter) => {
  it('is that of the sign-in, to the second, and the next refresh gives the usual one', async () => {
    const { clock, signIn } = await start(kind, adapter);
    const client = await signIn({ accessTokenValiditySec: SHORT_SEC });
    expect(left(client, clock)).toBe(SHORT_SEC);
    clock.advanceSeconds(SHORT_SEC - 1);
    expect((await client.get('/me')).status).toBe(200);
    clock.advanceSeconds(2);
    expect((await client.get('/me')).body).toEqual({ message: 'try refresh token' });
    expect((await client.refresh()).status).toBe(200);
    expect(left(client, clock)).toBeGreaterThan(0.79 * HOUR_SEC);
    expect((await client.get('/me')).status).toBe(200);
  });

  it('is that of one refresh, also after the first use of the new token and after a change of its payload', async () => {
    const { clock, signIn } = await start(kind, adapter);
    const client = await signIn();
    await refreshFor(client, { accessTokenValiditySec: SHORT_SEC });
    expect(left(client, clock)).toBe(SHORT_SEC);
    clock.advanceSeconds(60);
    expect((await client.get('/me')).status).toBe(200);
    const afterFirstUse = left(client, clock);
    expect(afterFirstUse).toBeLessThanOrEqual(SHORT_SEC);
    await client.post('/run/merge');
    expect((await client.get('/checked')).status).toBe(200);
    expect(left(client, clock)).toBe(afterFirstUse);
    clock.advanceSeconds(SHORT_SEC + 1);
    expect((await client.get('/me')).status).toBe(401);
    expect((await client.refresh()).status).toBe(200);
    expect(left(client, clock)).toBeGreaterThan(0.79 * HOUR_SEC);
  });

  it('comes from an override on the route of the browser clients', async () => {
    const { clock, signIn } = await start(kind, adapter, {
      override: {
        functions: (original) => ({
          ...original,
          createNewSession: async (input) =>
            original.createNewSession({ ...input, accessTokenValiditySec: SHORT_SEC }),
          refreshSession: async (input) =>
            original.refreshSession({ ...input, accessTokenValiditySec: 2 * SHORT_SEC }),
        }),
      },
    });
    const client = await signIn();
    expect(left(client, clock)).toBe(SHORT_SEC);
    await client.refresh();
    expect(left(client, clock)).toBe(2 * SHORT_SEC);
  });

  it('can be as long as the core has it, and is refused beyond that: nothing is lost', async () => {
    const { clock, sessions, signIn } = await start(kind, adapter);
    const client = await signIn({ accessTokenValiditySec: HOUR_SEC });
    expect(left(client, clock)).toBe(HOUR_SEC);
    const tooLong = { accessTokenValiditySec: HOUR_SEC + 1 };
    const { refreshToken = '' } = client;
    await expect(
      sessions.createNewSessionWithoutRequestResponse({ userId: 'other', ...tooLong }),
    ).rejects.toThrow(CoreBadInputError);
    await expect(sessions.refreshSessionWithoutRequestResponse({ refreshToken, ...tooLong })).rejects.toThrow(
      CoreBadInputError,
    );
    expect(await sessions.getAllSessionHandlesForUser({ userId: 'other' })).toEqual([]);
    expect((await client.refresh()).status).toBe(200);
    expect((await client.get('/checked')).status).toBe(200);
  });

  it('ends with the session where that ends sooner', async () => {
    const { clock, signIn } = await start(kind, adapter, { lifetime: { absoluteSec: 120 } });
    const client = await signIn({ accessTokenValiditySec: SHORT_SEC });
    expect(left(client, clock)).toBe(120);
    clock.advanceSeconds(60);
    await refreshFor(client, { accessTokenValiditySec: 30 });
    expect(left(client, clock)).toBe(30);
    clock.advanceSeconds(20);
    await refreshFor(client, { accessTokenValiditySec: SHORT_SEC });
    expect(left(client, clock)).toBe(40);
  });

  it.each([0, -1, 1.5, Number.NaN, Infinity, '60', null])(
    'is a mistake of the caller where it is %s, and no call is made',
    async (accessTokenValiditySec) => {
      const { sessions, signIn } = await start(kind, adapter);
      const { refreshToken = '' } = await signIn();
      const wrong = { accessTokenValiditySec: accessTokenValiditySec as number };
      await expect(
        sessions.createNewSessionWithoutRequestResponse({ userId: 'other', ...wrong }),
      ).rejects.toThrow(TypeError);
      await expect(sessions.refreshSessionWithoutRequestResponse({ refreshToken, ...wrong })).rejects.toThrow(
        /accessTokenValiditySec/,
      );
      await expect(sessions.refreshSessionWithoutRequestResponse({ refreshToken })).resolves.toBeDefined();
    },
  );

  it.each([0, 1.5, '60'])('is a mistake of an override that gives %s, and nothing is lost', async (wrong) => {
    let given: unknown = wrong;
    const { sessions, signIn } = await start(kind, adapter, {
      override: {
        functions: (original) => ({
          ...original,
          refreshSession: async (input) =>
            original.refreshSession({ ...input, accessTokenValiditySec: given as number }),
        }),
      },
    });
    const client = await signIn();
    const { refreshToken = '' } = client;
    await expect(sessions.refreshSessionWithoutRequestResponse({ refreshToken })).rejects.toThrow(
      'refreshSession: accessTokenValiditySec: a whole number of seconds above 0 is expected',
    );
    given = undefined;
    expect((await client.refresh()).status).toBe(200);
  });
});

describe('the life of one access token, on a core of CDI 5.4', () => {
  it('is refused with the reason, and nothing is lost, also where a sign-in would end another session', async () => {
    const { sessions, signIn } = await start('5.4', 'express', {
      maxSessionsPerUser: { max: 1, whenExceeded: 'end-oldest' },
    });
    const client = await signIn();
    const { refreshToken = '' } = client;
    const short = { accessTokenValiditySec: SHORT_SEC };
    const reason = /accessTokenValiditySec needs CDI 5\.6, and CDI 5\.4 is agreed/;
    await expect(
      sessions.createNewSessionWithoutRequestResponse({ userId: 'user-1', ...short }),
    ).rejects.toThrow(reason);
    await expect(sessions.refreshSessionWithoutRequestResponse({ refreshToken, ...short })).rejects.toThrow(
      reason,
    );
    const refused = await refreshFor(client.copy(), short);
    expect(refused.status).toBe(500);
    expect(refused.lines('set-cookie')).toEqual([]);
    expect((await client.get('/checked')).status).toBe(200);
    expect((await client.refresh()).status).toBe(200);
  });
});
