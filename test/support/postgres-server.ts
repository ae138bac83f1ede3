import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import pg from 'pg';
import { startEmbeddedPostgres } from './embedded-postgres.mjs';

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
  const { url, databaseDir, startAgain, stop } = await startEmbeddedPostgres();
  return {
    url,
    databaseDir,
    crash: async (meanwhile) => {
      await killAll(databaseDir, url);
      await meanwhile();
      await startAgain();
    },
    stop,
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
