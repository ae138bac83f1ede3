import type { CoreClient } from '../core/core-client.js';
import { createSessionRequest, type SessionRequest } from '../http/session-request.js';
import type { SessionConfig } from '../options/session-config.js';
import type { HttpExchange } from '../util/http-exchange.js';
import type { MaybePromise } from '../util/maybe-promise.js';
import type { UserContext } from '../util/user-context.js';
import type { ErrorResponder } from './error-responder.js';
import { applyApiOverrides } from './overrides.js';
import type { PrepareContext, RecipeDependencies } from './recipe-dependencies.js';
import type { VerifySessionOptions } from './recipe.interface.js';
import { ensureRequestState, getExchange } from './request-state.js';
import { createApi, verifyRequest, type ApiInterface, type ApiOptions } from './session-api.js';
import type { SessionContainer } from './session-container.js';
import type { SessionRecipe, SessionVerbs } from './session-recipe.js';
import { UserSessions } from './user-sessions.js';

/** The recipe of one module instance, and the functions of its routes and its guard. Two instances share no state. */
export class SessionRuntime {
  readonly config: SessionConfig;
  readonly core: CoreClient;
  readonly prepareContext: PrepareContext;
  readonly verbs: SessionVerbs;
  readonly api: ApiInterface;
  /** The functions of the routes for users' own sessions; undefined without the option `userSessionRoutes`. */
  readonly userSessions: UserSessions | undefined;
  private readonly isVerifySessionReplaced: boolean;

  constructor(
    dependencies: RecipeDependencies,
    readonly recipe: SessionRecipe,
    readonly errorResponder: ErrorResponder,
    overrideApis: ((original: ApiInterface) => ApiInterface) | undefined,
  ) {
    // Not in the signature: the declaration would name these internal properties.
    const { config, core, prepareContext, features } = dependencies;
    this.config = config;
    this.core = core;
    this.prepareContext = prepareContext;
    this.verbs = recipe.verbs;
    const { userSessionRoutes } = features;
    this.userSessions = userSessionRoutes && new UserSessions(recipe, userSessionRoutes);
    const original = createApi(recipe, config);
    this.api = applyApiOverrides(original, overrideApis);
    this.isVerifySessionReplaced = this.api.verifySession !== original.verifySession;
  }

  /** Returns the session request of a call that works for a request of the framework. */
  createRequest(req: unknown, res: unknown, userContext?: UserContext): SessionRequest {
    return createSessionRequest(getExchange(req, res), this.prepareContext(userContext));
  }

  /** As {@link createRequest}; an error of the call then belongs to this module, if the application has several. */
  claimRequest(req: unknown, res: unknown, userContext?: UserContext): SessionRequest {
    const request = this.createRequest(req, res, userContext);
    ensureRequestState(req).errorResponder = this.errorResponder;
    return request;
  }

  /** Returns the input that every API function takes. */
  apiInput({ request, response, userContext }: SessionRequest): {
    options: ApiOptions;
    userContext: UserContext;
  } {
    return { options: this.apiOptions({ request, response }), userContext };
  }

  /** Returns the part of that input which does not belong to the user context. */
  apiOptions(exchange: HttpExchange): ApiOptions {
    return {
      exchange,
      req: exchange.request,
      res: exchange.response,
      config: this.config,
      recipeId: 'session',
      recipeImplementation: this.recipe,
      isInServerlessEnv: false,
    };
  }

  /**
   * Verifies the session of a guarded request by the API function `verifySession`.
   *
   * @returns as {@link ApiInterface.verifySession}; without a promise if nothing has to be waited for
   */
  verifyRequest(
    request: SessionRequest,
    options: VerifySessionOptions,
  ): MaybePromise<SessionContainer | undefined> {
    return this.isVerifySessionReplaced
      ? this.callReplacement(request, options)
      : verifyRequest(this.verbs, this.config, request, options);
  }

  /** `async`, so that a thenable of the application is awaited and never taken for a session. */
  private async callReplacement(
    request: SessionRequest,
    verifySessionOptions: VerifySessionOptions,
  ): Promise<SessionContainer | undefined> {
    return this.api.verifySession({ verifySessionOptions, ...this.apiInput(request) });
  }
}
