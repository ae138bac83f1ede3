import { afterAll, describe, expect, it } from '@jest/globals';
import { embeddedCore, redisStore } from 'nest-sessions';
import type { ReplayStore } from 'nest-sessions/core';
import { TestClock } from 'nest-sessions/testing';
import { storeWithOtherKeys } from '../fixtures/other-keys.js';
import { closeAfterTest } from '../support/close-after-test.js';
import { deviceBound } from '../support/device-bound.js';
import { DpopClient } from '../support/dpop-client.js';
import { seededMemoryStore, seedSigningKeys, TEST_START_MS } from '../support/embedded.js';
import { ProcessWarnings } from '../support/process-warnings.js';
import { clientKinds, closeClients, ioRedis, nodeRedis } from '../support/redis-clients.js';
import { startRedis } from '../support/redis.js';
import {
  ADAPTERS,
  TestApplication,
  type Adapter,
  type ApplicationStarter,
} from '../support/test-application.js';

const redis = await startRedis();
const kinds = await clientKinds();
afterAll(async () => {
  await closeClients();
  await redis.stop();
});

/** A store that notes what it is asked, and returns what a test says. */
function notedStore(response: () => Promise<boolean> | boolean = () => true) {
  const keys: string[] = [];
  const replay: ReplayStore = {
    add: (key) => {
      keys.push(key);
      return response();
    },
  };
  return { keys, replay };
}

/** Starts two instances, and returns the client of the first and one with the same key and tokens at the second. */
async function signInAtTwo(configure: (starter: ApplicationStarter) => ApplicationStarter) {
  const clock = new TestClock(TEST_START_MS);
  const starter = configure(TestApplication.on('express').clock(clock));
  const [first, second] = [await starter.start(), await starter.start()];
  const owner = new DpopClient(first.http, clock);
  await owner.login();
  const beside = new DpopClient(second.http, clock, owner.key);
  beside.adoptTokens(owner);
  return { owner, beside };
}

async function startShop(adapter: Adapter, replay: ReplayStore) {
  const app = await TestApplication.on(adapter)
    .with(deviceBound({ dpop: { replay } }))
    .start();
  return { app, client: new DpopClient(app.http, app.clock) };
}

describe.each(ADAPTERS)('a store of used proofs on %s', (adapter) => {
  it('is asked once for each sign-in, request and refresh (P12)', async () => {
    const { keys, replay } = notedStore();
    const { client } = await startShop(adapter, replay);
    await client.login();
    await client.get('/me');
    await client.refresh();
    expect(keys).toHaveLength(3);
    expect(new Set(keys.map((key) => key.slice(0, 43)))).toEqual(new Set([client.key.jkt]));
  });

  it('is not asked for what is refused anyway: nobody fills it without a session (P12)', async () => {
    const { keys, replay } = notedStore();
    const { app, client } = await startShop(adapter, replay);
    await client.login();
    const foreign = await TestApplication.on(adapter)
      .with(deviceBound({ dpop: true }))
      .store(await storeWithOtherKeys())
      .run(async (other) => {
        const forger = new DpopClient(other.http, other.clock);
        await forger.login();
        return forger;
      });
    const forger = new DpopClient(app.http, app.clock, foreign.key);
    forger.adoptTokens(foreign);
    expect((await forger.get('/me')).status).toBe(401);
    expect((await forger.refresh()).status).toBe(401);
    expect((await forger.refresh({ authorization: undefined })).status).toBe(401);
    for (const claims of [{ iat: 0 }, { htm: 'PUT' }, { ath: 'x' }, { htu: 'https://x/' }]) {
      const dpop = client.proof('GET', '/me', { claims });
      expect((await client.get('/me', { dpop })).status).toBe(401);
    }
    expect(keys).toHaveLength(1); // that of the sign-in
  });

  it.each([
    ['full', () => Promise.reject(new Error('full'))],
    [
      'broken',
      () => {
        throw new Error('broken');
      },
    ],
  ])('that is %s lets nothing pass, and takes nothing from anybody: 503 (P12)', async (_which, fail) => {
    const warnings = new ProcessWarnings();
    closeAfterTest(async () => warnings.restore());
    let isBroken = false;
    const { replay } = notedStore(() => (isBroken ? fail() : true));
    const { app, client } = await startShop(adapter, replay);
    await client.login();
    isBroken = true;
    const seen = await Promise.all([
      client.get('/me'),
      client.refresh(),
      client.copyWithKey().post('/login', { userId: 'user-2' }),
    ]);
    for (const response of seen) {
      expect([response.status, response.body, response.header('retry-after')]).toEqual([
        503,
        { message: 'service unavailable' },
        '1',
      ]);
    }
    expect(await app.sessions.getAllSessionHandlesForUser({ userId: 'user-2' })).toEqual([]);
    isBroken = false;
    expect((await client.get('/me')).status).toBe(200);
    expect((await client.refresh()).status).toBe(200);
    expect(warnings.take()).toEqual(['The store of used DPoP proofs is full or fails']);
  });
});

