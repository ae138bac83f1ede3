import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { AuditKind, AuditNote, AuditRecord } from '../../lib/audit/audit-record.js';
import type { AuditSearch, AuditTrail } from '../../lib/audit/audit-trail.js';
import type { SharedValues } from '../../lib/audit/shared-values.js';
import type { SessionRow, SessionStore } from '../../lib/stores/session-store.js';
import { ProviderSessions } from '../../lib/signals/provider-sessions.js';
import type { StorePair } from '../support/store-pairs.js';
import { TestClock } from '../../lib/testing/test-clock.js';
import { findAndPromote, type Promotion } from '../support/store-updates.js';
import { NOW, ROW } from '../support/session-row.js';

const KEEP_MS = 1000;

function note(kind: AuditKind, details: AuditNote['details'] = {}, keepUntilMs = NOW + KEEP_MS): AuditNote {
  return { kind, timeMs: NOW, keepUntilMs, details };
}

const CREATED = note('session.created', { ip: '192.0.2.0' });
const PROMOTED = note('session.promoted');
const REVOKED = note('session.revoked', { reason: 'password changed', initiator: 'zoë' });
const SWEPT = note('session.revoked', { reason: 'ended-before' });

const rowOf = (n: number, more: Partial<SessionRow> = {}): SessionRow => ({
  ...ROW,
  sessionHandle: `handle-${n}`,
  ...more,
});

const promotionOf = (row: SessionRow, more: Partial<Promotion> = {}): Promotion => ({
  tenantId: row.tenantId,
  sessionHandle: row.sessionHandle,
  fromHash2: row.refreshTokenHash2,
  toHash2: 'b'.repeat(64),
  expiresAtMs: NOW + 5000,
  nowMs: NOW,
  ...more,
});

function trailOf({ audit }: SessionStore): AuditTrail {
  if (audit === undefined) throw new Error('The store keeps no audit trail');
  return audit;
}

function valuesOf({ sharedValues }: SessionStore): SharedValues {
  if (sharedValues === undefined) throw new Error('The store keeps no shared values');
  return sharedValues;
}

const ALL: AuditSearch = { newestFirst: false, after: undefined, limit: 1000 };

async function readAll(store: SessionStore, search: Partial<AuditSearch> = {}): Promise<AuditRecord[]> {
  const records: AuditRecord[] = [];
  let after: string | undefined;
  for (let pages = 1; ; pages++) {
    expect(pages).toBeLessThan(1000); // one that goes on for ever
    const page = await trailOf(store).read({ ...ALL, after, ...search });
    records.push(...page.records);
    after = page.next;
    if (!page.mayHaveMore) return records;
  }
}

const inOrder = (texts: readonly unknown[]): string[] => texts.map(String).sort((a, b) => a.localeCompare(b));
const kindsOf = (records: readonly AuditRecord[]): string[] => records.map(({ kind }) => kind);
const ofSession = (records: readonly AuditRecord[], n: number): AuditRecord[] =>
  records.filter(({ sessionHandle }) => sessionHandle === `handle-${n}`);

async function sweepSessions(store: SessionStore, nowMs: number): Promise<void> {
  while ((await store.deleteExpiredSessions(nowMs, 100, { ...SWEPT, timeMs: nowMs })).mayHaveMore);
}

