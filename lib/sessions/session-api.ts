import { UnauthorisedError } from '../errors.js';
import { createSessionRequest } from '../http/exchanges.js';
import type { SessionRequest } from '../http/session-request.js';
import type { SessionConfig } from '../options/session-config.js';
import type { HttpExchange } from '../util/http-exchange.js';
import type { MaybePromise } from '../util/maybe-promise.js';
import type { UserContext } from '../util/user-context.js';
import type { PublicJwk } from '../util/verification-keys.js';
import type { RecipeInterface, VerifySessionOptions } from './recipe.interface.js';
import type { OpenIdDiscoveryConfiguration } from './stored-sessions.interface.js';
import type { SessionContainer } from './session-container.js';
import type { SessionRecipe, SessionVerbs } from './session-recipe.js';

/** @publicApi */
export interface ApiOptions {
  readonly exchange: HttpExchange;
  /** As `exchange.request`. This and what follows has the names of supertokens-node. */
  readonly req: HttpExchange['request'];
  /** As `exchange.response`. */
  readonly res: HttpExchange['response'];
  readonly config: SessionConfig;
  readonly recipeId: 'session';
  /** The recipe with its overrides. */
  readonly recipeImplementation: RecipeInterface;
  readonly isInServerlessEnv: false;
}

/** A response with status 200 that states why the application refused. @publicApi */
export interface GeneralErrorResponse {
  readonly status: 'GENERAL_ERROR';
  readonly message: string;
}

/**
 * The functions of the routes. A function left out (or undefined) in `override.apis` switches its route off.
 *
 * @publicApi
 */
export interface ApiInterface {
  /** `POST <base>/session/refresh` */
  refreshPOST?:
    ((input: { options: ApiOptions; userContext: UserContext }) => Promise<SessionContainer>) | undefined;
  /** `POST <base>/signout` */
  signOutPOST?:
    | ((input: {
        session: SessionContainer;
        options: ApiOptions;
        userContext: UserContext;
      }) => Promise<{ status: 'OK' } | GeneralErrorResponse>)
    | undefined;
  /** The guard's function, which belongs to no route. @returns undefined for OPTIONS and TRACE, and for absent optional sessions */
  verifySession(input: {
    verifySessionOptions: VerifySessionOptions | undefined;
    options: ApiOptions;
    userContext: UserContext;
  }): Promise<SessionContainer | undefined>;
  /** `GET <base>/jwt/jwks.json` */
  getJWKSGET?:
    | ((input: {
        options: ApiOptions;
        userContext: UserContext;
      }) => Promise<{ keys: readonly PublicJwk[] } | GeneralErrorResponse>)
    | undefined;
  /** `GET <base>/.well-known/openid-configuration` */
  getOpenIdDiscoveryConfigurationGET?:
    | ((input: {
        options: ApiOptions;
        userContext: UserContext;
      }) => Promise<({ status: 'OK' } & OpenIdDiscoveryConfiguration) | GeneralErrorResponse>)
    | undefined;
}

/** Verifies the session of a guarded request, without an override. */
type VerifyRequest = (
  request: SessionRequest,
  options: VerifySessionOptions,
) => MaybePromise<SessionContainer | undefined>;

/** Returns the API functions without overrides. */
export function createApi(recipe: SessionRecipe, verifyRequest: VerifyRequest): ApiInterface {
  const { verbs } = recipe;
  return {
    refreshPOST: async ({ options, userContext }) =>
      verbs.refresh.inRequest(createSessionRequest(options.exchange, userContext)),

    signOutPOST: async ({ session, userContext }) => {
      await session.revokeSession(userContext);
      return { status: 'OK' };
    },

    verifySession: async ({ verifySessionOptions = {}, options, userContext }) =>
      verifyRequest(createSessionRequest(options.exchange, userContext), verifySessionOptions),

    getJWKSGET: async ({ options, userContext }) => {
      const { keys, validityInSeconds } = await recipe.getJWKS({ userContext });
      if (validityInSeconds !== undefined) {
        const { response } = options.exchange;
        response.setHeader('Cache-Control', `max-age=${validityInSeconds}, must-revalidate`);
      }
      return { keys };
    },

    getOpenIdDiscoveryConfigurationGET: async ({ userContext }) =>
      recipe.getOpenIdDiscoveryConfiguration({ userContext }),
  };
}

/** Signs out. It requires a session, but none of its claims (§5.5). */
export async function signOut(
  { verify }: SessionVerbs,
  api: ApiInterface,
  request: SessionRequest,
  options: ApiOptions,
): Promise<unknown> {
  const session = await verify.fromRequest(request, {
    sessionRequired: true,
    overrideGlobalClaimValidators: () => [],
  });
  if (session === undefined) throw new UnauthorisedError('There is no session', { clearTokens: false });
  return api.signOutPOST?.({ session, options, userContext: request.userContext });
}
