import type { AccessTokenInfo } from '../tokens/access-token.js';
import type { TokenTransferMethod } from '../options/wire-options.js';
import { TryRefreshTokenError } from '../errors.js';
import { channels, tracedSession } from '../events/channels.js';
import type { SessionRequest } from '../http/session-request.js';
import type { UserContext } from '../util/user-context.js';
import { decideAntiCsrfOnVerify } from '../http/csrf.js';
import type { ClaimChecks } from './claim-checks.js';
import { assertAllowedOrigin, type FlowDependencies, type PresentedToken } from './flow-dependencies.js';
import type { RecipeInterface, VerifySessionOptions } from './recipe.interface.js';
import type { SessionContainer } from './session-container.js';

type MaybePromise<T> = Promise<T> | T;
type GetSessionInput = Parameters<RecipeInterface['getSession']>[0];

interface PresentedAccessToken extends PresentedToken {
  /** What was proven about it before. */
  readonly known: AccessTokenInfo | undefined;
}

/** What the recipe is asked, and how its session is bound to the request. */
interface VerificationStep {
  readonly input: GetSessionInput;
  readonly known: AccessTokenInfo | undefined;
  readonly transferMethod: TokenTransferMethod;
}

/**
 * Verifying a session. Steps are numbered as in the section named below.
 *
 * @see docs/protocol/sdk.md §5.2
 */
export class GetSessionFlow {
  private readonly asksOwnRecipe: boolean;

  constructor(
    private readonly dependencies: FlowDependencies,
    private readonly claimChecks: ClaimChecks,
  ) {
    this.asksOwnRecipe = dependencies.ownRecipe.isOwn('getSession');
  }

  /**
   * Answers at once, without a promise, where nothing has to be waited for: neither a key nor the core nor a claim, and what
   * stands behind the recipe's functions is our own. Failures always come as a rejected promise.
   *
   * @returns undefined only for an optional session without a usable token
   */
  fromRequest(
    request: SessionRequest,
    options: VerifySessionOptions,
  ): MaybePromise<SessionContainer | undefined> {
    const outcome = this.verifyRequest(request, options);
    if (!(outcome instanceof Promise)) return outcome;
    return this.reportRefusal(outcome, request.userContext, () => this.hasToken(request));
  }

