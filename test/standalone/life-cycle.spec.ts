import { describe, expect, it, jest } from '@jest/globals';
import {
  createSessions,
  embeddedCore,
  MemoryFeed,
  RecipeDependencies,
  SessionConfigError,
  SessionRecipe,
  type EmbeddedCoreOptions,
  type SessionEvent,
  type StandaloneSessionOptions,
} from 'nest-sessions/standalone';
import type { CoreClient, CoreProvider } from 'nest-sessions/core';
import { closeAfterTest } from '../support/close-after-test.js';
import { seededMemoryStore } from '../support/embedded.js';
import { SHOP } from '../support/test-application.js';

interface WatchedCore {
  readonly core: CoreProvider;
  readonly started: () => number;
  readonly closed: () => number;
}

/** An embedded core whose starts and ends are counted. */
async function watchedCore(
  start?: () => Promise<void>,
  options: Omit<EmbeddedCoreOptions, 'store'> = {},
): Promise<WatchedCore> {
  const { problems, create } = embeddedCore({ ...options, store: await seededMemoryStore() });
  let [started, closed] = [0, 0];
  const watch = (core: CoreClient): CoreClient => {
    const [originalStart, originalClose] = [core.start.bind(core), core.close.bind(core)];
    core.start = async () => {
      started += 1;
      await (start ?? originalStart)();
    };
    core.close = async () => {
      closed += 1;
      await originalClose();
    };
    return core;
  };
  return {
    core: { problems, create: (context) => watch(create(context)) },
    started: () => started,
    closed: () => closed,
  };
}

const LOGIN = { method: 'POST', url: '/login', headers: {} };

function problemsOf(options: object): string[] {
  try {
    createSessions(options as StandaloneSessionOptions);
  } catch (error) {
    if (error instanceof SessionConfigError)
      return error.problems.map(({ path, message }) => `${path}: ${message}`);
    throw error;
  }
  return [];
}

