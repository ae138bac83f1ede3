import type { CoreClient } from '../core/core-client.js';
import { UnauthorisedError } from '../errors.js';
import type { RevocationWatch } from '../feed/revocation-watch.js';
import { createSessionRequest } from '../http/exchanges.js';
import { requestPath, samePath } from '../http/request-path.js';
import type { SessionRequest } from '../http/session-request.js';
import type { DeviceSettings } from '../options/feature-options.js';
import type { SessionConfig } from '../options/session-config.js';
import { SESSION_ROUTES, type SessionRouteName } from '../options/session-routes.js';
import type { HttpExchange, HttpRequest } from '../util/http-exchange.js';
import type { JsonObject } from '../util/json.js';
import type { MaybePromise } from '../util/maybe-promise.js';
import type { PrepareContext, UserContext } from '../util/user-context.js';
import type { BackChannelLogout } from './back-channel-logout.js';
import { DeviceRoutes } from './device-routes.js';
import type { ErrorResponder } from './error-responder.js';
import { applyApiOverrides } from './overrides.js';
import type { RecipeDependencies } from './recipe-dependencies.js';
import type { VerifySessionOptions } from './recipe.interface.js';
import { ensureRequestState, getExchange, type RequestState } from './request-state.js';
import { createApi, type ApiInterface, type ApiOptions } from './session-api.js';
import type { SessionContainer } from './session-container.js';
import type { SessionRecipe, SessionVerbs } from './session-recipe.js';
import type { ServedRevocations } from './served-revocations.js';
import { SessionReports } from './session-reports.js';
import { UserSessions } from './user-sessions.js';

/** Returns whether a route lacks the session that it requires. */
export function lacksSession(
  session: SessionContainer | undefined,
  { sessionRequired }: VerifySessionOptions,
): session is undefined {
  return session === undefined && sessionRequired !== false;
}

/** The error of a route that {@link lacksSession}. */
export function missingSession(): UnauthorisedError {
  return new UnauthorisedError('The route requires a session', { clearTokens: false });
}

/** The recipe of one module instance, and the functions of its routes and its guard. Two instances share no state. */
export class SessionRuntime {
  readonly config: SessionConfig;
  readonly core: CoreClient;
  readonly prepareContext: PrepareContext;
  readonly verbs: SessionVerbs;
  readonly api: ApiInterface;
  /** The functions of the routes for users' own sessions; undefined without the option `userSessionRoutes`. */
  readonly userSessions: UserSessions | undefined;
  /** The functions of the routes for browsers that bind sessions; undefined without the option `deviceBound.dbsc`. */
  readonly deviceRoutes: DeviceRoutes | undefined;
  /** The route for verifiers of other processes; undefined without the option `revocationFeed.apiKeys`. */
  readonly servedRevocations: ServedRevocations | undefined;
  /** How this instance learns of sessions that ended in others; undefined without the option `revocationFeed`. */
  readonly revocations: RevocationWatch | undefined;
  /** The route for OpenID providers; undefined without the option `backChannelLogout`. */
  readonly backChannelLogout: BackChannelLogout | undefined;
  /** How much of a client the option `devices` keeps; undefined without it. */
  readonly deviceSettings: DeviceSettings | undefined;
  private readonly isVerifySessionReplaced: boolean;
  private readonly binding: RecipeDependencies['binding'];

  constructor(
    dependencies: RecipeDependencies,
    readonly recipe: SessionRecipe,
    readonly errorResponder: ErrorResponder,
    overrideApis: ((original: ApiInterface) => ApiInterface) | undefined,
  ) {
    // Not in the signature: the declaration would name these internal properties.
    const { config, core, prepareContext, features, binding } = dependencies;
    this.config = config;
    this.core = core;
    this.prepareContext = prepareContext;
    this.binding = binding;
    this.verbs = recipe.verbs;
    const { userSessionRoutes } = features;
    this.userSessions = userSessionRoutes && new UserSessions(recipe, userSessionRoutes);
    this.deviceSettings = features.devices;
    this.servedRevocations = dependencies.servedRevocations;
    this.revocations = dependencies.revocations;
    this.backChannelLogout = dependencies.backChannelLogout;
    this.deviceRoutes = createDeviceRoutes(recipe, dependencies);
    const original = createApi(recipe, (request, options) => this.verifyOwn(request, options));
    this.api = applyApiOverrides(original, overrideApis);
    this.isVerifySessionReplaced = this.api.verifySession !== original.verifySession;
  }

  /** Whether clients can bind their sessions by proofs. */
  get bindsByProof(): boolean {
    return this.binding?.dpop !== undefined;
  }

  /** @throws {UnauthorisedError} a token with this payload needs a proof of its key beside it, see the option `deviceBound` */
  assertNeedsNoProof(payload: JsonObject = {}): void {
    this.binding?.assertNeedsNoProof(payload);
  }

  /** Returns the names of the routes that exist. One whose API function an override removed does not. */
  routeNames(): SessionRouteName[] {
    return (Object.keys(SESSION_ROUTES) as SessionRouteName[]).filter((name) => this.hasRoute(name));
  }

  private hasRoute(name: SessionRouteName): boolean {
    const route = SESSION_ROUTES[name];
    const served = route.apiFunction === undefined ? this[route.part] : this.api[route.apiFunction];
    return served !== undefined;
  }

  /** Returns the session request of a call that works for a request of the framework. */
  createRequest(req: unknown, res: unknown, userContext?: UserContext): SessionRequest {
    return createSessionRequest(getExchange(req, res), this.prepareContext(userContext));
  }

  /** The same for a guarded request, whose state is known. */
  createGuardedRequest(state: RequestState, res: unknown): SessionRequest {
    return createSessionRequest(state.getExchange(res), this.prepareContext());
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
      : this.verifyOwn(request, options);
  }

  /** A request to the refresh path is refreshed instead (§5.4). */
  private verifyOwn(
    request: SessionRequest,
    options: VerifySessionOptions,
  ): MaybePromise<SessionContainer | undefined> {
    const { verify, refresh, claims } = this.verbs;
    const method = request.request.getMethod();
    if (method === 'options' || method === 'trace') return undefined;
    if (method !== 'post' || !isRefreshPath(request.request, this.config))
      return verify.fromRequest(request, options);
    return refresh.inRequest(request).then(async (session) => {
      // A refresh runs no global validators, but the validators of the route itself hold.
      if (options.overrideGlobalClaimValidators) await claims.assert(session, options, request.userContext);
      return session;
    });
  }

  /** `async`, so that a thenable of the application is awaited and never taken for a session. */
  private async callReplacement(
    request: SessionRequest,
    verifySessionOptions: VerifySessionOptions,
  ): Promise<SessionContainer | undefined> {
    return this.api.verifySession({ verifySessionOptions, ...this.apiInput(request) });
  }
}

function createDeviceRoutes(
  recipe: SessionRecipe,
  { binding, transport, verifier, events, clock, core }: RecipeDependencies,
): DeviceRoutes | undefined {
  const dbsc = binding?.dbsc;
  const reports = new SessionReports(verifier, transport, events, clock);
  return dbsc && new DeviceRoutes({ recipe, dbsc, transport, verifier, reports, core });
}

/** The refresh path with and without the prefix that a gateway strips (Q15). */
function isRefreshPath(request: HttpRequest, { refreshTokenPath, appInfo }: SessionConfig): boolean {
  const path = requestPath(request.getOriginalURL());
  return samePath(path, refreshTokenPath) || samePath(appInfo.apiGatewayPath + path, refreshTokenPath);
}
