import { describe, expect, it } from '@jest/globals';
import {
  remoteCore,
  UnauthorisedError,
  type SessionContainer,
  type SessionEvent,
  type SessionModuleOptions,
} from 'nest-sessions';
import type { SessionCoreModuleOptions } from '../../../lib/core/server/session-core-options.js';
import { TestClock } from '../../../lib/testing/test-clock.js';
import { closeAfterTest } from '../../support/close-after-test.js';
import { seededMemoryStore, TEST_START_MS } from '../../support/embedded.js';
import { startServedCore } from '../../support/served-core.js';
import { ADAPTERS, TestApplication, type Adapter } from '../../support/test-application.js';
import { BOTH_CLEARED, NOTHING, tokenTraffic } from '../../support/token-traffic.js';

// The things that users of an application notice of a core that replaces refresh tokens at once, as a SuperTokens Core does by CDI 5.6.

const HOUR_SEC = 3600;
const GRACE_SEC = 30;

interface Input {
  readonly options?: Partial<SessionModuleOptions>;
  readonly served?: Omit<SessionCoreModuleOptions, 'core'>;
}

/** Instances of one application on one served core, and what they ask it. */
async function fleet(adapter: Adapter, { options = {}, served }: Input = {}) {
  const clock = new TestClock(TEST_START_MS);
  const core = await startServedCore({ clock, ...(served && { options: served }) });
  closeAfterTest(core.close);
  const asked: string[] = [];
  const instance = async (more: Partial<SessionModuleOptions> = {}): Promise<TestApplication> => {
    const remote = remoteCore({
      connectionURI: core.uri,
      networkInterceptor: (request) => {
        const { pathname } = new URL(request.url);
        if (pathname.startsWith('/recipe/session/')) {
          const version = request.headers['cdi-version'] ?? '';
          asked.push(`${pathname.slice('/recipe/session/'.length)} ${version}`);
        }
        return request;
      },
    });
    return TestApplication.on(adapter)
      .clock(clock)
      .handlers({
        guarded: {
          promote: async (session: SessionContainer, { sessions }) =>
            sessions.mergeIntoAccessTokenPayload(session.getHandle(), { role: 'admin' }),
        },
      })
      .with({ core: remote, ...options, ...more })
      .start();
  };
  return { clock, asked, instance };
}

function types(events: readonly SessionEvent[]): string[] {
  return events.map(({ type }) => type);
}

