import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { postgresStore } from 'nest-sessions';
import pg from 'pg';
import { startEmbeddedPostgres } from '../../support/embedded-postgres.mjs';
import { filler } from './filler.mjs';
import { SEARCH_INDEXES } from './store-subject.mjs';

const CONNECTIONS = 16;
/** The unit in which the kernel counts CPU time. */
const TICK_MS = 10;
/** Acknowledged means on disk, as in production; memory for the tables as one would give it on such a machine. */
const SETTINGS = ['shared_buffers=1GB', 'max_wal_size=8GB'];

/** @type {import('./store-subject.mjs').OpenStores} */
export async function open() {
  const given = process.env.PG_URL;
  const server = given === undefined ? await startServer() : { url: given, stop: async () => {} };
  const pool = new pg.Pool({ connectionString: server.url, max: CONNECTIONS, idleTimeoutMillis: 0 });
  pool.on('error', () => {});
  const backends = given === undefined ? await backendsOf(pool) : [];
  const schemas = [];
  return {
    serverCpuMs: () => backends.reduce((sum, pid) => sum + processCpuMs(pid), 0),
    table: async (name) => {
      const schema = `benchmark_${process.pid}_${name}`;
      schemas.push(schema);
      const store = postgresStore(pool, { schema });
      await store.findStaticKeys();
      return {
        store,
        fill: async (from, count) => {
          await pool.query(insertSql(schema, from, count));
        },
        settle: async () => {
          await pool.query(`VACUUM ANALYZE ${schema}.session_info`);
          await pool.query('CHECKPOINT');
        },
        dropSearchIndexes: async () => {
          let bytes = 0;
          for (const index of SEARCH_INDEXES) {
            const name = `${schema}.${index}`;
            const { rows } = await pool.query('SELECT pg_relation_size(to_regclass($1)) AS bytes', [name]);
            bytes += Number(rows[0].bytes);
            await pool.query(`DROP INDEX ${name}`);
          }
          return bytes;
        },
      };
    },
    close: async () => {
      for (const schema of schemas) await pool.query(`DROP SCHEMA ${schema} CASCADE`);
      await pool.end();
      await server.stop();
    },
  };
}

/**
 * A server for processes other than this one.
 *
 * @returns its URL, the CPU time of its connections so far (0 where it cannot be known), and how to stop it
 */
export async function openServer() {
  const given = process.env.PG_URL;
  if (given !== undefined) return { url: given, cpuMs: () => 0, close: async () => {} };
  const server = await startServer();
  return {
    url: server.url,
    cpuMs: () => childrenOf(server.pid).reduce((sum, pid) => sum + processCpuMs(pid), 0),
    close: server.stop,
  };
}

function insertSql(schema, from, count) {
  return `INSERT INTO ${schema}.session_info (session_handle, user_id, refresh_token_hash_2, session_data,
      jwt_user_payload, expires_at, created_at_time, use_static_key)
    SELECT gen_random_uuid(), 'filler-' || (i / ${filler.sessionsOfUser}), lpad(to_hex(i), 64, '0'),
      '${filler.sessionData}', '${filler.payload}',
      CASE WHEN i % ${filler.expiredShare} = 0 THEN ${filler.expiredSinceMs} ELSE ${filler.liveUntilMs} END,
      ${filler.firstCreatedAtMs} + i, false
    FROM generate_series(${from}, ${from + count - 1}) AS i`;
}

/** Opens all connections and asks which process serves each. */
async function backendsOf(pool) {
  const clients = await Promise.all(Array.from({ length: CONNECTIONS }, () => pool.connect()));
  const results = await Promise.all(clients.map((client) => client.query('SELECT pg_backend_pid() AS pid')));
  for (const client of clients) client.release();
  return results.map(({ rows }) => rows[0].pid);
}

/** Processes that a process has started; none where the system does not tell. */
function childrenOf(parent) {
  try {
    return readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && statOf(pid)[1] === parent);
  } catch {
    return []; // no /proc
  }
}

/** CPU time of another process; 0 where the system does not tell. */
export function processCpuMs(pid) {
  const [user = 0, system = 0] = statOf(pid).slice(11, 13);
  return (Number(user) + Number(system)) * TICK_MS;
}

/** The kernel's report of a process, from its state on; nothing where there is no /proc or the process has ended. */
function statOf(pid) {
  try {
    const [, fields = ''] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ');
    return fields.split(' ');
  } catch {
    return [];
  }
}

async function startServer() {
  const { url, databaseDir, stop } = await startEmbeddedPostgres(SETTINGS);
  const [pid] = readFileSync(join(databaseDir, 'postmaster.pid'), 'utf8').split('\n');
  return { pid, url, stop };
}
