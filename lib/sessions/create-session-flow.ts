import { lengthOfNewAccessToken, withoutProtectedClaims } from '../tokens/access-token-claims.js';
import { channels, tracedSession } from '../events/channels.js';
import { isInsecureSameSiteNone } from '../options/cookie-policy.js';
import type { SessionLifetime } from '../options/feature-options.js';
import type { TokenTransferMethod } from '../options/wire-options.js';
import type { SessionRequest } from '../http/session-request.js';
import type { JsonObject } from '../util/json.js';
import type { UserContext } from '../util/user-context.js';
import { otherMethod, type FlowDependencies } from './flow-dependencies.js';
import { toJsonObject } from './json-input.js';
import type { RecipeInterface } from './recipe.interface.js';
import type { SessionContainer } from './session-container.js';

export interface NewSessionInput {
  readonly recipeUserId: string;
  /** Who the caller says that is; undefined leaves it to the core. */
  readonly userId: string | undefined;
  readonly tenantId: string;
  readonly accessTokenPayload: object | undefined;
  readonly sessionDataInDatabase: object | undefined;
  readonly lifetime: SessionLifetime | undefined;
  readonly authenticatedAtMs: number | undefined;
}

/**
 * Signing in. Steps are numbered as in the section named below.
 *
 * @see docs/protocol/sdk.md §5.1
 */
export class CreateSessionFlow {
  constructor(private readonly dependencies: FlowDependencies) {}

  async inRequest(request: SessionRequest, input: NewSessionInput): Promise<SessionContainer> {
    const { transport } = this.dependencies;
    const { userContext } = request;
    const prepared = await this.prepare(input, userContext); // C1-C5
    const transferMethod = this.methodForCreation(request); // C6
    if (transferMethod === 'cookie') this.assertBrowsersKeepCookies(request); // C7
    const payload = this.dependencies.lifetimes.payloadOfNewSession(prepared.accessTokenPayload, prepared);
    const tokenLength = lengthOfNewAccessToken(prepared, payload);
    transport.assertAccessTokenFits(request, transferMethod, tokenLength);
    const session = await this.createNewSession({
      ...prepared,
      disableAntiCsrf: transferMethod === 'header',
      userContext,
    }); // C8
    const other = otherMethod(transferMethod);
    // C9: an access token cookie that is there but empty counts, and so does any bearer value.
    if (transport.readToken(request, 'access', other) !== undefined) transport.clear(request, other);
    session.attach(request, transferMethod); // C10
    return session;
  }

  /** §6.2: the same without a request; nothing is written anywhere. */
  async withoutRequest(
    input: NewSessionInput & { readonly disableAntiCsrf: boolean },
    userContext: UserContext,
  ): Promise<SessionContainer> {
    const prepared = await this.prepare(input, userContext);
    const { disableAntiCsrf } = input;
    return this.createNewSession({ ...prepared, disableAntiCsrf, userContext });
  }

  private async createNewSession(
    input: Parameters<RecipeInterface['createNewSession']>[0],
  ): Promise<SessionContainer> {
    const { recipe, events } = this.dependencies;
    return tracedSession(channels.sessionCreate, events, async () => recipe.createNewSession(input));
  }

  /** C1-C5: who it is for, and what goes into the payload. */
  private async prepare(input: NewSessionInput, userContext: UserContext) {
    const { core, recipe, claims } = this.dependencies;
    const { recipeUserId, tenantId, lifetime, authenticatedAtMs } = input;
    const userId = await core.getPrimaryUserId(recipeUserId, userContext);
    if (input.userId !== undefined && input.userId !== userId) {
      throw new TypeError(
        'createNewSession: recipeUserId is no login method of userId, as far as the core knows',
      );
    }
    const { issuer } = await recipe.getOpenIdDiscoveryConfiguration({ userContext });
    const given = toJsonObject(input.accessTokenPayload ?? {}, 'accessTokenPayload');
    let accessTokenPayload: JsonObject = withoutProtectedClaims({ ...given, iss: issuer });
    for (const claim of claims) {
      const built = await claim.build(userId, recipeUserId, tenantId, accessTokenPayload, userContext);
      accessTokenPayload = { ...accessTokenPayload, ...built };
    }
    const sessionDataInDatabase = toJsonObject(input.sessionDataInDatabase ?? {}, 'sessionDataInDatabase');
    return {
      userId,
      recipeUserId,
      tenantId,
      accessTokenPayload,
      sessionDataInDatabase,
      lifetime,
      authenticatedAtMs,
    };
  }

  private methodForCreation(request: SessionRequest): TokenTransferMethod {
    const { config, transport } = this.dependencies;
    const allowed = config.getTokenTransferMethod({
      req: request.request,
      forCreateNewSession: true,
      userContext: request.userContext,
    });
    if (allowed !== 'any') return allowed;
    return transport.readAuthMode(request) === 'cookie' ? 'cookie' : 'header';
  }

  private assertBrowsersKeepCookies(request: SessionRequest): void {
    const { config } = this.dependencies;
    const isDropped = isInsecureSameSiteNone({
      cookieSameSite: config.cookieSameSite(request),
      cookieSecure: config.cookieSecure,
      apiSite: config.appInfo.apiSite,
      websiteSite: config.appInfo.websiteSite(request),
    });
    if (isDropped) {
      throw new Error(
        'API and website are different sites, so the cookies need SameSite=None, which browsers accept only with Secure: ' +
          'serve the API over https, or set cookieSecure',
      );
    }
  }
}
