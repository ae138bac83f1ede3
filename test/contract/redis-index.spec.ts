import { afterAll, expect, it } from '@jest/globals';
import type { SessionRow, SessionSearch, SessionStore } from '../../lib/stores/session-store.js';
import { rowName } from '../../lib/stores/redis/redis-layout.js';
import { redisStore } from '../../lib/stores/redis/redis.store.js';
import { closeClients, nodeRedis } from '../support/redis-clients.js';
import { startRedis } from '../support/redis.js';
import { EVERYBODY, NOW, ROW } from '../support/session-row.js';

const redis = await startRedis();
afterAll(async () => {
  await closeClients();
  await redis.stop();
});

const ALL: SessionSearch = { ...EVERYBODY, limit: 500 };

function rowOf(n: number, tenantId = 'public'): SessionRow {
  return { ...ROW, tenantId, sessionHandle: `h-${n}`, userId: `user-${n}`, createdAtMs: NOW + n };
}

async function opened() {
  const { connect } = await nodeRedis();
  const client = await connect(redis.url);
  const keyPrefix = redis.freshPrefix();
  const send = async (...command: string[]): Promise<unknown> =>
    (client as { sendCommand(command: string[]): Promise<unknown> }).sendCommand(command);
  return { store: redisStore(client, { keyPrefix }), keyPrefix, send };
}

async function handlesOf(store: SessionStore): Promise<string[]> {
  const handles: string[] = [];
  for (let search = ALL; ;) {
    const { rows, next } = await store.searchSessions(search);
    handles.push(...rows.map(({ sessionHandle }) => sessionHandle));
    if (next === undefined) return handles;
    search = { ...search, after: next };
  }
}

redis.describe('the index by creation in Redis', () => {
  it('is completed by the first search for a data set of an older version, and by sweeps for what that stores beside', async () => {
    const { send, keyPrefix, store } = await opened();
    for (let n = 0; n < 1100; n++) await store.insertSession(rowOf(n));
    const newestFirst = Array.from({ length: 1100 }, (_, n) => `h-${1099 - n}`);
    await send('DEL', `${keyPrefix}created`, `${keyPrefix}listed`);
    expect(await handlesOf(store)).toEqual(newestFirst);
    await send('DEL', `${keyPrefix}created`);
    expect(await handlesOf(store)).toEqual([]);
    while ((await store.deleteExpiredSessions(NOW, 100)).mayHaveMore);
    expect(await handlesOf(store)).toEqual(newestFirst);
    const step = await store.countSessions({ ...ALL, limit: 10_000 });
    expect(step).toEqual({ count: 1100, next: undefined });
  });

  it('is left as it was by a search that goes on after a session which is gone', async () => {
    const { send, keyPrefix, store } = await opened();
    for (let n = 0; n < 4; n++) await store.insertSession({ ...rowOf(n), createdAtMs: NOW });
    const { next } = await store.searchSessions({ ...ALL, limit: 2 });
    await store.deleteSessions([{ tenantId: 'public', sessionHandle: 'h-2' }]);
    const { rows } = await store.searchSessions({ ...ALL, after: next });
    expect(rows.map(({ sessionHandle }) => sessionHandle)).toEqual(['h-1', 'h-0']);
    expect(await send('ZRANGE', `${keyPrefix}created`, '0', '-1')).toEqual(['s:h-0', 's:h-1', 's:h-3']);
  });

  it.each<
    [string, (store: SessionStore, remove: (...rows: SessionRow[]) => Promise<unknown>) => Promise<unknown>]
  >([
    ['their handles', async (store) => store.deleteSessions([rowOf(0), rowOf(1, 't1')])],
    [
      'their users',
      async (store) =>
        store.deleteSessionsOfUsers({ userIds: ['user-0', 'user-1'], tenantId: undefined, nowMs: NOW }),
    ],
    ['a sweep', async (store) => store.deleteExpiredSessions(NOW + 10_000, 100)],
    [
      'the server, which removes rows by itself a day after their end',
      async (store, remove) => {
        await remove(rowOf(0), rowOf(1, 't1'));
        await store.deleteExpiredSessions(NOW, 100);
      },
    ],
    [
      'a cut-off',
      async (store) => {
        await store.endSessionsCreatedBefore({
          tenantId: undefined,
          createdBeforeMs: NOW + 5,
          includesPresent: false,
        });
        await store.deleteExpiredSessions(NOW, 100);
      },
    ],
  ])('forgets sessions that were ended by %s', async (_, end) => {
    const { send, keyPrefix, store } = await opened();
    const sizes = async (): Promise<unknown[]> =>
      Promise.all(['created', 'created:t1', 'users'].map(async (set) => send('ZCARD', keyPrefix + set)));
    await store.insertSession(rowOf(0));
    await store.insertSession(rowOf(1, 't1'));
    expect(await sizes()).toEqual([2, 1, 2]);
    await end(store, async (...rows) => send('DEL', ...rows.map((row) => keyPrefix + rowName(row))));
    expect(await sizes()).toEqual([0, 0, 0]);
  });
});
