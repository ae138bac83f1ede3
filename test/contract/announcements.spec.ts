import { describe, expect, it } from '@jest/globals';
import { revocationNote } from '../../lib/feed/revocation-feed.js';
import { SqlStore } from '../../lib/stores/sql.store.js';
import type { SqlClient } from '../../lib/stores/sql-client.js';
import { loadDriver, SqliteClient } from '../../lib/stores/sqlite.store.js';
import { NOW, ROW } from '../support/session-row.js';

const Database = await loadDriver();
const NOTE = revocationNote({}, NOW, 3_600_000);

/** A store whose announcements and transactions are noted in the order in which they end. */
function notedStore(): { store: SqlStore; noted: string[] } {
  const noted: string[] = [];
  const inner = new SqliteClient(new Database(':memory:'));
  const client: SqlClient = {
    dialect: inner.dialect,
    open: async () => inner.open(),
    query: async (query) => inner.query(query),
    exclusively: async (lock, steps) => {
      const result = await inner.exclusively(lock, steps);
      noted.push('committed');
      return result;
    },
    close: async () => inner.close(),
    announcements: {
      isHeard: true,
      announce: () => void noted.push('announced'),
      listen: () => async () => {},
    },
  };
  return { store: new SqlStore(client), noted };
}

describe('sessions that end in a database with announcements', () => {
  it.each([
    ['by their handles', async (store: SqlStore) => store.deleteSessions([ROW], NOTE)],
    [
      'of a user',
      async (store: SqlStore) =>
        store.deleteSessionsOfUsers({ userIds: [ROW.userId], tenantId: undefined, nowMs: NOW }, NOTE),
    ],
    [
      'of everybody',
      async (store: SqlStore) =>
        store.endSessionsCreatedBefore(
          { tenantId: undefined, createdBeforeMs: NOW, includesPresent: true },
          NOTE,
        ),
    ],
  ])('are announced once their end is committed, and not before: %s', async (_, end) => {
    const { store, noted } = notedStore();
    await store.insertSession(ROW);
    noted.length = 0;
    await end(store);
    expect(noted).toEqual(['committed', 'announced']);
    await store.close();
  });
});
