/** A store that `nest add` sets up. */
export interface StoreSetup {
  /** The place of the sessions, for the sentence at the end. */
  readonly place: string;
  /** Names of `nest-sessions` that the option `core` uses. */
  readonly names: readonly string[];
  /** The import of the driver; undefined if the application needs none. */
  readonly driver: { readonly name: string; readonly from: string } | undefined;
  /** The option `core`; undefined for the default. */
  readonly core: string | undefined;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}

const NO_PACKAGES = { dependencies: {}, devDependencies: {} };

/** The values of the option `store`. The versions are those that the package itself is tested with. */
export const STORES: Readonly<Record<string, StoreSetup>> = {
  memory: {
    place: 'in memory, and end with the process',
    names: [],
    driver: undefined,
    core: undefined,
    ...NO_PACKAGES,
  },
  sqlite: {
    place: 'in the file sessions.db; keep it out of the repository',
    names: ['embeddedCore', 'sqliteStore'],
    driver: undefined,
    core: `embeddedCore({ store: sqliteStore('sessions.db') })`,
    ...NO_PACKAGES,
  },
  postgres: {
    place: 'in the PostgreSQL of the variable DATABASE_URL',
    names: ['embeddedCore', 'postgresStore'],
    driver: { name: 'Pool', from: 'pg' },
    core: `embeddedCore({
  store: postgresStore(
    new Pool({ connectionString: process.env.DATABASE_URL }),
  ),
})`,
    dependencies: { pg: '^8.23.1' },
    devDependencies: { '@types/pg': '^8.23.1' },
  },
  redis: {
    place: 'in the Redis of the variable REDIS_URL, by default redis://localhost:6379',
    names: ['embeddedCore', 'redisStore'],
    driver: { name: 'createClient', from: 'redis' },
    core: `embeddedCore({
  store: redisStore(
    createClient({ url: process.env.REDIS_URL ?? 'redis://localhost:6379' }),
  ),
})`,
    dependencies: { redis: '^5.12.1' },
    devDependencies: {},
  },
};

/** The driver of SQLite where Node has none of its own. */
export const SQLITE_DRIVER = { libsql: '^0.5.29' };
