import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from '@jest/globals';
import { memoryStore } from '../../lib/stores/memory.store.js';
import { postgresStore } from '../../lib/stores/postgres.store.js';
import { redisStore } from '../../lib/stores/redis/redis.store.js';
import type { SessionStore } from '../../lib/stores/session-store.js';
import { sqliteStore } from '../../lib/stores/sqlite.store.js';
import { startPostgres } from './postgres.js';
import { closeClients, nodeRedis } from './redis-clients.js';
import { startRedis } from './redis.js';

/** Two stores on one database, without sessions: those of two instances. */
export interface StorePair {
  readonly here: SessionStore;
  readonly there: SessionStore;
}

/** Describes a contract on each kind of store, on servers of its own. */
export async function describeOnStorePairs(
  describe: (where: string, open: () => Promise<StorePair>) => void,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'nest-sessions-pairs-'));
  const redis = await startRedis();
  const postgres = await startPostgres();
  afterAll(async () => {
    await closeClients();
    await Promise.all([redis.stop(), postgres.stop()]);
    rmSync(folder, { recursive: true, force: true });
  });

  describe('in memory', async () => {
    const store = memoryStore();
    return { here: store, there: store };
  });

  let files = 0;
  describe('in a SQLite file', async () => {
    const file = join(folder, `${files++}.db`);
    const options = { synchronous: 'NORMAL' } as const;
    return { here: sqliteStore(file, options), there: sqliteStore(file, options) };
  });

  postgres.describe('on a real server', () => {
    const pools = [postgres.pool(), postgres.pool()] as const;
    describe('in PostgreSQL', async () => {
      const schema = postgres.freshSchema();
      return { here: postgresStore(pools[0], { schema }), there: postgresStore(pools[1], { schema }) };
    });
  });

  redis.describe('on a real server', () => {
    for (const clusterKeys of [false, true])
      describe(clusterKeys ? 'in Redis, with the keys of a cluster' : 'in Redis', async () => {
        const { connect } = await nodeRedis();
        const options = { keyPrefix: redis.freshPrefix(), clusterKeys };
        return {
          here: redisStore(await connect(redis.url), options),
          there: redisStore(await connect(redis.url), options),
        };
      });
  });
}
