import { Logger, type Provider } from '@nestjs/common';
import { APP_FILTER, ModuleRef } from '@nestjs/core';
import { AccessTokenVerifier } from './tokens/access-token-verifier.js';
import { CoreClient } from './core/core-client.js';
import { SessionRoutes, SessionController } from './session.controller.js';
import { SessionEvents } from './events/session-events.js';
import { loadOpenTelemetry } from './events/open-telemetry.js';
import { Telemetry } from './events/telemetry.js';
import { ClaimChecks } from './sessions/claim-checks.js';
import { Devices } from './sessions/devices.js';
import { CreateSessionFlow } from './sessions/create-session-flow.js';
import { GetSessionFlow } from './sessions/get-session-flow.js';
import { RefreshSessionFlow } from './sessions/refresh-session-flow.js';
import { createApi, requestVerifier } from './sessions/api-implementation.js';
import { ErrorResponder } from './sessions/error-responder.js';
import { applyApiOverrides, applyFunctionOverrides } from './sessions/overrides.js';
import { contextPreparer } from './sessions/prepare-context.js';
import { RateLimits } from './sessions/rate-limits.js';
import { RecipeDependencies } from './sessions/recipe-dependencies.js';
import { SessionRecipe } from './sessions/recipe-implementation.js';
import { SessionLifetimes } from './sessions/session-lifetimes.js';
import { UserSessions } from './sessions/user-sessions.js';
import { resolveSessionOptions, type ResolvedSessionOptions } from './session.options.js';
import { SharedSessions } from './graphql/shared-sessions.js';
import { SessionExceptionFilter } from './session.filter.js';
import { SessionSockets } from './websocket/session-sockets.js';
import { SessionStreams } from './sse/session-streams.js';
import { SessionGuard } from './session.guard.js';
import { UnguardedRules } from './rules/unguarded-rules.js';
import { SessionLifecycle } from './session.lifecycle.js';
import type { SessionRuntime } from './sessions/session-runtime.js';
import { SessionService } from './session.service.js';
import { RESOLVED_SESSION_OPTIONS, SESSION_MODULE_OPTIONS, SESSION_RUNTIME } from './session.constants.js';
import { Clock, SystemClock } from './util/clock.js';
import { TokenTransport } from './http/token-transport.js';

/** Wires the parts of one module instance. The only place that knows all of them. */
export const SESSION_PROVIDERS: Provider[] = [
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
    useFactory: ({ config, core }: ResolvedSessionOptions, clock: Clock, events: SessionEvents): CoreClient =>
      core.create({
        clock,
        events,
        apiDomain: config.appInfo.apiDomain,
        jwksRefreshIntervalSec: config.jwksRefreshIntervalSec,
      }),
  },
  {
    provide: RecipeDependencies,
    inject: [RESOLVED_SESSION_OPTIONS, CoreClient, Clock, SessionEvents],
    useFactory: createRecipeDependencies,
  },
  {
    provide: SessionRecipe,
    inject: [RESOLVED_SESSION_OPTIONS, RecipeDependencies, ModuleRef],
    useFactory: async (
      { recipe }: ResolvedSessionOptions,
      dependencies: RecipeDependencies,
      module: ModuleRef,
    ): Promise<SessionRecipe> => (recipe ? module.create(recipe) : new SessionRecipe(dependencies)),
  },
  {
    provide: SESSION_RUNTIME,
    inject: [RESOLVED_SESSION_OPTIONS, RecipeDependencies, SessionRecipe],
    useFactory: createRuntime,
  },
  SessionService,
  SessionSockets,
  SessionStreams,
  SharedSessions,
  SessionGuard,
  SessionExceptionFilter,
  { provide: APP_FILTER, useExisting: SessionExceptionFilter },
  SessionController,
  SessionRoutes,
  SessionLifecycle,
  UnguardedRules,
];

function createRecipeDependencies(
  {
    config,
    clockToleranceSec,
    maxCachedTokens,
    maxCachedTokenBytes,
    userRoles,
    features,
    recordsAuthenticationTime,
  }: ResolvedSessionOptions,
  core: CoreClient,
  clock: Clock,
  events: SessionEvents,
): RecipeDependencies {
  const verifier = new AccessTokenVerifier(core.verificationKeys, clock, {
    clockToleranceSec,
    maxCachedTokens,
    maxCachedTokenBytes,
    intended: { issuers: config.accessTokenIssuers, audience: config.accessTokenAudience },
  });
  const lifetimes = new SessionLifetimes({ lifetime: features.lifetime, recordsAuthenticationTime }, clock);
  return {
    config,
    core,
    verifier,
    transport: new TokenTransport(config, clock),
    events,
    clock,
    prepareContext: contextPreparer(userRoles ?? core.userRoles, clock),
    lifetimes,
    features,
    devices: new Devices(features.devices, clock),
  };
}

function createRuntime(
  options: ResolvedSessionOptions,
  dependencies: RecipeDependencies,
  ownRecipe: SessionRecipe,
): SessionRuntime {
  const { config, core, transport, prepareContext, lifetimes, verifier, events, clock } = dependencies;
  const recipe = applyFunctionOverrides(ownRecipe, options.override.functions);
  const { rateLimit } = options.observability;
  const { claims, globalClaimValidators, errorHandlers: handlers } = options;
  const revokesStolenSessions = handlers.onTokenTheftDetected === undefined;
  const flow = {
    config,
    core,
    transport,
    recipe,
    ownRecipe,
    verifier,
    claims,
    globalClaimValidators,
    revokesStolenSessions,
    lifetimes,
    events,
    rateLimits: rateLimit && new RateLimits(rateLimit, core, clock),
    clock,
  };
  const claimChecks = new ClaimChecks(flow);
  const creation = new CreateSessionFlow(flow);
  const verification = new GetSessionFlow(flow, claimChecks);
  const refreshing = new RefreshSessionFlow(flow);
  const apiDependencies = { config, recipe, verification, refreshing, claimChecks };
  const ownApi = createApi(apiDependencies);
  const api = applyApiOverrides(ownApi, options.override.apis);
  const errorResponder = new ErrorResponder({
    config,
    transport,
    recipe,
    handlers,
    prepareContext,
    logger: new Logger('SessionModule'),
  });
  const { userSessionRoutes } = options.features;
  const userSessions = userSessionRoutes && new UserSessions(recipe, verification, userSessionRoutes);
  return {
    config,
    core,
    recipe,
    api,
    verifyRequest: requestVerifier(apiDependencies, { own: ownApi, used: api }),
    creation,
    verification,
    refreshing,
    claimChecks,
    errorResponder,
    userSessions,
    prepareContext,
  };
}
