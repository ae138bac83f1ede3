import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { readRevocation, type Revocation, type RevocationPage } from '../../lib/feed/revocation-feed.js';
import { redisPort } from '../../lib/stores/redis/redis-client.js';
import { RedisConnection } from '../../lib/stores/redis/redis-connection.js';
import { RedisFeed } from '../../lib/stores/redis/redis-feed.js';
import { keySlot, RedisLayout } from '../../lib/stores/redis/redis-layout.js';
import { redisStore } from '../../lib/stores/redis/redis.store.js';
import { StoreSetupError, type SessionStore } from '../../lib/stores/session-store.js';
import type { RedisStoreOptions } from '../../lib/stores/store-options.js';
import { clientKinds, closeClients, nodeRedis, type ClientKind } from '../support/redis-clients.js';
import { startRedis, until, type RedisCluster, type RedisServer } from '../support/redis.js';
import { KEY, NOW, ROW } from '../support/session-row.js';
import { describeRevocationFeed, type TwoFeeds } from './revocation-feed.contract.js';

const redis = await startRedis();
const kinds = await clientKinds();
const stores: SessionStore[] = [];
afterEach(async () => {
  for (const store of stores.splice(0)) await store.close();
  await closeClients();
});
afterAll(() => redis.stop());

type Connect = ClientKind['connect'];

/** Makes a store that is closed after the test, and its feed. */
async function storeOn(connect: Connect, url: string, options: RedisStoreOptions) {
  const store = redisStore(await connect(url), options);
  stores.push(store);
  const feed = store.revocations;
  if (feed === undefined) throw new Error('The store has no feed');
  return { store, feed };
}

async function twoFeeds(connect: Connect, url: string, options: RedisStoreOptions = {}): Promise<TwoFeeds> {
  const same = { keyPrefix: redis.freshPrefix(), ...options };
  const [here, there] = [await storeOn(connect, url, same), await storeOn(connect, url, same)];
  return { here: here.feed, there: there.feed, close: async () => {} };
}

redis.describe('on a real server', () => {
  for (const { name, connect } of kinds) {
    describeRevocationFeed(`in Redis, by ${name}`, async () => twoFeeds(connect, redis.url));
  }

  describeRevocationFeed('in Redis, with the keys of a cluster', async () => {
    const { connect } = await nodeRedis();
    return twoFeeds(connect, redis.url, { clusterKeys: true });
  });

  describe('in cluster mode', () => {
    let cluster: RedisCluster;
    beforeAll(async () => {
      cluster = await redis.cluster();
    });

    for (const { name, connectCluster } of kinds) {
      describeRevocationFeed(`in a Redis cluster, by ${name}`, async () =>
        twoFeeds(connectCluster, cluster.url),
      );
    }
  });
});

const NOTE = { notBeforeMs: NOW, untilMs: NOW + 3_600_000 };
const ofSession = (id: string): Revocation => ({ kind: 'session', id, tenantId: 'public', ...NOTE });

