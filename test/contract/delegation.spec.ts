import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from '@jest/globals';
import { memoryStore } from '../../lib/stores/memory.store.js';
import { postgresStore } from '../../lib/stores/postgres.store.js';
import { redisStore } from '../../lib/stores/redis/redis.store.js';
import { sqliteStore } from '../../lib/stores/sqlite.store.js';
import { startPostgres } from '../support/postgres.js';
import { closeClients, nodeRedis } from '../support/redis-clients.js';
import { startRedis } from '../support/redis.js';
import { describeDelegation } from './delegation.contract.js';

const folder = mkdtempSync(join(tmpdir(), 'nest-sessions-delegation-'));
const redis = await startRedis();
const postgres = await startPostgres();
afterAll(async () => {
  await closeClients();
  await Promise.all([redis.stop(), postgres.stop()]);
  rmSync(folder, { recursive: true, force: true });
});

describeDelegation('in memory', async () => {
  const store = memoryStore();
  return { here: store, there: store };
});

let files = 0;
describeDelegation('in a SQLite file', async () => {
  const file = join(folder, `${files++}.db`);
  const options = { synchronous: 'NORMAL' } as const;
  return { here: sqliteStore(file, options), there: sqliteStore(file, options) };
});

postgres.describe('on a real server', () => {
  const pools = [postgres.pool(), postgres.pool()] as const;
  describeDelegation('in PostgreSQL', async () => {
    const schema = postgres.freshSchema();
    return { here: postgresStore(pools[0], { schema }), there: postgresStore(pools[1], { schema }) };
  });
});

redis.describe('on a real server', () => {
  for (const clusterKeys of [false, true])
    describeDelegation(clusterKeys ? 'in Redis, with the keys of a cluster' : 'in Redis', async () => {
      const { connect } = await nodeRedis();
      const options = { keyPrefix: redis.freshPrefix(), clusterKeys };
      return {
        here: redisStore(await connect(redis.url), options),
        there: redisStore(await connect(redis.url), options),
      };
    });
});
