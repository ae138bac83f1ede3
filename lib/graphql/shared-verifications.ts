import type { VerifySessionOptions } from '../sessions/recipe.interface.js';
import type { SessionContainer } from '../sessions/session-container.js';
import type { SessionRuntime } from '../sessions/session-runtime.js';
import type { HttpExchange } from '../util/http-exchange.js';
import { withRequest } from '../util/user-context.js';

/** The verification of one request, shared by its handlers. */
interface SharedState {
  /** The proven session, by the route's `antiCsrfCheck`. */
  readonly proofs: Map<boolean | undefined, Promise<SessionContainer | undefined>>;
  /** The container that was verified last; it holds the changes that earlier handlers made. */
  current: SessionContainer | undefined;
  /** The claim checks so far; the next one waits for them, or two would fetch the same claim. */
  checks: Promise<unknown>;
}

/**
 * Verifies a request once for all of its handlers, such as the root fields of a GraphQL document: the token is verified
 * and promoted once, and the handlers share one container. Claims are checked for each handler, by its own rules.
 */
export class SharedVerifications {
  private readonly byRequest = new WeakMap<object, SharedState>();

  constructor(private readonly runtime: SessionRuntime) {}

  async verifyShared(
    exchange: HttpExchange,
    options: VerifySessionOptions,
  ): Promise<SessionContainer | undefined> {
    const shared = this.sharedState(exchange);
    // A database check must see the present state, so it is never shared.
    if (options.checkDatabase === true) {
      const verified = await this.verify(exchange, options);
      shared.current = verified ?? shared.current;
      return verified;
    }
    const proven = await this.sharedProof(shared, exchange, options.antiCsrfCheck);
    if (proven === undefined) return undefined;
    const session = (shared.current ??= proven);
    const { verbs, prepareContext } = this.runtime;
    const check = shared.checks.then(async () =>
      verbs.claims.assert(session, options, withRequest(prepareContext(), exchange.request)),
    );
    shared.checks = check.catch(() => undefined); // a failure is one handler's own
    await check;
    return session;
  }

  private sharedState(exchange: HttpExchange): SharedState {
    const key = stateKey(exchange);
    const known = this.byRequest.get(key);
    if (known !== undefined) return known;
    const state: SharedState = { proofs: new Map(), current: undefined, checks: Promise.resolve() };
    this.byRequest.set(key, state);
    return state;
  }

  private async sharedProof(
    { proofs }: SharedState,
    exchange: HttpExchange,
    antiCsrfCheck: boolean | undefined,
  ): Promise<SessionContainer | undefined> {
    let proof = proofs.get(antiCsrfCheck);
    if (proof === undefined) {
      proof = this.verify(exchange, {
        sessionRequired: false,
        ...(antiCsrfCheck === undefined ? {} : { antiCsrfCheck }),
        overrideGlobalClaimValidators: () => [],
      });
      proofs.set(antiCsrfCheck, proof);
    }
    return proof;
  }

  private async verify(
    exchange: HttpExchange,
    verifySessionOptions: VerifySessionOptions,
  ): Promise<SessionContainer | undefined> {
    const { api, prepareContext } = this.runtime;
    return api.verifySession({
      verifySessionOptions,
      options: this.runtime.apiOptions(exchange),
      userContext: prepareContext(),
    });
  }
}

function stateKey({ request }: HttpExchange): object {
  const { original } = request;
  return typeof original === 'object' && original !== null ? original : request;
}
