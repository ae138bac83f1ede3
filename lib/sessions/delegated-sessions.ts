import type { ChildSessionInput } from '../delegation/delegations.js';
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
}
