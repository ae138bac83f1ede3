import type { ChildSessionInput } from '../delegation/delegations.js';
import type { HandOverInput, RedemptionInput } from '../delegation/hand-over.js';
import { checkArguments } from '../options/call-arguments.js';
import type { DefaultPayload } from '../util/session-types.js';
import { DELEGATION_CALLS } from './delegation-calls.js';
import type { SessionContainer } from './session-container.js';
import type { SessionRuntime } from './session-runtime.js';
import { SessionsByHandle, type WithUserContext } from './sessions-by-handle.js';

/** The functions of `SessionService` that make sessions from others. */
export abstract class SessionsFromOthers extends SessionsByHandle {
  /** @internal */
  protected constructor(protected readonly runtime: SessionRuntime) {
    super(runtime.recipe, runtime.prepareContext);
  }

  /**
   * Makes a narrower session of the same user, for a job or an agent. Its tokens are for clients that use headers. It has the claims that
   * are named here and no others: validators fetch none, no claim of freshness passes, and the option `claims` adds nothing.
   *
   * @throws {UnauthorisedError} the parent has ended
   * @throws {CoreBadInputError} a name in `claims` belongs to the session itself; there are four sessions one in the other, or 500 live
   *   children
   */
  @checkArguments(DELEGATION_CALLS.createChildSession)
  async createChildSession<Payload extends object = DefaultPayload>({
    userContext,
    ...input
  }: ChildSessionInput & WithUserContext): Promise<SessionContainer<Payload>> {
    const { delegated } = this.runtime.verbs;
    const session = await delegated.createChild(input, this.context(userContext));
    return session as SessionContainer<Payload>;
  }

  /**
   * Makes a token by which another client of the same user goes on with a session: an app, or a website of another domain. It is good for one
   * use within a minute. It is a credential: send it over https, and to that client alone.
   *
   * @throws {UnauthorisedError} the session has ended
   * @throws {CoreBadInputError} the core cannot see to it that a token is used once: a SuperTokens Core, or a store without `sharedValues`
   */
  @checkArguments(DELEGATION_CALLS.createHandOverToken)
  async createHandOverToken({
    userContext: _unused,
    ...input
  }: HandOverInput & WithUserContext): Promise<string> {
    return this.runtime.verbs.delegated.createHandOverToken(input);
  }

  /**
   * Exchanges a hand-over token for a session, and writes its tokens to the response. The session has payload, data, limits and actors of
   * the one that the token came from. Of several calls with one token one succeeds; the others are noted (`session.hand-over-refused`).
   *
   * @throws {UnauthorisedError} the token is unknown, used, expired or for another client, or its session has ended
   */
  @checkArguments(DELEGATION_CALLS.redeemHandOverToken)
  async redeemHandOverToken<Payload extends object = DefaultPayload>(
    req: unknown,
    res: unknown,
    { userContext, ...input }: RedemptionInput & WithUserContext,
  ): Promise<SessionContainer<Payload>> {
    const request = this.runtime.claimRequest(req, res, userContext);
    const session = await this.runtime.verbs.delegated.redeemInRequest(request, input);
    return session as SessionContainer<Payload>;
  }

  /**
   * As {@link redeemHandOverToken}, without a request: the application sends the tokens.
   *
   * @param input `disableAntiCsrf`: no anti-CSRF token, for clients that use headers. Default false
   */
  @checkArguments(DELEGATION_CALLS.redeemHandOverTokenWithoutRequestResponse)
  async redeemHandOverTokenWithoutRequestResponse<Payload extends object = DefaultPayload>({
    userContext,
    disableAntiCsrf = false,
    ...input
  }: RedemptionInput & WithUserContext & { disableAntiCsrf?: boolean }): Promise<SessionContainer<Payload>> {
    const { delegated } = this.runtime.verbs;
    const redemption = { ...input, disableAntiCsrf };
    const session = await delegated.redeemWithoutRequest(redemption, this.context(userContext));
    return session as SessionContainer<Payload>;
  }
}
