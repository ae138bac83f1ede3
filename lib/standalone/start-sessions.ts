import type { CoreClient } from '../core/core-client.js';
import { loadOpenTelemetry } from '../events/open-telemetry.js';
import type { SessionEventHub } from '../events/session-event-hub.js';
import { Telemetry } from '../events/telemetry.js';
import { arrivingBasePath } from '../http/request-path.js';
import type { BasePaths } from '../http/request-path.js';
import type { SessionRouteName } from '../options/session-routes.js';
import type { ResolvedSessionOptions } from '../session.options.js';
import { createCore, createErrorResponder, createRuntime, RecipeLifecycle } from '../sessions/composition.js';
import { createRecipeDependencies } from '../sessions/create-dependencies.js';
import { applyFunctionOverrides } from '../sessions/overrides.js';
import type { RecipeDependencies } from '../sessions/recipe-dependencies.js';
import { RouteHandlers } from '../sessions/route-handlers.js';
import { SessionFunctions } from '../sessions/session-functions.js';
import { SessionRecipe } from '../sessions/session-recipe.js';
import type { SessionRuntime } from '../sessions/session-runtime.js';
import { missingCoreWarning, startupWarnings } from '../sessions/startup-warnings.js';
import type { Clock } from '../util/clock.js';
import type { SessionLogger } from '../util/session-logger.js';

/** The surroundings of a recipe. */
export interface Surroundings {
  readonly clock: Clock;
  readonly events: SessionEventHub;
  readonly logger: SessionLogger;
}

/** The parts of sessions that have started. */
export interface StartedSessions {
  readonly runtime: SessionRuntime;
  readonly service: SessionFunctions;
  readonly handlers: RouteHandlers;
  readonly routes: readonly SessionRouteName[];
  readonly paths: BasePaths;
  readonly lifecycle: RecipeLifecycle;
}

/** Makes all parts, in the order of the providers of `SessionModule`, and starts the core. */
export async function startSessions(
  options: ResolvedSessionOptions,
  { clock, events, logger }: Surroundings,
): Promise<StartedSessions> {
  const telemetry = new Telemetry(
    await loadOpenTelemetry(options.observability.telemetry, 'createSessions'),
    events,
  );
  const core = createCore(options, clock, events);
  const dependencies = await createRecipeDependencies(options, core, clock, events);
  const recipe = applyFunctionOverrides(createRecipe(options, dependencies), options.override.functions);
  const responder = createErrorResponder(options, dependencies, recipe, logger);
  const runtime = createRuntime(options, dependencies, recipe, responder);
  const lifecycle = new RecipeLifecycle(core, events, telemetry, dependencies);
  await lifecycle.start();
  for (const warning of startupWarnings(options, core)) logger.warn(warning);
  void warnOfMissingCore(core, lifecycle, logger);
  const { appInfo } = runtime.config;
  return {
    runtime,
    service: new SessionFunctions(runtime),
    handlers: new RouteHandlers(runtime, logger),
    routes: runtime.routeNames(),
    paths: { basePath: arrivingBasePath(appInfo), apiBasePath: appInfo.apiBasePath },
    lifecycle,
  };
}

/** The start waits for no core: the warning comes when there is no response. */
async function warnOfMissingCore(
  core: CoreClient,
  lifecycle: RecipeLifecycle,
  logger: SessionLogger,
): Promise<void> {
  const warning = await missingCoreWarning(core);
  if (warning !== undefined && !lifecycle.isOver) logger.warn(warning);
}

function createRecipe({ recipe }: ResolvedSessionOptions, dependencies: RecipeDependencies): SessionRecipe {
  const Recipe = (recipe ?? SessionRecipe) as new (dependencies: RecipeDependencies) => SessionRecipe;
  return new Recipe(dependencies);
}
