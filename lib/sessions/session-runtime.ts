import type { SessionConfig } from '../options/session-config.js';
import type { CoreClient } from '../core/core-client.js';
import type { VerifyRequest } from './api-implementation.js';
import type { ApiInterface } from './api.interface.js';
import type { ClaimChecks } from './claim-checks.js';
import type { CreateSessionFlow } from './create-session-flow.js';
import type { GetSessionFlow } from './get-session-flow.js';
import type { RefreshSessionFlow } from './refresh-session-flow.js';
import type { ErrorResponder } from './error-responder.js';
import type { PrepareContext } from './prepare-context.js';
import type { RecipeInterface } from './recipe.interface.js';
import type { UserSessions } from './user-sessions.js';

/** Everything that one module instance is made of; two instances share nothing. */
export interface SessionRuntime {
  readonly config: SessionConfig;
  readonly core: CoreClient;
  readonly recipe: RecipeInterface;
  readonly api: ApiInterface;
  /** What the guard asks; without a promise where there is nothing to wait for. */
  readonly verifyRequest: VerifyRequest;
  readonly creation: CreateSessionFlow;
  readonly verification: GetSessionFlow;
  readonly refreshing: RefreshSessionFlow;
  readonly claimChecks: ClaimChecks;
  readonly errorResponder: ErrorResponder;
  /** What stands behind the routes for users' own sessions; undefined where there are none. */
  readonly userSessions: UserSessions | undefined;
  readonly prepareContext: PrepareContext;
}
