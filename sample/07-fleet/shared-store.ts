import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { postgresStore, redisStore, sqliteStore } from 'nest-sessions';
import type { SessionStore } from 'nest-sessions/core';
import { openDatabase } from '../02-postgres/database.js';

/** The place of the sessions, as each instance gets it. */
export interface StoreAddress {
  readonly kind: 'sqlite' | 'postgres' | 'redis';
  /** A file, or the URL of a server. */
  readonly address: string;
}

/** A place that is there until it is closed. */
export interface PreparedStore extends StoreAddress {
  /** For people. */
  readonly name: string;
  close(): Promise<void>;
}

/** Prepares what `STORE` names: a file, a PostgreSQL (started here unless `PG_URL` names one), or the Redis at `REDIS_URL`. */
export async function prepareStore(env: NodeJS.ProcessEnv): Promise<PreparedStore> {
  const kind = env['STORE'] ?? 'sqlite';
  switch (kind) {
    case 'sqlite': {
      const folder = await mkdtemp(join(tmpdir(), 'nest-sessions-fleet-'));
      const close = async (): Promise<void> => rm(folder, { recursive: true, force: true });
      return { kind, name: 'one SQLite file', address: join(folder, 'sessions.db'), close };
    }
    case 'postgres': {
      const { url, close } = await openDatabase(env['PG_URL']);
      return { kind, name: 'PostgreSQL', address: url, close };
    }
    case 'redis': {
      const address = env['REDIS_URL'] ?? 'redis://127.0.0.1:6379';
      return { kind, name: 'Redis', address, close: async () => undefined };
    }
    default:
      throw new Error(`STORE is ${JSON.stringify(kind)}: sqlite, postgres or redis is expected`);
  }
}

/** The store of one instance, and the function that closes its connections after the application. */
export async function openStore({
  kind,
  address,
}: StoreAddress): Promise<{ store: SessionStore; close(): Promise<void> }> {
  switch (kind) {
    case 'sqlite':
      return { store: sqliteStore(address), close: async () => undefined };
    case 'postgres': {
      const { default: pg } = await import('pg');
      const pool = new pg.Pool({ connectionString: address });
      pool.on('error', (error) => console.error(`PostgreSQL: ${error.message}`));
      return { store: postgresStore(pool), close: async () => pool.end() };
    }
    case 'redis': {
      const { createClient } = await import('redis');
      const client = createClient({ url: address });
      client.on('error', (error: Error) => console.error(`Redis: ${error.message}`));
      return { store: redisStore(client), close: async () => undefined }; // the store closes what it has connected
    }
  }
}
