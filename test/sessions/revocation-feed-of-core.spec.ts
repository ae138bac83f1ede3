import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { remoteCore } from '../../lib/core/remote/http-core-client.js';
import { MemoryStore } from '../../lib/stores/memory.store.js';
import { postgresStore } from '../../lib/stores/postgres.store.js';
import { redisStore } from '../../lib/stores/redis/redis.store.js';
import type { SessionStore } from '../../lib/stores/session-store.js';
import { sqliteStore } from '../../lib/stores/sqlite.store.js';
import { TestClock } from '../../lib/testing/test-clock.js';
import { seededMemoryStore, seedSigningKeys, TEST_START_MS } from '../support/embedded.js';
import { instanceOn, signIn, storeWithoutFeed, type Instance } from '../support/feed-instance.js';
import { startServedCore, type ServedCoreInput } from '../support/served-core.js';
import { closeAfterTest } from '../support/close-after-test.js';
import { startPostgres } from '../support/postgres.js';
import { closeClients, nodeRedis } from '../support/redis-clients.js';
import { startRedis, until } from '../support/redis.js';
import { NOW, ROW } from '../support/session-row.js';

const API_KEY = 'a-key-of-twenty-letters';
const PATH = '/nest-sessions/revocations';

const [postgres, redis] = await Promise.all([startPostgres(), startRedis()]);
afterAll(async () => void (await Promise.all([postgres.stop(), redis.stop()])));

const SERVED = { revocationFeed: true, apiKeys: [API_KEY] };

/** A served core; its instances read its feed when something is announced, or when the test says so. */
async function servedCore(options: ServedCoreInput['options'] = SERVED, store?: SessionStore) {
  const clock = new TestClock(TEST_START_MS);
  const core = await startServedCore({ clock, options, ...(store && { coreOptions: { store } }) });
  closeAfterTest(core.close);
  const instance = async (): Promise<Instance> =>
    instanceOn(remoteCore({ connectionURI: core.uri, apiKey: API_KEY }), clock, { pollMs: 60_000 });
  return { core, instance };
}

async function served(...input: Parameters<typeof servedCore>) {
  const { core, instance } = await servedCore(...input);
  return { core, a: await instance(), b: await instance() };
}

/** Ends a session at one instance, and waits until another one refuses it. */
async function endsAtOnce(a: Instance, b: Instance): Promise<void> {
  const { handle, accessToken } = await signIn(a);
  expect(await b.accepts(accessToken)).toBe(true);
  await a.sessions.revokeSession(handle);
  await until(async () => !(await b.accepts(accessToken)));
}

describe('a core that this library serves', () => {
  it('serves the feed to those alone who have a key', async () => {
    const { core } = await served();
    expect((await core.post(PATH, {})).status).toBe(401);
    const headers = { 'api-key': API_KEY };
    const response = await core.post(PATH, {}, headers);
    expect(response.json).toMatchObject({ status: 'OK', records: [], isPushing: true });
    expect((await core.send({ path: PATH, headers })).status).toBe(405);
  });

  it('takes a position of any feed, and refuses what none can be', async () => {
    const { core, a, b } = await served();
    await endsAtOnce(a, b);
    const ask = async (body: object) => core.post(PATH, body, { 'api-key': API_KEY });
    for (const after of ['', '0_1796000000000-0_f38d9d', '~'.repeat(16_384)])
      expect((await ask({ after })).json).toMatchObject({ records: [{ kind: 'session' }] });
    for (const after of ['~'.repeat(16_385), 'a b', 'a\n', 'é', 1, null]) {
      const { status, text } = await ask({ after });
      expect([status, text]).toEqual([400, expect.stringMatching(/after/)]);
    }
    for (const question of [{ waitMs: 'x' }, { waitMs: -1 }, { waitMs: 0.5 }, { seen: 1 }])
      expect((await ask(question)).status).toBe(400);
  });

  it('has none unless the option says so: then the state is none, and access tokens live until they expire', async () => {
    const { a, b } = await served({ apiKeys: [API_KEY] });
    const { handle, accessToken } = await signIn(a);
    expect(await b.accepts(accessToken)).toBe(true);
    await a.sessions.revokeSession(handle);
    await b.watch.read();
    expect([b.watch.state, await b.accepts(accessToken)]).toEqual(['none', true]);
  });

  it('does not start with the option where its store has no feed, and says what to do', async () => {
    const store = await storeWithoutFeed();
    const started = startServedCore({ options: { revocationFeed: true }, coreOptions: { store } });
    closeAfterTest(async () => started.then(({ close }) => close()).catch(() => undefined));
    await expect(started).rejects.toThrow(
      /^SessionCoreModule cannot start[^]*revocationFeed: is true, but the core or its store has no feed of its own/,
    );
  });

  it('refuses to end the sessions of everybody, which the CDI does not offer, and ends those of users', async () => {
    const { a } = await served();
    const { handle } = await signIn(a);
    await expect(a.sessions.revokeSessions({ all: true })).rejects.toThrow(/name userIds/);
    expect(await a.sessions.revokeSessions({ userIds: ['user-1', 'user-2'] })).toEqual([handle]);
  });
});

