import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startPostgresServer } from '../../support/postgres-server.js';
import { StartedServer } from '../../support/redis-server.js';
import type { StorePlace } from '../application/settings.js';

export const STORES = ['postgres', 'redis', 'sqlite'] as const;
export type StoreKind = (typeof STORES)[number];

/** A database for one run. If there is no server, it can neither be killed nor frozen. */
export interface Database {
  readonly place: StorePlace;
  /** Kills it, and starts it again on its files. @param meanwhile runs while there is no server */
  readonly crash?: (meanwhile: () => Promise<void>) => Promise<void>;
  /** Lets all its processes stand still. @param meanwhile runs while they do */
  readonly freeze?: (meanwhile: () => Promise<void>) => Promise<void>;
  stop(): Promise<void>;
}

/** @throws {Error} the server cannot be started */
export async function startDatabase(kind: StoreKind): Promise<Database> {
  switch (kind) {
    case 'postgres':
      return startPostgres();
    case 'redis':
      return startRedis();
    case 'sqlite': {
      const folder = mkdtempSync(join(tmpdir(), 'nest-sessions-histories-'));
      const stop = async (): Promise<void> => rmSync(folder, { recursive: true, force: true });
      return { place: { kind, file: join(folder, 'sessions.db') }, stop };
    }
  }
}

async function startPostgres(): Promise<Database> {
  const { url, databaseDir = '', crash, stop } = await startPostgresServer();
  const signal = (name: 'SIGSTOP' | 'SIGCONT'): void => {
    const [postmaster = ''] = readFileSync(join(databaseDir, 'postmaster.pid'), 'utf8').split('\n');
    for (const pid of [Number(postmaster), ...children(Number(postmaster))])
      try {
        process.kill(pid, name);
      } catch {
        // It has ended meanwhile.
      }
  };
  return {
    place: { kind: 'postgres', url },
    ...(crash === undefined ? {} : { crash }),
    freeze: async (meanwhile) => {
      signal('SIGSTOP');
      await meanwhile();
      signal('SIGCONT');
    },
    stop,
  };
}

async function startRedis(): Promise<Database> {
  // Each write is in the file before its response leaves.
  const server = await StartedServer.prepare(['--appendonly', 'yes', '--appendfsync', 'always']);
  try {
    await server.restart();
  } catch (error) {
    await server.end();
    throw error;
  }
  return {
    place: { kind: 'redis', url: server.url },
    crash: async (meanwhile) => {
      await server.kill();
      await meanwhile();
      await server.restart();
    },
    freeze: async (meanwhile) => {
      server.freeze();
      await meanwhile();
      server.thaw();
    },
    stop: async () => server.end(),
  };
}

/** Returns the processes that a process has started, by Linux' own list. */
function children(parent: number): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        // Behind the name in brackets: the state and the parent.
        const [, ppid] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
        return Number(ppid) === parent;
      } catch {
        return false;
      }
    })
    .map(Number);
}
