import { describe, expect, it } from '@jest/globals';
import { CoreBadInputError, type SessionModuleOptions } from 'nest-sessions';
import type { FindSessionsInput } from 'nest-sessions/core';
import { remoteCore } from '../../lib/core/remote/http-core-client.js';
import type { MemoryStore } from '../../lib/stores/memory.store.js';
import { SessionStore } from '../../lib/stores/session-store.js';
import { TestClock } from '../../lib/testing/test-clock.js';
import { writeCursor } from '../../lib/util/session-cursor.js';
import { closeAfterTest } from '../support/close-after-test.js';
import { seededMemoryStore, TEST_START_MS } from '../support/embedded.js';
import { FakeCore } from '../support/fake-core.js';
import { startServedCore } from '../support/served-core.js';
import { TestApplication } from '../support/test-application.js';

const API_KEY = 'a-key-of-twenty-letters';
const LINKED = {
  getPrimaryUserId: (id: string) => id.split('/')[0] ?? id,
  getLinkedRecipeUserIds: (id: string) => [id, `${id}/google`],
};

/** An application with the engine in it, or on a served core. */
async function application(kind: string, options: Partial<SessionModuleOptions> = {}) {
  const clock = new TestClock(TEST_START_MS);
  const store = await seededMemoryStore();
  const starter = TestApplication.withoutServer().clock(clock).with(options);
  if (kind === 'in this process') {
    const { sessions } = await starter.store(store).engine({ accountLinking: LINKED }).start();
    return { clock, store, sessions };
  }
  const core = await startServedCore({
    clock,
    options: { apiKeys: [API_KEY] },
    coreOptions: { store, accountLinking: LINKED },
  });
  closeAfterTest(core.close);
  const { sessions } = await starter
    .with({ core: remoteCore({ connectionURI: core.uri, apiKey: API_KEY }) })
    .start();
  return { clock, store, sessions, core };
}
type Application = Awaited<ReturnType<typeof application>>;

/** Signs users in, one each second; the last one is the newest. */
async function signIn({ sessions, clock }: Application, ...logins: { userId?: string; tenantId?: string }[]) {
  const handles: string[] = [];
  for (const { userId = 'user-1', tenantId = 'public' } of logins) {
    clock.advance(1000);
    const session = await sessions.createNewSessionWithoutRequestResponse({
      userId,
      tenantId,
      accessTokenPayload: { plan: 'pro' },
      sessionDataInDatabase: { cart: 3 },
    });
    handles.push(session.getHandle());
  }
  return handles.toReversed();
}

async function find({ sessions }: Application, input: FindSessionsInput = {}) {
  const page = await sessions.findSessions(input);
  return { ...page, handles: page.sessions.map(({ sessionHandle }) => sessionHandle) };
}