redis.describeKilled('the feed of a Redis server', () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await redis.another();
  });

  /** A store and its feed, with the name of its stream. */
  async function opened(on = server, options: RedisStoreOptions = {}) {
    const { connect } = await nodeRedis();
    const keyPrefix = redis.freshPrefix();
    const { store, feed } = await storeOn(connect, on.url, { keyPrefix, ...options });
    return { store, feed, stream: `${keyPrefix}revoked` };
  }

  it('reads everything again from a server that took over without the last records, and gives lower numbers (S096)', async () => {
    const { feed, stream } = await opened();
    await feed.publish([ofSession('lost with the server')]);
    const { position } = await feed.read(undefined);
    expect((await feed.read(position)).records).toEqual([]);
    server.command('DEL', stream);
    server.command('XADD', stream, '1-1', 's', '', 'n', JSON.stringify(ofSession('ended afterwards')));
    const later = await feed.read(position);
    expect(later.records).toEqual([ofSession('ended afterwards')]);
    server.command('DEL', stream);
    server.command('XADD', stream, '1-1', 's', '', 'n', JSON.stringify(ofSession('with the same number')));
    expect((await feed.read(later.position)).records).toEqual([ofSession('with the same number')]);
  });

  it('begins anew at a position that is none, and goes through more records than one script looks at', async () => {
    const { feed } = await opened();
    const records = Array.from({ length: 2500 }, (_, n) => ofSession(`handle-${n}`));
    await feed.publish(records);
    const page = await feed.read('7_x-y_zzzzzz.nonsense');
    expect(page.records).toEqual(records);
    expect((await feed.read(page.position)).records).toEqual([]);
    await feed.sweep(NOTE.untilMs + 1);
    expect((await feed.read(undefined)).records).toEqual([]);
  });

  it.each([
    ['an unknown field', ['x', '1']],
    ['no JSON', ['s', '', 'n', 'nonsense']],
    ['JSON that is no record', ['s', '', 'n', '[1]']],
    ['a name that is none of a session', ['s', 'x', 'n', JSON.stringify(NOTE)]],
    ['a note that is none', ['s', 's:handle-1', 'n', 'null']],
    ['a note without times', ['s', 's:handle-1', 'n', '{}']],
  ])('hands on what is no record, so that readers notice: %s', async (_, fields) => {
    const { feed, stream } = await opened();
    server.command('XADD', stream, '*', ...fields);
    await feed.publish([ofSession('handle-1')]);
    const { records } = await feed.read(undefined);
    expect(records.map((each) => readRevocation(each)?.id)).toEqual([undefined, 'handle-1']);
    await feed.sweep(NOW); // by the clock of the server the stray entry is young
    expect((await feed.read(undefined)).records).toHaveLength(2);
    await feed.sweep(Date.now() + 2 * 86_400_000);
    expect((await feed.read(undefined)).records).toEqual([]);
  });

  it('whose stream is of another type ends no session without its record, and says what is wrong', async () => {
    const { store, feed, stream } = await opened();
    await store.insertSession(ROW);
    server.command('SET', stream, 'of another program');
    for (const call of [
      async () => store.deleteSessions([KEY], NOTE),
      async () => store.deleteSessionsOfUsers({ userIds: ['user-1'], tenantId: undefined, nowMs: NOW }, NOTE),
      async () =>
        store.endSessionsCreatedBefore(
          { tenantId: undefined, createdBeforeMs: NOW + 1, includesPresent: true },
          NOTE,
        ),
      async () => feed.publish([ofSession('x')]),
      async () => feed.read(undefined),
    ]) {
      await expect(call()).rejects.toThrow(StoreSetupError);
      await expect(call()).rejects.toThrow(/another type.*keyPrefix/);
    }
    expect(await store.findSession(KEY)).toEqual(ROW);
    server.command('DEL', stream);
    expect(await store.deleteSessions([KEY], NOTE)).toEqual([KEY.sessionHandle]);
    expect((await feed.read(undefined)).records).toEqual([ofSession(KEY.sessionHandle)]);
  });

  it('that has forgotten all scripts gets them again', async () => {
    const { store, feed } = await opened();
    await store.insertSession(ROW);
    for (const work of [
      async () => store.deleteSessions([KEY], NOTE),
      async () => feed.publish([ofSession('x')]),
      async () => feed.sweep(NOW),
    ]) {
      server.command('SCRIPT', 'FLUSH');
      await work();
    }
    server.command('SCRIPT', 'FLUSH');
    expect((await feed.read(undefined)).records).toHaveLength(2);
  });

  it('that has become a replica shows nothing old: reads wait until there is a primary (S046)', async () => {
    const { connect } = await nodeRedis();
    const demoted = await redis.another();
    let whenRefused = (): void => {};
    const retry = { attempts: 3, random: () => 0, sleep: async () => whenRefused() };
    const options = { commandTimeoutMs: 5000, waitForDisk: false, waitTimeoutMs: 1000 };
    const connection = new RedisConnection(redisPort(await connect(demoted.url)), options, retry);
    const feed = new RedisFeed(connection, new RedisLayout(redis.freshPrefix(), false));
    await feed.publish([ofSession('x')]);
    demoted.command('REPLICAOF', '127.0.0.1', `${server.port}`);
    await expect(feed.read(undefined)).rejects.toThrow(/READONLY/);
    await expect(feed.publish([ofSession('y')])).rejects.toThrow(/READONLY/);
    whenRefused = () => demoted.command('REPLICAOF', 'NO', 'ONE');
    await feed.publish([ofSession('z')]);
    expect((await feed.read(undefined)).records).toContainEqual(ofSession('z'));
  });

  it('keeps a record a day longer than it matters, and longer if an older one needs it', async () => {
    const { feed, stream } = await opened();
    const dayMs = 86_400_000;
    await feed.publish([{ ...ofSession('a'), untilMs: NOW + dayMs }]);
    await feed.publish([ofSession('b')]);
    const ttl = Number(server.command('PTTL', stream));
    expect(ttl).toBeGreaterThan(2 * dayMs - 60_000);
    expect(ttl).toBeLessThanOrEqual(2 * dayMs);
  });

  it.each([false, true])(
    'writes an end, a record and a cut-off only with the copies that are asked for, clusterKeys: %p (S046)',
    async (clusterKeys) => {
      const options = { clusterKeys, waitForReplicas: 1, waitTimeoutMs: 20 };
      const { store, feed } = await opened(server, options);
      await store.insertSession(ROW);
      const cutOff = { tenantId: undefined, createdBeforeMs: NOW + 1, includesPresent: false };
      for (const call of [
        async () => store.deleteSessions([KEY], NOTE),
        async () => store.endSessionsCreatedBefore(cutOff, NOTE),
        async () => feed.publish([ofSession('x')]),
      ])
        await expect(call()).rejects.toThrow(/too few copies/);
    },
  );

  it('writes a record once, although it is written again to be sure that the primary has it', async () => {
    const { connect } = await nodeRedis();
    const port = redisPort(await connect(server.url));
    // A server with a replica that confirms everything.
    const sendBoth = async (key: string, first: readonly string[]): Promise<[unknown, unknown]> => [
      await port.send(key, first),
      1,
    ];
    const options = { commandTimeoutMs: 5000, waitForDisk: false, waitTimeoutMs: 1000, waitForReplicas: 1 };
    const connection = new RedisConnection(Object.assign(port, { sendBoth }), options);
    const feed = new RedisFeed(connection, new RedisLayout(redis.freshPrefix(), false));
    await feed.publish([ofSession('once')]);
    expect((await feed.read(undefined)).records).toEqual([ofSession('once')]);
  });
});

