import type { SessionConfig } from './config/session-config.js';
import type { CoreClient } from './core/core-client.js';
import type { ApiInterface } from './recipe/api.interface.js';
import type { ErrorResponder } from './recipe/error-responder.js';
import type { PrepareContext } from './recipe/prepare-context.js';
import type { RecipeInterface } from './recipe/recipe.interface.js';
import type { RequestSessions } from './recipe/session-from-request.js';

/** Everything that one module instance is made of; two instances share nothing. */
export interface SessionRuntime {
  readonly config: SessionConfig;
  readonly core: CoreClient;
  readonly recipe: RecipeInterface;
  readonly api: ApiInterface;
  readonly sessions: RequestSessions;
  readonly errorResponder: ErrorResponder;
  readonly prepareContext: PrepareContext;
}
