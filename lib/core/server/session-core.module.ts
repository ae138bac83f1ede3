import {
  ConfigurableModuleBuilder,
  Logger,
  Module,
  type ConfigurableModuleAsyncOptions,
  type ConfigurableModuleCls,
  type Provider,
} from '@nestjs/common';
import { NO_AUDIT_TRAIL, NO_DELIVERIES_HERE } from '../../audit/audit-options.js';
import { SessionConfigError } from '../../options/config-error.js';
import { WIRE_OPTIONS } from '../../options/wire-options.js';
import { CoreClient } from '../core-client.js';
import { versionsOf } from './cdi-router.js';
import { CdiServer } from './cdi-server.js';
import { RESOLVED_CORE_OPTIONS, SERVED_FEED, SESSION_CORE_MODULE_OPTIONS } from './session-core.constants.js';
import { SessionCoreGateway } from './session-core.gateway.js';
import { ServedFeed } from '../../feed/served-feed.js';
import { loadOpenTelemetry } from '../../events/open-telemetry.js';
import { errorReason } from '../../events/printable.js';
import { SessionEvents } from '../../events/session-events.js';
import { Telemetry } from '../../events/telemetry.js';
import {
  resolveSessionCoreOptions,
  type SessionCoreConfig,
  type SessionCoreModuleOptions,
} from './session-core-options.js';
import { Clock, SystemClock } from '../../util/clock.js';

const definition = new ConfigurableModuleBuilder<SessionCoreModuleOptions>({
  moduleName: 'SessionCore',
  optionsInjectionToken: SESSION_CORE_MODULE_OPTIONS,
})
  .setClassMethodName('forRoot')
  .setFactoryMethodName('createSessionCoreOptions')
  .build();

export const SessionCoreConfigurableModule: ConfigurableModuleCls<
  SessionCoreModuleOptions,
  'forRoot',
  'createSessionCoreOptions'
> = definition.ConfigurableModuleClass;

/**
 * Options of `SessionCoreModule.forRootAsync`: `useFactory` with `inject`, `useClass` or `useExisting`.
 *
 * @publicApi
 */
export type SessionCoreModuleAsyncOptions = ConfigurableModuleAsyncOptions<
  SessionCoreModuleOptions,
  'createSessionCoreOptions'
>;

/**
 * The interface of a class for `useClass` or `useExisting`.
 *
 * @publicApi
 */
export interface SessionCoreOptionsFactory {
  createSessionCoreOptions(): Promise<SessionCoreModuleOptions> | SessionCoreModuleOptions;
}

const NO_FEED =
  'is true, but the core or its store has no feed of its own. Leave it out, and give the instances a feed that they share as revocationFeed.feed';

const NO_ROTATION_AT_ONCE =
  'names 5.6, but the core cannot replace a refresh token with the refresh itself. Serve 5.0 to 5.5, or an embeddedCore()';

/**
 * The providers of one served core. None is exported, because a `SessionModule` beside it has a core of its own.
 */
const SESSION_CORE_PROVIDERS: Provider[] = [
  { provide: Clock, useClass: SystemClock },
  SessionEvents,
  {
    provide: RESOLVED_CORE_OPTIONS,
    inject: [SESSION_CORE_MODULE_OPTIONS],
    useFactory: resolveSessionCoreOptions,
  },
  {
    provide: Telemetry,
    inject: [RESOLVED_CORE_OPTIONS, SessionEvents],
    useFactory: async ({ telemetry }: SessionCoreConfig, events: SessionEvents): Promise<Telemetry> =>
      new Telemetry(await loadOpenTelemetry(telemetry, 'SessionCoreModule'), events),
  },
  {
    provide: CoreClient,
    inject: [RESOLVED_CORE_OPTIONS, Clock, SessionEvents],
    useFactory: createServedCore,
  },
  {
    provide: SERVED_FEED,
    inject: [RESOLVED_CORE_OPTIONS, CoreClient, Clock],
    useFactory: serveFeed,
  },
  {
    provide: CdiServer,
    inject: [RESOLVED_CORE_OPTIONS, CoreClient, Clock, { token: SERVED_FEED, optional: true }],
    useFactory: (config: SessionCoreConfig, core: CoreClient, clock: Clock, feed?: ServedFeed): CdiServer => {
      const logger = new Logger('SessionCoreModule');
      const reportFailure = (error: unknown): void => logger.error(errorReason(error));
      const versions = servedVersions(config, core);
      return new CdiServer({ core, clock, feed, reportFailure }, { ...config, versions });
    },
  },
  SessionCoreGateway,
];

/** @throws {SessionConfigError} an audit trail is asked for, and the core keeps none */
function createServedCore(
  { core, basePath, revocationFeed, audit }: SessionCoreConfig,
  clock: Clock,
  events: SessionEvents,
): CoreClient {
  const made = core.create({
    clock,
    events,
    recordsRevocations: revocationFeed,
    audit,
    apiDomain: `http://localhost:3567${basePath}`,
    jwksRefreshIntervalSec: WIRE_OPTIONS.jwksRefreshIntervalSec.fallback,
  });
  const message =
    audit !== undefined && made.auditTrail === undefined
      ? NO_AUDIT_TRAIL
      : audit && audit.deliveries.length > 0 && NO_DELIVERIES_HERE;
  if (!message) return made;
  throw new SessionConfigError([{ path: 'audit', message }], 'SessionCoreModule');
}

/** @throws {SessionConfigError} a version is asked for that the core cannot be served in */
function servedVersions({ versions }: SessionCoreConfig, core: CoreClient): readonly string[] {
  const possible = versionsOf(core);
  if (versions === undefined) return possible;
  if (versions.every((version) => possible.includes(version))) return versions;
  throw new SessionConfigError([{ path: 'versions', message: NO_ROTATION_AT_ONCE }], 'SessionCoreModule');
}

/** @throws {SessionConfigError} the feed is asked for, and there is none */
function serveFeed(
  { revocationFeed }: SessionCoreConfig,
  core: CoreClient,
  clock: Clock,
): ServedFeed | undefined {
  if (!revocationFeed) return undefined;
  if (core.revocationFeed) return new ServedFeed(core.revocationFeed, clock);
  throw new SessionConfigError([{ path: 'revocationFeed', message: NO_FEED }], 'SessionCoreModule');
}

/**
 * Serves a core over HTTP in a SuperTokens Core's place (CDI 5.0 to 5.6), for services in other languages, other SDKs
 * and other instances. It belongs into an application of its own, or below a base path of its own: it responds before
 * the application's middleware, guards and filters.
 *
 * @example
 * SessionCoreModule.forRoot({ apiKeys: [process.env['API_KEY']!] }) // app.listen(3567, '127.0.0.1')
 * @publicApi
 */
@Module({ providers: SESSION_CORE_PROVIDERS })
export class SessionCoreModule extends SessionCoreConfigurableModule {}