  private verifyRequest(
    request: SessionRequest,
    options: VerifySessionOptions,
  ): MaybePromise<SessionContainer | undefined> {
    try {
      const step = this.beforeVerification(request, options); // G1-G9
      const known = this.atOnce(step.input, step.known); // G10
      return known === undefined
        ? this.verifyAndAttach(request, step, options)
        : this.attachAndCheck(known, request, step, options);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** §6.2: the same from a token. */
  fromToken(
    input: {
      accessToken: string | undefined;
      antiCsrfToken: string | undefined;
      options: VerifySessionOptions;
    },
    userContext: UserContext,
  ): MaybePromise<SessionContainer | undefined> {
    const outcome = this.verifyGivenToken({ ...input, userContext }, input.options);
    if (!(outcome instanceof Promise)) return outcome;
    const { accessToken } = input;
    const hasToken = accessToken !== undefined && this.dependencies.verifier.isOurs(accessToken);
    return this.reportRefusal(outcome, userContext, () => hasToken);
  }

  private verifyGivenToken(
    input: GetSessionInput,
    options: VerifySessionOptions,
  ): MaybePromise<SessionContainer | undefined> {
    try {
      const known = this.atOnce(input);
      return known === undefined
        ? this.verifyToken(input)
        : afterwards(this.claimChecks.assert(known, options, input.userContext), known);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Publishes a refusal and counts it against the rate limits, whose error takes its place. */
  private reportRefusal<T>(
    outcome: Promise<T>,
    userContext: UserContext,
    hasToken: () => boolean,
  ): Promise<T> {
    const { events: source, rateLimits } = this.dependencies;
    if (rateLimits === undefined && !channels.sessionRefused.hasSubscribers) return outcome;
    return outcome.catch(async (error: unknown) => {
      const refusal = { error, hasToken: hasToken() };
      channels.sessionRefused.publish({ source, ...refusal });
      await rateLimits?.afterRefusal({ ...refusal, userContext });
      throw error;
    });
  }

  private hasToken(request: SessionRequest): boolean {
    const { transport, verifier } = this.dependencies;
    return (['header', 'cookie'] as const).some((method) => {
      const token = transport.readToken(request, 'access', method);
      return token !== undefined && verifier.isOurs(token);
    });
  }

  /** What the request says, before the recipe is asked. */
  private beforeVerification(
    sessionRequest: SessionRequest,
    options: VerifySessionOptions,
  ): VerificationStep {
    const { config, transport } = this.dependencies;
    const { request, userContext } = sessionRequest;
    transport.markSessionDependent(sessionRequest);
    const allowed = config.getTokenTransferMethod({ req: request, forCreateNewSession: false, userContext }); // G2
    const presented = this.presentedAccessToken(sessionRequest, allowed); // G3-G6
    // Only where a token comes by cookie, or would: anybody on a neighbouring host can set such a cookie.
    const comesByCookie =
      presented === undefined ? allowed !== 'header' : presented.transferMethod === 'cookie';
    if (comesByCookie && transport.hasLegacyCookie(sessionRequest)) {
      throw new TryRefreshTokenError('The request carries a cookie of an old SDK, which a refresh replaces'); // G1
    }
    if (presented?.transferMethod === 'cookie') assertAllowedOrigin(request, config);
    const antiCsrf = decideAntiCsrfOnVerify({
      mode: config.antiCsrfMode(sessionRequest),
      method: request.getMethod(),
      transferMethod: presented?.transferMethod,
      requested: options.antiCsrfCheck,
      hasCustomHeader: transport.hasCustomHeader(sessionRequest),
    }); // G7-G9
    if (antiCsrf === 'CUSTOM_HEADER_MISSING')
      throw new TryRefreshTokenError('anti-csrf check failed: the rid header is missing');
    return {
      input: {
        accessToken: presented?.token,
        antiCsrfToken: transport.readAntiCsrfToken(sessionRequest),
        options: { ...options, antiCsrfCheck: antiCsrf.check },
        userContext,
      },
      known: presented?.known,
      transferMethod: presented?.transferMethod ?? (allowed === 'any' ? 'header' : allowed),
    };
  }

  private atOnce(input: GetSessionInput, known?: AccessTokenInfo): SessionContainer | undefined {
    return this.asksOwnRecipe ? this.dependencies.ownRecipe.getSessionAtOnce(input, known) : undefined;
  }

  private async verifyAndAttach(
    request: SessionRequest,
    step: VerificationStep,
    options: VerifySessionOptions,
  ): Promise<SessionContainer | undefined> {
    const session = await this.getSession(step.input);
    return session && this.attachAndCheck(session, request, step, options); // G11
  }

  /** A token that is remembered, and needs no look into the store, is not worth a trace. */
  private async getSession(input: GetSessionInput): Promise<SessionContainer | undefined> {
    const { recipe, verifier, events } = this.dependencies;
    const { accessToken } = input;
    const known = accessToken === undefined ? undefined : verifier.recall(accessToken);
    const needsCore = input.options?.checkDatabase === true || known?.parentRefreshTokenHash1 !== undefined;
    return accessToken === undefined || (known !== undefined && !needsCore)
      ? recipe.getSession(input)
      : tracedSession(channels.sessionVerify, events, async () => recipe.getSession(input));
  }

  private attachAndCheck(
    session: SessionContainer,
    request: SessionRequest,
    { transferMethod }: VerificationStep,
    options: VerifySessionOptions,
  ): MaybePromise<SessionContainer> {
    // G13 comes before G12: a token that the claims made new reaches the client also with a 403 (Q2).
    session.attach(request, transferMethod);
    return afterwards(this.claimChecks.assert(session, options, request.userContext), session);
  }

  private async verifyToken(input: GetSessionInput): Promise<SessionContainer | undefined> {
    const session = await this.getSession(input);
    if (session !== undefined) await this.claimChecks.assert(session, input.options ?? {}, input.userContext);
    return session;
  }

  /** G3-G6: the header wins over the cookie; what does not look like one of our tokens is not there. */
  private presentedAccessToken(
    request: SessionRequest,
    allowed: TokenTransferMethod | 'any',
  ): PresentedAccessToken | undefined {
    const { transport, verifier } = this.dependencies;
    const plausible = (transferMethod: TokenTransferMethod): PresentedAccessToken | undefined => {
      if (allowed !== 'any' && allowed !== transferMethod) return undefined;
      const token = transport.readToken(request, 'access', transferMethod);
      if (token === undefined) return undefined;
      const known = verifier.recall(token);
      return known !== undefined || verifier.read(token) !== undefined
        ? { token, transferMethod, known }
        : undefined;
    };
    const fromHeader = plausible('header');
    if (fromHeader !== undefined) return fromHeader;
    const fromCookie = plausible('cookie');
    if (fromCookie !== undefined && transport.isDuplicated(request, 'access')) {
      throw new TryRefreshTokenError('The access token cookie came twice, so nobody knows which one counts'); // G5
    }
    return fromCookie;
  }
}

/** The value as soon as a check has passed: at once if it already has. */
function afterwards<T>(check: Promise<void> | undefined, value: T): MaybePromise<T> {
  return check === undefined ? value : check.then(() => value);
}
