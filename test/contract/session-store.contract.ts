import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Revocation } from '../../lib/feed/revocation-feed.js';
import type {
  LimitedInsert,
  RowLimit,
  SessionChange,
  SessionCondition,
  SessionKey,
  SessionRow,
  SessionStore,
  StoredStaticKey,
} from '../../lib/stores/session-store.js';
import { mostWhile } from '../support/most-while.js';
import { findAndPromote, promote, whileLive, type Promotion } from '../support/store-updates.js';

const NOW = 1_760_000_000_000;

const ROW: SessionRow = {
  tenantId: 'public',
  sessionHandle: 'handle-1',
  userId: 'user-1',
  refreshTokenHash2: 'a'.repeat(64),
  sessionData: '{"cart":3}',
  accessTokenPayload: '{"role":"admin"}',
  expiresAtMs: NOW + 1000,
  createdAtMs: NOW - 1000,
  useStaticKey: false,
  prevRefreshTokenHash2: undefined,
  rotatedAtMs: undefined,
};
const KEY: SessionKey = { tenantId: 'public', sessionHandle: 'handle-1' };
const ABSENT: SessionKey = { tenantId: 'public', sessionHandle: 'handle-0' };
const ELSEWHERE: SessionKey = { tenantId: 't1', sessionHandle: 'handle-1' };

const PROMOTION: Promotion = {
  ...KEY,
  fromHash2: ROW.refreshTokenHash2,
  toHash2: 'b'.repeat(64),
  expiresAtMs: NOW + 5000,
  useStaticKey: undefined,
  nowMs: NOW,
};

const LIVE = whileLive(NOW);

const TEXTS = [
  "robert'); DROP TABLE session_info;--",
  '"; --',
  '%_\\',
  'zo\u00eb',
  'zoe\u0308',
  '漢字 🎉',
  '__proto__',
  ' user-1 ',
  'USER-1',
  'u'.repeat(128),
];

/**
 * The promises of every store (lib/stores/session-store.ts).
 *
 * @param makeStore an empty store; it is closed after each test
 */