redis.describe('used proofs in Redis', () => {
  it.each(kinds)('are kept by $name for as long as they could be used again (P12)', async ({ connect }) => {
    const keyPrefix = redis.freshPrefix();
    const { replays } = redisStore(await connect(redis.url), { keyPrefix });
    expect(await replays?.add('key.1', 66_000, 0)).toBe(true);
    expect(await replays?.add('key.1', 66_000, 0)).toBe(false);
    expect(await replays?.add('key.2', 66_000, 0)).toBe(true);
    expect(await replays?.add('past', 0, 66_000)).toBe(true);
    const other = (await (await ioRedis()).connect(redis.url)) as {
      call(command: string, ...args: string[]): Promise<unknown>;
    };
    const lifeMs = Number(await other.call('PTTL', `${keyPrefix}proof:key.1`));
    expect(lifeMs).toBeGreaterThan(0);
    expect(lifeMs).toBeLessThanOrEqual(66_000);
  });

  it('are those of all instances, without an option (P12)', async () => {
    const client = await (await nodeRedis()).connect(redis.url);
    const store = redisStore(client, { keyPrefix: redis.freshPrefix() });
    await seedSigningKeys(store);
    const { owner, beside } = await signInAtTwo((starter) =>
      starter.with({ ...deviceBound({ dpop: true }), core: embeddedCore({ store }) }),
    );
    const dpop = owner.proof('GET', '/me');
    expect((await owner.get('/me', { dpop })).status).toBe(200);
    expect((await beside.get('/me', { dpop })).status).toBe(401);
    expect((await beside.get('/me')).status).toBe(200);
  });
});

redis.describeKilled('used proofs in a Redis that is gone', () => {
  it('cannot be looked up: a guarded request is 503, though its token is known (P12)', async () => {
    const server = await redis.another();
    const client = await (await nodeRedis()).connect(server.url);
    const store = redisStore(client, { commandTimeoutMs: 3000 });
    await seedSigningKeys(store);
    const app = await TestApplication.on('express')
      .with({ ...deviceBound({ dpop: true }), core: embeddedCore({ store }) })
      .start();
    const owner = new DpopClient(app.http, app.clock);
    await owner.login();
    expect((await owner.get('/me')).status).toBe(200);
    await server.kill();
    const response = await owner.get('/me');
    expect([response.status, response.header('retry-after')]).toEqual([503, '1']);
    await server.restart();
  });
});

describe('used proofs of an application without Redis', () => {
  it('are in the memory of the process: another one does not know them', async () => {
    const store = await seededMemoryStore();
    const { owner, beside } = await signInAtTwo((starter) =>
      starter.with(deviceBound({ dpop: true })).store(store),
    );
    const dpop = owner.proof('GET', '/me');
    expect((await owner.get('/me', { dpop })).status).toBe(200);
    expect((await beside.get('/me', { dpop })).status).toBe(200);
    expect((await beside.get('/me', { dpop })).status).toBe(401);
  });
});
