import type { EventEmitter } from 'node:events';
import { afterAll, beforeAll, describe } from '@jest/globals';
import type { RedisClient } from '../../lib/core/index.js';
import { redisStore } from '../../lib/stores/redis/redis.store.js';
import { coreOnStores } from '../support/core-on-store.js';
import { clientKinds, closeClients, nodeRedis, type ClientKind } from '../support/redis-clients.js';
import { startRedis, type RedisCluster } from '../support/redis.js';
import { describeCoreClient } from './core-client.contract.js';
import { describeEmbeddedCoreOn } from './embedded-core.contract.js';
import { describeSessionSearch } from './session-search.contract.js';
import { describeSessionStore } from './session-store.contract.js';

const redis = await startRedis();
const kinds = await clientKinds();
afterAll(async () => {
  await closeClients();
  await redis.stop();
});

/**
 * One connected client for all stores that ask with this key, as an application has one; a store leaves it open. Their keys have
 * prefixes of their own. A new client of a cluster for each of the tests would be the most of their work.
 */
const clients = new Map<string, Promise<RedisClient>>();
function shared(key: string, connect: () => Promise<RedisClient>): Promise<RedisClient> {
  const client = clients.get(key) ?? connect().then(connected);
  clients.set(key, client);
  return client;
}

async function connected(client: RedisClient): Promise<RedisClient> {
  const { isOpen, connect, setMaxListeners } = client as Partial<EventEmitter> & {
    isOpen?: boolean;
    connect?(): Promise<unknown>;
  };
  setMaxListeners?.call(client, 0); // each store listens for errors
  if (isOpen === false) await connect?.call(client);
  return client;
}

async function nodeClient(): Promise<RedisClient> {
  const { name, connect } = await nodeRedis();
  return shared(name, async () => connect(redis.url));
}

redis.describe('on a real server', () => {
  for (const { name, connect } of kinds) {
    const client = async (): Promise<RedisClient> => shared(name, async () => connect(redis.url));
    describeSessionStore(`on Redis, by ${name}`, async () =>
      redisStore(await client(), { keyPrefix: redis.freshPrefix() }),
    );
    describeSessionSearch(`on Redis, by ${name}`, async () =>
      redisStore(await client(), { keyPrefix: redis.freshPrefix() }),
    );
  }

  describeSessionStore('on Redis, with the keys of a cluster', async () => {
    return redisStore(await nodeClient(), { keyPrefix: redis.freshPrefix(), clusterKeys: true });
  });

  describeSessionSearch('on Redis, with the keys of a cluster', async () => {
    return redisStore(await nodeClient(), { keyPrefix: redis.freshPrefix(), clusterKeys: true });
  });

  describe('in cluster mode', () => {
    let cluster: RedisCluster;
    beforeAll(async () => {
      cluster = await redis.cluster();
    });

    const client = async ({ name, connectCluster }: ClientKind): Promise<RedisClient> =>
      shared(`${name} in cluster mode`, async () => connectCluster(cluster.url));

    for (const kind of kinds) {
      describeSessionStore(`on a Redis cluster, by ${kind.name}`, async () =>
        redisStore(await client(kind), { keyPrefix: redis.freshPrefix() }),
      );
    }

    describeSessionSearch('on a Redis cluster', async () =>
      redisStore(await client(await nodeRedis()), { keyPrefix: redis.freshPrefix() }),
    );
  });

  describeCoreClient('in this process, on Redis', async (options) => {
    const client = await nodeClient();
    const keyPrefix = redis.freshPrefix();
    return coreOnStores(() => redisStore(client, { keyPrefix }), options);
  });

  describeEmbeddedCoreOn('Redis', async () => {
    return redisStore(await nodeClient(), { keyPrefix: redis.freshPrefix(), clusterKeys: true });
  });
});
