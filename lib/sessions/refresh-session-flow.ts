import type { TokenTransferMethod } from '../options/wire-options.js';
import {
  DuplicateSessionCookiesError,
  ClearDuplicateSessionCookiesError,
  SessionError,
  TokenTheftDetectedError,
  UnauthorisedError,
} from '../errors.js';
import { channels, tracedSession } from '../events/channels.js';
import type { SessionRequest } from '../http/session-request.js';
import { OccasionalWarning } from '../util/occasional-warning.js';
import type { UserContext } from '../util/user-context.js';
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

  async inRequest(request: SessionRequest): Promise<SessionContainer> {
    const { transport } = this.dependencies;
    this.handleDuplicateCookies(request); // R1
    const hasLegacyCookie = transport.hasLegacyCookie(request);
    const presented = this.presentedRefreshToken(request); // R2-R4
    if (presented === undefined) {
      if (hasLegacyCookie) transport.clearLegacyCookie(request);
      throw new UnauthorisedError('Refresh failed: there is no refresh token in the request'); // R5
    }
    const { transferMethod } = presented;
    try {
      const session = await this.refreshPresented(request, presented); // R6-R8
      const other = otherMethod(transferMethod);
      if (transport.readToken(request, 'refresh', other) !== undefined) transport.clear(request, other); // R10
      session.attach(request, transferMethod); // R11
      if (hasLegacyCookie) transport.clearLegacyCookie(request); // R12
      return session;
    } catch (error) {
      if (hasLegacyCookie && endsTheSession(error)) transport.clearLegacyCookie(request); // R9
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
    request: SessionRequest,
    { token: refreshToken, transferMethod }: PresentedToken,
  ): Promise<SessionContainer> {
    const { config, transport } = this.dependencies;
    if (transferMethod === 'cookie') assertAllowedOrigin(request.request, config);
    const antiCsrf = decideAntiCsrfOnRefresh({
      mode: config.antiCsrfMode(request),
      transferMethod,
      hasCustomHeader: transport.hasCustomHeader(request),
    });
    if (antiCsrf === 'CUSTOM_HEADER_MISSING')
      throw new UnauthorisedError('anti-csrf check failed: the rid header is missing');
    return this.refresh({
      refreshToken,
      antiCsrfToken: transport.readAntiCsrfToken(request),
      disableAntiCsrf: antiCsrf.disableAntiCsrf,
      userContext: request.userContext,
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

  private allowedTransferMethod({ request, userContext }: SessionRequest): TokenTransferMethod | 'any' {
    const { config } = this.dependencies;
    return config.getTokenTransferMethod({ req: request, forCreateNewSession: false, userContext });
  }

  /** R2-R4 */
  private presentedRefreshToken(request: SessionRequest): PresentedToken | undefined {
    const { transport } = this.dependencies;
    const allowed = this.allowedTransferMethod(request);
    const fromHeader = allowed === 'cookie' ? undefined : transport.readToken(request, 'refresh', 'header');
    if (fromHeader !== undefined) return { token: fromHeader, transferMethod: 'header' };
    const fromCookie = allowed === 'header' ? undefined : transport.readToken(request, 'refresh', 'cookie');
    return fromCookie ? { token: fromCookie, transferMethod: 'cookie' } : undefined;
  }

  /** R1, §3.9: after a change of `cookieDomain` browsers hold two generations of the cookies. */
  private handleDuplicateCookies(request: SessionRequest): void {
    const { config, transport } = this.dependencies;
    if (this.allowedTransferMethod(request) === 'header') return;
    const duplicated = (['access', 'refresh'] as const).filter((tokenType) =>
      transport.isDuplicated(request, tokenType),
    );
    if (duplicated.length === 0) return;
    if (config.olderCookieDomain === undefined) {
      const error = new DuplicateSessionCookiesError();
      this.warning.warn(`A refresh was refused. ${error.message}`); // strangers can send such cookies, too
      throw error;
    }
    for (const tokenType of duplicated) transport.clearDuplicate(request, tokenType);
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