/** The stores that a core may be served on, each opened anew on the same sessions. */
const STORES = [
  { name: 'memory', on: describe, state: 'live', make: async () => sameStore() },
  { name: 'SQLite', on: describe, state: 'polling', make: async () => onFile() },
  { name: 'PostgreSQL', on: postgres.describe, state: 'live', make: async () => onPostgres() },
  { name: 'Redis', on: redis.describe, state: 'live', make: async () => onRedis() },
  {
    name: 'Redis with the keys of a cluster',
    on: redis.describe,
    state: 'live',
    make: async () => onRedis({ clusterKeys: true }),
  },
] as const;

type Open = () => Promise<SessionStore>;

async function sameStore(): Promise<Open> {
  const store = await seededMemoryStore();
  return async () => store;
}

async function onFile(): Promise<Open> {
  const folder = mkdtempSync(join(tmpdir(), 'nest-sessions-feed-'));
  closeAfterTest(async () => rmSync(folder, { recursive: true }));
  return async () => sqliteStore(join(folder, 'sessions.db'));
}

async function onPostgres(): Promise<Open> {
  const schema = postgres.freshSchema();
  return async () => postgresStore(postgres.pool({ max: 3 }), { schema });
}

async function onRedis(options = {}): Promise<Open> {
  const keyPrefix = redis.freshPrefix();
  closeAfterTest(closeClients);
  return async () => redisStore(await (await nodeRedis()).connect(redis.url), { keyPrefix, ...options });
}

async function opened(open: Open): Promise<SessionStore> {
  const store = await open();
  if (!(store instanceof MemoryStore)) await seedSigningKeys(store);
  return store;
}

for (const { name, on, state, make } of STORES) {
  on(`a served core on ${name}`, () => {
    it(`tells its instances at once, one time after the other; the state is ${state}`, async () => {
      const { a, b } = await served(SERVED, await opened(await make()));
      for (let time = 1; time <= 3; time++) {
        await endsAtOnce(a, b);
        expect(b.watch.size).toBe(time);
      }
      await until(() => b.watch.state === state);
      await endsAtOnce(b, a);
    });

    it('tells what another one on the same sessions has ended, without any gap', async () => {
      const open = await make();
      const here = await servedCore(SERVED, await opened(open));
      const there = await servedCore(SERVED, await opened(open));
      const [a, b] = [await here.instance(), await there.instance()];
      for (let time = 1; time <= 3; time++) {
        const { handle, accessToken } = await signIn(a);
        expect(await b.accepts(accessToken)).toBe(true);
        await a.sessions.revokeSession(handle);
        await until(async () => {
          if (state === 'polling') await b.watch.read();
          return !(await b.accepts(accessToken));
        });
        expect(b.watch.size).toBe(time);
      }
    });
  });
}

redis.describe('a served core on a Redis whose records are in all partitions', () => {
  it('tells its instances at once, though a position has several thousand characters', async () => {
    const store = await opened(await onRedis({ clusterKeys: true }));
    const { a, b } = await served(SERVED, store);
    const keys = Array.from({ length: 500 }, (_, n) => ({
      tenantId: 'public',
      sessionHandle: `handle-${n}`,
    }));
    await Promise.all(keys.map(async (key) => store.insertSession({ ...ROW, ...key, expiresAtMs: NOW * 2 })));
    await store.deleteSessions(keys, { notBeforeMs: TEST_START_MS, untilMs: TEST_START_MS + 3_600_000 });
    await until(() => b.watch.size === 500);
    const page = await store.revocations?.read(undefined);
    expect(page?.position.length).toBeGreaterThan(5000);
    await endsAtOnce(a, b);
    expect(b.watch.size).toBe(501);
  });
});
