import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { SessionRow, SessionSearch, SessionStore } from '../../lib/stores/session-store.js';
import { EVERYBODY, NOW, ROW } from '../support/session-row.js';

type Conditions = Partial<SessionSearch>;

/**
 * The promises of every store that lists and counts the sessions of everybody.
 *
 * @param makeStore an empty store; it is closed after each test
 */
export function describeSessionSearch(name: string, makeStore: () => Promise<SessionStore>): void {
  describe(`sessions of everybody ${name}`, () => {
    let store: SessionStore;

    beforeEach(async () => {
      store = await makeStore();
    });
    afterEach(async () => {
      await store.close();
    });

    const insert = async (...changes: Partial<SessionRow>[]): Promise<void> => {
      for (const change of changes) await store.insertSession({ ...ROW, ...change });
    };
    /** Sessions `h-0`, `h-1`, …: each a second younger than the one before. */
    const insertMany = async (count: number, change: Partial<SessionRow> = {}): Promise<void> => {
      await insert(...Array.from({ length: count }, (_, n) => ({ ...created(n), ...change })));
    };
    const page = async (conditions: Conditions = {}) => {
      const { rows, next } = await store.searchSessions({ ...EVERYBODY, ...conditions });
      return { handles: rows.map(({ sessionHandle }) => sessionHandle), next };
    };
    const allPages = async (conditions: Conditions = {}, between?: () => Promise<void>) => {
      const seen: string[] = [];
      for (let after = conditions.after; ;) {
        const { handles, next } = await page({ ...conditions, after });
        seen.push(...handles);
        if (next === undefined) return seen;
        after = next;
        await between?.();
      }
    };
    const counted = async (conditions: Conditions = {}): Promise<number> => {
      let total = 0;
      for (let after = conditions.after; ;) {
        const { count, next } = await store.countSessions({ ...EVERYBODY, ...conditions, after });
        total += count;
        if (next === undefined) return total;
        after = next;
      }
    };

    it('are none at first', async () => {
      expect(await page()).toEqual({ handles: [], next: undefined });
      expect(await counted()).toBe(0);
    });

    it('come back whole, as they were stored', async () => {
      await insert({}, { sessionHandle: 'h-2', tenantId: 't1', useStaticKey: true, createdAtMs: 1 });
      const { rows } = await store.searchSessions(EVERYBODY);
      expect(rows).toEqual([
        ROW,
        { ...ROW, sessionHandle: 'h-2', tenantId: 't1', useStaticKey: true, createdAtMs: 1 },
      ]);
    });

    it('come the newest first, in whatever order they were stored', async () => {
      await insert(created(1), created(3), created(0), created(2));
      expect(await page()).toEqual({ handles: ['h-3', 'h-2', 'h-1', 'h-0'], next: undefined });
    });

    it.each([1, 3, 7, 10, 11])('come in pages of %i, each once', async (limit) => {
      await insertMany(10);
      const first = await page({ limit });
      expect(first.handles).toHaveLength(Math.min(limit, 10));
      expect(await allPages({ limit })).toEqual(newestFirst(10));
      expect(await counted({ limit })).toBe(10);
    });

    it.each([1, 7, 50])('of one millisecond come each once, in pages of %i', async (limit) => {
      await insertMany(60, { createdAtMs: NOW });
      await insert(
        { sessionHandle: 'newer', createdAtMs: NOW + 1 },
        { sessionHandle: 'older', createdAtMs: NOW - 1 },
      );
      const seen = await allPages({ limit });
      expect(seen[0]).toBe('newer');
      expect(seen.at(-1)).toBe('older');
      expect(seen.toSorted()).toEqual([...newestFirst(60), 'newer', 'older'].toSorted());
      expect(await allPages({ limit: 100 })).toEqual(seen);
      expect(await counted({ limit })).toBe(62);
    });

    it('neither repeat nor hide others when some are added between two pages', async () => {
      await insertMany(10);
      let added = 0;
      const seen = await allPages({ limit: 3 }, async () => {
        added += 1;
        await insert({ sessionHandle: `newer-${added}`, createdAtMs: NOW + added });
      });
      expect(seen).toEqual(newestFirst(10));
    });

    it('neither repeat nor hide others when some are removed between two pages, the last one of a page among them', async () => {
      await insertMany(12, { createdAtMs: NOW });
      const order = await allPages({ limit: 100 });
      const first = await page({ limit: 4 });
      expect(first.handles).toEqual(order.slice(0, 4));
      const removed = [order[1], order[3], order[4], order[7]];
      await store.deleteSessions(
        removed.map((sessionHandle = '') => ({ tenantId: 'public', sessionHandle })),
      );
      expect(await allPages({ limit: 4, after: first.next })).toEqual(
        order.slice(4).filter((handle) => !removed.includes(handle)),
      );
      expect(await counted()).toBe(8);
    });

    it('are those that live: a session in its last millisecond is among them, an expired one is not', async () => {
      await insert(
        { ...created(2), expiresAtMs: NOW },
        { ...created(1), expiresAtMs: NOW - 1 },
        { ...created(0), expiresAtMs: NOW + 1 },
      );
      expect((await page()).handles).toEqual(['h-2', 'h-0']);
      expect(await counted()).toBe(2);
    });

    it('are found behind many that have expired, in pages that may be short', async () => {
      await insertMany(30, { expiresAtMs: NOW - 1 });
      await insert({ sessionHandle: 'lives', createdAtMs: 1 });
      expect(await allPages({ limit: 2 })).toEqual(['lives']);
      expect(await counted({ limit: 2 })).toBe(1);
    });

    it('are those of a tenant, the default one or another', async () => {
      await insertMany(3);
      await insert(
        { sessionHandle: 'a', tenantId: 't1', createdAtMs: NOW - 500 },
        { sessionHandle: 'b', tenantId: 't1', createdAtMs: NOW - 1500 },
        { sessionHandle: 'c', tenantId: 't2', createdAtMs: NOW - 500 },
      );
      for (const limit of [1, 2, 50]) {
        expect(await allPages({ limit, tenantId: 't1' })).toEqual(['a', 'b']);
        expect(await allPages({ limit, tenantId: 't9' })).toEqual([]);
        expect(await allPages({ limit, tenantId: 'public' })).toEqual(newestFirst(3));
        expect((await allPages({ limit })).toSorted()).toEqual(['a', 'b', 'c', 'h-0', 'h-1', 'h-2']);
        expect(await counted({ limit, tenantId: 't1' })).toBe(2);
        expect(await counted({ limit, tenantId: 'public' })).toBe(3);
        expect(await counted({ limit })).toBe(6);
      }
    });

    it('are those of users, in one tenant or in all', async () => {
      await insertMany(4);
      await insert(
        { sessionHandle: 'a', userId: 'user-2', createdAtMs: NOW - 2000 },
        { sessionHandle: 'b', userId: 'user-2', createdAtMs: NOW - 1000, tenantId: 't1' },
        { sessionHandle: 'c', userId: 'user-3', createdAtMs: NOW - 1000 },
        { sessionHandle: 'd', userId: 'user-2', createdAtMs: NOW, expiresAtMs: NOW - 1 },
      );
      for (const limit of [1, 50]) {
        expect(await allPages({ limit, userIds: ['user-2'] })).toEqual(['b', 'a']);
        expect(await allPages({ limit, userIds: ['user-2'], tenantId: 't1' })).toEqual(['b']);
        expect((await allPages({ limit, userIds: ['user-2', 'user-3'] })).toSorted()).toEqual([
          'a',
          'b',
          'c',
        ]);
        expect(await allPages({ limit, userIds: ['user-9'] })).toEqual([]);
        expect(await allPages({ limit, userIds: [] })).toEqual([]);
        expect(await counted({ limit, userIds: ['user-2', 'user-2'] })).toBe(2);
      }
    });

    it.each([{}, { userIds: ['user-1'] }, { tenantId: 't1' }])(
      'are those that were created at a moment or later, with %j',
      async (conditions) => {
        await insertMany(10, { tenantId: 't1' });
        const createdSinceMs = created(6).createdAtMs;
        for (const limit of [1, 2, 50]) {
          expect(await allPages({ ...conditions, limit, createdSinceMs })).toEqual(
            newestFirst(10).slice(0, 4),
          );
          expect(await counted({ ...conditions, limit, createdSinceMs })).toBe(4);
          expect(await allPages({ ...conditions, limit, createdSinceMs: NOW })).toEqual([]);
        }
      },
    );

    it('keep their place when they change', async () => {
      await insertMany(3);
      await store.update({ tenantId: 'public', sessionHandle: 'h-1' }, {}, { sessionData: '{"a":1}' });
      const { rows } = await store.searchSessions(EVERYBODY);
      expect(rows.map(({ sessionData }) => sessionData)).toEqual([
        ROW.sessionData,
        '{"a":1}',
        ROW.sessionData,
      ]);
    });

    it('are gone when they were ended by their user, or made room for another', async () => {
      await insertMany(3);
      await store.deleteSessionsOfUsers({ userIds: ['user-1'], tenantId: undefined, nowMs: NOW });
      expect(await page()).toEqual({ handles: [], next: undefined });
      const limit = { userIds: ['user-1'], max: 1, whenExceeded: 'end-oldest', nowMs: NOW } as const;
      for (const n of [4, 5]) await store.insertSessionWithinLimit({ ...ROW, ...created(n) }, limit);
      expect((await page()).handles).toEqual(['h-5']);
      expect(await counted()).toBe(1);
    });

    it('are gone when they were swept', async () => {
      await insertMany(5, { expiresAtMs: NOW - 1 });
      await insert({ sessionHandle: 'lives' });
      while ((await store.deleteExpiredSessions(NOW, 100)).mayHaveMore);
      expect(await store.countSessions({ ...EVERYBODY, nowMs: 0 })).toEqual({ count: 1, next: undefined });
    });

    it('are not those that a cut-off has ended, before any sweep', async () => {
      await insertMany(4);
      await insert(
        { sessionHandle: 'a', tenantId: 't1', createdAtMs: NOW - 9000 },
        { sessionHandle: 'b', tenantId: 't1', createdAtMs: NOW - 8000 },
      );
      const cutOff = { createdBeforeMs: NOW - 8500, includesPresent: false };
      await store.endSessionsCreatedBefore({ ...cutOff, tenantId: 't1' });
      for (const limit of [1, 50]) {
        expect(await allPages({ limit, tenantId: 't1' })).toEqual(['b']);
        expect(await allPages({ limit })).toContain('b');
        expect(await allPages({ limit })).not.toContain('a');
        expect(await counted({ limit, tenantId: 't1' })).toBe(1);
        expect(await counted({ limit })).toBe(5);
      }
      await store.endSessionsCreatedBefore({ ...cutOff, tenantId: undefined });
      expect((await allPages({ limit: 1 })).toSorted()).toEqual(['b', 'h-2', 'h-3']);
      expect((await allPages({ userIds: ['user-1'] })).toSorted()).toEqual(['b', 'h-2', 'h-3']);
    });
  });
}

const OLDEST_MS = NOW - 10_000;

function created(n: number): { sessionHandle: string; createdAtMs: number } {
  return { sessionHandle: `h-${n}`, createdAtMs: OLDEST_MS + n * 1000 };
}

function newestFirst(count: number): string[] {
  return Array.from({ length: count }, (_, n) => `h-${count - 1 - n}`);
}
