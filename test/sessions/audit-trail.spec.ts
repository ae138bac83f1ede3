import { describe, expect, it } from '@jest/globals';
import { CoreBadInputError, SessionConfigError, type SessionModuleOptions } from 'nest-sessions';
import { MemoryFeed, SessionStore, type AuditRecord } from 'nest-sessions/core';
import { remoteCore } from '../../lib/core/remote/http-core-client.js';
import type { MemoryStore } from '../../lib/stores/memory.store.js';
import { TestClock } from '../../lib/testing/test-clock.js';
import { embeddedCore, type EmbeddedCoreOptions } from '../../lib/core/embedded/embedded-core-options.js';
import { EmbeddedCore } from '../../lib/core/embedded/embedded-core.js';
import { CoreClient } from '../../lib/core/core-client.js';
import { closeAfterTest } from '../support/close-after-test.js';
import { seededMemoryStore, TEST_START_MS } from '../support/embedded.js';
import { startServedCore } from '../support/served-core.js';
import { TestApplication } from '../support/test-application.js';

const LINKED = {
  getPrimaryUserId: (id: string) => id.split('/')[0] ?? id,
  getLinkedRecipeUserIds: (id: string) => [id, `${id}/google`],
};
const DAY_SEC = 86_400;

interface Setting {
  readonly options?: Partial<SessionModuleOptions>;
  readonly engine?: Omit<EmbeddedCoreOptions, 'store'>;
  readonly store?: MemoryStore;
}

async function application({ options = {}, engine = {}, store }: Setting = {}) {
  const clock = new TestClock(TEST_START_MS);
  const kept = store ?? (await seededMemoryStore());
  const started = await TestApplication.withoutServer()
    .clock(clock)
    .with({ audit: true, ...options })
    .store(kept)
    .engine({ accountLinking: LINKED, ...engine })
    .start();
  const { sessions, app } = started;
  const core = app.get(CoreClient);
  if (!(core instanceof EmbeddedCore)) throw new Error('The core is none of this process');
  const signIn = async (userId = 'user-1', tenantId = 'public') =>
    sessions.createNewSessionWithoutRequestResponse({ userId, tenantId });
  const refresh = async (refreshToken: string) =>
    sessions.refreshSessionWithoutRequestResponse({ refreshToken });
  const use = async (accessToken: string) => sessions.getSessionWithoutRequestResponse({ accessToken });
  return { sessions, clock, store: kept, core, signIn, refresh, use };
}

const kindsOf = (records: readonly AuditRecord[]): string[] => records.map(({ kind }) => kind);

function tokensOf(session: {
  getAllSessionTokensDangerously(): { accessToken: string; refreshToken?: string | undefined };
}) {
  const { accessToken, refreshToken } = session.getAllSessionTokensDangerously();
  if (refreshToken === undefined) throw new Error('There is no refresh token');
  return { accessToken, refreshToken };
}

