import { reservedContext, type UserContext } from '../../util/user-context.js';

interface ContextCache {
  answers: Map<string, unknown>;
  /** Number of foreign writes that the answers know of. */
  seenWrites: number;
}

/**
 * Answers to GETs, kept for one user context: repeated reads within one request make one call.
 *
 * A write through a context empties its cache. A write through a context that does not come from a request empties all.
 *
 * @see docs/protocol/sdk.md §12.5
 */
export class CoreCallCache<Answer> {
  // Not inside the context itself: it may be logged, and it may meet the core of another module.
  private readonly caches = new WeakMap<object, ContextCache>();
  private writesOutsideRequests = 0;

  constructor(private readonly isEnabled: boolean) {}

  /** The answer to an equal call through this context, or that of `ask`; failures are not kept. */
  async getOr(userContext: UserContext, key: string, ask: () => Promise<Answer>): Promise<Answer> {
    if (!this.isEnabled) return ask();
    // A write meanwhile replaces the map: what was read before it is then stored where nobody looks.
    const { answers } = this.contextCache(userContext);
    const known = answers.get(key) as Answer | undefined;
    if (known !== undefined) return known;
    const answer = await ask();
    answers.set(key, answer);
    return answer;
  }

  /** To be called before and after each write. */
  noteWrite(userContext: UserContext): void {
    if (!this.isEnabled) return;
    this.contextCache(userContext).answers = new Map();
    if (ensureReservedContext(userContext)['keepCacheAlive'] !== true) this.writesOutsideRequests += 1;
  }

  private contextCache(userContext: UserContext): ContextCache {
    const place = ensureReservedContext(userContext);
    let cache = this.caches.get(place);
    if (cache === undefined || cache.seenWrites !== this.writesOutsideRequests) {
      cache = { answers: new Map(), seenWrites: this.writesOutsideRequests };
      this.caches.set(place, cache);
    }
    return cache;
  }
}

/** Copies of a context share its reserved place, and so its cache. */
function ensureReservedContext(userContext: UserContext): UserContext {
  return reservedContext(userContext) ?? userContext;
}
