import type { AddressInfo } from 'node:net';
import type { DynamicModule, INestApplication, LoggerService, Provider, Type } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
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
import { DemoController, HANDLERS, type Handlers } from './demo.controller.js';
import { TEST_START_MS } from './embedded.js';
import { HttpClient, type Answer, type RequestToSend } from './http-client.js';
import { SessionClient } from './session-client.js';
import { switchedCore } from './switched-core.js';

export { ADAPTERS, newAdapter, type Adapter } from './adapters.js';

/** API and website on one site over https: cookies are Secure and SameSite=Lax, anti-CSRF is off. */
export const SHOP = {
  appName: 'Shop',
  apiDomain: 'https://api.shop.io',
  websiteDomain: 'https://shop.io',
} as const;

export interface ApplicationInput {
  readonly adapter: Adapter;
  /** Options of the module; `appInfo` and `core` have defaults. */
  readonly options?: Partial<SessionModuleOptions>;
  /** Options of the embedded core. */
  readonly coreOptions?: Omit<EmbeddedCoreOptions, 'store'>;
  /** Default: a fresh memory store with ready-made keys. */
  readonly store?: SessionStore;
  /** Behaviour that a test brings along, see {@link Handlers}. */
  readonly handlers?: Handlers;
  /** Default: the {@link DemoController}. */
  readonly controllers?: Type[];
  readonly providers?: Provider[];
  /** Default: one `SessionModule` with the options. */
  readonly imports?: (Type | DynamicModule)[];
  readonly clock?: TestClock;
  /** Default: nothing is logged. */
  readonly logger?: LoggerService;
  /** Runs before the application starts to listen. */
  readonly configure?: (app: INestApplication) => void;
}

/** A running application and what a test needs of it. */
export interface TestApplication {
  readonly app: INestApplication;
  readonly http: HttpClient;
  readonly clock: TestClock;
  /** What happened so far. */
  readonly events: readonly SessionEvent[];
  /** The service of the only `SessionModule`. */
  readonly sessions: SessionService;
  /** Sessions of every kind, of the only `SessionModule`. */
  readonly testSessions: TestSessions;
  send(request: RequestToSend): Promise<Answer>;
  /** A client without a session. */
  client(mode?: 'cookie' | 'header'): SessionClient;
  /** A client that holds a session which was made for it: an expired or a stolen one, for example. */
  clientOf(session: TestSession, mode?: 'cookie' | 'header'): SessionClient;
  /** A client that has signed in. */
  signedIn(mode?: 'cookie' | 'header', userId?: string): Promise<SessionClient>;
  close(): Promise<void>;
}

/** The module of a test application, on a store with ready-made keys. */
export async function sessionModule(
  input: Pick<ApplicationInput, 'options' | 'coreOptions' | 'store'> & { isGlobal?: boolean } = {},
): Promise<DynamicModule> {
  return SessionModule.forRoot({
    appInfo: SHOP,
    ...input.options,
    core: input.options?.core ?? (await switchedCore(input.coreOptions, input.store)),
    isGlobal: input.isGlobal ?? true,
  });
}

/** Starts an application on the loopback. */
export async function startApplication(input: ApplicationInput): Promise<TestApplication> {
  const clock = input.clock ?? new TestClock(TEST_START_MS);
  const module = await Test.createTestingModule({
    imports: input.imports ?? [await sessionModule(input)],
    controllers: input.controllers ?? [DemoController],
    providers: [{ provide: HANDLERS, useValue: input.handlers ?? {} }, ...(input.providers ?? [])],
  })
    .setLogger(input.logger ?? (false as never))
    .overrideProvider(Clock)
    .useValue(clock)
    .compile();
  const app = module.createNestApplication(newAdapter(input.adapter), { logger: input.logger ?? false });
  input.configure?.(app);
  await app.init();
  if (input.adapter === 'fastify')
    await (app as NestFastifyApplication).getHttpAdapter().getInstance().ready();
  const events: SessionEvent[] = [];
  app.get(SessionEvents, { strict: false }).stream.subscribe((event) => events.push(event));
  await app.listen(0, '127.0.0.1');
  const http = new HttpClient((app.getHttpServer() as { address(): AddressInfo }).address().port);
  const client = (mode: 'cookie' | 'header' = 'cookie'): SessionClient => new SessionClient(http, mode);
  return {
    app,
    http,
    clock,
    events,
    sessions: app.get(SessionService, { strict: false }),
    get testSessions() {
      return testSessions(app, { useConfiguredCoreDangerously: true });
    },
    send: (request) => http.send(request),
    client,
    clientOf: (session, mode) => {
      const holder = client(mode);
      holder.take(session);
      return holder;
    },
    signedIn: async (mode, userId) => {
      const signedIn = client(mode);
      await signedIn.login(userId);
      return signedIn;
    },
    close: async () => {
      http.close();
      await app.close();
    },
  };
}

/** Starts an application for one test and closes it whatever happens. */
export async function withApplication(
  input: ApplicationInput,
  test: (application: TestApplication) => Promise<void>,
): Promise<void> {
  const application = await startApplication(input);
  try {
    await test(application);
  } finally {
    await application.close();
  }
}
