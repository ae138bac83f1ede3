import { parseWithoutVerifying } from '../access-token/access-token.js';
import type { TokenTransferMethod } from '../config/session-options.interface.js';
import { TryRefreshTokenError } from '../errors/session.error.js';
import type { HttpExchange, HttpRequest } from '../shared/http-exchange.js';
import { withRequest, type UserContext } from '../shared/user-context.js';
import { decideAntiCsrfOnVerify } from '../transport/anti-csrf.js';
import type { ClaimChecks } from './claim-checks.js';
import { assertAllowedOrigin, type FlowDependencies, type PresentedToken } from './flow-dependencies.js';
import type { VerifySessionOptions } from './recipe.interface.js';
import type { SessionContainer } from './session-container.js';

/**
 * Verifying a session. Steps are numbered as in the section named below.
 *
 * @see docs/protocol/sdk.md §5.2
 */
export class GetSessionFlow {
  constructor(
    private readonly dependencies: FlowDependencies,
    private readonly claimChecks: ClaimChecks,
  ) {}

  /** @returns undefined only for an optional session without a usable token */
  async fromRequest(
    exchange: HttpExchange,
    options: VerifySessionOptions,
    userContext: UserContext,
  ): Promise<SessionContainer | undefined> {
    const { config, transport, recipe } = this.dependencies;
    const { request } = exchange;
    withRequest(userContext, request);
    transport.markSessionDependent(exchange);
    if (transport.hasLegacyCookie(request)) {
      throw new TryRefreshTokenError('The request carries a cookie of an old SDK, which a refresh replaces'); // G1
    }
    const allowed = config.getTokenTransferMethod({ req: request, forCreateNewSession: false, userContext }); // G2
    const presented = this.presentedAccessToken(request, allowed, userContext); // G3-G6
    if (presented?.transferMethod === 'cookie') assertAllowedOrigin(request, config);
    const antiCsrf = decideAntiCsrfOnVerify({
      mode: config.antiCsrfMode({ request, userContext }),
      method: request.getMethod(),
      transferMethod: presented?.transferMethod,
      requested: options.antiCsrfCheck,
      hasCustomHeader: transport.hasCustomHeader(request),
    }); // G7-G9
    if (antiCsrf === 'CUSTOM_HEADER_MISSING')
      throw new TryRefreshTokenError('anti-csrf check failed: the rid header is missing');
    const session = await recipe.getSession({
      accessToken: presented?.token,
      antiCsrfToken: transport.readAntiCsrfToken(request),
      options: { ...options, antiCsrfCheck: antiCsrf.check },
      userContext,
    }); // G10
    if (session === undefined) return undefined; // G11
    // G13 comes before G12: a token that the claims made new reaches the client also with a 403 (Q2).
    const transferMethod = presented?.transferMethod ?? (allowed === 'any' ? 'header' : allowed);
    session.attach({ exchange, transferMethod }, userContext);
    await this.claimChecks.assert(session, options, userContext);
    return session;
  }

  /** §6.2: the same from a token. */
  async fromToken(
    input: {
      accessToken: string | undefined;
      antiCsrfToken: string | undefined;
      options: VerifySessionOptions;
    },
    userContext: UserContext,
  ): Promise<SessionContainer | undefined> {
    const session = await this.dependencies.recipe.getSession({ ...input, userContext });
    if (session !== undefined) await this.claimChecks.assert(session, input.options, userContext);
    return session;
  }

  /** G3-G6: the header wins over the cookie; what does not look like one of our tokens is not there. */
  private presentedAccessToken(
    request: HttpRequest,
    allowed: TokenTransferMethod | 'any',
    userContext: UserContext,
  ): PresentedToken | undefined {
    const { transport } = this.dependencies;
    const plausible = (method: TokenTransferMethod): string | undefined => {
      const token =
        allowed === 'any' || allowed === method
          ? transport.readToken(request, 'access', method, userContext)
          : undefined;
      return token !== undefined && parseWithoutVerifying(token) !== undefined ? token : undefined;
    };
    const fromHeader = plausible('header');
    if (fromHeader !== undefined) return { token: fromHeader, transferMethod: 'header' };
    const fromCookie = plausible('cookie');
    if (fromCookie === undefined) return undefined;
    if (transport.isDuplicated(request, 'access', userContext)) {
      throw new TryRefreshTokenError('The access token cookie came twice, so nobody knows which one counts'); // G5
    }
    return { token: fromCookie, transferMethod: 'cookie' };
  }
}
