import { afterAll, describe, expect, it } from '@jest/globals';
import { postgresStore } from '../../lib/stores/postgres.store.js';
import { create, kidOf, refresh, verify } from '../support/core-calls.js';
import {
  ACCESS_VALIDITY_SEC,
  DYNAMIC_TEST_KEY_CREATED_AT_MS,
  DYNAMIC_TEST_KID,
  embeddedCoreOn,
  seededMemoryStore,
  seedSigningKeys,
  TEST_START_MS,
} from '../support/embedded.js';
import { startPostgres } from '../support/postgres.js';

const postgres = await startPostgres();
afterAll(() => postgres.stop());

const WEEK_MS = 604_800_000;

async function twoInstances() {
  const store = await seededMemoryStore();
  const { core: a, clock } = embeddedCoreOn(store);
  const { core: b } = embeddedCoreOn(store, {}, clock);
  await Promise.all([a.start(), b.start()]);
  const close = () => Promise.all([a.close(), b.close()]);
  return { a, b, clock, store, close };
}

describe('a signing key that was removed from the store', () => {
  it('stops verifying on an instance that is asked for the JWKS (S019)', async () => {
    const { a, b, store, close } = await twoInstances();
    const { accessToken } = await create(a);
    await store.deleteDynamicKeys(TEST_START_MS);
    expect(await verify(b, accessToken.token)).toMatchObject({ status: 'OK' });
    await b.getJwks();
    expect(await verify(b, accessToken.token)).toMatchObject({ status: 'TRY_REFRESH_TOKEN' });
    await close();
  });

  it('stops verifying on an instance that sees a token of the successor (S019)', async () => {
    const { a, b, clock, store, close } = await twoInstances();
    const { accessToken } = await create(a);
    await store.deleteDynamicKeys(TEST_START_MS);
    const { core: restarted } = embeddedCoreOn(store, {}, clock);
    const young = await create(restarted);
    expect(await verify(b, young.accessToken.token)).toMatchObject({ status: 'OK' });
    expect(await verify(b, accessToken.token)).toMatchObject({ status: 'TRY_REFRESH_TOKEN' });
    await close();
  });

  it('stops at the latest with the first token that is judged when the known keys are older than a minute (S019)', async () => {
    const { a, b, clock, store, close } = await twoInstances();
    await store.deleteDynamicKeys(TEST_START_MS);
    clock.advance(DYNAMIC_TEST_KEY_CREATED_AT_MS + WEEK_MS - 60_000 - TEST_START_MS);
    const { accessToken } = await create(a);
    expect(kidOf(accessToken.token)).toBe(DYNAMIC_TEST_KID);
    expect(await verify(b, accessToken.token)).toMatchObject({ status: 'TRY_REFRESH_TOKEN' });
    await close();
  });
});

describe('a session that another instance revoked', () => {
  it('is refused at once with checkDatabase, without it when its access token has expired (S047)', async () => {
    const { a, b, clock, close } = await twoInstances();
    const { session, accessToken, refreshToken } = await create(a);
    await a.revokeSessions([session.handle]);
    expect(await verify(b, accessToken.token, { checkDatabase: true })).toMatchObject({
      status: 'UNAUTHORISED',
    });
    expect(await refresh(b, refreshToken.token)).toMatchObject({ status: 'UNAUTHORISED' });
    clock.advance(ACCESS_VALIDITY_SEC * 1000 - 1000);
    expect(await verify(b, accessToken.token)).toMatchObject({ status: 'OK' });
    clock.advance(1001);
    expect(await verify(b, accessToken.token)).toMatchObject({ status: 'TRY_REFRESH_TOKEN' });
    await close();
  });
});

describe('1,000 sessions that another instance revoked', () => {
  it('are all refused at once where the store is asked, and elsewhere by the end of their access tokens (S047)', async () => {
    const { a, b, clock, close } = await twoInstances();
    const made = await Promise.all(Array.from({ length: 1000 }, () => create(a)));
    const refused = async (checkDatabase: boolean): Promise<number> => {
      const responses = await Promise.all(
        made.map(({ accessToken }) => verify(b, accessToken.token, { checkDatabase })),
      );
      return responses.filter(({ status }) => status !== 'OK').length;
    };
    expect([await refused(true), await refused(false)]).toEqual([0, 0]);
    for (const { session } of made) expect(await a.revokeSessions([session.handle])).toHaveLength(1);
    expect([await refused(true), await refused(false)]).toEqual([1000, 0]);
    clock.advance(ACCESS_VALIDITY_SEC * 1000);
    expect(await refused(false)).toBe(0);
    clock.advance(1000);
    expect(await refused(false)).toBe(1000);
    const renewed = await Promise.all(made.map(({ refreshToken }) => refresh(b, refreshToken.token)));
    expect(renewed.filter(({ status }) => status === 'OK')).toEqual([]);
    await close();
  });
});

postgres.describe('revoking all sessions of a user on PostgreSQL', () => {
  it('ends all 1,000 from before the call while 100 logins go on at another instance (S050)', async () => {
    const schema = postgres.freshSchema();
    const pool = postgres.pool();
    const { core: a, store } = embeddedCoreOn(postgresStore(pool, { schema }));
    await seedSigningKeys(store);
    const { core: b } = embeddedCoreOn(postgresStore(pool, { schema }));
    const before: Awaited<ReturnType<typeof create>>[] = [];
    for (let part = 0; part < 20; part++) {
      before.push(...(await Promise.all(Array.from({ length: 50 }, () => create(a)))));
    }
    const user = { userId: 'user-1', tenantId: undefined, includeLinkedAccounts: false };
    const [revoked, during] = await Promise.all([
      a.revokeSessionsOfUser(user),
      Promise.all(Array.from({ length: 100 }, () => create(b))),
    ]);
    const left = await b.getSessionHandlesOfUser(user);
    const handlesBefore = before.map(({ session }) => session.handle);
    expect(left.filter((handle) => handlesBefore.includes(handle))).toEqual([]);
    expect(revoked).toEqual(expect.arrayContaining(handlesBefore));
    // A login that meets the call is ended and said so, or stays: nothing in between.
    const handlesDuring = during.map(({ session }) => session.handle);
    expect([...revoked, ...left].sort()).toEqual([...handlesBefore, ...handlesDuring].sort());
  });
});
