// One instance that sends the records of an audit trail to a webhook until it is killed: a process of its own.
import pg from 'pg';
import { embeddedCore, postgresStore, sqliteStore } from 'nest-sessions';
import { webhook } from 'nest-sessions/core';
import { createSessions } from 'nest-sessions/standalone';

const appInfo = { appName: 'b', apiDomain: 'http://localhost:1', websiteDomain: 'http://localhost:1' };

/** @param {{ file?: string, url?: string, schema?: string }} place a file of SQLite, or URL and schema of PostgreSQL */
export function openTrailStore({ file, url, schema }) {
  if (file !== undefined) return { store: sqliteStore(file), disconnect: async () => {} };
  const pool = new pg.Pool({ connectionString: url, max: 8 });
  pool.on('error', () => {});
  return { store: postgresStore(pool, { schema }), disconnect: async () => pool.end() };
}

if (process.argv[2] === 'deliver') {
  const { place, hook, secret } = JSON.parse(process.argv[3]);
  const { store } = openTrailStore(place);
  const deliveries = [webhook({ url: hook, secret })];
  await createSessions({ appInfo, core: embeddedCore({ store }), audit: { deliveries } }).start();
  setInterval(() => {}, 60_000); // a server would keep the process alive
}