export function describeSessionStore(name: string, makeStore: () => Promise<SessionStore>): void {
  describe(`the session store ${name}`, () => {
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
    const handlesOf = async (userId: string, tenantId?: string, nowMs = NOW): Promise<string[]> =>
      (await store.findSessionHandlesOfUsers({ userIds: [userId], tenantId, nowMs })).sort();

    describe('a row', () => {
      it('comes back as it was stored', async () => {
        await insert({}, { sessionHandle: 'handle-2', tenantId: 't1', useStaticKey: true });
        expect(await store.findSession(KEY)).toEqual(ROW);
        expect(await store.findSession({ tenantId: 't1', sessionHandle: 'handle-2' })).toEqual({
          ...ROW,
          sessionHandle: 'handle-2',
          tenantId: 't1',
          useStaticKey: true,
        });
      });

      it('keeps texts and times of any size', async () => {
        const large: Partial<SessionRow> = {
          sessionData: JSON.stringify({ text: '\u0000\u2028"\\漢字🎉'.repeat(2000), b: 1, a: 2 }),
          accessTokenPayload: '{"b":1.0,"a":[ 1e2 ],"a":null}',
          expiresAtMs: 8_640_000_000_000_000,
          createdAtMs: 0,
          prevRefreshTokenHash2: 'f'.repeat(64),
          rotatedAtMs: 9_007_199_254_740_991,
        };
        await insert(large);
        expect(await store.findSession(KEY)).toEqual({ ...ROW, ...large });
      });

      it.each(TEXTS)('belongs to the user %j and to no other (S092 S094)', async (userId) => {
        await insert({ userId }, { sessionHandle: 'other', userId: 'user-1' });
        expect(await handlesOf(userId)).toEqual(['handle-1']);
        expect((await store.findSession(KEY))?.userId).toBe(userId);
        expect(
          await store.deleteSessionsOfUsers({ userIds: [userId], tenantId: undefined, nowMs: NOW }),
        ).toEqual(['handle-1']);
        expect(await handlesOf('user-1')).toEqual(['other']);
      });

      it('is not found when it is absent, or under another tenant (S094)', async () => {
        await insert({});
        expect(await store.findSession(ABSENT)).toBeUndefined();
        expect(await store.findSession(ELSEWHERE)).toBeUndefined();
      });

      it('is found although it has expired: the engine judges', async () => {
        await insert({ expiresAtMs: 1 });
        expect(await store.findSession(KEY)).toEqual({ ...ROW, expiresAtMs: 1 });
      });

      it('is stored once: a second insert of the handle fails and changes nothing', async () => {
        await insert({});
        await expect(store.insertSession({ ...ROW, userId: 'user-2' })).rejects.toMatchObject({
          message: expect.any(String),
        });
        expect(await store.findSession(KEY)).toEqual(ROW);
        expect(await handlesOf('user-2')).toEqual([]);
      });
    });

    describe('a promotion', () => {
      it('makes the next hash current, remembers the old one and when, and returns the row', async () => {
        await insert({});
        const expected = {
          ...ROW,
          refreshTokenHash2: PROMOTION.toHash2,
          prevRefreshTokenHash2: ROW.refreshTokenHash2,
          rotatedAtMs: NOW,
          expiresAtMs: NOW + 5000,
        };
        expect(await promote(store, PROMOTION)).toEqual(expected);
        expect(await store.findSession(KEY)).toEqual(expected);
      });

      it.each([
        [false, undefined, false],
        [true, undefined, true],
        [false, true, true],
        [true, false, false],
      ])('turns a static-key flag %p with %p into %p', async (before, given, after) => {
        await insert({ useStaticKey: before });
        expect(await promote(store, { ...PROMOTION, useStaticKey: given })).toMatchObject({
          useStaticKey: after,
        });
        expect(await store.findSession(KEY)).toMatchObject({ useStaticKey: after });
      });

      it.each<[string, Partial<SessionRow>, Partial<Promotion>]>([
        ['another hash is current', { refreshTokenHash2: 'c'.repeat(64) }, {}],
        ['the hash is current in part', { refreshTokenHash2: 'a'.repeat(63) }, {}],
        [
          'the hash was current before',
          { refreshTokenHash2: 'c'.repeat(64), prevRefreshTokenHash2: PROMOTION.fromHash2 },
          {},
        ],
        ['the row expired a millisecond ago', { expiresAtMs: NOW - 1 }, {}],
        ['the row is absent', {}, ABSENT],
        ['the row is of another tenant', {}, ELSEWHERE],
      ])('does not happen when %s', async (_, row, promotion) => {
        await insert(row);
        expect(await promote(store, { ...PROMOTION, ...promotion })).toBeUndefined();
        expect(await store.findSession(KEY)).toEqual({ ...ROW, ...row });
        expect(await store.findSession(ABSENT)).toBeUndefined();
      });

      it('happens in the last millisecond of a row', async () => {
        await insert({ expiresAtMs: NOW });
        expect(await promote(store, PROMOTION)).toMatchObject(KEY);
      });

      it('happens once when 20 want it at the same time (S022 S087)', async () => {
        await insert({});
        const results = await Promise.all(
          Array.from({ length: 20 }, (_, n) =>
            promote(store, { ...PROMOTION, toHash2: `${n}`.padStart(64, '0') }),
          ),
        );
        const winners = results.filter((row) => row !== undefined);
        expect(winners).toHaveLength(1);
        expect(await store.findSession(KEY)).toEqual(winners[0]);
      });

      it('loses nothing that others write at the same time (S087)', async () => {
        await insert({});
        await Promise.all([
          promote(store, PROMOTION),
          store.update(KEY, LIVE, { sessionData: '{"n":1}' }),
          store.update(KEY, LIVE, { accessTokenPayload: '{"n":2}' }),
          store.update(KEY, {}, { useStaticKey: true }),
        ]);
        expect(await store.findSession(KEY)).toMatchObject({
          refreshTokenHash2: PROMOTION.toHash2,
          sessionData: '{"n":1}',
          accessTokenPayload: '{"n":2}',
          useStaticKey: true,
        });
      });
    });

    describe('looking up and promoting in one step', () => {
      const PROMOTED = {
        ...ROW,
        refreshTokenHash2: PROMOTION.toHash2,
        prevRefreshTokenHash2: ROW.refreshTokenHash2,
        rotatedAtMs: NOW,
        expiresAtMs: NOW + 5000,
      };

      it('does what a promotion does, and says so', async () => {
        await insert({});
        expect(await findAndPromote(store, PROMOTION, [])).toEqual({ row: PROMOTED, isUpdated: true });
        expect(await store.findSession(KEY)).toEqual(PROMOTED);
        expect(await findAndPromote(store, PROMOTION, [])).toEqual({ row: PROMOTED, isUpdated: false });
      });

      it.each([
        [false, undefined, false],
        [true, undefined, true],
        [false, true, true],
        [true, false, false],
      ])('turns a static-key flag %p with %p into %p', async (before, given, after) => {
        await insert({ useStaticKey: before });
        const promotion = { ...PROMOTION, useStaticKey: given };
        expect((await findAndPromote(store, promotion, [])).row?.useStaticKey).toBe(after);
      });

      it.each<[string, Partial<SessionRow>]>([
        ['another hash is current', { refreshTokenHash2: 'c'.repeat(64) }],
        [
          'the hash was current before',
          { refreshTokenHash2: 'c'.repeat(64), prevRefreshTokenHash2: PROMOTION.fromHash2 },
        ],
        ['the row expired a millisecond ago', { expiresAtMs: NOW - 1 }],
        ['the payload has one of the names', { accessTokenPayload: '{"a":1,"session_idle":60}' }],
      ])('only looks the row up when %s', async (_, change) => {
        await insert(change);
        const row = { ...ROW, ...change };
        expect(await findAndPromote(store, PROMOTION, ['session_expiry', 'session_idle'])).toEqual({
          row,
          isUpdated: false,
        });
        expect(await store.findSession(KEY)).toEqual(row);
      });

      it('promotes a row that has one of the names as a value, or another name', async () => {
        await insert({ accessTokenPayload: '{"a":"session_idler","session_idled":1}' });
        expect(await findAndPromote(store, PROMOTION, ['session_idle'])).toMatchObject({ isUpdated: true });
      });

      it('finds nothing where nothing is, and under another tenant (S094)', async () => {
        await insert({});
        const nothing = { row: undefined, isUpdated: false };
        expect(await findAndPromote(store, { ...PROMOTION, ...ABSENT }, [])).toEqual(nothing);
        expect(await findAndPromote(store, { ...PROMOTION, ...ELSEWHERE }, [])).toEqual(nothing);
      });

      it('promotes once when 20 want it at the same time, and shows each what it was or became (S022 S087)', async () => {
        await insert({});
        const results = await Promise.all(
          Array.from({ length: 20 }, (_, n) =>
            findAndPromote(store, { ...PROMOTION, toHash2: `${n}`.padStart(64, '0') }, []),
          ),
        );
        const winners = results.filter(({ isUpdated }) => isUpdated);
        expect(winners).toHaveLength(1);
        const after = winners[0]?.row;
        expect(await store.findSession(KEY)).toEqual(after);
        for (const { row } of results) expect([ROW, after]).toContainEqual(row);
      });

      it('brings no row back that is removed at the same time (S046)', async () => {
        for (let round = 0; round < 20; round++) {
          await insert({});
          await Promise.all([store.deleteSessions([KEY]), findAndPromote(store, PROMOTION, [])]);
          expect(await store.findSession(KEY)).toBeUndefined();
        }
      });
    });

    describe('an update', () => {
      it('changes the kind of key alone, also of an expired row', async () => {
        await insert({ expiresAtMs: 1 });
        await store.update(KEY, {}, { useStaticKey: true });
        expect(await store.findSession(KEY)).toEqual({ ...ROW, expiresAtMs: 1, useStaticKey: true });
      });

      it('of the data replaces the data alone and returns the row after it', async () => {
        await insert({});
        const expected = { ...ROW, sessionData: '{}' };
        expect(await store.update(KEY, LIVE, { sessionData: '{}' })).toEqual(expected);
        expect(await store.findSession(KEY)).toEqual(expected);
      });

      it('of the payload replaces the payload alone and returns the row after it', async () => {
        await insert({});
        const expected = { ...ROW, accessTokenPayload: '{}' };
        expect(await store.update(KEY, LIVE, { accessTokenPayload: '{}' })).toEqual(expected);
        expect(await store.findSession(KEY)).toEqual(expected);
      });

      it('of several columns changes all of them, or none', async () => {
        await insert({});
        const where = { ...LIVE, sessionData: ROW.sessionData, accessTokenPayload: ROW.accessTokenPayload };
        const change = { sessionData: '{"n":1}', accessTokenPayload: '{"n":2}', expiresAtMs: NOW + 9 };
        expect(await store.update(KEY, where, change)).toEqual({ ...ROW, ...change });
        expect(await store.update(KEY, where, { sessionData: '{}', useStaticKey: true })).toBeUndefined();
        expect(await store.findSession(KEY)).toEqual({ ...ROW, ...change });
      });

      describe.each(['sessionData', 'accessTokenPayload'] as const)('of the %s', (column) => {
        it('that it was made from replaces that alone, and no other', async () => {
          await insert({});
          const from = { ...LIVE, [column]: ROW[column] };
          const expected = { ...ROW, [column]: '{"n":1}' };
          expect(await store.update(KEY, from, { [column]: '{"n":1}' })).toEqual(expected);
          expect(await store.update(KEY, from, { [column]: '{"n":2}' })).toBeUndefined();
          expect(await store.findSession(KEY)).toEqual(expected);
        });

        it('by 20 that started from the same one happens once', async () => {
          await insert({});
          const from = { ...LIVE, [column]: ROW[column] };
          const rows = await Promise.all(
            Array.from({ length: 20 }, (_, n) => store.update(KEY, from, { [column]: `{"n":${n}}` })),
          );
          const [row, ...others] = rows.filter((found) => found !== undefined);
          expect(others).toEqual([]);
          expect(await store.findSession(KEY)).toEqual(row);
        });
      });

      it.each([
        [NOW + 1, true],
        [NOW, false],
        [NOW - 1, false],
      ])('of a row that expires at %d happens: %p', async (expiresAtMs, happens) => {
        await insert({ expiresAtMs });
        const isUpdated = async (
          where: SessionCondition,
          change: Pick<SessionChange, 'sessionData' | 'accessTokenPayload'>,
        ): Promise<boolean> => (await store.update(KEY, { ...LIVE, ...where }, change)) !== undefined;
        expect(await isUpdated({}, { sessionData: '{"n":1}' })).toBe(happens);
        expect(await isUpdated({}, { accessTokenPayload: '{"n":3}' })).toBe(happens);
        const from = { accessTokenPayload: happens ? '{"n":3}' : ROW.accessTokenPayload };
        expect(await isUpdated(from, { accessTokenPayload: '{"n":2}' })).toBe(happens);
        const changed = happens ? { sessionData: '{"n":1}', accessTokenPayload: '{"n":2}' } : {};
        expect(await store.findSession(KEY)).toEqual({ ...ROW, expiresAtMs, ...changed });
      });

      it.each([
        ['absent', ABSENT],
        ['of another tenant', ELSEWHERE],
      ])('of a row that is %s makes none (S046)', async (_, key) => {
        await insert({});
        expect(await store.update(key, {}, { useStaticKey: true })).toBeUndefined();
        expect(await store.update(key, LIVE, { sessionData: '{}' })).toBeUndefined();
        expect(await store.update(key, LIVE, { accessTokenPayload: '{}' })).toBeUndefined();
        const from = { accessTokenPayload: ROW.accessTokenPayload };
        expect(await store.update(key, from, { accessTokenPayload: '{}' })).toBeUndefined();
        expect(await store.findSession(key)).toBeUndefined();
        expect(await store.findSession(KEY)).toEqual(ROW);
      });
    });

    describe('inserting within a limit', () => {
      const insertWithin = (
        row: Partial<SessionRow>,
        limit: Partial<RowLimit> = {},
      ): Promise<LimitedInsert> =>
        store.insertSessionWithinLimit(
          { ...ROW, ...row },
          { userIds: ['user-1'], max: 2, whenExceeded: 'end-oldest', nowMs: NOW, ...limit },
        );
      const started = (n: number): Partial<SessionRow> => ({
        sessionHandle: `s-${n}`,
        createdAtMs: NOW - 100 + n,
      });

      it('adds the row as any other while there is room', async () => {
        expect(await insertWithin({})).toEqual({ isInserted: true, removedHandles: [] });
        expect(await store.findSession(KEY)).toEqual(ROW);
      });

      it('removes those that began first, as many as it takes', async () => {
        await insert(started(3), started(1), started(2));
        const { removedHandles } = (await insertWithin(started(4))) as Extract<
          LimitedInsert,
          { isInserted: true }
        >;
        expect(removedHandles.toSorted()).toEqual(['s-1', 's-2']);
        expect((await handlesOf('user-1')).sort()).toEqual(['s-3', 's-4']);
      });

      it('or adds nothing and removes nothing', async () => {
        await insert(started(1), started(2));
        expect(await insertWithin(started(3), { whenExceeded: 'refuse' })).toEqual({ isInserted: false });
        expect((await handlesOf('user-1')).sort()).toEqual(['s-1', 's-2']);
      });

      it('counts live rows only, of these users, in this tenant', async () => {
        await insert(
          { sessionHandle: 'expired', expiresAtMs: NOW - 1 },
          { sessionHandle: 'elsewhere', tenantId: 't1' },
          { sessionHandle: 'another', userId: 'user-2' },
          { sessionHandle: 'linked', userId: 'user-3' },
        );
        const refuse = { whenExceeded: 'refuse', userIds: ['user-3', 'user-1', 'user-3'] } as const;
        expect(await insertWithin({ sessionHandle: 'second', expiresAtMs: NOW }, refuse)).toMatchObject({
          isInserted: true,
        });
        expect(await insertWithin({ sessionHandle: 'third' }, refuse)).toEqual({ isInserted: false });
        expect(await insertWithin({ sessionHandle: 'third', tenantId: 't1' }, refuse)).toMatchObject({
          isInserted: true,
        });
      });

      it('of a handle that is there fails, and has removed nothing', async () => {
        await insert(started(1), started(2));
        const outcome = await insertWithin(started(2)).catch(() => 'refused');
        expect(outcome).toBe('refused');
        expect((await handlesOf('user-1')).sort()).toEqual(['s-1', 's-2']);
      });

      it.each(TEXTS)('counts the rows of the user %j', async (userId) => {
        const limit = { userIds: [userId], max: 1 };
        await insertWithin({ ...started(1), userId }, limit);
        expect(await insertWithin({ ...started(2), userId }, limit)).toEqual({
          isInserted: true,
          removedHandles: ['s-1'],
        });
      });

      it.each(['end-oldest', 'refuse'] as const)(
        'never lets a sixth live where five may, when 50 come at once (%s) (S038 S087)',
        async (whenExceeded) => {
          const responses = Promise.all(
            Array.from({ length: 50 }, (_, n) => insertWithin(started(n), { max: 5, whenExceeded })),
          );
          const count = async (): Promise<number> => (await handlesOf('user-1')).length;
          expect(await mostWhile(responses, count)).toBeLessThanOrEqual(5);
          expect(await count()).toBe(5);
          const inserted = (await responses).filter((response) => response.isInserted);
          expect(inserted).toHaveLength(whenExceeded === 'refuse' ? 5 : 50);
          expect(inserted.flatMap((response) => response.removedHandles)).toHaveLength(inserted.length - 5);
        },
      );
    });

    describe('removing', () => {
      it('returns which rows existed, expired ones included', async () => {
        await insert({}, { sessionHandle: 'expired', expiresAtMs: 1 }, { sessionHandle: 'stays' });
        const keys = [KEY, ABSENT, { tenantId: 'public', sessionHandle: 'expired' }];
        expect((await store.deleteSessions(keys)).sort()).toEqual(['expired', 'handle-1']);
        expect(await store.deleteSessions(keys)).toEqual([]);
        expect(await handlesOf('user-1')).toEqual(['stays']);
      });

      it('touches no other tenant (S094)', async () => {
        await insert({});
        expect(await store.deleteSessions([ELSEWHERE])).toEqual([]);
        expect(await store.findSession(KEY)).toEqual(ROW);
      });

      it('of nothing removes nothing', async () => {
        await insert({});
        expect(await store.deleteSessions([])).toEqual([]);
        expect(await store.deleteSessionsOfUsers({ userIds: [], tenantId: undefined, nowMs: NOW })).toEqual(
          [],
        );
        expect(await store.findSession(KEY)).toBeDefined();
      });

      it('takes 2,000 rows at once', async () => {
        const handles = Array.from({ length: 2000 }, (_, n) => `h-${String(n).padStart(4, '0')}`);
        // In parts, because each call has a timeout, and a busy machine does not return 2,000 at once within it.
        for (let from = 0; from < handles.length; from += 100) {
          const part = handles.slice(from, from + 100);
          await Promise.all(part.map((sessionHandle) => store.insertSession({ ...ROW, sessionHandle })));
        }
        const keys = handles.map((sessionHandle) => ({ tenantId: 'public', sessionHandle }));
        expect((await store.deleteSessions(keys)).sort()).toEqual(handles);
      });

      it('is returned to one of several who do it at the same time', async () => {
        await insert({});
        const responses = await Promise.all(Array.from({ length: 10 }, () => store.deleteSessions([KEY])));
        expect(responses.flat()).toEqual(['handle-1']);
      });

      it('is final: no other method brings the row back (S046)', async () => {
        await insert({});
        await store.deleteSessions([KEY]);
        expect(await promote(store, PROMOTION)).toBeUndefined();
        await store.update(KEY, {}, { useStaticKey: true });
        expect(await store.update(KEY, LIVE, { sessionData: '{}' })).toBeUndefined();
        expect(await store.update(KEY, LIVE, { accessTokenPayload: '{}' })).toBeUndefined();
        expect(await store.findSession(KEY)).toBeUndefined();
        expect(await handlesOf('user-1')).toEqual([]);
      });

      it('wins against writes at the same time (S046)', async () => {
        for (let round = 0; round < 10; round++) {
          await insert({});
          await Promise.all([
            store.update(KEY, LIVE, { sessionData: '{}' }),
            promote(store, PROMOTION),
            store.deleteSessions([KEY]),
            store.update(KEY, {}, { useStaticKey: true }),
            store.update(KEY, LIVE, { accessTokenPayload: '{}' }),
            promote(store, PROMOTION),
          ]);
          expect(await store.findSession(KEY)).toBeUndefined();
        }
      });
    });

    describe('the sessions of users', () => {
      beforeEach(async () => {
        await insert(
          { sessionHandle: 'live' },
          { sessionHandle: 'last-ms', expiresAtMs: NOW },
          { sessionHandle: 'expired', expiresAtMs: NOW - 1 },
          { sessionHandle: 'elsewhere', tenantId: 't1' },
          { sessionHandle: 'another', userId: 'user-2' },
          { sessionHandle: 'third', userId: 'user-3', tenantId: 't1' },
        );
      });

      const CASES: [who: string, userIds: string[], tenantId: string | undefined, handles: string[]][] = [
        ['one user in all tenants', ['user-1'], undefined, ['elsewhere', 'last-ms', 'live']],
        ['one user in one tenant', ['user-1'], 'public', ['last-ms', 'live']],
        ['one user in another tenant', ['user-1'], 't1', ['elsewhere']],
        ['one user in an unknown tenant', ['user-1'], 't9', []],
        ['two users', ['user-1', 'user-3'], undefined, ['elsewhere', 'last-ms', 'live', 'third']],
        ['one user twice', ['user-2', 'user-2'], undefined, ['another']],
        ['an unknown user', ['user-9'], undefined, []],
        ['no user', [], undefined, []],
        ['a user without a name', [''], undefined, []],
      ];

      it.each(CASES)('are found, live ones only: %s', async (_, userIds, tenantId, handles) => {
        expect((await store.findSessionHandlesOfUsers({ userIds, tenantId, nowMs: NOW })).sort()).toEqual(
          handles,
        );
      });

      it.each(CASES)('are removed, live ones only: %s', async (_, userIds, tenantId, handles) => {
        const all = ['another', 'elsewhere', 'expired', 'last-ms', 'live', 'third'];
        expect((await store.deleteSessionsOfUsers({ userIds, tenantId, nowMs: NOW })).sort()).toEqual(
          handles,
        );
        const left = await store.findSessionHandlesOfUsers({
          userIds: ['user-1', 'user-2', 'user-3'],
          tenantId: undefined,
          nowMs: 0,
        });
        expect(left.sort()).toEqual(all.filter((handle) => !handles.includes(handle)));
      });
    });

    describe('cleaning', () => {
      it('removes rows in their last millisecond and older, and no other', async () => {
        await insert(
          { sessionHandle: 'old', expiresAtMs: 1 },
          { sessionHandle: 'last-ms', expiresAtMs: NOW },
          { sessionHandle: 'live', expiresAtMs: NOW + 1 },
        );
        await cleaned(store, 100);
        expect(await handlesOf('user-1', undefined, 0)).toEqual(['live']);
      });

      it('removes at most as many as it may in one step, and says when it is through (S057)', async () => {
        for (let n = 0; n < 25; n++) await insert({ sessionHandle: `old-${n}`, expiresAtMs: n });
        await insert({ sessionHandle: 'live' });
        let before = 26;
        for (let mayHaveMore = true; mayHaveMore;) {
          ({ mayHaveMore } = await store.deleteExpiredSessions(NOW, 10));
          const after = (await handlesOf('user-1', undefined, 0)).length;
          expect(before - after).toBeLessThanOrEqual(10);
          before = after;
        }
        expect(await handlesOf('user-1', undefined, 0)).toEqual(['live']);
      });

      it('of an empty store is through at once', async () => {
        expect(await store.deleteExpiredSessions(NOW, 10)).toEqual({ mayHaveMore: false });
      });

      it('may be done by several at the same time (S057)', async () => {
        for (let n = 0; n < 25; n++) await insert({ sessionHandle: `old-${n}`, expiresAtMs: n });
        await insert({ sessionHandle: 'live' });
        await Promise.all([cleaned(store, 3), cleaned(store, 5), cleaned(store, 7)]);
        await cleaned(store, 100);
        expect(await handlesOf('user-1', undefined, 0)).toEqual(['live']);
      });
    });

    describe('the refresh-token key', () => {
      it('is what the first caller gave, for ever', async () => {
        expect(await store.getOrSetRefreshTokenKey('first', NOW)).toBe('first');
        expect(await store.getOrSetRefreshTokenKey('second', NOW + 1)).toBe('first');
      });

      it('is the same for 20 that start together (S016)', async () => {
        const keys = await Promise.all(
          Array.from({ length: 20 }, (_, n) => store.getOrSetRefreshTokenKey(`1000:key-${n}:x`, NOW)),
        );
        expect(new Set(keys).size).toBe(1);
        expect(await store.getOrSetRefreshTokenKey('late', NOW)).toBe(keys[0]);
      });
    });

    describe('rotating keys', () => {
      const add = (createdAtMs: number, unlessSinceMs = Number.MAX_SAFE_INTEGER): Promise<void> =>
        store.addDynamicKey({ createdAtMs, value: `key-${createdAtMs}` }, unlessSinceMs);
      const timesOf = async (sinceMs: number): Promise<number[]> =>
        (await store.findDynamicKeys(sinceMs)).map(({ createdAtMs }) => createdAtMs);

      it('are none at first', async () => {
        expect(await store.findDynamicKeys(0)).toEqual([]);
      });

      it('come newest first, from a time on and that time included', async () => {
        await add(NOW);
        await add(NOW + 2);
        await add(NOW + 1);
        expect(await store.findDynamicKeys(NOW + 1)).toEqual([
          { createdAtMs: NOW + 2, value: `key-${NOW + 2}` },
          { createdAtMs: NOW + 1, value: `key-${NOW + 1}` },
        ]);
        expect(await timesOf(NOW)).toEqual([NOW + 2, NOW + 1, NOW]);
      });

      it.each([
        [NOW - 1, false],
        [NOW, false],
        [NOW + 1, true],
      ])('are added unless there is one since %d: %p', async (unlessSinceMs, isAdded) => {
        await add(NOW);
        await add(NOW + 10, unlessSinceMs);
        expect(await timesOf(0)).toEqual(isAdded ? [NOW + 10, NOW] : [NOW]);
      });

      it('are one when 20 add theirs at the same time (S016)', async () => {
        await Promise.all(Array.from({ length: 20 }, (_, n) => add(NOW + n, NOW - 1)));
        expect(await timesOf(0)).toHaveLength(1);
      });

      it('are removed when they are older than a time, and not at that time', async () => {
        await add(NOW);
        await add(NOW + 1);
        await add(NOW + 2);
        await store.deleteDynamicKeys(NOW + 1);
        expect(await timesOf(0)).toEqual([NOW + 2, NOW + 1]);
      });
    });

    describe('rotating keys of another algorithm', () => {
      const add = (createdAtMs: number, algorithm: string | undefined, unlessSinceMs = 0): Promise<void> =>
        store.addDynamicKey(
          { createdAtMs, value: `key-${createdAtMs}`, ...(algorithm === undefined ? {} : { algorithm }) },
          unlessSinceMs,
        );
      const found = async (): Promise<[number, string | undefined][]> =>
        (await store.findDynamicKeys(0)).map(({ createdAtMs, algorithm }) => [createdAtMs, algorithm]);

      it('stand beside the others, by time, and each is added once since a time', async () => {
        await add(NOW, undefined);
        await add(NOW + 1, 'ES256');
        await add(NOW + 2, undefined);
        await add(NOW + 3, 'ES256');
        expect(await found()).toEqual([
          [NOW + 1, 'ES256'],
          [NOW, undefined],
        ]);
        await add(NOW + 4, 'ES256', NOW + 2);
        expect(await found()).toEqual([
          [NOW + 4, 'ES256'],
          [NOW + 1, 'ES256'],
          [NOW, undefined],
        ]);
        expect(await store.findDynamicKeys(NOW + 4)).toEqual([
          { createdAtMs: NOW + 4, value: `key-${NOW + 4}`, algorithm: 'ES256' },
        ]);
      });

      it('share no time with one of any algorithm, for that is the name of a key', async () => {
        await add(NOW, undefined);
        await add(NOW, 'ES256');
        await add(NOW + 1, 'ES256');
        await add(NOW + 1, undefined, NOW + 1);
        expect(await found()).toEqual([
          [NOW + 1, 'ES256'],
          [NOW, undefined],
        ]);
      });

      it('are one of each when 20 add theirs at the same time (S016)', async () => {
        const algorithmOf = (n: number): string | undefined => (n % 2 === 0 ? 'ES256' : undefined);
        await Promise.all(Array.from({ length: 20 }, (_, n) => add(NOW + n, algorithmOf(n), NOW)));
        const algorithms = (await found()).map(([, algorithm]) => algorithm);
        expect(algorithms).toHaveLength(2);
        expect(new Set(algorithms)).toEqual(new Set(['ES256', undefined]));
      });

      it('are removed with the others when they are older than a time', async () => {
        await add(NOW, undefined);
        await add(NOW + 1, 'ES256');
        await add(NOW + 5, 'ES256', NOW + 5);
        await store.deleteDynamicKeys(NOW + 2);
        expect(await found()).toEqual([[NOW + 5, 'ES256']]);
      });
    });

    describe('static keys', () => {
      const key = (kid: string, createdAtMs: number, algorithm = 'RS256'): StoredStaticKey => ({
        kid,
        createdAtMs,
        value: `value of ${kid}`,
        algorithm,
      });

      it('are one for each algorithm, newest first', async () => {
        expect(await store.findStaticKeys()).toEqual([]);
        await store.addStaticKey(key('s-1', NOW));
        await store.addStaticKey(key('s-2', NOW + 1));
        await store.addStaticKey(key('s-3', NOW + 2, 'ES256'));
        expect(await store.findStaticKeys()).toEqual([key('s-3', NOW + 2, 'ES256'), key('s-1', NOW)]);
      });

      it('are one when 20 add theirs at the same time (S016)', async () => {
        await Promise.all(Array.from({ length: 20 }, (_, n) => store.addStaticKey(key(`s-${n}`, NOW))));
        expect(await store.findStaticKeys()).toHaveLength(1);
      });
    });

    describe('the record of a revocation', () => {
      const NOTE = { notBeforeMs: NOW, untilMs: NOW + 5000, reason: 'test', initiator: 'admin' };
      const recordOf = (id: string): unknown => ({ kind: 'session', id, tenantId: 'public', ...NOTE });
      const records = async (): Promise<readonly unknown[]> =>
        (await store.revocations?.read(undefined))?.records ?? [];

      it('is written with the removal, for each row that was there', async () => {
        if (store.revocations === undefined) return;
        await insert({}, { sessionHandle: 'handle-2' }, { sessionHandle: 'handle-3', userId: 'user-3' });
        await store.deleteSessions([KEY, ABSENT], NOTE);
        expect(await records()).toEqual([recordOf('handle-1')]);
        await store.deleteSessionsOfUsers({ userIds: ['user-1'], tenantId: undefined, nowMs: NOW }, NOTE);
        expect(await records()).toHaveLength(2);
        const limit = {
          userIds: ['user-3'],
          max: 1,
          whenExceeded: 'end-oldest' as const,
          nowMs: NOW,
          note: NOTE,
        };
        await store.insertSessionWithinLimit({ ...ROW, sessionHandle: 'handle-4', userId: 'user-3' }, limit);
        expect(await records()).toEqual(
          expect.arrayContaining(['handle-1', 'handle-2', 'handle-3'].map(recordOf)),
        );
      });

      it('is not written without a note, nor where nothing was removed', async () => {
        if (store.revocations === undefined) return;
        await insert({});
        await store.deleteSessions([KEY]);
        await store.deleteSessions([KEY], NOTE);
        await store.deleteSessionsOfUsers({ userIds: ['user-1'], tenantId: undefined, nowMs: NOW }, NOTE);
        expect(await records()).toEqual([]);
      });
    });

    describe('a cut-off', () => {
      const cutOff = { tenantId: 't1', createdBeforeMs: NOW, includesPresent: false };
      const T1: Partial<SessionRow> = { tenantId: 't1', sessionHandle: 'handle-t1' };
      const T1_KEY: SessionKey = { tenantId: 't1', sessionHandle: 'handle-t1' };
      const isThere = async (key: SessionKey): Promise<boolean> =>
        (await store.findSession(key)) !== undefined;

      it('ends the rows of its tenant that were created before, for every method', async () => {
        await insert({}, T1, { ...T1, sessionHandle: 'younger', createdAtMs: NOW });
        await store.endSessionsCreatedBefore(cutOff);
        expect(await isThere(KEY)).toBe(true);
        expect(await isThere(T1_KEY)).toBe(false);
        expect(await store.update(T1_KEY, {}, { sessionData: '{}' })).toBeUndefined();
        expect(await findAndPromote(store, { ...PROMOTION, ...T1_KEY })).toEqual({
          row: undefined,
          isUpdated: false,
        });
        expect(await handlesOf('user-1', 't1')).toEqual(['younger']);
        expect(await store.deleteSessions([T1_KEY])).toEqual([]);
        const users = { userIds: ['user-1'], tenantId: 't1', nowMs: NOW };
        const limit = { ...users, max: 2, whenExceeded: 'refuse' as const };
        const added = { ...ROW, ...T1, sessionHandle: 'added', createdAtMs: NOW };
        expect(await store.insertSessionWithinLimit(added, limit)).toEqual({
          isInserted: true,
          removedHandles: [],
        });
        expect((await store.deleteSessionsOfUsers(users)).sort()).toEqual(['added', 'younger']);
      });

      it('of everybody ends the rows of all tenants, and never goes back', async () => {
        await insert({}, T1);
        await store.endSessionsCreatedBefore({ ...cutOff, tenantId: undefined });
        await store.endSessionsCreatedBefore({ ...cutOff, tenantId: undefined, createdBeforeMs: 0 });
        expect(await Promise.all([KEY, T1_KEY].map(isThere))).toEqual([false, false]);
      });

      it('signs users in afterwards, also by an instance whose clock is behind', async () => {
        await store.endSessionsCreatedBefore(cutOff);
        await insert({ ...T1, createdAtMs: NOW - 60_000 }, { createdAtMs: NOW - 60_000 });
        expect(await store.findSession(T1_KEY)).toEqual({ ...ROW, ...T1, createdAtMs: NOW });
        expect(await store.findSession(KEY)).toEqual({ ...ROW, createdAtMs: NOW - 60_000 });
      });

      it('of all that exist ends those, too, that an instance made whose clock is ahead', async () => {
        await insert({ createdAtMs: NOW + 60_000 }, { ...T1, createdAtMs: NOW + 60_000 });
        await store.endSessionsCreatedBefore(cutOff);
        expect(await isThere(T1_KEY)).toBe(true);
        await store.endSessionsCreatedBefore({ ...cutOff, includesPresent: true });
        expect(await Promise.all([KEY, T1_KEY].map(isThere))).toEqual([true, false]);
      });

      it('of all that exist spares what is made later, by instances whose clocks are ahead and behind', async () => {
        const everybody = { tenantId: undefined, createdBeforeMs: NOW, includesPresent: true };
        await insert({ createdAtMs: NOW + 60_000 }, T1);
        await store.endSessionsCreatedBefore(everybody);
        await insert(
          { sessionHandle: 'ahead', createdAtMs: NOW + 30_000 },
          { sessionHandle: 'behind', createdAtMs: NOW - 60_000 },
        );
        const ahead = { ...KEY, sessionHandle: 'ahead' };
        const change = { expiresAtMs: NOW + 9, useStaticKey: true };
        expect(await store.update(ahead, {}, change)).toMatchObject({ createdAtMs: NOW + 30_000, ...change });
        expect(await findAndPromote(store, { ...PROMOTION, ...ahead }, [])).toMatchObject({
          isUpdated: true,
        });
        expect(await handlesOf('user-1')).toEqual(['ahead', 'behind']);
        await store.endSessionsCreatedBefore(everybody);
        expect(await handlesOf('user-1')).toEqual([]);
      });

      it('lets the sweep remove what it ended, and nothing else', async () => {
        await insert({}, T1, { ...T1, sessionHandle: 'younger', createdAtMs: NOW });
        await store.endSessionsCreatedBefore(cutOff);
        while ((await store.deleteExpiredSessions(NOW, 100)).mayHaveMore);
        await insert({ ...T1, refreshTokenHash2: 'free again' }); // a handle that is there could not be inserted
        expect(await isThere(KEY)).toBe(true);
        expect(await handlesOf('user-1', 't1')).toEqual(['handle-t1', 'younger']);
      });

      it('is recorded for the other instances', async () => {
        if (store.revocations === undefined) return;
        const note = { notBeforeMs: NOW, untilMs: NOW + 5000, initiator: 'admin' };
        await store.endSessionsCreatedBefore(cutOff, note);
        await store.endSessionsCreatedBefore({ ...cutOff, tenantId: undefined }, note);
        const told = (await store.revocations.read(undefined)).records as Revocation[];
        // A store whose parts are cut off one after the other tells it before and after, the second time with a later end.
        expect(told.filter(({ untilMs }) => untilMs === note.untilMs)).toEqual([
          { kind: 'tenant', id: 't1', tenantId: 't1', ...note },
          { kind: 'all', id: '', tenantId: undefined, ...note },
        ]);
        expect(new Set(told.map(({ kind, id }) => `${kind} ${id}`)).size).toBe(2);
      });

      it('spares younger rows of users that are named', async () => {
        await insert({}, { sessionHandle: 'handle-2', createdAtMs: NOW });
        const users = { userIds: ['user-1'], tenantId: undefined, nowMs: NOW, createdBeforeMs: NOW };
        expect(await store.deleteSessionsOfUsers(users)).toEqual(['handle-1']);
      });
    });
  });
}

/** Cleans until there is nothing left to do. */
async function cleaned(store: SessionStore, limit: number): Promise<void> {
  for (let mayHaveMore = true; mayHaveMore;) {
    ({ mayHaveMore } = await store.deleteExpiredSessions(NOW, limit));
  }
}