/** The promises of every audit trail of a store (lib/audit/audit-trail.ts, lib/stores/session-store.ts). */
export function describeAuditTrail(name: string, makeStores: () => Promise<StorePair>): void {
  describe(`the audit trail ${name}`, () => {
    let here: SessionStore;
    let there: SessionStore;
    beforeEach(async () => {
      ({ here, there } = await makeStores());
    });
    afterEach(async () => {
      await here.close();
      await there.close();
    });

    describe('written with a change', () => {
      it('has a record of each change of a session, in order, with its facts', async () => {
        await here.insertSession(rowOf(1), CREATED);
        await here.update(
          rowOf(1),
          {},
          { sessionData: '{"cart":1}', audit: note('session.data-changed', { names: ['cart'] }) },
        );
        const { expiresAtMs, toHash2 } = promotionOf(rowOf(1));
        await there.update(
          rowOf(1),
          {},
          { refreshTokenHash2: toHash2, expiresAtMs, rotatedAtMs: NOW, audit: PROMOTED },
        );
        await there.deleteSessions([rowOf(1)], undefined, REVOKED);
        const records = await readAll(here);
        const facts = {
          sessionHandle: 'handle-1',
          tenantId: 'public',
          recipeUserId: 'user-1',
          sessionCreatedAtMs: NOW,
          timeMs: NOW,
        };
        expect(records.map(({ id: _id, ...record }) => record)).toEqual([
          { ...facts, kind: 'session.created', sessionExpiresAtMs: NOW + 1000, ip: '192.0.2.0' },
          { ...facts, kind: 'session.data-changed', sessionExpiresAtMs: NOW + 1000, names: ['cart'] },
          { ...facts, kind: 'session.promoted', sessionExpiresAtMs: NOW + 5000 },
          {
            ...facts,
            kind: 'session.revoked',
            sessionExpiresAtMs: NOW + 5000,
            reason: 'password changed',
            initiator: 'zoë',
          },
        ]);
        expect(new Set(records.map(({ id }) => id)).size).toBe(4);
        for (const { id } of records) expect(id).toMatch(/^[\w-]{1,100}$/);
      });

      it('has none without a note', async () => {
        await here.insertSession(rowOf(1));
        await here.update(rowOf(1), {}, { sessionData: '{"cart":1}' });
        await findAndPromote(here, promotionOf(rowOf(1)));
        await here.insertSessionWithinLimit(rowOf(2), {
          userIds: ['user-1'],
          max: 1,
          whenExceeded: 'end-oldest',
          nowMs: NOW,
        });
        await here.deleteSessions([rowOf(2)]);
        await here.deleteExpiredSessions(NOW + 9999, 100);
        expect(await readAll(there)).toEqual([]);
      });

      it('has none of a change that does not happen', async () => {
        await here.insertSession(rowOf(1));
        await expect(here.insertSession(rowOf(1), CREATED)).rejects.toThrow(/exist|duplicate|UNIQUE/i);
        await here.update(
          rowOf(1),
          { sessionData: '{"other":1}' },
          { sessionData: '{}', audit: note('session.data-changed') },
        );
        await here.update(rowOf(2), {}, { sessionData: '{}', audit: note('session.data-changed') });
        await here.findAndUpdate(rowOf(1), {
          where: { refreshTokenHash2: 'c'.repeat(64) },
          change: { refreshTokenHash2: 'd'.repeat(64), audit: PROMOTED },
          unlessMentioned: [],
        });
        await here.deleteSessions([rowOf(2), { ...rowOf(1), tenantId: 't1' }], undefined, REVOKED);
        expect(await readAll(here)).toEqual([]);
      });

      it('has a record of an update that is made while the session is looked up, also of one that mentions a name', async () => {
        await here.insertSession(rowOf(1));
        const { fromHash2, toHash2, expiresAtMs } = promotionOf(rowOf(1));
        const found = await here.findAndUpdate(rowOf(1), {
          where: { refreshTokenHash2: fromHash2 },
          change: { refreshTokenHash2: toHash2, expiresAtMs, rotatedAtMs: NOW, audit: PROMOTED },
          unlessMentioned: ['exp', 'idle'],
        });
        expect(found.isUpdated).toBe(true);
        expect(await readAll(here)).toMatchObject([
          { kind: 'session.promoted', sessionHandle: 'handle-1', sessionExpiresAtMs: expiresAtMs },
        ]);
      });

      it('has one record for each session of a user that ends, and of no other', async () => {
        for (let n = 1; n <= 3; n++) await here.insertSession(rowOf(n, { createdAtMs: NOW - n }));
        await here.insertSession(rowOf(4, { userId: 'user-2' }));
        const users = { userIds: ['user-1'], tenantId: undefined, nowMs: NOW };
        await here.deleteSessionsOfUsers({ ...users, createdBeforeMs: NOW - 1 }, undefined, REVOKED);
        expect(inOrder((await readAll(here)).map(({ sessionHandle }) => sessionHandle))).toEqual([
          'handle-2',
          'handle-3',
        ]);
        await here.deleteSessionsOfUsers(users, undefined, REVOKED);
        await here.deleteSessionsOfUsers(users, undefined, REVOKED);
        expect(await readAll(here)).toHaveLength(3);
      });

      it('is written beside the records for other instances', async () => {
        await here.insertSession(rowOf(1));
        const told = { notBeforeMs: NOW, untilMs: NOW + 1000, reason: 'password changed' };
        await here.deleteSessions([rowOf(1)], told, REVOKED);
        expect(kindsOf(await readAll(here))).toEqual(['session.revoked']);
        expect((await there.revocations?.read(undefined))?.records).toMatchObject([
          { kind: 'session', id: 'handle-1', reason: 'password changed' },
        ]);
      });

      it('has the sessions that make room for another, and that one', async () => {
        const limit = {
          userIds: ['user-1'],
          max: 1,
          nowMs: NOW,
          audit: { created: CREATED, ended: note('session.revoked', { reason: 'session-limit' }) },
        };
        await here.insertSessionWithinLimit(rowOf(1), { ...limit, whenExceeded: 'refuse' });
        await here.insertSessionWithinLimit(rowOf(2), { ...limit, whenExceeded: 'refuse' });
        await here.insertSessionWithinLimit(rowOf(3), { ...limit, whenExceeded: 'end-oldest' });
        const records = await readAll(here);
        expect(kindsOf(ofSession(records, 1))).toEqual(['session.created', 'session.revoked']);
        expect(ofSession(records, 1)[1]?.reason).toBe('session-limit');
        expect(kindsOf(ofSession(records, 2))).toEqual([]);
        expect(kindsOf(ofSession(records, 3))).toEqual(['session.created']);
      });
    });

    describe('of sessions whose time is over', () => {
      it('has each once, however many instances sweep', async () => {
        for (let n = 1; n <= 60; n++)
          await here.insertSession(rowOf(n, { expiresAtMs: n % 2 === 0 ? NOW - 1 : NOW + 5000 }));
        await Promise.all([sweepSessions(here, NOW), sweepSessions(there, NOW)]);
        await sweepSessions(there, NOW);
        const records = await readAll(here);
        expect(records).toHaveLength(30);
        expect(new Set(records.map(({ sessionHandle }) => sessionHandle)).size).toBe(30);
        expect(new Set(kindsOf(records))).toEqual(new Set(['session.expired']));
        expect(records[0]).toMatchObject({ sessionExpiresAtMs: NOW - 1, recipeUserId: 'user-1' });
        expect(records[0]?.reason).toBeUndefined();
      });

      it('has it as expired, whoever removes it', async () => {
        await here.insertSession(rowOf(1, { expiresAtMs: NOW }));
        await here.deleteSessions([rowOf(1)], undefined, REVOKED);
        const [record] = await readAll(here);
        expect(record).toMatchObject({ kind: 'session.expired', sessionHandle: 'handle-1' });
        expect(record?.reason).toBeUndefined();
      });
    });

    describe('of a cut-off', () => {
      it('has the cut-off, and each session that it ended once it is removed', async () => {
        await here.insertSession(rowOf(1, { createdAtMs: NOW - 10 }));
        await here.insertSession(rowOf(2, { createdAtMs: NOW - 10, tenantId: 't1' }));
        const endedBefore = note('sessions.ended-before', { createdBeforeMs: NOW, reason: 'breach' });
        await here.endSessionsCreatedBefore(
          { tenantId: 't1', createdBeforeMs: NOW, includesPresent: false },
          undefined,
          endedBefore,
        );
        expect(await readAll(here)).toMatchObject([
          { kind: 'sessions.ended-before', tenantId: 't1', createdBeforeMs: NOW, reason: 'breach' },
        ]);
        await sweepSessions(there, NOW);
        await sweepSessions(here, NOW);
        const records = await readAll(here);
        expect(ofSession(records, 1)).toEqual([]);
        expect(ofSession(records, 2)).toMatchObject([{ kind: 'session.revoked', reason: 'ended-before' }]);
      });

      it('has those of everybody, and what seems to be created later', async () => {
        await here.insertSession(rowOf(1, { createdAtMs: NOW + 60_000, expiresAtMs: NOW + 90_000 }));
        await here.endSessionsCreatedBefore(
          { tenantId: undefined, createdBeforeMs: NOW, includesPresent: true },
          undefined,
          note('sessions.ended-before', { createdBeforeMs: NOW }),
        );
        await sweepSessions(here, NOW);
        const records = await readAll(here);
        expect(records.filter(({ kind }) => kind === 'sessions.ended-before')).toMatchObject([
          { createdBeforeMs: NOW },
        ]);
        expect(ofSession(records, 1)).toMatchObject([{ kind: 'session.revoked', reason: 'ended-before' }]);
      });
    });

    describe('read page by page', () => {
      it('goes on where the last page ended, and brings what was written since', async () => {
        for (let n = 1; n <= 7; n++) await here.insertSession(rowOf(n), CREATED);
        const seen: (string | undefined)[] = [];
        let page = await trailOf(there).read({ ...ALL, limit: 3 });
        expect(page).toMatchObject({ mayHaveMore: true });
        for (let pages = 1; ; page = await trailOf(there).read({ ...ALL, limit: 3, after: page.next })) {
          expect(pages++).toBeLessThan(20); // one that goes on for ever
          expect(page.records.length).toBeLessThanOrEqual(3);
          seen.push(...page.records.map(({ sessionHandle }) => sessionHandle));
          if (!page.mayHaveMore) break;
        }
        expect(inOrder(seen)).toEqual(Array.from({ length: 7 }, (_, n) => `handle-${n + 1}`));
        await here.insertSession(rowOf(8), CREATED);
        page = await trailOf(there).read({ ...ALL, after: page.next });
        expect(page.records.map(({ sessionHandle }) => sessionHandle)).toEqual(['handle-8']);
        page = await trailOf(there).read({ ...ALL, after: page.next });
        expect(page).toMatchObject({ records: [], next: expect.any(String) });
      });

      it('is read from the newest on, too', async () => {
        for (let n = 1; n <= 5; n++)
          await here.update(
            rowOf(0),
            {},
            { sessionData: '{}', audit: note('session.data-changed', { names: [`${n}`] }) },
          );
        await here.insertSession(rowOf(0), CREATED);
        for (let n = 1; n <= 5; n++)
          await here.update(
            rowOf(0),
            {},
            { sessionData: `{"n":${n}}`, audit: note('session.data-changed', { names: [`${n}`] }) },
          );
        const names: unknown[] = [];
        let after: string | undefined;
        do {
          const page = await trailOf(there).read({ ...ALL, newestFirst: true, limit: 2, after });
          names.push(...page.records.map((record) => record.names?.[0] ?? record.kind));
          after = page.next;
        } while (after !== undefined);
        expect(names).toEqual(['5', '4', '3', '2', '1', 'session.created']);
      });

      it('is read by session, user, tenant and kind', async () => {
        for (let n = 1; n <= 6; n++) {
          const [tenantId, userId] = [n > 4 ? 't1' : 'public', `user-${n % 3}`];
          await here.insertSession(rowOf(n, { userId, tenantId }), CREATED);
          if (n % 2 === 0) await here.deleteSessions([{ ...rowOf(n), tenantId }], undefined, REVOKED);
        }
        const handles = async (search: Partial<AuditSearch>): Promise<unknown[]> =>
          (await readAll(there, { limit: 2, ...search })).map(
            ({ sessionHandle = '', kind }) => `${sessionHandle.slice(7)} ${kind.slice(8)}`,
          );
        expect(await handles({ sessionHandle: 'handle-2' })).toEqual(['2 created', '2 revoked']);
        expect(inOrder(await handles({ userIds: ['user-0'] }))).toEqual([
          '3 created',
          '6 created',
          '6 revoked',
        ]);
        expect(inOrder(await handles({ tenantId: 't1' }))).toEqual(['5 created', '6 created', '6 revoked']);
        expect(inOrder(await handles({ kinds: ['session.revoked'] }))).toEqual([
          '2 revoked',
          '4 revoked',
          '6 revoked',
        ]);
        expect(await handles({ kinds: ['session.revoked'], tenantId: 't1', userIds: ['user-0'] })).toEqual([
          '6 revoked',
        ]);
        expect(await handles({ userIds: [] })).toEqual([]);
      });

      it('refuses a position that is none, and keeps none that is as long as it likes', async () => {
        for (const after of ['', 'x', "p1'; DROP TABLE session_info;--", 'p1 OR 1=1', '9'.repeat(20_000)])
          await expect(trailOf(here).read({ ...ALL, after })).rejects.toThrow(/^after: this is none/);
      });

      it('loses no record and keeps the order of each session, while others write', async () => {
        const [sessions, changes] = [8, 12];
        const seen: AuditRecord[] = [];
        let after: string | undefined;
        const read = async (): Promise<void> => {
          const page = await trailOf(there).read({ ...ALL, limit: 5, after });
          after = page.next;
          seen.push(...page.records);
          if (page.mayHaveMore) await read();
        };
        const write = async (n: number): Promise<void> => {
          const store = n % 2 === 0 ? here : there;
          await store.insertSession(rowOf(n), CREATED);
          for (let k = 1; k <= changes; k++) {
            const audit = note('session.data-changed', { names: [`${k}`] });
            await (k % 2 === 0 ? here : there).update(rowOf(n), {}, { sessionData: `{"k":${k}}`, audit });
          }
        };
        const state = { isWriting: true };
        const writing = Promise.all(Array.from({ length: sessions }, (_, n) => write(n))).finally(
          () => (state.isWriting = false),
        );
        while (state.isWriting) await read();
        await writing;
        const ending = here.deleteSessionsOfUsers(
          { userIds: ['user-1'], tenantId: undefined, nowMs: NOW },
          undefined,
          REVOKED,
        );
        await read();
        await ending;
        await read();
        const expected = ['created', ...Array.from({ length: changes }, (_, k) => `${k + 1}`), 'revoked'];
        for (let n = 0; n < sessions; n++) {
          const told = ofSession(seen, n).map(({ kind, names }) => names?.[0] ?? kind.slice(8));
          expect([...new Set(told)]).toEqual(expected);
        }
      });
    });

    describe('beside the trail: texts that instances share', () => {
      const until = (text: string, untilMs = NOW + 1000) => ({ text, untilMs });

      it('are replaced by one of those who expect the same text', async () => {
        const [mine, theirs] = [valuesOf(here), valuesOf(there)];
        expect(await mine.read('lease', NOW)).toBeUndefined();
        const first = [
          mine.replace('lease', undefined, until('a'), NOW),
          theirs.replace('lease', undefined, until('b'), NOW),
        ];
        expect((await Promise.all(first)).filter(Boolean)).toHaveLength(1);
        const text = await theirs.read('lease', NOW);
        const second = [
          mine.replace('lease', text, until('c'), NOW),
          theirs.replace('lease', text, until('d'), NOW),
        ];
        expect((await Promise.all(second)).filter(Boolean)).toHaveLength(1);
        expect(await mine.replace('lease', 'x', until('e'), NOW)).toBe(false);
        expect(await mine.replace('other', 'x', until('e'), NOW)).toBe(false);
        expect(await theirs.read('lease', NOW)).toMatch(/^[cd]$/);
        expect(await theirs.read('other', NOW)).toBeUndefined();
      });

      it('end with their time', async () => {
        const isServer = name.includes('Redis'); // counts by itself
        const values = valuesOf(here);
        await values.replace('lease', undefined, until('a', isServer ? NOW + 1 : NOW + 10), NOW);
        if (isServer) while ((await values.read('lease', NOW)) !== undefined);
        expect(await values.read('lease', NOW + 10)).toBeUndefined();
        expect(await values.replace('lease', undefined, until('b', NOW + 100_000), NOW + 10)).toBe(true);
        expect(await values.read('lease', NOW + 11)).toBe('b');
      });
    });

    describe('beside the trail: the sessions of sign-ins at a provider', () => {
      const signIn = { issuer: 'https://id.example.com', sub: 'sub', sid: 'sid' };
      const token = { ...signIn, jti: 'one', issuedAtMs: NOW };
      const of = (store: SessionStore): ProviderSessions =>
        new ProviderSessions(valuesOf(store), new TestClock(NOW), async () => true);
      const session = (sessionHandle: string) => ({
        sessionHandle,
        untilMs: NOW + 100_000,
        authenticatedAtMs: undefined,
      });

      it('are found by both instances, whichever added them, and a sign-in that has ended gets no more', async () => {
        const [mine, theirs] = [of(here), of(there)];
        const handles = Array.from({ length: 16 }, (_, n) => `h-${n}`);
        const added = handles.map(async (handle, n) => (n % 2 ? mine : theirs).add(signIn, session(handle)));
        expect(await Promise.all(added)).not.toContain(false);
        expect(inOrder(await theirs.end({ ...token, sid: undefined }))).toEqual(inOrder(handles));
        expect(inOrder(await mine.end(token))).toEqual(inOrder(handles));
        expect(await theirs.add(signIn, session('late'))).toBe(false);
        const used = [mine.use(token, NOW + 100_000), theirs.use(token, NOW + 100_000)];
        expect((await Promise.all(used)).filter(Boolean)).toHaveLength(1);
        expect(await theirs.isUsed(token)).toBe(true);
      });

      it('leave no value behind whose time is over', async () => {
        if (name.includes('Redis')) return; // removes them by itself
        const values = valuesOf(here);
        for (let n = 0; n < 20; n++)
          await values.replace(`a-${n}`, undefined, { text: 'a', untilMs: NOW + 10 }, NOW);
        for (let n = 0; n < 20; n++)
          await values.replace(`A-${n}`, undefined, { text: 'b', untilMs: NOW + 99 }, NOW + 20);
        for (let n = 0; n < 20; n++) expect(await values.read(`a-${n}`, NOW)).toBeUndefined();
      });
    });

    describe('kept and removed', () => {
      it('keeps texts as they are, whatever is in them', async () => {
        const texts = [
          "robert'); DROP TABLE session_info;--",
          '<script>alert(1)</script>',
          '\u001b[31m\u202e\u0007',
          'null\0null, half an emoji \ud83d',
          '"}],"kind":"session.created"',
          '漢字 🎉',
        ];
        await here.insertSession(rowOf(1), note('session.created', { userAgent: texts.join('\n') }));
        for (const reason of texts)
          await trailOf(here).append([
            { ...note('session.theft-detected', { reason }), subject: { sessionHandle: 'handle-1' } },
          ]);
        const [first, ...others] = await readAll(there);
        expect(first).toMatchObject({ kind: 'session.created', userAgent: texts.join('\n') });
        expect(others.map(({ reason }) => reason)).toEqual(texts);
      });

      it('writes many records that belong to no change at once', async () => {
        const entries = Array.from({ length: 5000 }, (_, n) => ({
          ...note('delivery.failed', { delivery: 'hook', attempts: n }),
          subject: { sessionHandle: 'handle-1', tenantId: 'public', recipeUserId: 'user-1' },
        }));
        await trailOf(here).append(entries);
        await trailOf(here).append([]);
        const attempts = (await readAll(there)).map((record) => record.attempts);
        expect(attempts).toEqual(entries.map((_, n) => n));
      });

      it('removes what is kept no longer, in steps, and keeps the rest', async () => {
        const lifeOf = (n: number): number => (n % 3 === 0 ? NOW + 9000 : NOW + 10);
        for (let n = 0; n < 30; n++) {
          const kind = n % 3 === 0 ? 'session.revoked' : 'session.promoted';
          const subject = { sessionHandle: `handle-${n}`, tenantId: 'public' };
          await trailOf(here).append([{ ...note(kind, {}, lifeOf(n)), subject }]);
        }
        const sweep = async (nowMs: number): Promise<void> => {
          while ((await trailOf(there).sweep(nowMs, 7)).mayHaveMore);
        };
        await sweep(NOW + 9);
        expect(await readAll(here)).toHaveLength(30);
        await sweep(NOW + 10);
        expect(kindsOf(await readAll(here))).toEqual(Array.from({ length: 10 }, () => 'session.revoked'));
        await sweep(NOW + 9000);
        expect(await readAll(here)).toEqual([]);
        await here.insertSession(rowOf(1), CREATED);
        expect(await readAll(there)).toHaveLength(1);
      });
    });
  });
}
