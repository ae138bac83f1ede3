import type { CoreSession, TokenReuseSubtype, TokenRotation } from '../core/core.types.js';
import {
  assertNever,
  ClearDuplicateSessionCookiesError,
  DuplicateSessionCookiesError,
  SessionError,
  TokenTheftDetectedError,
  UnauthorisedError,
} from '../errors.js';
import type { BindingChange } from '../device-binding/device-binding.js';
import { channels, tracedSession } from '../events/channels.js';
import { assertAllowedOrigin, decideAntiCsrfOnRefresh, isForeignRequest } from '../http/csrf.js';
import { assertNotSent, type SessionRequest } from '../http/session-request.js';
import { otherMethod, type TokenTransport } from '../http/token-transport.js';
import type { TokenTransferMethod } from '../options/wire-options.js';
import { isRefreshToken } from '../tokens/refresh-token.js';
import { OccasionalWarning } from '../util/occasional-warning.js';
import { getRequestFromUserContext, type UserContext } from '../util/user-context.js';
import { validityMs } from './call-checks.js';
import { endIfOver, noteLongerLife } from './parent-sessions.js';
import { confirmKey } from './key-bindings.js';
import type { LiveRecipeContext, RecipeInput } from './recipe.interface.js';
import { RefreshDecisions } from './refresh-decisions.js';
import { openSession, type SessionContainer } from './session-container.js';
import { sparingNewSession } from './sparing-new-session.js';
import { stateFromTokens } from './session-state.js';

type RefreshSessionInput = RecipeInput<'refreshSession'>;

/** The wishes of the caller of one refresh. */
export type RefreshOptions = Pick<RefreshSessionInput, 'accessTokenValiditySec'>;

/** The cookies of both tokens in a request. */
type TokenCookies = ReturnType<TokenTransport['readCookies']>;

/** A session that was refreshed for a request that proved what it had to. */
interface ProvenRefresh {
  readonly session: SessionContainer;
  readonly change: BindingChange;
}

/** The refresh token of a request that counts. */
interface PresentedToken {
  readonly token: string;
  readonly transferMethod: TokenTransferMethod;
  /** The access token that came by cookie beside it. */
  readonly accessCookie: string | undefined;
}

/**
 * Exchanges refresh tokens for new tokens.
 *
 * @see docs/protocol/sdk.md §5.3, whose step numbers stand beside the code
 */
export class SessionRefresh {
  private readonly warning: OccasionalWarning;
  /** By the user context of the call. */
  private readonly heldReports = new WeakMap<UserContext, (() => void)[]>();
  /** Undefined without the option `onRefresh`. */
  private readonly decisions: RefreshDecisions | undefined;

  constructor(private readonly context: LiveRecipeContext) {
    this.warning = new OccasionalWarning(context.clock);
    this.decisions = context.refreshHook && new RefreshDecisions(context, context.refreshHook);
  }

  /**
   * Exchanges the refresh token of a request and writes the new tokens to the response.
   *
   * @throws {ResponseSentError} the headers of the response have been sent: the refresh token is still good
   */
  async inRequest(request: SessionRequest, options: RefreshOptions = {}): Promise<SessionContainer> {
    const { transport } = this.context;
    assertNotSent(request.response, 'refreshSession');
    const mark = transport.mark;
    const cookies = transport.readCookies(request);
    this.handleDuplicateCookies(request, cookies); // R1
    const { hasLegacyCookie } = cookies.refresh;
    const presented = this.findToken(request, cookies); // R2-R4
    if (presented === undefined) {
      if (hasLegacyCookie) transport.clearLegacyCookie(request);
      throw this.refuse(request, 'Refresh failed: there is no refresh token in the request'); // R5
    }
    const { transferMethod } = presented;
    try {
      const { session, change } = await this.refreshProven(request, presented, options); // R6-R8
      await this.decisions?.apply(session, { userContext: request.userContext, mark });
      await this.applyToBinding(session, change, request.userContext);
      assertNotSent(request.response, 'refreshSession'); // the old refresh token is accepted again, see refreshSession below
      const other = otherMethod(transferMethod);
      const otherToken = transport.readToken(request, 'refresh', other);
      if (otherToken !== undefined && (other === 'cookie' || isRefreshToken(otherToken)))
        transport.clear(request, other, { sessionHandle: session.getHandle(), mark }); // R10
      session.attach(request, transferMethod, mark); // R11
      if (hasLegacyCookie) transport.clearLegacyCookie(request); // R12
      return session;
    } catch (error) {
      if (hasLegacyCookie && endsTheSession(error)) transport.clearLegacyCookie(request); // R9
      throw sparingNewSession(error, this.context, request, mark);
    }
  }

