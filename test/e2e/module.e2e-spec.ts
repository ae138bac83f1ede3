import {
  Controller,
  Get,
  Injectable,
  Module,
  UseGuards,
  type DynamicModule,
  type Type,
} from '@nestjs/common';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Test } from '@nestjs/testing';
import { describe, expect, it } from '@jest/globals';
import {
  embeddedCore,
  Session,
  SessionConfigError,
  SessionEvents,
  SessionGuard,
  SessionModule,
  SessionService,
  type SessionModuleOptions,
  type SessionOptionsFactory,
} from 'nest-sessions';
import { seededMemoryStore } from '../support/embedded.js';
import { ADAPTERS, SHOP, sessionModule, TestApplication } from '../support/test-application.js';
import { watchedStore } from '../support/watched-store.js';

const seededStore = await seededMemoryStore();

@Injectable()
class SecretsService {
  readonly store = seededStore;
}

@Injectable()
class OptionsService implements SessionOptionsFactory {
  constructor(private readonly secrets: SecretsService) {}

  createSessionOptions(): SessionModuleOptions {
    return { appInfo: SHOP, core: embeddedCore({ store: this.secrets.store }) };
  }
}

@Module({ providers: [SecretsService, OptionsService], exports: [SecretsService, OptionsService] })
class SecretsModule {}

/** The ways of declaring the module; all of them take `isGlobal`. */
const DECLARATIONS: Record<string, (isGlobal: boolean) => DynamicModule> = {
  forRoot: (isGlobal) =>
    SessionModule.forRoot({ appInfo: SHOP, core: embeddedCore({ store: seededStore }), isGlobal }),
  'forRootAsync with useFactory': (isGlobal) =>
    SessionModule.forRootAsync({
      imports: [SecretsModule],
      inject: [SecretsService],
      useFactory: async (...[secrets]: unknown[]) => ({
        appInfo: SHOP,
        core: embeddedCore({ store: (secrets as SecretsService).store }),
      }),
      isGlobal,
    }),
  'forRootAsync with useClass': (isGlobal) =>
    SessionModule.forRootAsync({ imports: [SecretsModule], useClass: OptionsService, isGlobal }),
  'forRootAsync with useExisting': (isGlobal) =>
    SessionModule.forRootAsync({ imports: [SecretsModule], useExisting: OptionsService, isGlobal }),
};

@Controller('feature')
@UseGuards(SessionGuard)
class FeatureController {
  constructor(private readonly sessions: SessionService) {}

  @Get()
  async handles(@Session('userId') userId: string): Promise<string[]> {
    return this.sessions.getAllSessionHandlesForUser({ userId });
  }
}

function featureModule(imports: (Type | DynamicModule)[]): DynamicModule {
  @Module({})
  class FeatureModule {}
  return { module: FeatureModule, imports, controllers: [FeatureController] };
}

describe.each(ADAPTERS)('declaring the module on %s', (adapter) => {
  it.each(Object.keys(DECLARATIONS))('%s serves feature modules that do not import it', async (name) => {
    const session = DECLARATIONS[name]?.(true);
    const imports = session ? [session, featureModule([])] : [];
    const { signedIn } = await TestApplication.on(adapter)
      .modules(...imports)
      .start();
    const client = await signedIn('cookie', `user of ${name} ${adapter}`);
    expect((await client.get('/feature')).body).toHaveLength(1);
  });

  it.each(Object.keys(DECLARATIONS))('%s with isGlobal: false serves those that import it', async (name) => {
    const session = DECLARATIONS[name]?.(false);
    const imports = session ? [session, featureModule([session])] : [];
    await TestApplication.on(adapter)
      .modules(...imports)
      .run(async ({ signedIn }) => {
        const client = await signedIn('header', `local user of ${name} ${adapter}`);
        expect((await client.get('/feature')).body).toHaveLength(1);
      });
    const withoutImport = session ? [session, featureModule([])] : [];
    await expect(
      TestApplication.on(adapter)
        .modules(...withoutImport)
        .start(),
    ).rejects.toThrow(/FeatureModule/);
  });
});

