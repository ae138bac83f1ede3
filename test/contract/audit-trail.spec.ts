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
import { describeAuditTrail } from './audit-trail.contract.js';

const folder = mkdtempSync(join(tmpdir(), 'nest-sessions-audit-'));
const redis = await startRedis();
const postgres = await startPostgres();
afterAll(async () => {
  await closeClients();
  await Promise.all([redis.stop(), postgres.stop()]);
  rmSync(folder, { recursive: true, force: true });
});

describeAuditTrail('in memory', async () => {
  const store = memoryStore();
  return { here: store, there: store };
});

let files = 0;
describeAuditTrail('in a SQLite file', async () => {
  const file = join(folder, `${files++}.db`);
  const options = { synchronous: 'NORMAL' } as const;
  return { here: sqliteStore(file, options), there: sqliteStore(file, options) };
});

postgres.describe('on a real server', () => {
  const pools = [postgres.pool(), postgres.pool()] as const;
  describeAuditTrail('in PostgreSQL', async () => {
    const schema = postgres.freshSchema();
    return { here: postgresStore(pools[0], { schema }), there: postgresStore(pools[1], { schema }) };
  });
});

redis.describe('on a real server', () => {
  for (const clusterKeys of [false, true])
    describeAuditTrail(clusterKeys ? 'in Redis, with the keys of a cluster' : 'in Redis', async () => {
      const { connect } = await nodeRedis();
      const options = { keyPrefix: redis.freshPrefix(), clusterKeys };
      return {
        here: redisStore(await connect(redis.url), options),
        there: redisStore(await connect(redis.url), options),
      };
    });
});
