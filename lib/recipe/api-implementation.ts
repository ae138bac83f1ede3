import type { SessionConfig } from '../config/session-config.js';
import { UnauthorisedError } from '../errors/session.error.js';
import type { HttpRequest } from '../shared/http-exchange.js';
import type { ApiInterface } from './api.interface.js';
import type { RecipeInterface } from './recipe.interface.js';
import { pathOf, samePath } from './request-path.js';
import type { ClaimChecks } from './claim-checks.js';
import type { GetSessionFlow } from './get-session-flow.js';
import type { RefreshSessionFlow } from './refresh-session-flow.js';

export interface ApiDependencies {
  readonly config: SessionConfig;
  readonly recipe: RecipeInterface;
  readonly verification: GetSessionFlow;
  readonly refreshing: RefreshSessionFlow;
  readonly claimChecks: ClaimChecks;
}

/** What stands behind the routes when nothing is overridden. */
export function createApi({
  config,
  recipe,
  verification,
  refreshing,
  claimChecks,
}: ApiDependencies): ApiInterface {
  return {
    refreshPOST: async ({ options, userContext }) => refreshing.inRequest(options.exchange, userContext),

    signOutPOST: async ({ session, userContext }) => {
      await session.revokeSession(userContext);
      return { status: 'OK' };
    },

    // §5.4
    verifySession: async ({ verifySessionOptions = {}, options, userContext }) => {
      const { exchange } = options;
      const method = exchange.request.getMethod();
      if (method === 'options' || method === 'trace') return undefined;
      if (method === 'post' && isRefreshPath(exchange.request, config)) {
        const session = await refreshing.inRequest(exchange, userContext);
        // A refresh runs no global validators; what the route itself asks for holds all the same.
        if (verifySessionOptions.overrideGlobalClaimValidators) {
          await claimChecks.assert(session, verifySessionOptions, userContext);
        }
        return session;
      }
      return verification.fromRequest(exchange, verifySessionOptions, userContext);
    },

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

/** §5.5: sign-out asks for a session, and for nothing that a session may lack. */
export async function signOut(
  { verification }: Pick<ApiDependencies, 'verification'>,
  api: ApiInterface,
  { options, userContext }: Parameters<NonNullable<ApiInterface['refreshPOST']>>[0],
): Promise<unknown> {
  const session = await verification.fromRequest(
    options.exchange,
    { sessionRequired: true, overrideGlobalClaimValidators: () => [] },
    userContext,
  );
  if (session === undefined) throw new UnauthorisedError('There is no session', { clearTokens: false });
  return api.signOutPOST?.({ session, options, userContext });
}

/** With and without the prefix that a gateway strips (Q15). */
function isRefreshPath(request: HttpRequest, { refreshTokenPath, appInfo }: SessionConfig): boolean {
  const path = pathOf(request.getOriginalURL());
  return samePath(path, refreshTokenPath) || samePath(appInfo.apiGatewayPath + path, refreshTokenPath);
}
