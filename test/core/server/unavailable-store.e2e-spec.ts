import { describe, expect, it } from '@jest/globals';
import { CoreUnavailableError, remoteCore, SessionEvents } from 'nest-sessions';
import { TestClock } from '../../../lib/testing/test-clock.js';
import type { ClientResponse } from '../../support/http-client.js';
import type { SessionClient } from '../../support/session-client.js';
import { startServedCore, withServedCore } from '../../support/served-core.js';
import { ADAPTERS, TestApplication } from '../../support/test-application.js';
import { NOTHING, tokenTraffic } from '../../support/token-traffic.js';
import { TEST_START_MS } from '../../support/embedded.js';
import { watchedStore } from '../../support/watched-store.js';

const STORE_CALLS = [
  'insertSession',
  'findSession',
  'findAndUpdate',
  'update refreshTokenHash2',
  'deleteSessions',
];

const FLOWS: Record<string, (client: SessionClient) => Promise<ClientResponse>> = {
  'signing in': (client) => client.post('/login', { userId: 'user-1' }),
  refreshing: (client) => client.refresh(),
  'a route that asks the database': (client) => client.get('/checked'),
  'signing out': (client) => client.signOut(),
};

describe.each(ADAPTERS)('an application whose core is served by %s', (adapter) => {
  it.each(Object.entries(FLOWS))(
    'responds with 503 and Retry-After while the store of that core is gone, and serves afterwards: %s (S030 S096)',
    async (_flow, act) => {
      const { store, failing } = await watchedStore();
      const clock = new TestClock(TEST_START_MS);
      await withServedCore({ adapter, coreOptions: { store }, clock }, async ({ uri }) => {
        const options = { core: remoteCore({ connectionURI: uri }) };
        await TestApplication.on(adapter)
          .with(options)
          .clock(clock)
          .run(async ({ app, signedIn, events }) => {
            const client = await signedIn();
            for (const call of STORE_CALLS) failing.add(call);
            for (let attempt = 0; attempt < 3; attempt++) {
              const response = await act(client);
              expect(`${response.status} ${response.text}`).toBe('503 {"message":"service unavailable"}');
              expect(response.header('retry-after')).toBe('1');
              expect(tokenTraffic(response)).toEqual(NOTHING);
            }
            failing.clear();
            expect([200, 201]).toContain((await act(client)).status);
            await app.get(SessionEvents, { strict: false }).delivered();
            expect(events.filter(({ type }) => type === 'core.unavailable')).toHaveLength(1);
          });
      });
    },
  );
});

describe('a served core that must not start without its store (S086)', () => {
  it('closes what it has opened', async () => {
    const { store, calls, failing } = await watchedStore();
    failing.add('findDynamicKeys');
    const coreOptions = { store, startWithoutStore: false };
    await expect(startServedCore({ coreOptions })).rejects.toThrow(CoreUnavailableError);
    expect(calls.at(-1)).toBe('close');
  });
});

describe('the published keys of a served core', () => {
  it('cannot be loaded for now while its store is gone, and are there afterwards', async () => {
    const { store, failing } = await watchedStore();
    failing.add('findDynamicKeys');
    await withServedCore({ coreOptions: { store } }, async ({ uri, clock, send }) => {
      const core = remoteCore({ connectionURI: uri }).create({
        clock,
        events: new SessionEvents(),
        apiDomain: 'http://localhost:3000',
        jwksRefreshIntervalSec: 14_400,
      });
      await expect(core.verificationKeys.find(undefined)).rejects.toThrow(CoreUnavailableError);
      await expect(core.getJwks({})).rejects.toThrow(CoreUnavailableError);
      expect((await send({ path: '/.well-known/jwks.json' })).headers['retry-after']).toBe('1');
      failing.clear();
      await expect(core.verificationKeys.find(undefined)).resolves.toHaveLength(2);
      await core.close();
    });
  });
});