  /** Exchanges a refresh token without a request: reads no cookies and clears nothing (§6.2). */
  async withToken(
    input: Omit<RefreshSessionInput, 'userContext'>,
    userContext: UserContext,
  ): Promise<SessionContainer> {
    const session = await this.callRecipe({ ...input, userContext });
    await this.decisions?.apply(session, { userContext });
    if (getRequestFromUserContext(userContext) !== undefined)
      this.context.noteUse?.(session.toJSON(), true, userContext);
    return session;
  }

  /** Refreshes, and checks that the request has what else the session asks for: an access token of its own, the proof of its key. */
  private async refreshProven(
    request: SessionRequest,
    presented: PresentedToken,
    options: RefreshOptions,
  ): Promise<ProvenRefresh> {
    const { transferMethod } = presented;
    const { binding } = this.context;
    await binding?.checkRefreshing(request, transferMethod);
    const report = this.holdReports(request.userContext);
    const session = await this.refreshPresented(request, presented, options);
    if (transferMethod === 'cookie') await this.assertOneSession(session, request, presented);
    const change = await binding?.checkRefreshed(request, {
      transferMethod,
      session: session.toJSON(),
      payload: session.getAccessTokenPayload(),
      accessToken: this.context.transport.readToken(request, 'access', transferMethod),
    });
    report();
    return { session, change };
  }

  /** Only once the refresh goes on, because a hook that refuses it must not change the binding. */
  private async applyToBinding(
    session: SessionContainer,
    change: BindingChange,
    userContext: UserContext,
  ): Promise<void> {
    const { core, keyBindings } = this.context;
    if (change?.kind === 'release') await keyBindings.release(session, change.confirmation, userContext);
    if (change?.kind === 'confirm')
      await confirmKey(core, session.getHandle(), change.confirmation, userContext);
  }

  /** Keeps the report of a refresh back until the request has shown all that it needs: a refused one is no refresh. */
  private holdReports(userContext: UserContext): () => void {
    const held: (() => void)[] = [];
    this.heldReports.set(userContext, held);
    return () => {
      this.heldReports.delete(userContext);
      for (const report of held) report();
    };
  }

  private async refreshPresented(
    request: SessionRequest,
    { token: refreshToken, transferMethod }: PresentedToken,
    { accessTokenValiditySec }: RefreshOptions,
  ): Promise<SessionContainer> {
    const { config, transport } = this.context;
    if (transferMethod === 'cookie') assertAllowedOrigin(request, config);
    const antiCsrf = decideAntiCsrfOnRefresh({
      mode: config.antiCsrfMode(request),
      transferMethod,
      hasCustomHeader: transport.hasCustomHeader(request),
    });
    if (antiCsrf === 'CUSTOM_HEADER_MISSING')
      throw this.refuse(request, 'anti-csrf check failed: the rid header is missing');
    return this.callRecipe({
      refreshToken,
      antiCsrfToken: transport.readAntiCsrfToken(request),
      disableAntiCsrf: antiCsrf.disableAntiCsrf,
      accessTokenValiditySec,
      userContext: request.userContext,
    });
  }

