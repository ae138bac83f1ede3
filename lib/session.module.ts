import {
  ConfigurableModuleBuilder,
  Injectable,
  Logger,
  Module,
  type ConfigurableModuleAsyncOptions,
  type ConfigurableModuleCls,
  type DynamicModule,
  type NestModule,
  type BeforeApplicationShutdown,
  type OnApplicationShutdown,
  type OnModuleInit,
  type Provider,
  type Type,
} from '@nestjs/common';
import { APP_FILTER, ExternalContextCreator, ModuleRef, ModulesContainer } from '@nestjs/core';
import { CoreClient } from './core/core-client.js';
import { loadOpenTelemetry } from './events/open-telemetry.js';
import { SessionEvents } from './events/session-events.js';
import { Telemetry } from './events/telemetry.js';
import { SharedSessions } from './graphql/shared-sessions.js';
import { applicationConfig } from './rules/application-config.js';
import { assertNoCircle } from './rules/injection-circle.js';
import { precedeHttpExceptionFilters, StatusCodes } from './rules/http-exception.js';
import { passOverSessions } from './rules/pipes.js';
import { globalGuardProviders } from './rules/global-guard.js';
import { RequestProperty } from './rules/request-property.js';
import { UnguardedRules } from './rules/unguarded-rules.js';
import {
  RESOLVED_SESSION_OPTIONS,
  SESSION_MODULE_OPTIONS,
  SESSION_RUNTIME,
  SHARED_SESSIONS,
} from './session.constants.js';
import { SessionController } from './session.controller.js';
import { SessionRoutes } from './rules/session-router.js';
import { SessionExceptionFilter } from './session.filter.js';
import { SessionGuard } from './session.guard.js';
import {
  NO_OPTIONS,
  resolveSessionOptions,
  type ResolvedSessionOptions,
  type SessionModuleOptions,
} from './session.options.js';
import { assertOptionsObject } from './options/session-config.js';
import { StartupReport } from './rules/startup-report.js';
import { SessionService } from './session.service.js';
import { ErrorResponder } from './sessions/error-responder.js';
import { createCore, createErrorResponder, createRuntime, RecipeLifecycle } from './sessions/composition.js';
import { applyFunctionOverrides } from './sessions/overrides.js';
import { createRecipeDependencies } from './sessions/create-dependencies.js';
import { RecipeDependencies } from './sessions/recipe-dependencies.js';
import { SessionRecipe } from './sessions/session-recipe.js';
import { SessionStreams } from './sse/session-streams.js';
import { Clock, SystemClock } from './util/clock.js';
import { SessionSockets } from './websocket/session-sockets.js';

/**
 * Options of the module itself.
 *
 * @publicApi
 */
export interface SessionModuleExtras {
  /**
   * Makes the module global: every module of the application can inject `SessionService` and use `SessionGuard` without importing
   * `SessionModule`. Default true; false if one application has several session modules.
   */
  isGlobal?: boolean;
  /**
   * `'global'` closes every route of the application: `SessionGuard` runs for all of them, and `@PublicAccess()` and
   * `@OptionalSession()` open routes one by one. The module's own routes stay as they are. By default the guard runs where
   * the application binds it.
   */
  guard?: 'global' | undefined;
}

const definition = new ConfigurableModuleBuilder<SessionModuleOptions>({
  moduleName: 'Session',
  optionsInjectionToken: SESSION_MODULE_OPTIONS,
})
  .setClassMethodName('forRoot')
  .setFactoryMethodName('createSessionOptions')
  .setExtras<SessionModuleExtras>({ isGlobal: true, guard: undefined }, (module, { isGlobal, guard }) => ({
    ...module,
    global: isGlobal ?? true,
    providers: [...(module.providers ?? []), ...globalGuardProviders(guard)],
  }))
  .build();

const SessionConfigurableModule: ConfigurableModuleCls<
  SessionModuleOptions,
  'forRoot',
  'createSessionOptions',
  SessionModuleExtras
> = definition.ConfigurableModuleClass;

/**
 * Options of `SessionModule.forRootAsync`: `useFactory` with `inject`, `useClass` or `useExisting`.
 *
 * @publicApi
 */
export type SessionModuleAsyncOptions = ConfigurableModuleAsyncOptions<
  SessionModuleOptions,
  'createSessionOptions'
> &
  SessionModuleExtras;

/**
 * The interface of a class for `useClass` or `useExisting`.
 *
 * @publicApi
 */
export interface SessionOptionsFactory {
  createSessionOptions(): Promise<SessionModuleOptions> | SessionModuleOptions;
}

/** Starts the core before the first request, and closes it when the application shuts down. */
@Injectable()
class SessionLifecycle implements OnModuleInit, BeforeApplicationShutdown, OnApplicationShutdown {
  private readonly recipe: RecipeLifecycle;

  constructor(core: CoreClient, events: SessionEvents, telemetry: Telemetry, parts: RecipeDependencies) {
    this.recipe = new RecipeLifecycle(core, events, telemetry, parts);
  }

  async onModuleInit(): Promise<void> {
    await this.recipe.start();
  }

