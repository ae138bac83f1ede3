import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { create, refresh, refreshed, verify } from '../../support/core-calls.js';
import { embeddedCoreOn, seededMemoryStore, seedSigningKeys, type TestCore } from '../../support/embedded.js';
import { until } from '../../support/fake-core.js';
import { interceptedStore } from '../../support/intercepted-store.js';
import { CoreUnavailableError } from '../../../lib/errors.js';
import type { EmbeddedCore } from '../../../lib/core/embedded/embedded-core.js';
import type { EmbeddedCoreOptions } from '../../../lib/core/embedded/embedded-core-config.js';
import type { SessionStore } from '../../../lib/stores/session-store.js';
import { loadDriver, sqliteStore } from '../../../lib/stores/sqlite.store.js';

const HOUR_MS = 3_600_000;
const CLOSED = new CoreUnavailableError('The core was closed');

/** An engine on a store that notes its calls, and returns from those that are held only when they are let go. */
async function watchedEngine(options: EmbeddedCoreOptions = {}, inner?: SessionStore) {
  const calls: string[] = [];
  const held = new Set<string>();
  const waiting: (() => void)[] = [];
  const store = interceptedStore(inner ?? (await seededMemoryStore()), async (name, call) => {
    calls.push(name);
    if (held.has(name)) await new Promise<void>((resolve) => waiting.push(resolve));
    return call();
  });
  const letGo = (): void => {
    held.clear();
    for (const resolve of waiting.splice(0)) resolve();
  };
  return { ...embeddedCoreOn(store, options), calls, held, letGo };
}