describe.each(['in this process', 'at a served core'])('sessions of everybody, found %s', (kind) => {
  it('have the shape that one has by its handle, the newest first', async () => {
    const app = await application(kind);
    const handles = await signIn(app, {}, { tenantId: 't1' }, { userId: 'user-2' });
    const { sessions, handles: found, nextCursor } = await find(app);
    expect([found, nextCursor]).toEqual([handles, undefined]);
    for (const session of sessions)
      expect(session).toEqual(await app.sessions.getSessionInformation(session.sessionHandle));
    expect(await app.sessions.countSessions()).toEqual({ count: 3, hasMore: false });
  });

  it('come in pages whose cursor goes on although sessions begin and end meanwhile', async () => {
    const app = await application(kind);
    const handles = await signIn(app, ...Array.from({ length: 7 }, () => ({})));
    const first = await find(app, { limit: 3 });
    await signIn(app, {}, {});
    await app.sessions.revokeMultipleSessions([handles[2] ?? '', handles[3] ?? '']);
    const second = await find(app, { limit: 3, cursor: first.nextCursor ?? '' });
    expect([first.handles, second.handles]).toEqual([handles.slice(0, 3), handles.slice(4)]);
    expect(second.nextCursor).toBeUndefined();
    expect(first.nextCursor).toMatch(/^[\w-]+$/);
  });

  it('are those of a tenant, of a user with the linked accounts, and of a time', async () => {
    const app = await application(kind);
    const [d, c, b, a] = await signIn(
      app,
      { userId: 'user-1' },
      { userId: 'user-1/google', tenantId: 't1' },
      { userId: 'user-2', tenantId: 't1' },
      { userId: 'user-2' },
    );
    const cases: [FindSessionsInput, (string | undefined)[]][] = [
      [{ tenantId: 't1' }, [c, b]],
      [{ tenantId: 'public' }, [d, a]],
      [{ tenantId: 't9' }, []],
      [{ userId: 'user-1' }, [b, a]],
      [{ userId: 'user-2', tenantId: 't1' }, [c]],
      [{ userId: 'user-9' }, []],
      [{ createdAfter: new Date(app.clock.now() - 1000) }, [d, c]],
      [{ createdAfter: new Date(app.clock.now() - 1000), tenantId: 't1' }, [c]],
      [{ createdAfter: new Date(app.clock.now() + 1) }, []],
    ];
    for (const [input, handles] of cases) {
      expect((await find(app, input)).handles).toEqual(handles);
      expect(await app.sessions.countSessions(input)).toEqual({ count: handles.length, hasMore: false });
    }
  });

  it('are not those that have expired, to the millisecond', async () => {
    const app = await application(kind);
    const [newer, older] = await signIn(app, {}, {});
    const { expiry = 0 } = (await app.sessions.getSessionInformation(older ?? '')) ?? {};
    app.clock.advance(expiry - app.clock.now() - 1);
    expect((await find(app)).handles).toEqual([newer, older]);
    app.clock.advance(1);
    expect((await find(app)).handles).toEqual([newer]);
    expect(await app.sessions.countSessions()).toEqual({ count: 1, hasMore: false });
  });

  it('are counted up to a number, and then it is said that there are more', async () => {
    const app = await application(kind);
    await signIn(app, {}, {}, {});
    expect(await app.sessions.countSessions({ upTo: 2 })).toEqual({ count: 2, hasMore: true });
    expect(await app.sessions.countSessions({ upTo: 3 })).toEqual({ count: 3, hasMore: false });
  });

  it.each([
    '',
    'x',
    '../../etc',
    "' OR 1=1 --",
    'bnVsbA',
    'x'.repeat(2000),
    Buffer.from('[1,"public"]').toString('base64url'),
    Buffer.from('["1","public","h"]').toString('base64url'),
    Buffer.from('[1,"public","h",2]').toString('base64url'),
    Buffer.from('[1,"pub\\u0000lic","h"]').toString('base64url'),
    Buffer.from('[9e999,"public","h"]').toString('base64url'),
  ])('are refused for the cursor %j, with what to pass instead', async (cursor) => {
    const app = await application(kind);
    const failure = app.sessions.findSessions({ cursor });
    await expect(failure).rejects.toBeInstanceOf(CoreBadInputError);
    await expect(failure).rejects.toThrow(/^cursor: this is none. Pass the nextCursor/);
  });

  it('are found by a cursor of a session that never was', async () => {
    const app = await application(kind);
    const handles = await signIn(app, {}, {}, {});
    const place = { createdAtMs: app.clock.now() - 1000, tenantId: 'zz', sessionHandle: '~' };
    expect((await find(app, { cursor: writeCursor(place) })).handles).toEqual(handles.slice(1));
  });

  it('that were used lately are found by what the option devices keeps', async () => {
    const app = await application(kind, { devices: { ip: 'off' } });
    const handles = await signIn(app, ...Array.from({ length: 6 }, () => ({})));
    app.clock.advance(10_000);
    const since = new Date(app.clock.now());
    for (const sessionHandle of [handles[1], handles[4], handles[5]])
      await use(app.store, sessionHandle, since);
    const first = await find(app, { lastSeenAfter: since, limit: 2 });
    expect(first.handles).toEqual([handles[1], handles[4]]);
    const second = await find(app, { lastSeenAfter: since, limit: 2, cursor: first.nextCursor ?? '' });
    expect([second.handles, second.nextCursor]).toEqual([[handles[5]], undefined]);
    expect(await app.sessions.countSessions({ lastSeenAfter: since })).toEqual({ count: 3, hasMore: false });
  });
});

