import type { SessionConfig } from '../options/session-config.js';
import { UnauthorisedError } from '../errors.js';
import { createSessionRequest } from '../http/session-request.js';
import type { HttpRequest } from '../util/http-exchange.js';
import type { ApiInterface } from './api.interface.js';
import type { RecipeInterface } from './recipe.interface.js';
import { requestPath, samePath } from '../http/request-path.js';
import type { ClaimChecks } from './claim-checks.js';
import type { GetSessionFlow } from './get-session-flow.js';
import type { RefreshSessionFlow } from './refresh-session-flow.js';
import type { SessionContainer } from './session-container.js';

export interface ApiDependencies {
  readonly config: SessionConfig;
  readonly recipe: RecipeInterface;
  readonly verification: GetSessionFlow;
  readonly refreshing: RefreshSessionFlow;
  readonly claimChecks: ClaimChecks;
}

type VerifySessionInput = Parameters<ApiInterface['verifySession']>[0];

/** {@link ApiInterface.verifySession} for callers that can do without a promise where there is nothing to wait for. */
export type VerifyRequest = (
  input: VerifySessionInput,
) => Promise<SessionContainer | undefined> | SessionContainer | undefined;

/** What stands behind the routes when nothing is overridden. */
export function createApi(dependencies: ApiDependencies): ApiInterface {
  const { recipe, refreshing } = dependencies;
  return {
    refreshPOST: async ({ options, userContext }) =>
      refreshing.inRequest(createSessionRequest(options.exchange, userContext)),

    signOutPOST: async ({ session, userContext }) => {
      await session.revokeSession(userContext);
      return { status: 'OK' };
    },

    verifySession: async (input) => verifyRequest(dependencies, input),

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

/**
 * What the guard asks: the API's function, and where that is our own what stands behind it, which answers at once if it
 * can.
 */
export function requestVerifier(
  dependencies: ApiDependencies,
  { own, used }: { own: ApiInterface; used: ApiInterface },
): VerifyRequest {
  // `async`, so that whatever a replacement returns is waited for and never taken for a session.
  if (used.verifySession !== own.verifySession) return async (input) => used.verifySession(input);
  return (input) => verifyRequest(dependencies, input);
}

/** §5.4 */
function verifyRequest(
  { config, verification, refreshing, claimChecks }: ApiDependencies,
  { verifySessionOptions = {}, options, userContext }: VerifySessionInput,
): ReturnType<VerifyRequest> {
  const { exchange } = options;
  const method = exchange.request.getMethod();
  if (method === 'options' || method === 'trace') return undefined;
  const request = createSessionRequest(exchange, userContext);
  if (method !== 'post' || !isRefreshPath(exchange.request, config)) {
    return verification.fromRequest(request, verifySessionOptions);
  }
  return refreshing.inRequest(request).then(async (session) => {
    // A refresh runs no global validators; what the route itself asks for holds all the same.
    if (verifySessionOptions.overrideGlobalClaimValidators) {
      await claimChecks.assert(session, verifySessionOptions, userContext);
    }
    return session;
  });
}

/** §5.5: sign-out asks for a session, and for nothing that a session may lack. */
export async function signOut(
  { verification }: Pick<ApiDependencies, 'verification'>,
  api: ApiInterface,
  { options, userContext }: Parameters<NonNullable<ApiInterface['refreshPOST']>>[0],
): Promise<unknown> {
  const session = await verification.fromRequest(createSessionRequest(options.exchange, userContext), {
    sessionRequired: true,
    overrideGlobalClaimValidators: () => [],
  });
  if (session === undefined) throw new UnauthorisedError('There is no session', { clearTokens: false });
  return api.signOutPOST?.({ session, options, userContext });
}

/** With and without the prefix that a gateway strips (Q15). */
function isRefreshPath(request: HttpRequest, { refreshTokenPath, appInfo }: SessionConfig): boolean {
  const path = requestPath(request.getOriginalURL());
  return samePath(path, refreshTokenPath) || samePath(appInfo.apiGatewayPath + path, refreshTokenPath);
}
