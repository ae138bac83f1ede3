import type { AddressInfo } from 'node:net';
import type {
  DynamicModule,
  INestApplication,
  INestApplicationContext,
  LoggerService,
  Provider,
  Type,
} from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test, type TestingModule } from '@nestjs/testing';
import {
  Clock,
  SessionEvents,
  SessionModule,
  SessionService,
  type EmbeddedCoreOptions,
  type SessionEvent,
  type SessionModuleOptions,
} from 'nest-sessions';
import type { SessionStore } from 'nest-sessions/core';
import { TestClock, testSessions, type TestSession, type TestSessions } from 'nest-sessions/testing';
import { newAdapter, type Adapter } from './adapters.js';
import { closeAfterTest } from './close-after-test.js';
import { DemoController, HANDLERS, type Handlers } from './demo.controller.js';
import { TEST_START_MS } from './embedded.js';
import { HttpClient, type ClientResponse, type RequestToSend } from './http-client.js';
import { SessionClient } from './session-client.js';
import { switchedCore } from './switched-core.js';

export { ADAPTERS, BOTH_ADAPTERS, newAdapter, type Adapter } from './adapters.js';

/** API and website on one site over https: cookies are Secure and SameSite=Lax, anti-CSRF is off. */
export const SHOP = {
  appName: 'Shop',
  apiDomain: 'https://api.shop.io',
  websiteDomain: 'https://shop.io',
} as const;

/** The options of the embedded core; the store is given separately. */
export type EngineOptions = Omit<EmbeddedCoreOptions, 'store'>;

/** The settings that an {@link ApplicationStarter} collects. */
interface Settings {
  readonly options: Partial<SessionModuleOptions>;
  readonly engine?: EngineOptions;
  readonly store?: SessionStore;
  readonly handlers?: Handlers;
  readonly controllers?: readonly Type[];
  readonly providers: readonly Provider[];
  readonly imports: readonly (Type | DynamicModule)[];
  /** Imported in place of the one `SessionModule`. */
  readonly modules?: readonly (Type | DynamicModule)[];
  readonly clock?: TestClock;
  readonly logger?: LoggerService;
  readonly configure: readonly ((app: INestApplication) => void)[];
}

/** A Nest application with sessions, without a server: its service, its clock and the events so far. */
export class StandaloneApplication<A extends INestApplicationContext = INestApplicationContext> {
  /** The events so far. */
  readonly events: readonly SessionEvent[];
  /** The service of the only `SessionModule`. */
  readonly sessions: SessionService;
  private closing: Promise<void> | undefined;

  constructor(
    readonly app: A,
    readonly clock: TestClock,
  ) {
    const events: SessionEvent[] = [];
    app.get(SessionEvents, { strict: false }).stream.subscribe((event) => events.push(event));
    this.events = events;
    this.sessions = app.get(SessionService, { strict: false });
  }

  /** The provider of a class, from any module. */
  readonly get = <T>(token: Type<T>): T => this.app.get(token, { strict: false });

  /** Closes the application; runs by itself after the test. */
  readonly close = (): Promise<void> => (this.closing ??= this.shutDown());

  protected async shutDown(): Promise<void> {
    await this.app.close();
  }
}

/**
 * A running application on Express or Fastify, on a port of the loopback.
 *
 * @example
 * const { signedIn } = await TestApplication.on(adapter).with({ antiCsrf: 'VIA_TOKEN' }).start();
 * const browser = await signedIn('cookie');
 * expect((await browser.get('/me')).status).toBe(200);
 */
export class TestApplication extends StandaloneApplication<INestApplication> {
  readonly http = new HttpClient(this.port);

  /** Starts applications that listen. */
  static on(adapter: Adapter): ApplicationStarter {
    return new ApplicationStarter(adapter);
  }

  /** Starts applications that serve nothing: for the recipe alone. */
  static withoutServer(): StandaloneStarter {
    return new StandaloneStarter();
  }

  /** The port of the loopback where the application listens. */
  get port(): number {
    return (this.app.getHttpServer() as { address(): AddressInfo }).address().port;
  }

  /** Sessions of every kind, of the only `SessionModule`. */
  get testSessions(): TestSessions {
    return testSessions(this.app, { useConfiguredCoreDangerously: true });
  }

  readonly send = (request: RequestToSend): Promise<ClientResponse> => this.http.send(request);

  /** A client without a session. */
  readonly client = (mode: 'cookie' | 'header' = 'cookie'): SessionClient =>
    new SessionClient(this.http, mode);

  /** A client that holds a session which was made for it: an expired or a stolen one, for example. */
  readonly clientOf = (session: TestSession, mode?: 'cookie' | 'header'): SessionClient => {
    const holder = this.client(mode);
    holder.take(session);
    return holder;
  };

  /** A client that has signed in. */
  readonly signedIn = async (mode?: 'cookie' | 'header', userId?: string): Promise<SessionClient> => {
    const client = this.client(mode);
    await client.login(userId);
    return client;
  };

  protected override async shutDown(): Promise<void> {
    this.http.close();
    await super.shutDown();
  }
}

