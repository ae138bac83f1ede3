import { writeSync } from 'node:fs';
import pg from 'pg';
import { postgresStore } from '../../lib/stores/postgres.store.js';
import { sqliteStore } from '../../lib/stores/sqlite.store.js';
import type { WriterTarget } from './killed-writer.js';
import { promote } from './store-updates.js';

/** Writes sessions until it is killed, and says after each write what is now stored: a line `<handle> <state>`. */
const target = JSON.parse(process.argv[2] ?? '') as WriterTarget;
const store =
  target.engine === 'sqlite'
    ? sqliteStore(target.file)
    : postgresStore(new pg.Pool({ connectionString: target.url }), { schema: target.schema });
const nowMs = 1_760_000_000_000;
const acknowledge = (sessionHandle: string, state: string): number =>
  writeSync(1, `${sessionHandle} ${state}\n`);

for (let n = 0; ; n++) {
  const key = { tenantId: 'public', sessionHandle: `written-${n}` };
  await store.insertSession({
    ...key,
    userId: 'user-1',
    refreshTokenHash2: 'first',
    sessionData: '{}',
    accessTokenPayload: '{}',
    expiresAtMs: nowMs + 1000,
    createdAtMs: nowMs,
    useStaticKey: false,
    prevRefreshTokenHash2: undefined,
    rotatedAtMs: undefined,
  });
  acknowledge(key.sessionHandle, 'first');
  const promotion = { ...key, fromHash2: 'first', toHash2: 'second', expiresAtMs: nowMs + 2000, nowMs };
  await promote(store, promotion);
  acknowledge(key.sessionHandle, 'second');
  if (n % 2 === 0) continue;
  await store.deleteSessions([key]);
  acknowledge(key.sessionHandle, 'revoked');
}
