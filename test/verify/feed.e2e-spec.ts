import type { Server } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { remoteCore } from 'nest-sessions';
import {
  createSessionVerifier,
  servedRevocations,
  type ServedRevocationsOptions,
  type SessionVerifier,
} from 'nest-sessions/verify';
import { TestClock } from 'nest-sessions/testing';
import { closeAfterTest } from '../support/close-after-test.js';
import { seededMemoryStore, TEST_START_MS } from '../support/embedded.js';
import { startServedCore, type ServedCore } from '../support/served-core.js';
import { ADAPTERS, TestApplication } from '../support/test-application.js';

const API_KEY = 'a-key-of-this-test-1234';

/** Verifies again and again, until the outcome is the expected one; only the test's own limit ends it. */
async function until(expected: string, work: () => Promise<unknown>): Promise<string> {
  for (;;) {
    const outcome = await work().then(
      () => 'accepted',
      (error: unknown) => (error as Error).name,
    );
    if (outcome === expected) return outcome;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** A `fetch` that can be cut off from the feed. */
class Cable {
  isCut = false;
  readonly fetch = async (url: string, init: RequestInit): Promise<Response> => {
    if (this.isCut && url.includes('revocations')) throw new TypeError('cut');
    return fetch(url, init);
  };
}

const SOURCES = [
  ...ADAPTERS.map((adapter) => ({ adapter, from: 'its API' })),
  { adapter: 'express', from: 'a served core' },
] as const;

describe.each(SOURCES)('a verifier that follows $from ($adapter)', ({ adapter, from }) => {
  let application: TestApplication;
  let clock: TestClock;
  let core: ServedCore | undefined;
  let cable: Cable;

  beforeAll(async () => {
    clock = new TestClock(TEST_START_MS);
    if (from === 'a served core') {
      core = await startServedCore({ clock, options: { apiKeys: [API_KEY], revocationFeed: true } });
      const remote = remoteCore({ connectionURI: core.uri, apiKey: API_KEY });
      application = await TestApplication.on(adapter).clock(clock).with({ core: remote }).start();
    } else {
      application = await TestApplication.on(adapter)
        .clock(clock)
        .with({ revocationFeed: { apiKeys: [API_KEY] } })
        .start();
    }
  });

  afterAll(async () => {
    // A connection that a cancelled `fetch` has opened and not used would keep the server open for a minute.
    (application.app.getHttpServer() as Server).closeAllConnections();
    await application.close();
    await core?.close();
  });

  beforeEach(() => {
    cable = new Cable();
  });

  function follow(options: Partial<ServedRevocationsOptions> = {}): SessionVerifier {
    const api = `http://127.0.0.1:${application.port}`;
    const url =
      core === undefined ? `${api}/auth/session/revocations` : `${core.uri}/nest-sessions/revocations`;
    const feed = servedRevocations({ url, apiKey: API_KEY, pollMs: 50, ...options });
    const verifier = createSessionVerifier({ apiDomain: api, feed, clock, fetch: cable.fetch });
    closeAfterTest(() => verifier.close());
    return verifier;
  }

  it('refuses a session that was ended at the API, also where its token is remembered', async () => {
    const verifier = follow({ pollMs: 60_000 }); // hears of it by the waiting read, not by the next one
    const client = await application.signedIn('header');
    const verify = async () => verifier.verifyToken(client.accessToken);
    await verify();
    await client.signOut();
    expect(await until('UnauthorisedError', verify)).toBe('UnauthorisedError');
  });

  it('refuses every session of a user that was signed out everywhere', async () => {
    const verifier = follow();
    const client = await application.signedIn('header', 'everywhere');
    const token = client.accessToken;
    await verifier.verifyToken(token);
    await application.sessions.revokeAllSessionsForUser({ userId: 'everywhere' });
    expect(await until('UnauthorisedError', async () => verifier.verifyToken(token))).toBe(
      'UnauthorisedError',
    );
  });

  it('accepts a token that a refresh has brought, however often', async () => {
    const verifier = follow();
    const client = await application.signedIn('header');
    const earlier = client.copy();
    await client.refresh();
    for (let use = 0; use < 3; use++) await verifier.verifyToken(client.accessToken);
    if (core !== undefined) return; // over CDI 5.6 the refresh itself has rotated
    const response = await earlier.refresh();
    expect([response.status, response.text]).toEqual([401, '{"message":"token theft detected"}']);
    expect(await until('UnauthorisedError', async () => verifier.verifyToken(client.accessToken))).toBe(
      'UnauthorisedError',
    );
  });

  it('asks at the next use about a token that it accepted while the server was away', async () => {
    if (core !== undefined) return; // over CDI 5.6 the refresh itself has rotated
    const verifier = follow({ whenStale: 'accept' });
    const client = await application.signedIn('header');
    const earlier = client.copy();
    await verifier.verifyToken(client.accessToken);
    await client.refresh();
    cable.isCut = true;
    await verifier.verifyToken(client.accessToken);
    cable.isCut = false;
    await verifier.verifyToken(client.accessToken);
    const response = await earlier.refresh();
    expect([response.status, response.text]).toEqual([401, '{"message":"token theft detected"}']);
  });

  it('asks about the session where checkDatabase says so', async () => {
    const verifier = follow();
    const client = await application.signedIn('header');
    await verifier.verifyToken(client.accessToken, { checkDatabase: true });
    cable.isCut = true;
    await expect(verifier.verifyToken(client.accessToken, { checkDatabase: true })).rejects.toMatchObject({
      name: 'CoreUnavailableError',
    });
    cable.isCut = false;
    await client.signOut();
    await expect(verifier.verifyToken(client.accessToken, { checkDatabase: true })).rejects.toMatchObject({
      name: 'UnauthorisedError',
    });
  });

  it.each([
    ['refuse', 'CoreUnavailableError'],
    ['check-store', 'CoreUnavailableError'],
    ['accept', 'accepted'],
  ] as const)(
    'with whenStale %s has the outcome %s while the feed is cut, and goes on when it is back',
    async (whenStale, outcome) => {
      const verifier = follow({ whenStale });
      const client = await application.signedIn('header');
      const verify = async () => verifier.verifyToken(client.accessToken);
      await verify();
      cable.isCut = true;
      await until(outcome, async () => {
        clock.advanceSeconds(1);
        return verify();
      });
      cable.isCut = false;
      expect(await until('accepted', verify)).toBe('accepted');
      await client.signOut();
      expect(await until('UnauthorisedError', verify)).toBe('UnauthorisedError');
    },
  );

  it('takes a wrong API key for a feed that is gone, and never for none', async () => {
    const verifier = follow({ apiKey: 'another-key-of-this-test', whenStale: 'refuse' });
    const client = await application.signedIn('header');
    await expect(verifier.verifyToken(client.accessToken)).rejects.toMatchObject({
      name: 'CoreUnavailableError',
    });
  });
});

describe('a verifier of a session that has expired by the clock of the API', () => {
  it('accepts its token again, once the session has more time', async () => {
    const [ahead, behind] = [new TestClock(TEST_START_MS), new TestClock(TEST_START_MS)];
    const store = await seededMemoryStore();
    const starter = TestApplication.on('express')
      .store(store)
      .with({ revocationFeed: { apiKeys: [API_KEY] } });
    const [api, other] = [await starter.clock(ahead).start(), await starter.clock(behind).start()];
    const client = await other.signedIn('header');
    const beforeEnd = 100 * 86_400 - 10; // of 100 days, the default
    behind.advanceSeconds(beforeEnd);
    ahead.advanceSeconds(beforeEnd + 20);
    await client.refresh();
    const apiDomain = `http://127.0.0.1:${api.port}`;
    const feed = servedRevocations({ url: `${apiDomain}/auth/session/revocations`, apiKey: API_KEY });
    const verifier = createSessionVerifier({ apiDomain, feed, clock: behind });
    closeAfterTest(() => verifier.close());
    const { accessToken } = client;
    await expect(verifier.verifyToken(accessToken)).rejects.toThrow('The session has ended');
    expect((await client.get('/me')).status).toBe(200); // its first use, at the other instance
    await expect(verifier.verifyToken(accessToken)).resolves.toBeDefined();
  });
});
