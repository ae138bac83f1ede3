import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { postgresStore, type PostgresPool } from '../stores/postgres.store.js';
import type { RedisClient } from '../stores/redis/redis-client.js';
import { redisStore } from '../stores/redis/redis.store.js';
import type { SessionStore } from '../stores/session-store.js';
import { sqliteStore } from '../stores/sqlite.store.js';
import { UsageError } from './io.js';

/** The longest wait for a connection: no request waits for a command, so it may be longer than that of a store. */
const CONNECTION_TIMEOUT_MS = 30_000;

/** The names that an application gives to its tables and keys. */
export interface StoreNames {
  readonly schema?: string | undefined;
  readonly tablePrefix?: string | undefined;
  readonly keyPrefix?: string | undefined;
}

/** A store that was made for one command. */
export interface OpenedStore {
  readonly store: SessionStore;
  close(): Promise<void>;
}

/**
 * Makes the store of an address. Its driver is that of the application in whose folder the command runs.
 *
 * @throws {UsageError} the address is of no store, or the driver is not installed; the message does not repeat the address
 */
export async function openStore(address: string, names: StoreNames, folder: string): Promise<OpenedStore> {
  const [, scheme = '', rest = ''] = /^([a-z]+):(.*)$/s.exec(address) ?? [];
  if (scheme === 'sqlite') return openSqlite(rest, names, folder);
  const mayHaveHost = URL.canParse(address);
  if (mayHaveHost && ['postgres', 'postgresql'].includes(scheme)) return openPostgres(address, names, folder);
  if (mayHaveHost && ['redis', 'rediss'].includes(scheme)) return openRedis(address, names, folder);
  throw new UsageError(
    '--store is expected as postgres://host/database, redis://host or sqlite:<file>, with special characters of the password encoded as in a URL',
  );
}

function openSqlite(name: string, { tablePrefix }: StoreNames, folder: string): OpenedStore {
  const file = resolve(folder, name.replace(/^\/\/(?=.)/, ''));
  if (name === '' || !existsSync(file)) throw new UsageError(`--store: there is no file ${file}`);
  const store = sqliteStore(file, tablePrefix === undefined ? {} : { tablePrefix });
  return { store, close: async () => undefined };
}

async function openPostgres(
  connectionString: string,
  { schema, tablePrefix }: StoreNames,
  folder: string,
): Promise<OpenedStore> {
  const { Pool } = (await driver(['pg'], folder)) as {
    readonly Pool: new (options: object) => PostgresPool & { end(): Promise<void> };
  };
  const pool = new Pool({
    connectionString,
    max: 2,
    application_name: 'nest-sessions',
    connectionTimeoutMillis: CONNECTION_TIMEOUT_MS,
  });
  const options = {
    ...(schema === undefined ? {} : { schema }),
    ...(tablePrefix === undefined ? {} : { tablePrefix }),
  };
  return { store: postgresStore(pool, options), close: async () => pool.end() };
}

async function openRedis(url: string, { keyPrefix }: StoreNames, folder: string): Promise<OpenedStore> {
  const loaded = (await driver(['redis', 'ioredis'], folder)) as {
    readonly createClient?: (options: object) => RedisClient & { destroy(): void };
    readonly Redis?: new (url: string, options: object) => RedisClient & { disconnect(): void };
  };
  const options = keyPrefix === undefined ? {} : { keyPrefix };
  if (loaded.createClient !== undefined) {
    const client = loaded.createClient({ url });
    return { store: redisStore(client, options), close: async () => undefined };
  }
  if (loaded.Redis === undefined) throw new UsageError('--store: this version of ioredis has no class Redis');
  const client = new loaded.Redis(url, { lazyConnect: true });
  return { store: redisStore(client, options), close: async () => client.disconnect() };
}

/** Loads the first package that the application has. */
async function driver(packages: readonly string[], folder: string): Promise<object> {
  const require = createRequire(pathToFileURL(join(folder, 'package.json')));
  for (const name of packages) {
    let path: string;
    try {
      path = require.resolve(name);
    } catch {
      continue; // the next one may be there
    }
    const loaded = (await import(pathToFileURL(path).href)) as { readonly default?: object };
    return { ...loaded.default, ...loaded };
  }
  throw new UsageError(
    `--store needs the package ${packages.join(' or ')}, which is not installed in ${folder}: run the command in the folder of the application, or npm install ${packages[0] ?? ''}`,
  );
}