/** Collects settings and starts an application with them. Each method returns a new starter. */
abstract class Starter<A extends StandaloneApplication> {
  constructor(
    protected readonly settings: Settings = { options: {}, providers: [], imports: [], configure: [] },
  ) {}

  /** Sets options of the module; `appInfo` and `core` have defaults. Later options win. */
  with(options: Partial<SessionModuleOptions>): this {
    return this.change({ options: { ...this.settings.options, ...options } });
  }

  /** Sets options of the embedded core. */
  engine(engine: EngineOptions): this {
    return this.change({ engine: { ...this.settings.engine, ...engine } });
  }

  /** Sets the store; the default is a new one in memory with ready-made keys, or that of the variant under test. */
  store(store: SessionStore | undefined): this {
    return this.change({ store });
  }

  /** Sets the clock; by default it begins at {@link TEST_START_MS}. */
  clock(clock: TestClock): this {
    return this.change({ clock });
  }

  /** Imports modules beside the `SessionModule`. */
  imports(...imports: (Type | DynamicModule)[]): this {
    return this.change({ imports: [...this.settings.imports, ...imports] });
  }

  /** Imports these modules in place of the one `SessionModule`. */
  modules(...modules: (Type | DynamicModule)[]): this {
    return this.change({ modules });
  }

  /** Starts the application and closes it after the test; after the file when no test runs yet. */
  async start(): Promise<A> {
    const application = await this.prepare().open();
    closeAfterTest(application.close);
    return application;
  }

  /** Starts the application, calls `work` with it and closes it: for tests that go on after its end. */
  async run<T>(work: (application: A) => Promise<T>): Promise<T> {
    const application = await this.start();
    try {
      return await work(application);
    } finally {
      await application.close();
    }
  }

  protected abstract open(): Promise<A>;

  /** Adds the settings of a kind of application, just before the start. */
  protected prepare(): this {
    return this;
  }

  protected change(change: { [K in keyof Settings]?: Settings[K] | undefined }): this {
    const copy = Object.create(Object.getPrototypeOf(this) as object) as this;
    return Object.assign(copy, this, { settings: { ...this.settings, ...change } });
  }

  /** Compiles the module on the clock of the test. */
  protected async compile(clock: TestClock): Promise<TestingModule> {
    const { modules, imports, controllers, providers, handlers, logger } = this.settings;
    return Test.createTestingModule({
      imports: [...(modules ?? [await sessionModule(this.settings)]), ...imports],
      controllers: [...(controllers ?? [])],
      providers: [{ provide: HANDLERS, useValue: handlers ?? {} }, ...providers],
    })
      .setLogger(logger ?? (false as never))
      .overrideProvider(Clock)
      .useValue(clock)
      .compile();
  }

  protected newClock(): TestClock {
    return this.settings.clock ?? new TestClock(TEST_START_MS);
  }
}

/** Starts {@link StandaloneApplication}s. */
export class StandaloneStarter extends Starter<StandaloneApplication> {
  protected async open(): Promise<StandaloneApplication> {
    const clock = this.newClock();
    const module = await this.compile(clock);
    await module.init();
    return new StandaloneApplication(module, clock);
  }
}

/** Starts {@link TestApplication}s. */
export class ApplicationStarter<A extends TestApplication = TestApplication> extends Starter<A> {
  constructor(protected readonly adapter: Adapter) {
    super();
  }

  /** Sets behaviour that the test brings along, see {@link Handlers}. */
  handlers(handlers: Handlers): this {
    return this.change({ handlers });
  }

  /** Sets the controllers; the default is the {@link DemoController}. */
  controllers(...controllers: Type[]): this {
    return this.change({ controllers });
  }

  providers(...providers: Provider[]): this {
    return this.change({ providers: [...this.settings.providers, ...providers] });
  }

  /** Logs there; by default nothing is logged. */
  logger(logger: LoggerService): this {
    return this.change({ logger });
  }

  /** Calls `configure` before the application starts to listen. */
  configure(configure: (app: INestApplication) => void): this {
    return this.change({ configure: [...this.settings.configure, configure] });
  }

  protected async open(): Promise<A> {
    const clock = this.newClock();
    const { logger = false, controllers = [DemoController], configure } = this.settings;
    const module = await this.change({ controllers }).compile(clock);
    const app = module.createNestApplication(newAdapter(this.adapter), { logger });
    for (const each of configure) each(app);
    await app.init();
    if (this.adapter === 'fastify')
      await (app as NestFastifyApplication).getHttpAdapter().getInstance().ready();
    await app.listen(0, '127.0.0.1');
    return this.wrap(app, clock);
  }

  protected wrap(app: INestApplication, clock: TestClock): A {
    return new TestApplication(app, clock) as A;
  }
}

/** The module of a test application, on a store with ready-made keys. */
export async function sessionModule(
  input: Partial<Pick<Settings, 'options' | 'engine' | 'store'>> & { isGlobal?: boolean } = {},
): Promise<DynamicModule> {
  return SessionModule.forRoot({
    appInfo: SHOP,
    logStartup: false,
    ...input.options,
    core: input.options?.core ?? (await switchedCore(input.engine, input.store)),
    isGlobal: input.isGlobal ?? true,
  });
}