describe('a search for sessions that were used lately', () => {
  it('reads a thousand sessions for one page, and says where the next one goes on', async () => {
    const app = await application('in this process', { devices: { ip: 'off' } });
    const [handle = ''] = await signIn(app, {});
    const row = await app.store.findSession({ tenantId: 'public', sessionHandle: handle });
    if (row === undefined) throw new Error('The session is there');
    for (let n = 0; n < 1500; n++) {
      const createdAtMs = row.createdAtMs + 1 + n;
      await app.store.insertSession({ ...row, sessionHandle: `h-${n}`, createdAtMs });
    }
    const since = new Date(app.clock.now() + 60_000);
    await use(app.store, handle, since);
    const first = await find(app, { lastSeenAfter: since });
    expect(first.handles).toEqual([]);
    const second = await find(app, { lastSeenAfter: since, cursor: first.nextCursor ?? '' });
    expect([second.handles, second.nextCursor]).toEqual([[handle], undefined]);
  });

  it('needs the option devices', async () => {
    const { sessions } = await application('in this process');
    for (const name of ['findSessions', 'countSessions'] as const) {
      await expect(sessions[name]({ lastSeenAfter: new Date() })).rejects.toThrow(
        /^lastSeenAfter: only the option devices keeps/,
      );
    }
  });
});

describe('a search with a wrong argument', () => {
  it.each<[object, string]>([
    [{ limit: 0 }, 'limit'],
    [{ limit: 501 }, 'limit'],
    [{ limit: 1.5 }, 'limit'],
    [{ limit: '50' }, 'limit'],
    [{ cursor: 7 }, 'cursor'],
    [{ userId: '' }, 'userId'],
    [{ tenantId: '' }, 'tenantId'],
    [{ createdAfter: 'yesterday' }, 'createdAfter'],
    [{ createdAfter: new Date(Number.NaN) }, 'createdAfter'],
    [{ lastSeenAfter: 1 }, 'lastSeenAfter'],
    [{ tenant: 't1' }, 'tenant'],
  ])('is refused: %j', async (input, name) => {
    const { sessions } = await application('in this process');
    await expect(sessions.findSessions(input)).rejects.toThrow(new RegExp(`^findSessions: .*${name}`));
    await expect(sessions.findSessions(input)).rejects.toThrow(TypeError);
    await expect(sessions.countSessions({ upTo: 0 })).rejects.toThrow(/^countSessions: upTo/);
  });
});

describe('a core that cannot list sessions', () => {
  it('is refused with the reason: the CDI of a SuperTokens Core has no such call', async () => {
    const core = await FakeCore.start();
    closeAfterTest(async () => core.kill());
    const { sessions } = await TestApplication.withoutServer()
      .with({ core: remoteCore({ connectionURI: core.uri }) })
      .start();
    for (const name of ['findSessions', 'countSessions'] as const) {
      const failure: Promise<unknown> = sessions[name]();
      await expect(failure).rejects.toBeInstanceOf(CoreBadInputError);
      await expect(failure).rejects.toThrow(/the CDI of a SuperTokens Core has no such call/);
    }
  });

  it('is one whose store has no index', async () => {
    const store = await seededMemoryStore();
    const without = Object.assign(store, {
      searchSessions: SessionStore.prototype.searchSessions,
      countSessions: SessionStore.prototype.countSessions,
    });
    const { sessions } = await TestApplication.withoutServer().store(without).start();
    for (const name of ['findSessions', 'countSessions'] as const) {
      const failure: Promise<unknown> = sessions[name]();
      await expect(failure).rejects.toBeInstanceOf(CoreBadInputError);
      await expect(failure).rejects.toThrow(/finds sessions by handle and by user only/);
    }
  });
});

describe('the routes of a served core for lists', () => {
  const PATH = '/nest-sessions/sessions';
  const headers = { 'api-key': API_KEY };

  it('are for callers with a key alone', async () => {
    const { core } = await application('at a served core');
    for (const path of [PATH, `${PATH}/count`]) {
      expect((await core?.send({ path }))?.status).toBe(401);
      expect(await core?.send({ path, headers })).toMatchObject({ status: 200, json: { status: 'OK' } });
    }
  });

  it.each([
    'limit=0',
    'limit=501',
    'limit=x',
    'limit=',
    'after=x',
    'after=',
    'createdSinceMs=x',
    'createdSinceMs=',
    'createdSinceMs=1.5',
  ])('refuse %s', async (query) => {
    const { core } = await application('at a served core');
    expect((await core?.send({ path: `${PATH}?${query}`, headers }))?.status).toBe(400);
  });
});

async function use(store: MemoryStore, sessionHandle = '', at: Date): Promise<void> {
  const sessionData = JSON.stringify({ 'nest-sessions.device': { lastSeen: at.getTime() } });
  await store.update({ tenantId: 'public', sessionHandle }, {}, { sessionData });
}
