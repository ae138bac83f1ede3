import { channels, tracedSession } from '../events/channels.js';
import { PresentedTokens } from '../http/presented-token.js';
import type { SessionRequest } from '../http/session-request.js';
import type { TokenTransferMethod } from '../options/wire-options.js';
import type { AccessTokenInfo } from '../tokens/access-token.js';
import { chain, type MaybePromise } from '../util/maybe-promise.js';
import { safeEqual } from '../util/safe-equal.js';
import type { UserContext } from '../util/user-context.js';
import type { SessionClaims } from './claims.js';
import { SessionConfirmation } from './confirm.js';
import type { LiveRecipeContext, RecipeInput, VerifySessionOptions } from './recipe.interface.js';
import { openSession, type SessionContainer } from './session-container.js';
import { SessionProofs } from './session-proofs.js';
import { sparingNewSession } from './sparing-new-session.js';
import { stateFromToken } from './session-state.js';

type GetSessionInput = RecipeInput<'getSession'>;

/** The session part of a request. */
interface ReadRequest {
  readonly input: GetSessionInput;
  readonly known: AccessTokenInfo | undefined;
  readonly transferMethod: TokenTransferMethod;
}

/**
 * Verifies sessions. It returns a session without a promise if it need not wait: the key is at hand, the core
 * need not be called, no claim is checked and no function is overridden. Failures are always rejected promises.
 *
 * @see docs/protocol/sdk.md §5.2, whose step numbers stand beside the code
 */
export class SessionVerification {
  private readonly confirmation: SessionConfirmation;
  private readonly presented: PresentedTokens<SessionRequest>;
  private readonly proofs: SessionProofs;
  /** The application's parts of a verification; looked up at the first request, when all overrides are in place. */
  private replaced: { readonly getSession: boolean; readonly hasClaimChecks: boolean } | undefined;

  constructor(
    private readonly context: LiveRecipeContext,
    private readonly claims: SessionClaims,
  ) {
    this.confirmation = new SessionConfirmation(context);
    const { transport, verifier, config, clock } = context;
    this.presented = new PresentedTokens(transport, verifier, config, clock);
    this.proofs = new SessionProofs(context, safeEqual);
  }

  /** @returns undefined only for an optional session without a usable token */
  fromRequest(
    request: SessionRequest,
    options: VerifySessionOptions,
  ): MaybePromise<SessionContainer | undefined> {
    const mark = this.context.transport.mark;
    const outcome = this.attempt(() => {
      const { input, known, transferMethod } = this.readRequest(request, options); // G1-G9
      const { binding } = this.context;
      const proof = binding?.checkToken(request, input.accessToken, transferMethod, known);
      const verified =
        proof === undefined ? this.verify(input, known) : chain(proof, () => this.verify(input, known));
      return chain(verified, (session) => {
        if (session === undefined) return undefined; // G11
        const opened = binding?.checkOpened(request, input.accessToken, transferMethod, { session, known });
        return chain(opened, () => {
          // G13 comes before G12: a token that the claims made new reaches the client also with a 403 (Q2).
          session.attach(request, transferMethod, mark);
          return this.checkClaims(session, options, request.userContext);
        });
      });
    });
    if (!(outcome instanceof Promise)) return outcome;
    const reported = this.reportRefusal(outcome, request.userContext, () => this.hasToken(request));
    return reported.catch((error: unknown) => {
      throw sparingNewSession(error, this.context, request, mark);
    });
  }

  /** Verifies a token without a request (§6.2). @returns as {@link fromRequest} */
  fromToken(
    token: { accessToken: string | undefined; antiCsrfToken: string | undefined },
    options: VerifySessionOptions,
    userContext: UserContext,
  ): MaybePromise<SessionContainer | undefined> {
    const { accessToken, antiCsrfToken } = token;
    const input = { accessToken, antiCsrfToken, options, userContext };
    const outcome = this.attempt(() =>
      chain(
        this.verify(input, this.recall(accessToken)),
        (session) => session && this.checkClaims(session, options, userContext),
      ),
    );
    if (!(outcome instanceof Promise)) return outcome;
    const hasToken = accessToken !== undefined && this.context.verifier.isOurs(accessToken);
    return this.reportRefusal(outcome, userContext, () => hasToken);
  }

  /** The recipe's own `getSession`. */
  getSession(input: GetSessionInput): MaybePromise<SessionContainer | undefined> {
    const known = this.recall(input.accessToken);
    return chain(this.proofs.prove(input, known), (info) => this.open(info, input, known));
  }

  private recall(accessToken: string | undefined): AccessTokenInfo | undefined {
    return accessToken === undefined ? undefined : this.context.verifier.recall(accessToken);
  }