describe.each(ADAPTERS)('an application on %s whose core replaces refresh tokens at once', (adapter) => {
  it('asks the core nothing at the first use of a refreshed token', async () => {
    const { asked, instance } = await fleet(adapter);
    const client = await (await instance()).signedIn();
    await client.refresh();
    expect((await client.get('/me')).status).toBe(200);
    expect(asked).toEqual(['refresh 5.6']);
  });

  it('keeps a client signed in that lost a response and tries again in time', async () => {
    const { clock, instance } = await fleet(adapter);
    const { signedIn } = await instance();
    const client = await signedIn();
    const lost = client.copy();
    for (let attempt = 0; attempt < 3; attempt++) {
      await lost.copy().refresh();
      clock.advanceSeconds(10);
    }
    expect((await client.refresh()).status).toBe(200);
    clock.advanceSeconds(HOUR_SEC);
    expect((await client.refresh()).status).toBe(200);
    expect((await client.get('/checked')).status).toBe(200);
  });

  it('signs a client out that tries again too late, and reports that once, with the way it came back', async () => {
    const { clock, instance } = await fleet(adapter);
    const { signedIn, events } = await instance();
    const client = await signedIn();
    await client.copy().refresh();
    clock.advanceSeconds(GRACE_SEC + 1);
    const response = await client.refresh();
    expect([response.status, response.body]).toEqual([401, { message: 'token theft detected' }]);
    expect(tokenTraffic(response)).toEqual(BOTH_CLEARED);
    expect(types(events).slice(2)).toEqual(['session.theft-detected', 'session.revoked']);
    expect(events[2]).toMatchObject({ recentTokenReuseSubtype: 'RECENT_PREV' });
    expect(events[3]).toMatchObject({ reason: 'token-theft', userId: 'user-1' });
  });

  it('finds a thief out who used the token first', async () => {
    const { clock, instance } = await fleet(adapter);
    const { signedIn, events } = await instance();
    const client = await signedIn();
    const thief = client.copy();
    await thief.refresh();
    await thief.refresh();
    clock.advanceSeconds(GRACE_SEC + 1);
    expect((await client.refresh()).status).toBe(401);
    expect((await thief.get('/checked')).status).toBe(401);
    expect((await thief.refresh()).status).toBe(401);
    expect(types(events).filter((type) => type === 'session.revoked')).toHaveLength(1);
  });

  it('gives the tabs that refresh at the same time fewer pairs than there are tabs, and turns none of them away', async () => {
    const { asked, instance } = await fleet(adapter);
    const { signedIn } = await instance();
    const client = await signedIn();
    const responses = await Promise.all(Array.from({ length: 50 }, async () => client.copy().refresh()));
    expect(new Set(responses.map(({ status }) => status))).toEqual(new Set([200]));
    const pairs = new Set(responses.map((response) => response.setCookie('sRefreshToken')?.value));
    expect(asked).toHaveLength(pairs.size);
    expect(pairs.size).toBeLessThan(50);
  });

  it('hands a changed payload to the handler that checks the database, and to the client, once', async () => {
    const { asked, instance } = await fleet(adapter);
    const { signedIn } = await instance();
    const client = await signedIn();
    const { ate } = client.front;
    await client.post('/run/promote');
    asked.length = 0;
    const checked = await client.get('/checked');
    expect(checked.body).toMatchObject({ payload: { role: 'admin' } });
    expect(client.front).toMatchObject({ ate, up: { role: 'admin' } });
    expect((await client.get('/me')).body).toMatchObject({ payload: { role: 'admin' } });
    expect((await client.get('/checked')).body).toMatchObject({ payload: { role: 'admin' } });
    expect(asked).toEqual(['verify 5.6', 'regenerate 5.6', 'verify 5.6']);
  });

  it('asks a client with an outlived token to refresh where the database is checked, and takes nothing from it', async () => {
    const { instance } = await fleet(adapter);
    const { signedIn, events } = await instance();
    const client = await signedIn();
    const older = client.copy();
    await client.refresh();
    await client.refresh();
    const response = await older.get('/checked');
    expect([response.status, response.body]).toEqual([401, { message: 'try refresh token' }]);
    expect(tokenTraffic(response)).toEqual(NOTHING);
    expect((await older.get('/me')).status).toBe(200);
    expect((await client.get('/checked')).status).toBe(200);
    expect(types(events)).not.toContain('session.revoked');
  });

  it('keeps the old token good for as long as a hook gives no decision', async () => {
    let isDown = true;
    const { clock, asked, instance } = await fleet(adapter, {
      options: {
        onRefresh: () => {
          if (isDown) throw new Error('the risk service is down');
        },
      },
    });
    const client = await (await instance()).signedIn();
    for (let hour = 0; hour < 3; hour++) {
      expect((await client.refresh()).status).toBe(503);
      clock.advanceSeconds(HOUR_SEC);
    }
    isDown = false;
    expect((await client.refresh()).status).toBe(200);
    expect((await client.get('/me')).status).toBe(200);
    expect(asked).toEqual([...Array(4).fill('refresh 5.4'), 'verify 5.4']);
  });

  it('lets a session pass between instances that hold the core at different versions', async () => {
    const { clock, instance } = await fleet(adapter);
    const [newer, hooked] = [await instance(), await instance({ onRefresh: () => 'allow' })];
    const client = await newer.signedIn('header');
    for (const application of [newer, hooked, hooked, newer, newer, hooked, newer]) {
      const there = application.client('header');
      there.adoptTokens(client);
      expect((await there.refresh()).status).toBe(200);
      expect((await there.get('/checked')).status).toBe(200);
      expect((await there.get('/me')).status).toBe(200);
      client.adoptTokens(there);
      clock.advanceSeconds(HOUR_SEC / 2);
    }
  });

  it('loses no client while two releases of the core respond by turns, whichever the balancer takes', async () => {
    const clock = new TestClock(TEST_START_MS);
    const store = await seededMemoryStore();
    const releases = await Promise.all(
      [['5.4'], ['5.4', '5.6']].map(async (versions) =>
        startServedCore({ clock, coreOptions: { store }, options: { versions } }),
      ),
    );
    for (const release of releases) closeAfterTest(release.close);
    const connectionURI = releases.map(({ uri }) => uri).join(';');
    const { signedIn } = await TestApplication.on(adapter)
      .clock(clock)
      .with({ core: remoteCore({ connectionURI }) })
      .start();
    const clients = await Promise.all(['a', 'b', 'c', 'd'].map(async (user) => signedIn('cookie', user)));
    for (let round = 0; round < 6; round++) {
      clock.advanceSeconds(round % 2 === 0 ? 1 : HOUR_SEC);
      const outcomes = await Promise.all(
        clients.map(async (client) => [
          (await client.refresh()).status,
          (await client.get('/me')).status,
          (await client.get('/checked')).status,
        ]),
      );
      expect(outcomes).toEqual(clients.map(() => [200, 200, 200]));
    }
  });

  it('tells of a plain end where the core is set to call a reuse that, and says that there was more to it', async () => {
    const { clock, instance } = await fleet(adapter, {
      served: { recentTokenReuseBehaviour: 'UNAUTHORISED' },
    });
    const { signedIn, sessions, events } = await instance();
    const client = await signedIn('header');
    const { refreshToken = '' } = client;
    await client.copy().refresh();
    clock.advanceSeconds(GRACE_SEC + 1);
    const error: unknown = await sessions
      .refreshSessionWithoutRequestResponse({ refreshToken })
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(UnauthorisedError);
    expect(error).toMatchObject({ payload: { clearTokens: true }, recentTokenReuseSubtype: 'RECENT_PREV' });
    const response = await client.refresh();
    expect([response.status, response.body]).toEqual([401, { message: 'unauthorised' }]);
    expect(tokenTraffic(response)).toEqual(BOTH_CLEARED);
    expect(types(events)).not.toContain('session.theft-detected');
  });
});
