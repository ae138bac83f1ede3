import { afterAll, beforeAll, describe } from '@jest/globals';
import { redisStore } from '../../lib/stores/redis/redis.store.js';
import { coreOnStores } from '../support/core-on-store.js';
import { clientKinds, closeClients, nodeRedis } from '../support/redis-clients.js';
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

redis.describe('on a real server', () => {
  for (const { name, connect } of kinds) {
    describeSessionStore(`on Redis, by ${name}`, async () =>
      redisStore(await connect(redis.url), { keyPrefix: redis.freshPrefix() }),
    );
    describeSessionSearch(`on Redis, by ${name}`, async () =>
      redisStore(await connect(redis.url), { keyPrefix: redis.freshPrefix() }),
    );
  }

  describeSessionStore('on Redis, with the keys of a cluster', async () => {
    const { connect } = await nodeRedis();
    return redisStore(await connect(redis.url), { keyPrefix: redis.freshPrefix(), clusterKeys: true });
  });

  describeSessionSearch('on Redis, with the keys of a cluster', async () => {
    const { connect } = await nodeRedis();
    return redisStore(await connect(redis.url), { keyPrefix: redis.freshPrefix(), clusterKeys: true });
  });

  describe('in cluster mode', () => {
    let cluster: RedisCluster;
    beforeAll(async () => {
      cluster = await redis.cluster();
    });

    for (const { name, connectCluster } of kinds) {
      describeSessionStore(`on a Redis cluster, by ${name}`, async () =>
        redisStore(await connectCluster(cluster.url), { keyPrefix: redis.freshPrefix() }),
      );
    }

    describeSessionSearch('on a Redis cluster', async () => {
      const { connectCluster } = await nodeRedis();
      return redisStore(await connectCluster(cluster.url), { keyPrefix: redis.freshPrefix() });
    });
  });

  describeCoreClient('in this process, on Redis', async (options) => {
    const { connect } = await nodeRedis();
    const client = await connect(redis.url);
    const keyPrefix = redis.freshPrefix();
    return coreOnStores(() => redisStore(client, { keyPrefix }), options);
  });

  describeEmbeddedCoreOn('Redis', async () => {
    const { connect } = await nodeRedis();
    return redisStore(await connect(redis.url), { keyPrefix: redis.freshPrefix(), clusterKeys: true });
  });
});
