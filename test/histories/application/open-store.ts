import { postgresStore } from '../../../lib/stores/postgres.store.js';
import { redisStore } from '../../../lib/stores/redis/redis.store.js';
import type { SessionStore } from '../../../lib/stores/session-store.js';
import { sqliteStore } from '../../../lib/stores/sqlite.store.js';
import type { InstanceSettings } from './settings.js';

/** Opens the store of one instance; its driver is loaded only where it is needed. */
export async function openStore({ store, connections, patienceMs }: InstanceSettings): Promise<SessionStore> {
  switch (store.kind) {
    case 'sqlite':
      return sqliteStore(store.file);
    case 'postgres': {
      const { default: pg } = await import('pg');
      const pool = new pg.Pool({
        connectionString: store.url,
        max: connections,
        connectionTimeoutMillis: patienceMs,
      });
      pool.on('error', () => undefined);
      return postgresStore(pool);
    }
    case 'redis': {
      const { createClient } = await import('redis');
      const client = createClient({ url: store.url, socket: { reconnectStrategy: 50 } });
      client.on('error', () => undefined);
      return redisStore(client, { commandTimeoutMs: patienceMs });
    }
  }
}