  /**
   * Checks that the access token's cookie is of the session that is refreshed. After a change of `apiBasePath` and back, a browser
   * can have the refresh token of a former user beside the access token of the present one.
   *
   * @throws {UnauthorisedError} it is of another session of ours: both are taken from the client, who signs in again
   */
  private async assertOneSession(
    session: SessionContainer,
    request: SessionRequest,
    { accessCookie }: PresentedToken,
  ): Promise<void> {
    if (accessCookie === undefined) return;
    const other = await this.context.verifier.findOtherSession(accessCookie, session.getHandle());
    if (other === undefined) return;
    this.warning.warn(
      'A refresh was refused: its cookies are of two sessions, as after a change of apiBasePath. Set olderApiBasePath to the ' +
        'former value for as long as old refresh tokens live',
    );
    throw this.refuse(request, 'Refresh failed: access token and refresh token are of two sessions');
  }

  /** Returns the error that clears the tokens, unless the page of another site sent the request: it must not sign out. */
  private refuse(request: SessionRequest, message: string): UnauthorisedError {
    return new UnauthorisedError(message, { clearTokens: !isForeignRequest(request, this.context.config) });
  }

  private report(session: CoreSession, userContext: UserContext): void {
    const report = (): void => this.context.reports.note('session.refreshed', session, userContext);
    const held = this.heldReports.get(userContext);
    if (held === undefined) report();
    else held.push(report);
  }

  /** The recipe's own `refreshSession`. */
  async refreshSession(input: RefreshSessionInput): Promise<SessionContainer> {
    const { config, core, verifier, lifetimes } = this.context;
    if (config.antiCsrf === 'VIA_CUSTOM_HEADER' && !input.disableAntiCsrf) {
      throw new Error(
        'With antiCsrf VIA_CUSTOM_HEADER the check needs the request: pass disableAntiCsrf: true and check the header where it arrives',
      );
    }
    const result = await core.refreshSession(
      {
        refreshToken: input.refreshToken,
        antiCsrfToken: input.antiCsrfToken,
        enableAntiCsrf: !input.disableAntiCsrf && config.antiCsrf === 'VIA_TOKEN',
        useDynamicSigningKey: config.useDynamicAccessTokenSigningKey,
        accessTokenValidityMs: validityMs('refreshSession', input.accessTokenValiditySec),
        ...this.rotation(input),
      },
      input.userContext,
    );
    switch (result.status) {
      case 'OK':
        await endIfOver(this.context, result.session, input.userContext);
        await noteLongerLife(this.context, result);
        // A refusal here loses no token: until the new tokens are used, or within the grace period of a core of CDI 5.6, the core
        // accepts the old one again.
        verifier.assertIntended(result.session.userDataInJWT);
        this.report(result.session, input.userContext);
        return openSession(stateFromTokens(result, result.session.tenantId, lifetimes), this.context);
      case 'UNAUTHORISED':
        throw new UnauthorisedError(result.message, reuseOf(result));
      case 'TOKEN_THEFT_DETECTED':
        return this.context.reports.theft(result.session, input.userContext, reuseOf(result));
      default:
        return assertNever(result);
    }
  }

  /**
   * Returns the rule of rotation, where the one of the core must not decide. A proof of the device and the hook `onRefresh` may
   * refuse a refresh that the core has done already. The old refresh token must then stay good however long that lasts, and a thief
   * without the key must not be able to void it. CDI 5.6, which the life of one access token needs, cannot promise that.
   */
  private rotation({ accessTokenValiditySec }: RefreshSessionInput): { rotation?: TokenRotation } {
    const { binding, refreshHook } = this.context;
    const mayBeRefused = binding !== undefined || refreshHook !== undefined;
    return mayBeRefused && accessTokenValiditySec === undefined ? { rotation: 'at-first-use' } : {};
  }