  beforeApplicationShutdown(): void {
    this.recipe.endWaiting();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.recipe.close();
  }
}

/** The providers that wait for the recipe. */
const AWAITING_RECIPE: ReadonlySet<unknown> = new Set<unknown>([
  SessionRecipe,
  SESSION_RUNTIME,
  SHARED_SESSIONS,
  SessionService,
  SessionSockets,
  SessionStreams,
  SessionGuard,
  SessionExceptionFilter,
  SessionController,
  SessionRoutes,
]);

/** The parts of one module instance. This is the only place that knows all of them. */
const SESSION_PROVIDERS: Provider[] = [
  { provide: SESSION_MODULE_OPTIONS, useValue: NO_OPTIONS }, // forRoot puts its own in this place
  { provide: Clock, useClass: SystemClock },
  SessionEvents,
  {
    provide: RESOLVED_SESSION_OPTIONS,
    inject: [SESSION_MODULE_OPTIONS],
    useFactory: resolveSessionOptions,
  },
  {
    provide: Telemetry,
    inject: [RESOLVED_SESSION_OPTIONS, SessionEvents],
    useFactory: async (
      { observability }: ResolvedSessionOptions,
      events: SessionEvents,
    ): Promise<Telemetry> =>
      new Telemetry(await loadOpenTelemetry(observability.telemetry, 'SessionModule'), events),
  },
  {
    provide: CoreClient,
    inject: [RESOLVED_SESSION_OPTIONS, Clock, SessionEvents],
    useFactory: createCore,
  },
  {
    provide: RecipeDependencies,
    inject: [RESOLVED_SESSION_OPTIONS, CoreClient, Clock, SessionEvents],
    useFactory: createRecipeDependencies,
  },
  {
    provide: SessionRecipe,
    inject: [RESOLVED_SESSION_OPTIONS, RecipeDependencies, ModuleRef, ModulesContainer],
    useFactory: async (
      { recipe, override }: ResolvedSessionOptions,
      dependencies: RecipeDependencies,
      module: ModuleRef,
      modules: ModulesContainer,
    ): Promise<SessionRecipe> => {
      if (recipe) assertNoCircle(modules, recipe, AWAITING_RECIPE);
      const made = recipe
        ? await module.create(recipe as Type<SessionRecipe>)
        : new SessionRecipe(dependencies);
      return applyFunctionOverrides(made, override.functions);
    },
  },
  {
    provide: ErrorResponder,
    inject: [RESOLVED_SESSION_OPTIONS, RecipeDependencies, SessionRecipe],
    useFactory: (
      options: ResolvedSessionOptions,
      dependencies: RecipeDependencies,
      made: SessionRecipe,
    ): ErrorResponder => createErrorResponder(options, dependencies, made, new Logger('SessionModule')),
  },
  {
    provide: SESSION_RUNTIME,
    inject: [RESOLVED_SESSION_OPTIONS, RecipeDependencies, SessionRecipe, ErrorResponder],
    useFactory: createRuntime,
  },
  SessionService,
  SessionSockets,
  SessionStreams,
  { provide: SHARED_SESSIONS, useClass: SharedSessions },
  SessionGuard,
  SessionExceptionFilter,
  { provide: APP_FILTER, useExisting: SessionExceptionFilter },
  SessionController,
  SessionRoutes,
  SessionLifecycle,
  RequestProperty,
  StatusCodes,
  StartupReport,
  UnguardedRules,
];

/**
 * Sessions for a Nest application: brings `SessionService`, `SessionGuard`, the routes below `apiBasePath` (refresh,
 * sign-out, keys, discovery) and the filter that responds to session errors.
 *
 * @example
 * SessionModule.forRoot({ appInfo: { appName: 'Shop', apiDomain: 'http://localhost:3000', websiteDomain: 'http://localhost:3000' } })
 * @publicApi
 */
@Module({
  providers: SESSION_PROVIDERS,
  exports: [
    SessionService,
    SessionSockets,
    SessionStreams,
    SHARED_SESSIONS,
    SessionGuard,
    SessionExceptionFilter,
    SessionEvents,
    CoreClient,
    Clock,
    SESSION_RUNTIME,
  ],
})
export class SessionModule extends SessionConfigurableModule implements NestModule {
  constructor(
    private readonly routes: SessionRoutes,
    private readonly filter: SessionExceptionFilter,
    private readonly property: RequestProperty,
    private readonly contexts: ExternalContextCreator,
  ) {
    super();
    passOverSessions(contexts);
  }

  /** @throws {SessionConfigError} these are no options */
  static override forRoot(options: SessionModuleOptions & Partial<SessionModuleExtras>): DynamicModule {
    assertOptionsObject(options);
    return super.forRoot(options);
  }

  /** Nest calls it after it has added its body parsers, before the middleware of modules and before it reads filters. */
  configure(): void {
    this.property.define();
    this.routes.ignoreBodyErrors();
    const config = applicationConfig(this.contexts);
    if (config === undefined) return;
    precedeHttpExceptionFilters(this.filter, config);
  }
}
