import type { Provider } from '@nestjs/common';
import { APP_FILTER, ModuleRef } from '@nestjs/core';
import { AccessTokenVerifier } from './access-token/access-token-verifier.js';
import { CoreClient } from './core/core-client.js';
import { SessionRoutes } from './controllers/session-routes.js';
import { SessionController } from './controllers/session.controller.js';
import { SessionEvents } from './observability/session-events.js';
import { ClaimChecks } from './recipe/claim-checks.js';
import { CreateSessionFlow } from './recipe/create-session-flow.js';
import { GetSessionFlow } from './recipe/get-session-flow.js';
import { RefreshSessionFlow } from './recipe/refresh-session-flow.js';
import { createApi } from './recipe/api-implementation.js';
import { ErrorResponder } from './recipe/error-responder.js';
import { applyApiOverrides, applyFunctionOverrides } from './recipe/overrides.js';
import { contextPreparer } from './recipe/prepare-context.js';
import { RecipeDependencies, SessionRecipe } from './recipe/recipe-implementation.js';
import { resolveSessionOptions, type ResolvedSessionOptions } from './resolve-session-options.js';
import { SessionExceptionFilter } from './session-exception.filter.js';
import { SessionGuard } from './session.guard.js';
import { SessionLifecycle } from './session.lifecycle.js';
import type { SessionRuntime } from './session.runtime.js';
import { SessionService } from './session.service.js';
import { RESOLVED_SESSION_OPTIONS, SESSION_MODULE_OPTIONS, SESSION_RUNTIME } from './session.tokens.js';
import { Clock, SystemClock } from './shared/clock.js';
import { TokenTransport } from './transport/token-transport.js';

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
  SessionGuard,
  SessionExceptionFilter,
  { provide: APP_FILTER, useExisting: SessionExceptionFilter },
  SessionController,
  SessionRoutes,
  SessionLifecycle,
];

function createRecipeDependencies(
  { config, clockToleranceSec, maxCachedTokens, userRoles }: ResolvedSessionOptions,
  core: CoreClient,
  clock: Clock,
  events: SessionEvents,
): RecipeDependencies {
  const verifier = new AccessTokenVerifier(core.verificationKeys, clock, {
    clockToleranceSec,
    maxCachedTokens,
  });
  return {
    config,
    core,
    verifier,
    transport: new TokenTransport(config, clock),
    events,
    clock,
    prepareContext: contextPreparer(userRoles ?? core.userRoles),
  };
}

function createRuntime(
  options: ResolvedSessionOptions,
  { config, core, transport, prepareContext }: RecipeDependencies,
  ownRecipe: SessionRecipe,
): SessionRuntime {
  const recipe = applyFunctionOverrides(ownRecipe, options.overrideFunctions);
  const { claims, globalClaimValidators, errorHandlers: handlers } = options;
  const revokesStolenSessions = handlers.onTokenTheftDetected === undefined;
  const flow = { config, core, transport, recipe, claims, globalClaimValidators, revokesStolenSessions };
  const claimChecks = new ClaimChecks(flow);
  const creation = new CreateSessionFlow(flow);
  const verification = new GetSessionFlow(flow, claimChecks);
  const refreshing = new RefreshSessionFlow(flow);
  const api = applyApiOverrides(
    createApi({ config, recipe, verification, refreshing, claimChecks }),
    options.overrideApis,
  );
  const errorResponder = new ErrorResponder({ config, transport, recipe, handlers });
  return {
    config,
    core,
    recipe,
    api,
    creation,
    verification,
    refreshing,
    claimChecks,
    errorResponder,
    prepareContext,
  };
}
