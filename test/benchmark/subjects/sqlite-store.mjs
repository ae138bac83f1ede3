import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sqliteStore } from 'nest-sessions';
import { filler } from './filler.mjs';
import { SEARCH_INDEXES } from './store-subject.mjs';

/** @type {import('./store-subject.mjs').OpenStores} */
export async function open() {
  const Database = await driver();
  const folder = mkdtempSync(join(tmpdir(), 'nest-sessions-benchmark-'));
  const databases = [];
  return {
    serverCpuMs: () => 0,
    table: async (name) => {
      const database = new Database(join(folder, `${name}.db`));
      databases.push(database);
      const store = sqliteStore(database);
      await store.findStaticKeys();
      return {
        store,
        fill: async (from, count) => {
          database.exec(insertSql(from, count));
        },
        settle: async () => {
          database.exec('ANALYZE; PRAGMA wal_checkpoint(TRUNCATE)');
        },
        dropSearchIndexes: async () => {
          const pages = () => database.prepare('SELECT * FROM pragma_freelist_count').all()[0].freelist_count;
          const before = pages();
          for (const index of SEARCH_INDEXES) database.exec(`DROP INDEX ${index}`);
          const { page_size: pageSize } = database.prepare('SELECT * FROM pragma_page_size').all()[0];
          return (pages() - before) * pageSize;
        },
      };
    },
    close: async () => {
      for (const database of databases) database.close();
      rmSync(folder, { recursive: true });
    },
  };
}

function insertSql(from, count) {
  return `WITH RECURSIVE n(i) AS (SELECT ${from} UNION ALL SELECT i + 1 FROM n WHERE i < ${from + count - 1})
    INSERT INTO session_info (session_handle, user_id, refresh_token_hash_2, session_data, jwt_user_payload,
      expires_at, created_at_time, use_static_key)
    SELECT lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-' || hex(randomblob(2)) || '-' ||
        hex(randomblob(2)) || '-' || hex(randomblob(6))),
      'filler-' || (i / ${filler.sessionsOfUser}), printf('%064x', i), '${filler.sessionData}', '${filler.payload}',
      CASE WHEN i % ${filler.expiredShare} = 0 THEN ${filler.expiredSinceMs} ELSE ${filler.liveUntilMs} END,
      ${filler.firstCreatedAtMs} + i, 0
    FROM n`;
}

async function driver() {
  try {
    return (await import('node:sqlite')).DatabaseSync;
  } catch {
    return (await import('libsql')).default;
  }
}
