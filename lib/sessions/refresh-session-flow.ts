import type { TokenTransferMethod } from '../options/wire-options.js';
import {
  DuplicateSessionCookiesError,
  ClearDuplicateSessionCookiesError,
  SessionError,
  TokenTheftDetectedError,
  UnauthorisedError,
} from '../errors.js';
import { channels, tracedSession } from '../events/channels.js';
import type { HttpExchange, HttpRequest } from '../util/http-exchange.js';
import { OccasionalWarning } from '../util/occasional-warning.js';
import { withRequest, type UserContext } from '../util/user-context.js';
import { decideAntiCsrfOnRefresh } from '../http/csrf.js';
import {
  assertAllowedOrigin,
  otherMethod,
  type FlowDependencies,
  type PresentedToken,
} from './flow-dependencies.js';
import type { RecipeInterface } from './recipe.interface.js';
import type { SessionContainer } from './session-container.js';

/**
 * Exchanging a refresh token. Steps are numbered as in the section named below.
 *
 * @see docs/protocol/sdk.md §5.3
 */
export class RefreshSessionFlow {
  private readonly warning: OccasionalWarning;

  constructor(private readonly dependencies: FlowDependencies) {
    this.warning = new OccasionalWarning(dependencies.clock);
  }

  async inRequest(exchange: HttpExchange, userContext: UserContext): Promise<SessionContainer> {
    const { transport } = this.dependencies;
    const { request } = exchange;
    withRequest(userContext, request);
    this.handleDuplicateCookies(exchange, userContext); // R1
    const hasLegacyCookie = transport.hasLegacyCookie(request);
    const presented = this.presentedRefreshToken(request, userContext); // R2-R4
    if (presented === undefined) {
      if (hasLegacyCookie) transport.clearLegacyCookie(exchange, userContext);
      throw new UnauthorisedError('Refresh failed: there is no refresh token in the request'); // R5
    }
    const { transferMethod, token } = presented;
    try {
      const session = await this.refreshPresented(exchange, transferMethod, token, userContext); // R6-R8
      const other = otherMethod(transferMethod);
      if (transport.readToken(request, 'refresh', other, userContext) !== undefined)
        transport.clear(exchange, other, userContext); // R10
      session.attach({ exchange, transferMethod }, userContext); // R11
      if (hasLegacyCookie) transport.clearLegacyCookie(exchange, userContext); // R12
      return session;
    } catch (error) {
      if (hasLegacyCookie && endsTheSession(error)) transport.clearLegacyCookie(exchange, userContext); // R9
      throw error;
    }
  }

  /** §6.2: straight to the recipe, no cookies, nothing cleared. */
  async withToken(
    input: { refreshToken: string; antiCsrfToken: string | undefined; disableAntiCsrf: boolean },
    userContext: UserContext,
  ): Promise<SessionContainer> {
    return this.refresh({ ...input, userContext });
  }

  private async refreshPresented(
    { request }: HttpExchange,
    transferMethod: TokenTransferMethod,
    refreshToken: string,
    userContext: UserContext,
  ): Promise<SessionContainer> {
    const { config, transport } = this.dependencies;
    if (transferMethod === 'cookie') assertAllowedOrigin(request, config);
    const antiCsrf = decideAntiCsrfOnRefresh({
      mode: config.antiCsrfMode({ request, userContext }),
      transferMethod,
      hasCustomHeader: transport.hasCustomHeader(request),
    });
    if (antiCsrf === 'CUSTOM_HEADER_MISSING')
      throw new UnauthorisedError('anti-csrf check failed: the rid header is missing');
    return this.refresh({
      refreshToken,
      antiCsrfToken: transport.readAntiCsrfToken(request),
      disableAntiCsrf: antiCsrf.disableAntiCsrf,
      userContext,
    });
  }

  /**
   * R8. A theft ends the session here, whoever catches the error afterwards, unless the application has said that it
   * decides by itself. A core that fails now leaves the theft to be found again by the next replay.
   */
  private async refresh(input: Parameters<RecipeInterface['refreshSession']>[0]): Promise<SessionContainer> {
    const { recipe, events, rateLimits, revokesStolenSessions } = this.dependencies;
    await rateLimits?.beforeRefresh(input.refreshToken, input.userContext);
    try {
      return await tracedSession(channels.sessionRefresh, events, async () => recipe.refreshSession(input));
    } catch (error) {
      if (error instanceof TokenTheftDetectedError && revokesStolenSessions) {
        const { sessionHandle, userId, recipeUserId } = error.payload;
        const owner = { userId, recipeUserId };
        await recipe.revokeSession({ sessionHandle, owner, userContext: input.userContext });
      }
      throw error;
    }
  }

  /** R2-R4 */
  private presentedRefreshToken(request: HttpRequest, userContext: UserContext): PresentedToken | undefined {
    const { config, transport } = this.dependencies;
    const allowed = config.getTokenTransferMethod({ req: request, forCreateNewSession: false, userContext });
    const fromHeader =
      allowed === 'cookie' ? undefined : transport.readToken(request, 'refresh', 'header', userContext);
    if (fromHeader !== undefined) return { token: fromHeader, transferMethod: 'header' };
    const fromCookie =
      allowed === 'header' ? undefined : transport.readToken(request, 'refresh', 'cookie', userContext);
    return fromCookie ? { token: fromCookie, transferMethod: 'cookie' } : undefined;
  }

  /** R1, §3.9: after a change of `cookieDomain` browsers hold two generations of the cookies. */
  private handleDuplicateCookies(exchange: HttpExchange, userContext: UserContext): void {
    const { config, transport } = this.dependencies;
    const { request } = exchange;
    if (config.getTokenTransferMethod({ req: request, forCreateNewSession: false, userContext }) === 'header')
      return;
    const duplicated = (['access', 'refresh'] as const).filter((tokenType) =>
      transport.isDuplicated(request, tokenType, userContext),
    );
    if (duplicated.length === 0) return;
    if (config.olderCookieDomain === undefined) {
      const error = new DuplicateSessionCookiesError();
      this.warning.warn(`A refresh was refused. ${error.message}`); // strangers can send such cookies, too
      throw error;
    }
    for (const tokenType of duplicated) transport.clearDuplicate(exchange, tokenType, userContext);
    throw new ClearDuplicateSessionCookiesError(
      'The session cookies of the older domain have been cleared, please retry',
    );
  }
}

/** R9: theft, and whatever clears the tokens. */
function endsTheSession(error: unknown): boolean {
  if (!SessionError.isSessionError(error)) return false;
  return (
    error.type === 'TOKEN_THEFT_DETECTED' || (error.type === 'UNAUTHORISED' && error.payload.clearTokens)
  );
}