describe.each(ADAPTERS)('starting with wrong options on %s', (adapter) => {
  it('lists every problem with its path, of every part, at once', async () => {
    const options = {
      appInfo: { ...SHOP, apiDomain: 'ftp://x.io' },
      antiCsrf: 'RANDOM',
      sessionExpiredStatusCode: 200,
      cookiesecure: true,
      core: embeddedCore({ accessTokenValiditySec: -1, refreshTokenValiditySec: -1 }),
      errorHandlers: { onUnauthorized: () => undefined },
      override: { apis: 'no' },
      clockToleranceSec: 3600,
    } as object as SessionModuleOptions;
    const failure: unknown = await TestApplication.on(adapter)
      .modules(SessionModule.forRoot(options))
      .start()
      .catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(SessionConfigError);
    const { problems, message } = failure as SessionConfigError;
    expect(problems.map(({ path }) => path).sort()).toEqual([
      'antiCsrf',
      'appInfo.apiDomain',
      'clockToleranceSec',
      'cookiesecure',
      'core.accessTokenValiditySec',
      'core.refreshTokenValiditySec',
      'errorHandlers.onUnauthorized',
      'override.apis',
      'sessionExpiredStatusCode',
    ]);
    for (const problem of problems) expect(message).toContain(`${problem.path}: ${problem.message}`);
  });

  it.each([{ guard: 'global' }, { isGlobal: false }])(
    'says where an option of the module belongs that a factory returns: %j',
    async (misplaced) => {
      const [name, value] = Object.entries(misplaced)[0] ?? [];
      const shown = typeof value === 'string' ? `'${value}'` : String(value);
      const module = SessionModule.forRootAsync({ useFactory: () => ({ appInfo: SHOP, ...misplaced }) });
      await expect(Test.createTestingModule({ imports: [module] }).compile()).rejects.toThrow(
        `${name}: belongs beside useFactory, useClass or useExisting, not into what they return: forRootAsync({ ${name}: ${shown}, … })`,
      );
    },
  );

  it('says so when a factory gives no options', async () => {
    const useFactory = (): SessionModuleOptions => undefined as never;
    await expect(
      TestApplication.on(adapter).modules(SessionModule.forRootAsync({ useFactory })).start(),
    ).rejects.toThrow('options: are undefined; an object with appInfo is expected');
  });

  it('reports a claim key that is taken twice, and a missing appInfo (T234, T256)', async () => {
    const claim = { key: 'plan', build: () => ({}) };
    const options = { claims: [claim, claim] } as object as SessionModuleOptions;
    await expect(TestApplication.on(adapter).modules(SessionModule.forRoot(options)).start()).rejects.toThrow(
      /appInfo[\s\S]*Claim added by multiple recipes/,
    );
  });
});

describe.each(ADAPTERS)('shutting down on %s', (adapter) => {
  const RUNS = 40;

  it(`closes the store and completes the events, ${RUNS} times in a row, and leaves nothing open (S086)`, async () => {
    const before = openResources();
    const { store, calls } = await watchedStore();
    let completed = 0;
    for (let run = 0; run < RUNS; run++) {
      const application = await TestApplication.on(adapter).store(store).start();
      application.app.get(SessionEvents, { strict: false }).stream.subscribe({ complete: () => completed++ });
      const client = await application.signedIn('cookie');
      expect((await client.get('/me')).status).toBe(200);
      await application.close();
    }
    expect(calls.filter((name) => name === 'close')).toHaveLength(RUNS);
    expect(completed).toBe(RUNS);
    const more = (): number => openResources().length - before.length;
    const isLittle = (): boolean => more() < RUNS / 10; // the runner has timers of its own
    // On a busy machine closed connections are there for some more turns.
    for (let turn = 0; turn < 10_000 && !isLittle(); turn++) await nextTurn();
    expect(more()).toBeLessThan(RUNS / 10);
  });

  it('closes what a start that failed had opened (S086)', async () => {
    const { store, calls, failing } = await watchedStore();
    failing.add('findStaticKeys');
    const coreOptions = { startWithoutStore: false };
    await expect(TestApplication.on(adapter).store(store).engine(coreOptions).start()).rejects.toThrow(
      /session store failed/,
    );
    expect(calls.at(-1)).toBe('close');
  });
});

describe('an application without HTTP', () => {
  it('has sessions, too: no routes, but the service', async () => {
    const app = await Test.createTestingModule({ imports: [await sessionModule()] }).compile();
    await app.init();
    const sessions = app.get(SessionService);
    const session = await sessions.createNewSessionWithoutRequestResponse({ userId: 'user-1' });
    expect(await sessions.revokeSession(session.getHandle())).toBe(true);
    await app.close();
  });
});

/** The resources that keep a process alive: sockets, servers and timers, by kind. */
function openResources(): string[] {
  return process
    .getActiveResourcesInfo()
    .filter((kind) => /TCP|Timeout|Immediate|Server/.test(kind))
    .sort();
}