describe('the audit trail of an application', () => {
  it('tells the life of a session, with reason and initiator of its end', async () => {
    const { sessions, clock, signIn, refresh, use } = await application();
    const session = await signIn();
    const first = tokensOf(session);
    clock.advanceSeconds(10);
    const second = tokensOf(await refresh(first.refreshToken));
    await use(second.accessToken);
    clock.advanceSeconds(10);
    await sessions.mergeSessionDataInDatabase(session.getHandle(), { cart: 3, coupon: 'SECRET-COUPON' });
    await sessions.mergeIntoAccessTokenPayload(session.getHandle(), { role: 'SECRET-ROLE', plan: null });
    await sessions.revokeSession(session.getHandle(), undefined, {
      reason: 'stolen phone',
      initiator: 'support/7',
    });
    const { records } = await sessions.readAudit({ sessionHandle: session.getHandle() });
    const facts = { sessionHandle: session.getHandle(), tenantId: 'public', recipeUserId: 'user-1' };
    expect(records).toMatchObject([
      { ...facts, kind: 'session.created', userId: 'user-1', timeMs: TEST_START_MS },
      { ...facts, kind: 'session.promoted', timeMs: TEST_START_MS + 10_000 },
      { ...facts, kind: 'session.data-changed', names: ['cart', 'coupon'] },
      { ...facts, kind: 'session.payload-changed', names: ['role'] },
      {
        ...facts,
        kind: 'session.revoked',
        reason: 'stolen phone',
        initiator: 'support/7',
        timeMs: TEST_START_MS + 20_000,
      },
    ]);
    const text = JSON.stringify(records);
    for (const secret of ['SECRET', ...Object.values(first), ...Object.values(second)])
      expect(text).not.toContain(secret);
  });

  it('tells both branches of a theft, and the end that follows', async () => {
    const { sessions, clock, signIn, refresh, use } = await application();
    const stolen = tokensOf(await signIn());
    const next = tokensOf(await refresh(stolen.refreshToken));
    await use(next.accessToken);
    clock.advanceSeconds(60);
    await expect(refresh(stolen.refreshToken)).rejects.toMatchObject({ type: 'TOKEN_THEFT_DETECTED' });
    const { records } = await sessions.readAudit({});
    const [created, promoted, theft, revoked] = records;
    expect(kindsOf(records)).toEqual([
      'session.created',
      'session.promoted',
      'session.theft-detected',
      'session.revoked',
    ]);
    expect(theft?.presented).toEqual({ token: created?.token });
    expect(theft?.current).toEqual({
      token: promoted?.token,
      parent: created?.token,
      sinceMs: TEST_START_MS,
    });
    expect(revoked).toMatchObject({ reason: 'token-theft' });
  });

  it('keeps a session that no record of the theft could be written of, until one can', async () => {
    const { sessions, store, signIn, refresh, use } = await application();
    const stolen = tokensOf(await signIn());
    await use(tokensOf(await refresh(stolen.refreshToken)).accessToken);
    const { append } = store.audit;
    store.audit.append = async () => Promise.reject(new Error('The disk is full'));
    await expect(refresh(stolen.refreshToken)).rejects.toMatchObject({ name: 'CoreUnavailableError' });
    store.audit.append = append;
    await expect(refresh(stolen.refreshToken)).rejects.toMatchObject({ type: 'TOKEN_THEFT_DETECTED' });
    expect(kindsOf((await sessions.readAudit({ kinds: ['session.theft-detected'] })).records)).toHaveLength(
      1,
    );
  });

  it('has each session that expires once, from the sweep', async () => {
    const { sessions, clock, core, signIn } = await application({
      engine: { refreshTokenValiditySec: 7200 },
    });
    const session = await signIn();
    clock.advanceSeconds(7201);
    expect((await sessions.readAudit({ kinds: 'ended' })).records).toEqual([]);
    await core.sweepExpired();
    await core.sweepExpired();
    expect((await sessions.readAudit({ kinds: 'ended' })).records).toMatchObject([
      {
        kind: 'session.expired',
        sessionHandle: session.getHandle(),
        sessionCreatedAtMs: TEST_START_MS,
        sessionExpiresAtMs: TEST_START_MS + 7_200_000,
      },
    ]);
  });

  it('has the sessions of bulk ends, and why those of a cut-off ended', async () => {
    const { sessions, clock, core, signIn } = await application({
      options: { maxSessionsPerUser: { max: 1, whenExceeded: 'end-oldest' } },
    });
    await signIn('user-1');
    clock.advanceSeconds(1);
    await signIn('user-1');
    await signIn('user-2', 't1');
    await sessions.revokeAllSessionsForUser({ userId: 'user-1', reason: 'password changed' });
    clock.advanceSeconds(1);
    await sessions.revokeSessions({ tenantId: 't1', reason: 'breach', initiator: 'admin' });
    await core.sweepExpired();
    const { records } = await sessions.readAudit({ kinds: ['session.revoked', 'sessions.ended-before'] });
    expect(records.map(({ kind, recipeUserId, reason }) => [kind, recipeUserId, reason])).toEqual([
      ['session.revoked', 'user-1', 'session-limit'],
      ['session.revoked', 'user-1', 'password changed'],
      ['sessions.ended-before', undefined, 'breach'],
      ['session.revoked', 'user-2', 'ended-before'],
    ]);
    expect(records[2]).toMatchObject({
      tenantId: 't1',
      initiator: 'admin',
      createdBeforeMs: TEST_START_MS + 2000,
    });
  });

  it('is read by account, page by page, and from the newest on', async () => {
    const { sessions, clock, signIn } = await application();
    for (const userId of ['user-1', 'user-2', 'user-1/google']) {
      await signIn(userId);
      clock.advanceSeconds(1);
    }
    const of = async (input: Parameters<typeof sessions.readAudit>[0]) => {
      const { records, ...page } = await sessions.readAudit(input);
      return { ...page, logins: records.map(({ recipeUserId }) => recipeUserId) };
    };
    expect((await of({ userId: 'user-1' })).logins).toEqual(['user-1', 'user-1/google']);
    const newest = await of({ newestFirst: true, limit: 2 });
    expect(newest).toMatchObject({ logins: ['user-1/google', 'user-2'], mayHaveMore: true });
    const last = await of({ newestFirst: true, limit: 2, after: newest.next });
    expect(last).toEqual({ logins: ['user-1'], mayHaveMore: false });
    const { next } = await of({});
    expect((await of({ after: next })).logins).toEqual([]);
  });

  it('refuses what is no position, no kind and no number, and says what is expected', async () => {
    const { sessions } = await application();
    await expect(sessions.readAudit({ after: 'x' })).rejects.toThrow(CoreBadInputError);
    await expect(sessions.readAudit({ after: 'x' })).rejects.toThrow(/Pass the next of the page before/);
    await expect(sessions.readAudit(Object({ kinds: ['session.removed'] }))).rejects.toThrow(TypeError);
    await expect(sessions.readAudit({ limit: 1001 })).rejects.toThrow(TypeError);
  });

  it('keeps records as long as the options say, and those of ended sessions longer', async () => {
    const { sessions, clock, core, signIn } = await application({
      options: { audit: { keepForSec: DAY_SEC, keepEndedForSec: 3 * DAY_SEC } },
    });
    const session = await signIn();
    await sessions.revokeSession(session.getHandle());
    const kinds = async () => {
      await core.sweepExpired();
      return kindsOf((await sessions.readAudit()).records);
    };
    clock.advanceSeconds(DAY_SEC - 1);
    expect(await kinds()).toEqual(['session.created', 'session.revoked']);
    clock.advanceSeconds(1);
    expect(await kinds()).toEqual(['session.revoked']);
    clock.advanceSeconds(2 * DAY_SEC);
    expect(await kinds()).toEqual([]);
  });

  it('keeps a hostile reason as data, and refuses one that is too long', async () => {
    const { sessions, signIn } = await application();
    const hostile = '<script>alert(1)</script>\u001b[2J\u202e';
    await sessions.revokeSession((await signIn()).getHandle(), undefined, { reason: hostile });
    expect((await sessions.readAudit({ kinds: 'ended' })).records).toMatchObject([{ reason: hostile }]);
    const long = { reason: 'x'.repeat(1_000_000) };
    await expect(sessions.revokeSession('handle', undefined, long)).rejects.toThrow(TypeError);
    const names = Object.fromEntries(Array.from({ length: 1000 }, (_, n) => [`${n}`.repeat(200), n]));
    const session = await signIn();
    await sessions.mergeSessionDataInDatabase(session.getHandle(), names);
    const [changed] = (await sessions.readAudit({ kinds: ['session.data-changed'] })).records;
    expect(changed?.names).toHaveLength(64);
    expect(Math.max(...(changed?.names ?? []).map((name) => name.length))).toBe(128);
  });

  it('is silent about the uses that the option devices notes', async () => {
    const { sessions, signIn, clock, refresh } = await application({ options: { devices: {} } });
    const { refreshToken } = tokensOf(await signIn());
    clock.advanceSeconds(1000);
    await refresh(refreshToken);
    expect(kindsOf((await sessions.readAudit()).records)).toEqual(['session.created']);
  });
});

