import type { VerifySessionOptions } from '../sessions/recipe.interface.js';
import type { SessionContainer } from '../sessions/session-container.js';
import type { SessionRuntime } from '../sessions/session-runtime.js';
import type { HttpExchange } from '../util/http-exchange.js';
import { withRequest } from '../util/user-context.js';

/** What the handlers of one request have in common. */
interface SharedState {
  /** What the request proves, by how strictly anti-CSRF is checked. */
  readonly proofs: Map<boolean | undefined, Promise<SessionContainer | undefined>>;
  /** The container that was verified last: it knows what the handlers before have changed. */
  current: SessionContainer | undefined;
  /** The claim checks so far; the next one waits, or two would fetch the same claim. */
  checks: Promise<unknown>;
}

/**
 * One verification for all handlers of a request, as the root fields of a GraphQL document are: its token is verified
 * and promoted once, and they share one container. Claims are checked for each handler, by its own rules.
 */
export class SharedVerifications {
  private readonly byRequest = new WeakMap<object, SharedState>();

  constructor(private readonly runtime: SessionRuntime) {}

  async verifyShared(
    exchange: HttpExchange,
    options: VerifySessionOptions,
  ): Promise<SessionContainer | undefined> {
    const shared = this.sharedState(exchange);
    // Who asks for the database wants to know how it is now.
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
    shared.checks = check.catch(() => undefined); // what one handler may not, another may
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
    return api.verifySession({ verifySessionOptions, options: { exchange }, userContext: prepareContext() });
  }
}

function stateKey({ request }: HttpExchange): object {
  const { original } = request;
  return typeof original === 'object' && original !== null ? original : request;
}
