import { afterAll, afterEach, expect, it } from '@jest/globals';
import { redisStore } from '../../lib/stores/redis/redis.store.js';
import { TestClock } from '../../lib/testing/test-clock.js';
import { seedSigningKeys, TEST_START_MS } from '../support/embedded.js';
import { instance, signIn, type Instance } from '../support/feed-instance.js';
import { clientKinds, closeClients, nodeRedis, type ClientKind } from '../support/redis-clients.js';
import { startRedis, until, type RedisServer } from '../support/redis.js';

const redis = await startRedis();
const kinds = await clientKinds();
/** The others have no connection that could listen. */
const listening = kinds.filter(({ name }) => name !== 'valkey-glide');
const open: Instance[] = [];
afterEach(async () => {
  for (const each of open.splice(0)) await each.close();
  await closeClients();
});
afterAll(() => redis.stop());

/** Two instances on the same keys; their feeds are read when something is announced, or at the interval. */
async function twoInstances(
  connect: ClientKind['connect'],
  url: string,
  { pollMs = 60_000 } = {},
): Promise<[Instance, Instance]> {
  const keyPrefix = redis.freshPrefix();
  const start = async (): Promise<Instance> => {
    const store = redisStore(await connect(url), { keyPrefix });
    await seedSigningKeys(store);
    const made = await instance(store, new TestClock(TEST_START_MS), { pollMs });
    open.push(made);
    return made;
  };
  return [await start(), await start()];
}

async function untilLive(...instances: readonly Instance[]): Promise<void> {
  await until(() => instances.every(({ watch }) => watch.state === 'live'));
}

/** Ends a session here, and waits until it is refused there. @returns whether it was accepted there before and after */
async function endsThere(here: Instance, there: Instance): Promise<boolean[]> {
  const { handle, accessToken } = await signIn(here);
  const before = await there.accepts(accessToken);
  await here.sessions.revokeSession(handle);
  await until(async () => !(await there.accepts(accessToken)));
  return [before, await there.accepts(accessToken)];
}

const ENDED = [true, false];

redis.describe('revocations on Redis', () => {
  it.each(listening)('reach the other instance at once, by $name (S047)', async ({ connect }) => {
    const [a, b] = await twoInstances(connect, redis.url);
    await untilLive(a, b);
    expect(await endsThere(a, b)).toEqual(ENDED);
    const other = await signIn(a, { tenantId: 't1' });
    const spared = await signIn(a);
    await b.sessions.revokeSessions({ tenantId: 't1', reason: 'contract ended' });
    await until(async () => !(await a.accepts(other.accessToken)));
    expect(await a.accepts(spared.accessToken)).toBe(true);
    await b.sessions.revokeSessions({ all: true });
    await until(async () => !(await a.accepts(spared.accessToken)));
    expect(await a.accepts((await signIn(b)).accessToken)).toBe(true);
  });

  it.each(kinds)('reach it by the next read, too, by $name', async ({ connect }) => {
    const [a, b] = await twoInstances(connect, redis.url, { pollMs: 50 });
    expect(await endsThere(a, b)).toEqual(ENDED);
  });
});

redis.describeKilled('revocations on a Redis server in trouble', () => {
  const killListeners = (server: RedisServer): string => server.command('CLIENT', 'KILL', 'TYPE', 'pubsub');

  it.each(listening)(
    'are not lost when the listening connections are cut: they are made again, by $name (S048)',
    async ({ connect }) => {
      const server = await redis.another();
      const [a, b] = await twoInstances(connect, server.url);
      await untilLive(a, b);
      const { handle, accessToken } = await signIn(a);
      expect(killListeners(server)).toBe('2');
      await a.sessions.revokeSession(handle);
      await until(async () => !(await b.accepts(accessToken)));
      await untilLive(a, b);
      expect(await endsThere(b, a)).toEqual(ENDED);
    },
  );

  it('are known after a time in which the server stood still; the state said so before anything was accepted', async () => {
    const server = await redis.another();
    const { connect } = await nodeRedis();
    const [a, b] = await twoInstances(connect, server.url, { pollMs: 1000 });
    const { accessToken } = await signIn(a);
    expect(await b.accepts(accessToken)).toBe(true);
    server.freeze();
    b.clock.advance(2001);
    expect(b.watch.state).toBe('stale');
    server.thaw();
    await until(async () => (await b.watch.read()) && b.watch.state !== 'stale');
    expect(await endsThere(a, b)).toEqual(ENDED);
  });
});

redis.describeKilled('revocations on a Redis cluster', () => {
  it.each(listening)('reach the other instance at once, by $name (S047)', async ({ connectCluster }) => {
    const cluster = await redis.cluster();
    const [a, b] = await twoInstances(connectCluster, cluster.url);
    await untilLive(a, b);
    for (let n = 0; n < 8; n++)
      expect(await endsThere(n % 2 === 0 ? a : b, n % 2 === 0 ? b : a)).toEqual(ENDED);
    const { accessToken } = await signIn(a);
    await b.sessions.revokeSessions({ all: true });
    await until(async () => !(await a.accepts(accessToken)));
  });
});