  private attempt<T>(work: () => MaybePromise<T>): MaybePromise<T> {
    try {
      return work();
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** G1-G9: reads the request, before the recipe is called. */
  private readRequest(sessionRequest: SessionRequest, options: VerifySessionOptions): ReadRequest {
    const { config, transport } = this.context;
    const { request, userContext } = sessionRequest;
    transport.markSessionDependent(sessionRequest);
    const allowed = config.getTokenTransferMethod({ req: request, forCreateNewSession: false, userContext }); // G2
    const presented = this.presented.find(sessionRequest, allowed); // G1, G3-G6
    const antiCsrfCheck = this.presented.checksAntiCsrf(sessionRequest, presented, options.antiCsrfCheck); // G7-G9
    return {
      input: {
        accessToken: presented?.token,
        antiCsrfToken: transport.readAntiCsrfToken(sessionRequest),
        options: { ...options, antiCsrfCheck },
        userContext,
      },
      known: presented?.known,
      transferMethod: presented?.transferMethod ?? (allowed === 'any' ? 'header' : allowed),
    };
  }

  /** G10: calls the recipe, and publishes what takes time. */
  private verify(
    input: GetSessionInput,
    known: AccessTokenInfo | undefined,
  ): MaybePromise<SessionContainer | undefined> {
    if (this.parts().getSession) return this.callReplacement(input, known);
    const proof = this.proofs.prove(input, known);
    if (!(proof instanceof Promise) && !this.needsCore(proof, input, known))
      return this.openWithoutCore(proof, input);
    return tracedSession(channels.sessionVerify, this.context.events, async () =>
      this.open(await proof, input, known),
    );
  }

  private async callReplacement(
    input: GetSessionInput,
    known: AccessTokenInfo | undefined,
  ): Promise<SessionContainer | undefined> {
    const { recipe, events } = this.context;
    // A remembered token that needs no call of the core is not worth a trace.
    return input.accessToken === undefined || (known !== undefined && !this.needsCore(known, input, known))
      ? recipe.getSession(input)
      : tracedSession(channels.sessionVerify, events, async () => recipe.getSession(input));
  }

  /** Returns the session of a proven token, after the core has confirmed it if that is needed. */
  private open(
    info: AccessTokenInfo | undefined,
    input: GetSessionInput,
    known: AccessTokenInfo | undefined,
  ): MaybePromise<SessionContainer | undefined> {
    const { accessToken } = input;
    if (info !== undefined && accessToken !== undefined && this.needsCore(info, input, known))
      return this.confirmation.open(accessToken, info, input);
    return this.openWithoutCore(info, input);
  }

  private openWithoutCore(
    info: AccessTokenInfo | undefined,
    { accessToken, antiCsrfToken }: GetSessionInput,
  ): SessionContainer | undefined {
    if (info === undefined || accessToken === undefined) return undefined;
    return openSession(stateFromToken(accessToken, info, antiCsrfToken), this.context);
  }

  private needsCore(
    info: AccessTokenInfo | undefined,
    { options }: GetSessionInput,
    known: AccessTokenInfo | undefined,
  ): boolean {
    return this.proofs.needsCore(info, options?.checkDatabase, known);
  }

  private checkClaims(
    session: SessionContainer,
    options: VerifySessionOptions,
    userContext: UserContext,
  ): MaybePromise<SessionContainer> {
    if (options.overrideGlobalClaimValidators === undefined && !this.parts().hasClaimChecks) return session;
    return chain(this.claims.assert(session, options, userContext), () => session);
  }

  private parts(): NonNullable<SessionVerification['replaced']> {
    return (this.replaced ??= {
      getSession: this.context.isReplaced('getSession'),
      hasClaimChecks: !this.claims.checksNothing,
    });
  }

  /** Publishes a refusal and counts it against the rate limits, whose error takes its place. */
  private reportRefusal<T>(
    outcome: Promise<T>,
    userContext: UserContext,
    hasToken: () => boolean,
  ): Promise<T> {
    const { events: source, rateLimits } = this.context;
    if (rateLimits === undefined && !channels.sessionRefused.hasSubscribers) return outcome;
    return outcome.catch(async (error: unknown) => {
      const refusal = { error, hasToken: hasToken() };
      channels.sessionRefused.publish({ source, ...refusal });
      await rateLimits?.afterRefusal({ ...refusal, userContext });
      throw error;
    });
  }

  private hasToken(request: SessionRequest): boolean {
    const { transport, verifier } = this.context;
    return (['header', 'cookie'] as const).some((method) => {
      const token = transport.readToken(request, 'access', method);
      return token !== undefined && verifier.isOurs(token);
    });
  }
}
