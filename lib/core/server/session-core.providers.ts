import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  Inject,
  Injectable,
  Logger,
  type OnApplicationShutdown,
  type OnModuleInit,
  type Provider,
} from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { WIRE_OPTIONS } from '../../options/wire-options.js';
import { CoreClient } from '../core-client.js';
import { CdiServer } from './cdi-server.js';
import { serveCdi } from './node-http.js';
import { loadOpenTelemetry } from '../../events/open-telemetry.js';
import { SessionEvents } from '../../events/session-events.js';
import { Telemetry } from '../../events/telemetry.js';
import { SESSION_CORE_MODULE_OPTIONS } from './session-core.module-definition.js';
import { resolveSessionCoreOptions, type SessionCoreConfig } from './session-core-options.js';
import { Clock, SystemClock } from '../../util/clock.js';

const RESOLVED_OPTIONS = Symbol('nest-sessions:resolved-core-options');

const LOOPBACK = /^(127\.|::1$|::ffff:127\.)/;

/** What we use of Nest's HTTP adapters. */
interface ServingAdapter {
  getType(): string;
  getHttpServer(): { address(): AddressInfo | string | null };
  getInstance(): FastifyHooks;
  use(handler: (req: IncomingMessage, res: ServerResponse, next: () => void) => void): unknown;
}

interface FastifyHooks {
  addHook(
    name: 'onRequest',
    hook: (
      request: { readonly raw: IncomingMessage },
      reply: { readonly raw: ServerResponse; hijack(): unknown },
      done: () => void,
    ) => void,
  ): unknown;
}

/**
 * Puts the served core in front of the application's routes, and before its body parsers: a Core reads every body as
 * JSON whatever its content type says, and answers in text where Nest would answer in JSON. Opens the core before the
 * first request and closes it after the last one.
 */
@Injectable()
export class SessionCoreGateway implements OnModuleInit, OnApplicationShutdown {
  private readonly logger = new Logger('SessionCoreModule');

  constructor(
    private readonly server: CdiServer,
    private readonly core: CoreClient,
    private readonly events: SessionEvents,
    private readonly telemetry: Telemetry,
    @Inject(RESOLVED_OPTIONS) { apiKeys }: SessionCoreConfig,
    adapterHost: HttpAdapterHost,
  ) {
    const adapter = (): ServingAdapter => adapterHost.httpAdapter as ServingAdapter;
    // As early as there is an adapter: the parsers are registered when the application initialises.
    adapterHost.init$.subscribe(() => this.registerServer(adapter()));
    if (apiKeys.length === 0) adapterHost.listen$.subscribe(() => this.warnUnlessOnLoopback(adapter()));
  }

  async onModuleInit(): Promise<void> {
    this.telemetry.observeCoreCalls();
    try {
      await this.core.start();
    } catch (error) {
      this.telemetry.stop();
      // Nest runs no shutdown hooks of an application that did not start. What counts is why it did not.
      await this.core.close().catch(() => undefined);
      throw error;
    }
  }

  async onApplicationShutdown(): Promise<void> {
    await this.core.close();
    this.events.complete();
  }

  private warnUnlessOnLoopback(adapter: ServingAdapter): void {
    const listening = adapter.getHttpServer().address();
    if (listening === null || typeof listening === 'string' || LOOPBACK.test(listening.address)) return;
    this.logger.warn(
      `The core listens on ${listening.address} without API keys: whoever reaches it can sign in as anybody. ` +
        'Set apiKeys, or listen on 127.0.0.1.',
    );
  }

  private registerServer(adapter: ServingAdapter): void {
    if (adapter.getType() === 'fastify') {
      adapter.getInstance().addHook('onRequest', ({ raw: req }, reply, done) => {
        if (!this.server.servesPath(req.url ?? '')) return done();
        reply.hijack();
        void serveCdi(this.server, req, reply.raw);
      });
    } else {
      adapter.use((req, res, next) => {
        if (!this.server.servesPath(req.url ?? '')) return next();
        void serveCdi(this.server, req, res);
      });
    }
  }
}

/** Wires one served core. Nothing of it is exported: beside it, a `SessionModule` has a core of its own. */
export const SESSION_CORE_PROVIDERS: Provider[] = [
  { provide: Clock, useClass: SystemClock },
  SessionEvents,
  {
    provide: RESOLVED_OPTIONS,
    inject: [SESSION_CORE_MODULE_OPTIONS],
    useFactory: resolveSessionCoreOptions,
  },
  {
    provide: Telemetry,
    inject: [RESOLVED_OPTIONS, SessionEvents],
    useFactory: async ({ telemetry }: SessionCoreConfig, events: SessionEvents): Promise<Telemetry> =>
      new Telemetry(await loadOpenTelemetry(telemetry, 'SessionCoreModule'), events),
  },
  {
    provide: CoreClient,
    inject: [RESOLVED_OPTIONS, Clock, SessionEvents],
    useFactory: ({ core, basePath }: SessionCoreConfig, clock: Clock, events: SessionEvents): CoreClient =>
      core.create({
        clock,
        events,
        apiDomain: `http://localhost:3567${basePath}`,
        jwksRefreshIntervalSec: WIRE_OPTIONS.jwksRefreshIntervalSec.fallback,
      }),
  },
  {
    provide: CdiServer,
    inject: [RESOLVED_OPTIONS, CoreClient, Clock],
    useFactory: (config: SessionCoreConfig, core: CoreClient, clock: Clock): CdiServer => {
      const logger = new Logger('SessionCoreModule');
      const reportFailure = (error: unknown): void => logger.error(error);
      return new CdiServer({ core, clock, reportFailure }, config);
    },
  },
  SessionCoreGateway,
];