/** Long enough for everything that waits for nothing. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await nextTurn();
}

/** Whether a promise has settled by now. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  const note = (): void => void (settled = true);
  void promise.then(note, note);
  await turns();
  return settled;
}

const NEEDING_THE_STORE: Record<
  string,
  (engine: Pick<TestCore, 'core'>, tokens: Tokens) => Promise<unknown>
> = {
  createSession: ({ core }) => create(core),
  verifySession: ({ core }, { accessToken }) => verify(core, accessToken, { checkDatabase: true }),
  refreshSession: ({ core }, { refreshToken }) => refresh(core, refreshToken),
  regenerateAccessToken: ({ core }, { accessToken }) =>
    core.regenerateAccessToken({ accessToken, userDataInJWT: { a: 1 } }),
  getSessionInformation: ({ core }, { handle }) => core.getSessionInformation(handle),
  getSessionHandlesOfUser: ({ core }) => core.getSessionHandlesOfUser(OF_USER),
  revokeSessions: ({ core }, { handle }) => core.revokeSessions([handle]),
  revokeSessionsOfUser: ({ core }) => core.revokeSessionsOfUser(OF_USER),
  updateSessionData: ({ core }, { handle }) => core.updateSessionData(handle, {}),
  mergeSessionData: ({ core }, { handle }) => core.mergeSessionData(handle, {}),
  updateAccessTokenPayload: ({ core }, { handle }) => core.updateAccessTokenPayload(handle, {}),
  reloadSigningKeys: ({ core }) => core.reloadSigningKeys(),
  sweepExpired: ({ core }) => core.sweepExpired(),
};
const OF_USER = { userId: 'user-1', tenantId: undefined, includeLinkedAccounts: true };

interface Tokens {
  readonly accessToken: string;
  readonly refreshToken: string;
  readonly handle: string;
}

async function tokensOf({ core }: Pick<TestCore, 'core'>): Promise<Tokens> {
  const { session, accessToken, refreshToken } = await create(core);
  return { handle: session.handle, accessToken: accessToken.token, refreshToken: refreshToken.token };
}

describe('a closed engine (S086)', () => {
  it.each(Object.entries(NEEDING_THE_STORE))(
    'refuses %s as unavailable, does not touch its store, and tells of no outage',
    async (_name, call) => {
      const engine = await watchedEngine();
      await engine.core.start();
      const tokens = await tokensOf(engine);
      await engine.core.close();
      engine.calls.length = 0;
      await expect(call(engine, tokens)).rejects.toThrow(CLOSED);
      expect(engine.calls).toEqual([]);
      expect(engine.events).toEqual([]);
    },
  );

  it('still proves tokens, for which it needs no store, and touches none when their key is due', async () => {
    const engine = await watchedEngine();
    await engine.core.start();
    const { accessToken } = await tokensOf(engine);
    await engine.core.close();
    engine.calls.length = 0;
    expect(await verify(engine.core, accessToken)).toMatchObject({ status: 'OK' });
    engine.clock.advance(24 * 7 * HOUR_MS);
    expect(await verify(engine.core, accessToken)).toMatchObject({ status: 'TRY_REFRESH_TOKEN' });
    await turns();
    expect(engine.calls).toEqual([]);
  });

  it('is closed once, however often it is told to', async () => {
    const engine = await watchedEngine();
    await engine.core.start();
    await Promise.all([engine.core.close(), engine.core.close()]);
    await engine.core.close();
    expect(engine.calls.filter((name) => name === 'close')).toHaveLength(1);
  });

  it('serves again when it is started again, at the earliest when it is closed', async () => {
    const engine = await watchedEngine();
    await engine.core.start();
    engine.held.add('close');
    const closing = engine.core.close();
    const starting = engine.core.start();
    expect(await isSettled(starting)).toBe(false);
    await expect(create(engine.core)).rejects.toThrow(CLOSED);
    engine.letGo();
    await Promise.all([closing, starting]);
    await expect(create(engine.core)).resolves.toMatchObject({ session: { userId: 'user-1' } });
    await engine.core.close();
  });

  it('does what it was told last, when it is told to close, to start and to close at once', async () => {
    const engine = await watchedEngine();
    await engine.core.start();
    const first = engine.core.close();
    const starting = engine.core.start().catch((error: unknown) => error);
    await Promise.all([first, engine.core.close()]);
    expect(await starting).toEqual(CLOSED);
    await expect(create(engine.core)).rejects.toThrow(CLOSED);
    expect(engine.calls.filter((name) => name === 'close')).toHaveLength(1);
  });

  it('does what it was told last, when it is told to close and to start twice over', async () => {
    const engine = await watchedEngine();
    await engine.core.start();
    const first = engine.core.close();
    const refused = engine.core.start().catch((error: unknown) => error);
    const second = engine.core.close();
    await Promise.all([first, second, engine.core.start()]);
    expect(await refused).toEqual(CLOSED);
    await expect(create(engine.core)).resolves.toMatchObject({ session: { userId: 'user-1' } });
    await engine.core.close();
  });
});

describe('closing an engine (S086)', () => {
  it('waits for what a request has asked of the store, and refuses what it would ask next', async () => {
    const engine = await watchedEngine();
    await engine.core.start();
    const { refreshToken } = await tokensOf(engine);
    const second = await refreshed(engine.core, refreshToken);
    const third = await refreshed(engine.core, second.refreshToken.token);
    await refreshed(engine.core, third.refreshToken.token);
    engine.held.add('update refreshTokenHash2');
    engine.calls.length = 0;
    // Its refresh token was current once: there is nothing to promote, so that the request looks at the session next.
    const outcome = verify(engine.core, second.accessToken.token).catch((error: unknown) => error);
    await until(() => engine.calls.includes('update refreshTokenHash2'));
    const closing = engine.core.close();
    expect(await isSettled(closing)).toBe(false);
    engine.letGo();
    await closing;
    expect(await outcome).toEqual(CLOSED);
    expect(engine.calls).toEqual(['update refreshTokenHash2', 'close']);
  });

  describe('while a timer is at work', () => {
    beforeEach(() => {
      jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] });
    });
    afterEach(() => {
      jest.useRealTimers();
    });

    it.each([
      ['reads the keys', 'findDynamicKeys', 60_000],
      ['sweeps', 'deleteExpiredSessions', 12 * HOUR_MS],
    ])('which %s waits for it, and it asks for nothing more', async (_work, name, afterMs) => {
      const engine = await watchedEngine({
        signingKeyReloadIntervalSec: name === 'findDynamicKeys' ? 60 : 3000,
      });
      await engine.core.start();
      await tokensOf(engine);
      await turns();
      engine.held.add(name);
      engine.clock.advance(8 * 24 * HOUR_MS); // a key is due, and the keys are to be swept
      engine.calls.length = 0;
      // In steps that are shorter than the timeout of a call, because the call is to be under way at the end.
      for (let waitedMs = 0; waitedMs < afterMs && !engine.calls.includes(name); waitedMs += 30_000)
        await jest.advanceTimersByTimeAsync(30_000);
      expect(engine.calls).toContain(name);
      const closing = engine.core.close();
      expect(await isSettled(closing)).toBe(false);
      expect(engine.calls).not.toContain('close');
      engine.calls.length = 0;
      engine.letGo();
      await closing;
      await jest.advanceTimersByTimeAsync(24 * HOUR_MS);
      await turns();
      expect(engine.calls).toEqual(['close']);
      expect(jest.getTimerCount()).toBe(0);
    });

    it('which repeats a start that failed waits for it', async () => {
      let isDown = true;
      const inner = await seededMemoryStore();
      const store = interceptedStore(inner, async (_name, call) => {
        if (isDown) throw new Error('down');
        return call();
      });
      const engine = await watchedEngine({}, store);
      await engine.core.start();
      isDown = false;
      engine.held.add('findStaticKeys');
      await jest.advanceTimersByTimeAsync(1000);
      const closing = engine.core.close();
      expect(await isSettled(closing)).toBe(false);
      engine.letGo();
      await closing;
      expect(engine.calls.at(-1)).toBe('close');
      expect(jest.getTimerCount()).toBe(0);
    });

    it('ends a start that is under way, which is not repeated', async () => {
      const engine = await watchedEngine();
      engine.held.add('findDynamicKeys');
      engine.clock.advance(8 * 24 * HOUR_MS); // a key has to be made next
      const outcome = engine.core.start().catch((error: unknown) => error);
      const closing = engine.core.close();
      engine.letGo();
      await closing;
      expect(await outcome).toEqual(CLOSED);
      await jest.advanceTimersByTimeAsync(60_000);
      expect(engine.calls.at(-1)).toBe('close');
      expect(jest.getTimerCount()).toBe(0);
    });

    it('ends after ten seconds where the store hangs while it opens, and while it closes', async () => {
      const engine = await watchedEngine();
      // As a store does whose connection is never made: whatever is asked of it, the end too, waits for that.
      for (const name of ['getOrSetRefreshTokenKey', 'findDynamicKeys', 'findStaticKeys', 'close'])
        engine.held.add(name);
      const starting = engine.core.start().catch((error: unknown) => error);
      const closing = engine.core.close();
      expect(await starting).toEqual(CLOSED);
      await jest.advanceTimersByTimeAsync(9999);
      expect(await isSettled(closing)).toBe(false);
      await jest.advanceTimersByTimeAsync(1);
      await closing;
      engine.letGo();
      await turns();
      expect(jest.getTimerCount()).toBe(0);
      expect(engine.calls.filter((name) => name === 'close')).toHaveLength(1);
    });

    it('ends after five seconds all the same where the store hangs', async () => {
      const engine = await watchedEngine();
      await engine.core.start();
      engine.held.add('insertSession');
      const request = create(engine.core);
      await until(() => engine.calls.includes('insertSession'));
      const closing = engine.core.close();
      await jest.advanceTimersByTimeAsync(4999);
      expect(await isSettled(closing)).toBe(false);
      await jest.advanceTimersByTimeAsync(1);
      await closing;
      engine.letGo();
      await request;
      expect(jest.getTimerCount()).toBe(0);
    });
  });

  it('keeps no process for a store that hangs', async () => {
    const engine = await watchedEngine();
    await engine.core.start();
    const before = keptFor();
    engine.held.add('insertSession');
    const request = create(engine.core);
    await until(() => engine.calls.includes('insertSession'));
    await until(() => keptFor().length === before.length); // a timer of what ended meanwhile may still go
    expect(keptFor()).toEqual(before);
    engine.letGo();
    await request;
    await engine.core.close();
  });

  it('keeps the process for a start, until that is over', async () => {
    const engine = await watchedEngine({ startWithoutStore: false });
    const before = keptFor();
    engine.held.add('findDynamicKeys');
    const outcome = engine.core.start().catch((error: unknown) => error);
    await until(() => engine.calls.includes('findDynamicKeys'));
    expect(keptFor()).toEqual([...before, 'Timeout']);
    const closing = engine.core.close();
    engine.letGo();
    await closing;
    expect(await outcome).toEqual(CLOSED);
    expect(keptFor()).toEqual(before);
  });

  it('lets go of a SQLite file, whatever was under way, and opens it no more', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'nest-sessions-close-'));
    const file = join(folder, 'sessions.db');
    const store = sqliteStore(file);
    await seedSigningKeys(store);
    const { core } = embeddedCoreOn(store);
    await core.start();
    const { refreshToken } = await tokensOf({ core });
    const underWay = Promise.allSettled([
      create(core),
      refresh(core, refreshToken),
      core.sweepExpired(),
      core.reloadSigningKeys(),
      core.getSessionHandlesOfUser(OF_USER),
    ]);
    await core.close();
    await expect(create(core)).rejects.toThrow(CLOSED);
    await underWay;
    collectGarbage();
    await turns();

    // The last connection that is closed removes the other files; and only where there is none, the mode can be changed.
    expect(readdirSync(folder)).toEqual(['sessions.db']);
    const Database = await loadDriver();
    const database = new Database(file);
    database.exec('PRAGMA journal_mode = DELETE');
    database.exec('BEGIN EXCLUSIVE');
    database.close();
    rmSync(folder, { recursive: true });
    await expect(core.getSessionHandlesOfUser(OF_USER)).rejects.toThrow(CLOSED);
  });
});

describe('starting an engine on a store that never responds', () => {
  beforeEach(() => {
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] });
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  it('ends after half a minute, and serves as soon as that responds (S096)', async () => {
    const engine = await watchedEngine();
    engine.held.add('findDynamicKeys');
    const starting = engine.core.start();
    await jest.advanceTimersByTimeAsync(29_999);
    expect(await isSettled(starting)).toBe(false);
    await jest.advanceTimersByTimeAsync(1);
    await starting;
    engine.letGo();
    await expect(create(engine.core)).resolves.toMatchObject({ session: { userId: 'user-1' } });
    await jest.advanceTimersByTimeAsync(1000);
    expect(jest.getTimerCount()).toBe(2);
    await engine.core.close();
  });

  it('fails where the start needs the store, later than a step of a migration may take (S096)', async () => {
    const engine = await watchedEngine({ startWithoutStore: false });
    engine.held.add('findDynamicKeys');
    const starting = engine.core.start();
    const failure = starting.catch((error: unknown) => error);
    await jest.advanceTimersByTimeAsync(89_999);
    expect(await isSettled(starting)).toBe(false);
    engine.held.clear(); // the call that waits is not let go
    await jest.advanceTimersByTimeAsync(1);
    expect(await failure).toBeInstanceOf(CoreUnavailableError);
    await engine.core.close();
    expect(jest.getTimerCount()).toBe(0);
    engine.letGo();
    await turns();
    expect(engine.calls.at(-1)).toBe('close');
  });

  it.each([
    ['getOrSetRefreshTokenKey', create],
    ['findDynamicKeys', async (core: EmbeddedCore) => core.getJwks()],
    ['findStaticKeys', async (core: EmbeddedCore) => core.getJwks()],
  ])(
    'serves again after a minute and a half, though one call of %s never returns (S096)',
    async (name, request) => {
      const engine = await watchedEngine();
      engine.held.add(name);
      const starting = engine.core.start();
      await until(() => engine.calls.includes(name));
      engine.held.clear(); // the call that waits is not let go
      await jest.advanceTimersByTimeAsync(30_000);
      await starting;
      const refused = request(engine.core).catch((error: unknown) => error);
      await jest.advanceTimersByTimeAsync(60_000);
      expect(await refused).toBeInstanceOf(CoreUnavailableError);
      await expect(create(engine.core)).resolves.toMatchObject({ session: { userId: 'user-1' } });
      await jest.advanceTimersByTimeAsync(15_000);
      expect(jest.getTimerCount()).toBe(2);
      await engine.core.close();
    },
  );

  it('is repeated by one timer, however often it is told to start', async () => {
    const engine = await watchedEngine();
    engine.held.add('findDynamicKeys');
    const starting = Promise.all([engine.core.start(), engine.core.start()]);
    await until(() => engine.calls.includes('findDynamicKeys'));
    await jest.advanceTimersByTimeAsync(30_000);
    await starting;
    engine.letGo();
    await turns();
    expect(jest.getTimerCount()).toBe(3);
    await engine.core.close();
    expect(jest.getTimerCount()).toBe(0);
  });

  it('and is closed and told to start again leaves nothing of the first start', async () => {
    const engine = await watchedEngine();
    engine.held.add('findDynamicKeys');
    const first = engine.core.start().catch((error: unknown) => error);
    await until(() => engine.calls.includes('findDynamicKeys'));
    const closing = engine.core.close();
    expect(await first).toEqual(CLOSED);
    await jest.advanceTimersByTimeAsync(5000);
    await closing;
    const second = engine.core.start();
    engine.letGo();
    await second;
    await jest.advanceTimersByTimeAsync(45_000);
    expect(jest.getTimerCount()).toBe(2);
    await expect(create(engine.core)).resolves.toMatchObject({ session: { userId: 'user-1' } });
    await engine.core.close();
  });
});

describe('an engine whose store no longer responds', () => {
  beforeEach(() => {
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] });
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  it('throws as unavailable after a minute and a half, and tells of the outage (S096)', async () => {
    const engine = await watchedEngine();
    await engine.core.start();
    engine.held.add('insertSession');
    const request = create(engine.core);
    const refused = request.catch((error: unknown) => error);
    await until(() => engine.calls.includes('insertSession'));
    await jest.advanceTimersByTimeAsync(89_999);
    expect(await isSettled(request)).toBe(false);
    await jest.advanceTimersByTimeAsync(1);
    expect(await refused).toBeInstanceOf(CoreUnavailableError);
    expect(engine.events).toMatchObject([{ type: 'core.unavailable' }]);
    await engine.core.close();
  });

  it('sweeps again when it does, though a step never returned (S057)', async () => {
    const engine = await watchedEngine({ expirySweepIntervalSec: 60 });
    await engine.core.start();
    engine.held.add('deleteExpiredSessions');
    await jest.advanceTimersByTimeAsync(60_000);
    expect(engine.calls).toContain('deleteExpiredSessions');
    engine.held.clear(); // the call that waits is not let go
    await jest.advanceTimersByTimeAsync(90_000);
    engine.calls.length = 0;
    await jest.advanceTimersByTimeAsync(60_000);
    expect(engine.calls).toContain('deleteExpiredSessions');
    await engine.core.close();
  });
});

/** The timers that keep the process from ending now. */
function keptFor(): string[] {
  return process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout');
}

/** libsql 0.5 lets go of a closed file when the statements on it have been collected; other drivers do at once. */
function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
}