redis.describe('a record that the disk must have', () => {
  /** A connection to a server of Redis 7.2 with an append-only file, as far as it says; its disk responds as given. */
  async function connectionWith(confirmed: readonly number[]) {
    const { connect } = await nodeRedis();
    const port = redisPort(await connect(redis.url));
    const commands: (readonly string[])[] = [];
    const connection = new RedisConnection(
      Object.assign(port, {
        sendToPrimaries: async () => [
          'redis_version:7.2.0\r\nmaxmemory_policy:noeviction\r\naof_enabled:1\r\ncluster_enabled:0\r\n',
        ],
        sendBoth: async (key: string, first: readonly string[], second: readonly string[]) => {
          commands.push(second);
          return [await port.send(key, first), confirmed];
        },
      }),
      { commandTimeoutMs: 5000, waitForDisk: true, waitTimeoutMs: 1000 },
    );
    const feed = new RedisFeed(connection, new RedisLayout(redis.freshPrefix(), false));
    return { feed, commands };
  }

  it('is waited for by WAITAOF', async () => {
    const { feed, commands } = await connectionWith([1, 0]);
    await feed.publish([ofSession('kept')]);
    expect(commands[0]).toEqual(['WAITAOF', '1', '0', '1000']);
    expect((await feed.read(undefined)).records).toEqual([ofSession('kept')]);
  });

  it('is a failure where the disk does not confirm it in time', async () => {
    const { feed } = await connectionWith([0, 0]);
    await expect(feed.publish([ofSession('doubtful')])).rejects.toThrow(/WAITAOF.*returned 0, 0/);
  });
});

/** Moves an empty slot to the next node. */
function moveSlot({ primaries }: RedisCluster, slot: number, owner: number): void {
  const [source, target, third] = [0, 1, 2].map((n) => primaries[(owner + n) % 3]);
  const idOf = (server: RedisServer | undefined): string => server?.command('CLUSTER', 'MYID') ?? '';
  const set = (server: RedisServer | undefined, ...words: string[]): unknown =>
    server?.command('CLUSTER', 'SETSLOT', `${slot}`, ...words);
  set(target, 'IMPORTING', idOf(source));
  set(source, 'MIGRATING', idOf(target));
  for (const each of [target, source, third]) set(each, 'NODE', idOf(target));
}

redis.describeKilled('the feed of a Redis cluster', () => {
  it('loses nothing when a part of it moves to another node, and when a node dies', async () => {
    const cluster = await redis.cluster();
    const { connectCluster } = await nodeRedis();
    const keyPrefix = redis.freshPrefix();
    const { store, feed } = await storeOn(connectCluster, cluster.url, { keyPrefix });
    const layout = new RedisLayout(keyPrefix, true);
    const { position } = await feed.read(undefined); // it knows now which node has which part
    const partition = layout.handlePartition(KEY.sessionHandle);
    const slot = keySlot(layout.indexKey(partition));
    const owner = Math.floor((slot * 3) / 16_384);
    moveSlot(cluster, slot, owner);
    await store.insertSession(ROW);
    await store.deleteSessions([KEY], NOTE);
    expect((await feed.read(position)).records).toEqual([ofSession(KEY.sessionHandle)]);
    const successor = cluster.replicas[(owner + 1) % 3];
    await cluster.primaries[(owner + 1) % 3]?.kill();
    await until(() => successor?.command('CLUSTER', 'INFO').includes('cluster_state:ok') === true);
    let read: RevocationPage | undefined;
    await until(async () => (read = await feed.read(position).catch(() => undefined)) !== undefined);
    expect(read?.records).toEqual([ofSession(KEY.sessionHandle)]);
  });
});