describe('createSessions', () => {
  it('lists every problem of its options at once, and opens nothing', async () => {
    const create = jest.fn<CoreProvider['create']>();
    const core = { problems: [], create };
    expect(
      problemsOf({ core, appInfo: { appName: 'Shop' }, antiCsrf: 'SOMETIMES', unguardedRules: 'warn' }),
    ).toEqual([
      'unguardedRules: is an option of SessionModule alone: leave it out',
      expect.stringContaining('appInfo.apiDomain'),
      expect.stringContaining('appInfo.websiteDomain'),
      expect.stringContaining('antiCsrf'),
    ]);
    expect(() => createSessions({} as StandaloneSessionOptions)).toThrow(/^createSessions cannot start/);
    createSessions({ appInfo: SHOP, core });
    expect(create).not.toHaveBeenCalled();
  });

  it.each(['logStartup', 'requestProperty', 'socketRenewalGraceSec', 'unguardedRules'])(
    'refuses %s, which has no meaning without Nest',
    (name) => {
      expect(problemsOf({ appInfo: SHOP, [name]: false })).toContain(
        `${name}: is an option of SessionModule alone: leave it out`,
      );
    },
  );

  it('says what is missing when a function is called before the start', async () => {
    const sessions = createSessions({ appInfo: SHOP });
    const message = /^The sessions have not started: await sessions\.start\(\)/;
    expect(() => sessions.service).toThrow(message);
    await expect(sessions.verify(LOGIN)).rejects.toThrow(message);
    await expect(sessions.handle(LOGIN)).rejects.toThrow(message);
    await expect(sessions.respond(new Error('x'), LOGIN)).rejects.toThrow(message);
    await expect(sessions.createNewSession(LOGIN, { userId: 'ada' })).rejects.toThrow(message);
  });

  it('starts its core once, however often it is told to', async () => {
    const { core, started, closed } = await watchedCore();
    const sessions = createSessions({ appInfo: SHOP, core });
    await Promise.all([sessions.start(), sessions.start()]);
    await sessions.start();
    expect([started(), closed()]).toEqual([1, 0]);
    await sessions.close();
  });

  it('closes its core once, however often it is told to', async () => {
    const { core, closed } = await watchedCore();
    const sessions = createSessions({ appInfo: SHOP, core });
    await sessions.start();
    await Promise.all([sessions.close(), sessions.close()]);
    await sessions.close();
    expect(closed()).toBe(1);
    await expect(sessions.verify(LOGIN)).rejects.toThrow('These sessions have been closed');
    await expect(sessions.start()).rejects.toThrow('These sessions have been closed: make new ones');
  });

  it('can be closed before its start, and during it', async () => {
    const never = createSessions({ appInfo: SHOP });
    await never.close();
    await expect(never.start()).rejects.toThrow('closed');
    const { core, closed } = await watchedCore();
    const sessions = createSessions({ appInfo: SHOP, core });
    const start = sessions.start();
    await sessions.close();
    await start;
    expect(closed()).toBe(1);
  });

  it('passes the error of a start on to each caller, and leaves nothing open', async () => {
    const { core, started, closed } = await watchedCore(async () => {
      throw new Error('no keys');
    });
    const sessions = createSessions({ appInfo: SHOP, core });
    const [first, second] = await Promise.allSettled([sessions.start(), sessions.start()]);
    expect([first, second]).toMatchObject([
      { reason: { message: 'no keys' } },
      { reason: { message: 'no keys' } },
    ]);
    await expect(sessions.start()).rejects.toThrow('no keys');
    expect([started(), closed()]).toEqual([1, 1]);
    await sessions.close();
    expect(closed()).toBe(1);
  });

  it('closes the core when the feed of revocations cannot be started', async () => {
    class BrokenFeed extends MemoryFeed {
      override subscribe(): never {
        throw new Error('no feed');
      }
    }
    const { core, closed } = await watchedCore();
    const sessions = createSessions({ appInfo: SHOP, core, revocationFeed: { feed: new BrokenFeed() } });
    await expect(sessions.start()).rejects.toThrow('no feed');
    expect(closed()).toBe(1);
    await sessions.close();
    expect(closed()).toBe(1);
  });

  it('warns at the start of what was probably not meant, on the given logger', async () => {
    const warn = jest.fn<(message: string) => void>();
    const sessions = createSessions({
      appInfo: { ...SHOP, apiDomain: 'http://localhost:3000', websiteDomain: 'http://localhost:3000' },
      deviceBound: { dbsc: {} },
      core: (await watchedCore()).core,
      logger: { error: warn, warn },
    });
    closeAfterTest(() => sessions.close());
    await sessions.start();
    expect(warn.mock.calls).toEqual([[expect.stringContaining('deviceBound.dbsc has no effect')]]);
  });

  it('warns of a core that does not respond, and starts all the same', async () => {
    const store = await seededMemoryStore();
    jest.spyOn(store, 'findStaticKeys').mockRejectedValue(new Error('no driver'));
    jest.spyOn(store, 'findDynamicKeys').mockRejectedValue(new Error('no driver'));
    const warned = new Promise<string>((resolve) => {
      const logger = { error: () => undefined, warn: resolve };
      const sessions = createSessions({ appInfo: SHOP, core: embeddedCore({ store }), logger });
      closeAfterTest(() => sessions.close());
      void sessions.start();
    });
    expect(await warned).toMatch(/^Core: embedded, with .*; it does not respond \(.*no driver.*\)/);
  });

  it('logs trouble with the core on the console if it has no other logger', async () => {
    const log = jest.spyOn(console, 'error').mockImplementation(() => undefined);
    const store = await seededMemoryStore();
    const sessions = createSessions({ appInfo: SHOP, core: embeddedCore({ store }) });
    closeAfterTest(() => sessions.close());
    await sessions.start();
    jest.spyOn(store, 'insertSession').mockRejectedValue(new Error('disk full'));
    const error: unknown = await sessions
      .createNewSession(LOGIN, { userId: 'ada' })
      .catch((reason: unknown) => reason);
    expect(await sessions.respond(error, LOGIN)).toMatchObject({ status: 503 });
    expect(log.mock.calls.flat().join()).toMatch(/^nest-sessions: /);
    log.mockRestore();
  });

  it('makes a recipe class with its dependencies', async () => {
    class ShoutingRecipe extends SessionRecipe {
      constructor(dependencies: RecipeDependencies) {
        super(dependencies);
      }

      override async createNewSession(
        input: Parameters<SessionRecipe['createNewSession']>[0],
      ): ReturnType<SessionRecipe['createNewSession']> {
        return super.createNewSession({ ...input, accessTokenPayload: { loud: true } });
      }
    }
    const sessions = createSessions({
      appInfo: SHOP,
      recipe: ShoutingRecipe,
      core: (await watchedCore()).core,
    });
    closeAfterTest(() => sessions.close());
    await sessions.start();
    const session = await sessions.createNewSession(LOGIN, { userId: 'ada' });
    expect(session.getAccessTokenPayload()).toMatchObject({ loud: true });
  });

  it('tells of what happens to sessions, and keeps two of them apart', async () => {
    const told: Record<string, SessionEvent['type'][]> = { one: [], two: [] };
    const [one, two] = await Promise.all(
      ['one', 'two'].map(async (name) => {
        const sessions = createSessions({ appInfo: SHOP, core: (await watchedCore()).core });
        closeAfterTest(() => sessions.close());
        await sessions.start();
        sessions.events.listen(({ type }) => told[name]?.push(type));
        return sessions;
      }),
    );
    const session = await one?.createNewSession(LOGIN, { userId: 'ada' });
    await one?.events.delivered();
    expect(told).toEqual({ one: ['session.created'], two: [] });
    expect(await two?.service.getSessionInformation(session?.getHandle() ?? '')).toBeUndefined();
    expect(two?.finish(LOGIN).headers).toEqual([]); // although it is the same object
  });
});
