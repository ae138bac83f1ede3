import type { SessionClaimValidator } from '../claims/claim-validator.js';
import type { NewDelegation } from '../delegation/delegations.js';
import type { SessionLifetime } from '../options/feature-options.js';
import type { ProviderSignIn } from '../signals/provider-sessions.js';
import type { JsonObject } from '../util/json.js';
import type { KeyConfirmation } from '../util/key-confirmation.js';
import type { UserContext } from '../util/user-context.js';
import type { RecipeContext } from './recipe-dependencies.js';
import type { SessionContainer } from './session-container.js';
import type { StoredSessionFunctions, WithContext } from './stored-sessions.interface.js';

/**
 * How a session is verified.
 *
 * @publicApi
 */
export interface VerifySessionOptions {
  /** Checks anti-CSRF. Default: on every method but GET. */
  antiCsrfCheck?: boolean;
  /** False: a request without a session passes and the session is undefined. Default true. */
  sessionRequired?: boolean;
  /** Checks with the core that the session still exists, so that a revocation counts at once. Default false. */
  checkDatabase?: boolean;
  /** Replaces the list of claim validators for this check; receives the global ones. */
  overrideGlobalClaimValidators?(
    globalClaimValidators: readonly SessionClaimValidator[],
    session: SessionContainer,
    userContext: UserContext,
  ): Promise<readonly SessionClaimValidator[]> | readonly SessionClaimValidator[];
}

/**
 * The overridable functions of the session recipe. Each takes one object that includes `userContext`. They call each
 * other through the overridden object, so replacing one changes every function that builds on it.
 *
 * @publicApi
 */
export interface RecipeInterface extends StoredSessionFunctions {
  createNewSession(
    input: WithContext & {
      userId: string;
      recipeUserId: string;
      accessTokenPayload?: JsonObject | undefined;
      sessionDataInDatabase?: JsonObject | undefined;
      disableAntiCsrf?: boolean | undefined;
      tenantId: string;
      /** Limits of this session, laid over the module's option `lifetime`. */
      lifetime?: SessionLifetime | undefined;
      /** When the user proved who they are, milliseconds since the epoch; default now. */
      authenticatedAtMs?: number | undefined;
      /** The key that the client has shown, to which the session is bound; see the option `deviceBound`. */
      keyConfirmation?: KeyConfirmation | undefined;
      /** Life of the first access token; default the core's own validity, which is also the longest. */
      accessTokenValiditySec?: number | undefined;
      /** The sign-in at an OpenID provider that the session ends with; see the option `backChannelLogout`. */
      provider?: ProviderSignIn | undefined;
      /** The claims of a session that belongs to another one, see `actor` of the service. */
      delegation?: NewDelegation | undefined;
    },
  ): Promise<SessionContainer>;

  /** @returns undefined only when the session is optional and there is no usable token */
  getSession(
    input: WithContext & {
      accessToken: string | undefined;
      antiCsrfToken?: string | undefined;
      options?: VerifySessionOptions | undefined;
    },
  ): Promise<SessionContainer | undefined>;

  refreshSession(
    input: WithContext & {
      refreshToken: string;
      antiCsrfToken?: string | undefined;
      disableAntiCsrf: boolean;
      /** Life of the new access token; default the core's own validity, which is also the longest. */
      accessTokenValiditySec?: number | undefined;
    },
  ): Promise<SessionContainer>;
}

/** The input of one function of the recipe. */
export type RecipeInput<Name extends keyof RecipeInterface> = Parameters<RecipeInterface[Name]>[0];

/** The context of the verbs that return live sessions. */
export interface LiveRecipeContext extends RecipeContext {
  readonly recipe: RecipeInterface;
}
