import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { CoreUnavailableError, StoreFullError } from '../../lib/errors.js';
import type { SessionRow } from '../../lib/stores/session-store.js';
import { MemoryStore, memoryStore } from '../../lib/stores/memory.store.js';
import { create, verify } from '../support/core-calls.js';
import { embeddedCoreOn, seedSigningKeys } from '../support/embedded.js';
import { MemoryFeed } from '../../lib/feed/memory-feed.js';
import { describeRevocationFeed } from './revocation-feed.contract.js';
import { describeSessionSearch } from './session-search.contract.js';
import { describeSessionStore } from './session-store.contract.js';

describeSessionStore('in memory', async () => memoryStore());
describeSessionSearch('in memory', async () => memoryStore());
describeRevocationFeed('in memory', async () => {
  const feed = new MemoryFeed();
  return { here: feed, there: feed, close: async () => {} };
});

const NOW = 1_760_000_000_000;
const rowOf = (n: number, expiresAtMs = NOW + 1000): SessionRow => ({
  tenantId: 'public',
  sessionHandle: `handle-${n}`,
  userId: `user-${n % 1000}`,
  refreshTokenHash2: 'a'.repeat(64),
  sessionData: '{}',
  accessTokenPayload: '{}',
  expiresAtMs,
  createdAtMs: NOW,
  useStaticKey: false,
  prevRefreshTokenHash2: undefined,
  rotatedAtMs: undefined,
});

describe('the memory of the memory store', () => {
  afterEach(() => {
    jest.useRealTimers();
  });

  it('is bounded: one session too many is refused, and nobody is signed out for it (S091)', async () => {
    const store = new MemoryStore({ maxSessions: 3 });
    for (let n = 0; n < 3; n++) await store.insertSession(rowOf(n));
    await expect(store.insertSession(rowOf(3))).rejects.toThrow(/maxSessions/);
    expect(store.size).toBe(3);
    await store.deleteSessions([rowOf(0)]);
    await store.insertSession(rowOf(3));
    expect(store.size).toBe(3);
  });

  it('makes room by removing what has expired (S091)', async () => {
    const store = new MemoryStore({ maxSessions: 3 });
    await store.insertSession(rowOf(0, NOW));
    await store.insertSession(rowOf(1, NOW + 1));
    await store.insertSession(rowOf(2, NOW - 1));
    await store.insertSession(rowOf(3));
    expect(store.size).toBe(2);
  });

  it('says to the engine that it is full, which is a 503 and no outage (S091 S096)', async () => {
    const store = new MemoryStore({ maxSessions: 1 });
    await seedSigningKeys(store);
    const { core, events } = embeddedCoreOn(store);
    const { accessToken } = await create(core);
    const failure = await create(core).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(StoreFullError);
    expect(failure).toBeInstanceOf(CoreUnavailableError);
    expect(failure).toMatchObject({ message: expect.stringContaining('maxSessions') });
    expect(events).toEqual([]);
    expect(await verify(core, accessToken.token, { checkDatabase: true })).toMatchObject({ status: 'OK' });
  });

  it.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])('cannot be bounded by %d', (maxSessions) => {
    expect(() => memoryStore({ maxSessions })).toThrow(TypeError);
  });

  it('refuses an option that there is not, and says which may be meant', () => {
    expect(() => memoryStore(Object({ maxSession: 5 }))).toThrow(
      new TypeError('memoryStore: maxSession: there is no such option; did you mean maxSessions?'),
    );
    expect(() => Reflect.apply(memoryStore, undefined, [null])).toThrow(TypeError);
    expect(() => memoryStore(Object({ maxSession: undefined, maxSessions: undefined }))).not.toThrow();
  });

  it('has no timer, however many sessions there are (S091)', async () => {
    jest.useFakeTimers();
    const store = new MemoryStore();
    for (let n = 0; n < 1000; n++) await store.insertSession(rowOf(n));
    expect(jest.getTimerCount()).toBe(0);
  });

  it('keeps nothing of users whose sessions are gone (S091)', async () => {
    const store = new MemoryStore();
    for (let n = 0; n < 1000; n++) await store.insertSession(rowOf(n));
    await store.deleteSessions(Array.from({ length: 1000 }, (_, n) => rowOf(n)));
    const { handlesByUser } = store as unknown as { handlesByUser: Map<string, unknown> };
    expect(store.size).toBe(0);
    expect(handlesByUser.size).toBe(0);
  });

  it('holds 1,000,000 sessions unless it is told otherwise (S091)', () => {
    const { maxSessions } = new MemoryStore() as unknown as { maxSessions: number };
    expect(maxSessions).toBe(1_000_000);
  });

  it('that is full makes room, and sweeps the expired half of its sessions in steps (S091)', async () => {
    const max = 20_000;
    const store = new MemoryStore({ maxSessions: max });
    for (let n = 0; n < max; n++) await store.insertSession(rowOf(n, n % 2 === 0 ? NOW : NOW + 1000));
    await expect(store.insertSession(rowOf(max, NOW + 1000))).resolves.toBeUndefined();
    expect(store.size).toBe(max / 2 + 1);
    for (let mayHaveMore = true, before = store.size; mayHaveMore; before = store.size) {
      ({ mayHaveMore } = await store.deleteExpiredSessions(NOW + 1000, 5000));
      expect(before - store.size).toBeLessThanOrEqual(5000);
    }
    expect(store.size).toBe(0);
  });
});

describe('sweeping the memory store while it is in use', () => {
  it('misses no row that was there at its beginning, whatever is written meanwhile', async () => {
    const store = new MemoryStore();
    for (let n = 0; n < 100; n++) await store.insertSession(rowOf(n, n % 2 === 0 ? NOW : NOW + 1000));
    let n = 100;
    for (let mayHaveMore = true; mayHaveMore; n++) {
      ({ mayHaveMore } = await store.deleteExpiredSessions(NOW, 7));
      if (n < 120) await store.insertSession(rowOf(n));
      await store.update(rowOf(n % 50), { minExpiresAtMs: NOW + 1 }, { sessionData: '{"n":1}' });
      await store.deleteSessions([rowOf(2 * (n % 40) + 1)]);
    }
    const left = await store.findSessionHandlesOfUsers({
      userIds: Array.from({ length: 200 }, (_, user) => `user-${user}`),
      tenantId: undefined,
      nowMs: 0,
    });
    for (const handle of left)
      expect(Number(handle.slice(7)) % 2 === 1 || Number(handle.slice(7)) >= 100).toBe(true);
  });
});