  /**
   * R8: calls the recipe. A theft ends the session here, wherever the error is caught, unless the application's own
   * `onTokenTheftDetected` decides. If the core fails at that, the next use of the stolen token detects the theft again.
   */
  private async callRecipe(input: RefreshSessionInput): Promise<SessionContainer> {
    const { recipe, events, rateLimits, revokesStolenSessions } = this.context;
    const refresh = async (): Promise<SessionContainer> =>
      tracedSession(channels.sessionRefresh, events, async () => recipe.refreshSession(input));
    try {
      if (rateLimits === undefined) return await refresh();
      return await rateLimits.refresh(input.refreshToken, input.userContext, refresh);
    } catch (error) {
      if (error instanceof TokenTheftDetectedError && revokesStolenSessions)
        await this.endStolen(error, input.userContext);
      throw error;
    }
  }

  /** A core of CDI 5.6 names a subtype and has ended the session itself, which listeners learn of all the same. */
  private async endStolen(error: TokenTheftDetectedError, userContext: UserContext): Promise<void> {
    const { recipe, reports } = this.context;
    const { sessionHandle, userId, recipeUserId } = error.payload;
    const owner = { userId, recipeUserId };
    const reason = 'token-theft';
    const isEndedHere = await recipe.revokeSession({ sessionHandle, owner, userContext, reason });
    if (!isEndedHere && error.recentTokenReuseSubtype !== undefined)
      reports.revoked([sessionHandle], owner, { userContext, reason });
  }

  private allowedTransferMethod({ request, userContext }: SessionRequest): TokenTransferMethod | 'any' {
    const { config } = this.context;
    return config.getTokenTransferMethod({ req: request, forCreateNewSession: false, userContext });
  }

  /** R2-R4: the header wins over the cookie, unless it holds the credential of another party, which verification skips, too. */
  private findToken(request: SessionRequest, { access, refresh }: TokenCookies): PresentedToken | undefined {
    const { transport } = this.context;
    const allowed = this.allowedTransferMethod(request);
    const fromHeader = allowed === 'cookie' ? undefined : transport.readToken(request, 'refresh', 'header');
    const fromCookie = allowed === 'header' ? undefined : refresh.token;
    const accessCookie = access.token;
    if (fromHeader !== undefined && (!fromCookie || isRefreshToken(fromHeader)))
      return { token: fromHeader, transferMethod: 'header', accessCookie };
    return fromCookie ? { token: fromCookie, transferMethod: 'cookie', accessCookie } : undefined;
  }

  /** R1, §3.9: after a change of a cookie's place browsers hold two generations of the cookies. */
  private handleDuplicateCookies(request: SessionRequest, cookies: TokenCookies): void {
    const { transport } = this.context;
    if (this.allowedTransferMethod(request) === 'header') return;
    const duplicated = (['access', 'refresh'] as const).filter(
      (tokenType) => cookies[tokenType].isDuplicated,
    );
    if (duplicated.length === 0) return;
    const cleared = duplicated.filter((tokenType) => transport.clearDuplicate(request, tokenType));
    if (cleared.length === 0) {
      const error = new DuplicateSessionCookiesError();
      this.warning.warn(`A refresh was refused. ${error.message}`); // seldom, because anybody can send such cookies
      throw error;
    }
    throw new ClearDuplicateSessionCookiesError(
      'The session cookies of the older configuration have been cleared, please retry',
    );
  }
}

function reuseOf({ recentTokenReuseSubtype }: { recentTokenReuseSubtype?: TokenReuseSubtype }): {
  recentTokenReuseSubtype?: TokenReuseSubtype;
} {
  return recentTokenReuseSubtype === undefined ? {} : { recentTokenReuseSubtype };
}

/** R9: a theft, and every error that clears the tokens. */
function endsTheSession(error: unknown): boolean {
  if (!SessionError.isSessionError(error)) return false;
  return (
    error.type === 'TOKEN_THEFT_DETECTED' || (error.type === 'UNAUTHORISED' && error.payload.clearTokens)
  );
}