describe('without the option audit', () => {
  it('no record is written, and a read says what to do', async () => {
    const { sessions, store, signIn } = await application({ options: { audit: false } });
    await sessions.revokeSession((await signIn()).getHandle());
    expect((await store.audit.read({ newestFirst: false, after: undefined, limit: 10 })).records).toEqual([]);
    await expect(sessions.readAudit()).rejects.toThrow(/set the option audit/);
  });
});

describe('a core that can keep no audit trail', () => {
  const refusal = async (core: NonNullable<SessionModuleOptions['core']>): Promise<unknown> =>
    TestApplication.withoutServer()
      .with({ audit: true, core })
      .start()
      .catch((error: unknown) => error);

  it('is refused at the start: a remote one, whose own changes would be missed', async () => {
    const error = await refusal(remoteCore({ connectionURI: 'http://localhost:1' }));
    expect(error).toBeInstanceOf(SessionConfigError);
    expect(error).toMatchObject({ message: expect.stringContaining('A SuperTokens Core cannot') });
  });

  it('is refused at the start: one on a store that has none', async () => {
    const store = await seededMemoryStore();
    Object.defineProperty(store, 'audit', { value: undefined });
    expect(store).toBeInstanceOf(SessionStore);
    expect(await refusal(embeddedCore({ store }))).toBeInstanceOf(SessionConfigError);
  });
});

describe('a served core with the option audit', () => {
  it('writes what its clients do, for a module on the same store to read', async () => {
    const { sessions, store, clock } = await application();
    const served = await startServedCore({ clock, options: { audit: true }, coreOptions: { store } });
    closeAfterTest(served.close);
    const client = await TestApplication.withoutServer()
      .clock(clock)
      .with({ core: remoteCore({ connectionURI: served.uri }), revocationFeed: { feed: new MemoryFeed() } })
      .start();
    const session = await client.sessions.createNewSessionWithoutRequestResponse({ userId: 'user-9' });
    await client.sessions.revokeSession(session.getHandle());
    expect(kindsOf((await sessions.readAudit({ userId: 'user-9' })).records)).toEqual([
      'session.created',
      'session.revoked',
    ]);
  });
});
