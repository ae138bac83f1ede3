import { CoreResponseError } from '../../errors.js';
import type { Clock } from '../../util/clock.js';
import { type UserContext, reservedContext } from '../../util/user-context.js';
import type { CoreCalls } from '../core-calls.js';
import { apiVersionRequest, NO_CACHE_HEADERS, type CdiRequest } from './cdi-requests.js';
import { parseApiVersions, readResponse, type HostResponse, type ParseResponse } from './cdi-responses.js';
import {
  CdiAgreement,
  chooseCdiVersions,
  SPOKEN_CDI_VERSIONS,
  type AgreedCdiVersions,
  type CdiVersion,
} from './cdi-version.js';
import { attemptError, isVersionRefused, isVersionTooOld } from './core-call-errors.js';
import { HostExchange, type PreparedCall, type Sleep } from './host-exchange.js';
import type { CoreHostHealth } from './host-pool.js';
import type { RemoteCoreConfig } from './remote-core-config.js';

export interface CoreConnectionContext {
  readonly clock: Clock;
  /** Sent to the core for its statistics. */
  readonly apiDomain: string;
  readonly sleep?: Sleep | undefined;
  /** Watches every call. */
  readonly calls: CoreCalls;
}

/**
 * Calls the core in the words of the CDI: agreed version, headers, cached reads, parsed responses.
 *
 * @see docs/protocol/core.md A7, docs/protocol/sdk.md §12
 */
export class CoreConnection {
  private readonly hosts: HostExchange;
  private readonly agreement: CdiAgreement;
  private readonly cache: CoreCallCache<HostResponse>;
  private readonly versionRequest: CdiRequest;
  private readonly calls: CoreCalls;

  constructor(
    private readonly config: RemoteCoreConfig,
    { clock, apiDomain, sleep, calls }: CoreConnectionContext,
  ) {
    this.calls = calls;
    this.agreement = new CdiAgreement(clock);
    this.versionRequest = apiVersionRequest(apiDomain);
    this.hosts = new HostExchange(config, clock, () => this.versionCall({}), sleep);
    this.cache = new CoreCallCache(!config.disableCoreCallCache);
  }

  get health(): CoreHostHealth[] {
    return this.hosts.health;
  }

  /**
   * @param options `isFresh`: a read that takes no cached response, and leaves the cache as it is
   * @throws {CoreUnavailableError} no host responded
   * @throws {CoreResponseError} a response that does not follow the CDI
   * @throws {CoreBadInputError} status 400
   */
  async call<T>(
    request: CdiRequest,
    parse: ParseResponse<T>,
    userContext: UserContext,
    { isFresh = false } = {},
  ): Promise<T> {
    const send = async (): Promise<HostResponse> =>
      this.calls.run(operationName(request), async () => this.send(request, userContext));
    if (isFresh) return readResponse(request, await send(), parse);
    if (request.method === 'GET') {
      const key = `${request.path}?${JSON.stringify(request.params)}`;
      return readResponse(request, await this.cache.getOr(userContext, key, send), parse);
    }
    // Reads from before or during a write may be outdated after it.
    this.cache.noteWrite(userContext);
    try {
      return readResponse(request, await send(), parse);
    } finally {
      this.cache.noteWrite(userContext);
    }
  }

  /** Returns the versions that are agreed with the core, or agrees on them first. @throws as {@link call} */
  async agreedVersions(userContext: UserContext): Promise<AgreedCdiVersions> {
    return this.agreement.get(async (refused) =>
      this.calls.run(operationName(this.versionRequest), async () => this.negotiate(userContext, refused)),
    );
  }

  /** Ends the calls under way; later calls fail. */
  close(): void {
    this.hosts.close();
  }

  private async send(request: CdiRequest, userContext: UserContext): Promise<HostResponse> {
    try {
      return await this.sendOnce(request, userContext);
    } catch (error) {
      if (!isVersionRefused(error)) throw error;
      // Another release of the core responds now. It refused before it did any work, so any call may be repeated.
      return this.sendOnce(request, userContext);
    }
  }

  /** Sends a call in the agreed version, or agrees on one first. A version that is refused is forgotten. */
  private async sendOnce(request: CdiRequest, userContext: UserContext): Promise<HostResponse> {
    const agreed = this.agreement.get(async (refused) => this.negotiate(userContext, refused));
    const { best, atFirstUse } = await agreed;
    const version = request.rotation === 'at-first-use' ? atFirstUse : best;
    const inVersion = request.inVersion?.(version) ?? request;
    const headers = this.requestHeaders(request, version);
    try {
      return await this.hosts.send({ request: inVersion, headers, userContext });
    } catch (error) {
      if (isVersionRefused(error))
        this.agreement.noteRefused(agreed, version, { isTooOld: isVersionTooOld(error) });
      throw error;
    }
  }

  private async negotiate(
    userContext: UserContext,
    refused: ReadonlySet<CdiVersion>,
  ): Promise<AgreedCdiVersions> {
    const response = await this.hosts.send(this.versionCall(userContext));
    const { newestCdiVersion: newest } = this.config;
    const offered = readResponse(this.versionRequest, response, parseApiVersions);
    const versions = chooseCdiVersions(offered, { newest, refused });
    if (versions === undefined) {
      throw new CoreResponseError(
        `The core at ${response.host.origin} speaks none of the CDI versions ${SPOKEN_CDI_VERSIONS.join(', ')}: ` +
          'run a SuperTokens Core that does, 10.1 for example',
        {
          cause: attemptError(this.versionRequest, response.host, 'no common CDI version', {
            status: response.status,
          }),
        },
      );
    }
    return versions;
  }

  private versionCall(userContext: UserContext): PreparedCall {
    const request = this.versionRequest;
    return { request, headers: this.requestHeaders(request, undefined), userContext };
  }

  private requestHeaders(
    { method, recipeId }: CdiRequest,
    version: CdiVersion | undefined,
  ): Record<string, string> {
    const { apiKey } = this.config;
    return {
      ...NO_CACHE_HEADERS,
      ...(version !== undefined && { 'cdi-version': version }),
      ...(apiKey !== undefined && { 'api-key': apiKey }),
      ...(recipeId !== undefined && { rid: recipeId }),
      ...(method !== 'GET' && { 'content-type': 'application/json; charset=utf-8' }),
    };
  }
}

/** The call without its tenant. */
function operationName({ method, path }: CdiRequest): string {
  return `${method} ${path.slice(Math.max(0, path.indexOf('/recipe/')))}`;
}

interface ContextCache {
  results: Map<string, unknown>;
  /** The number of writes outside requests that the cached responses include. */
  seenWrites: number;
}

/**
 * Responses to GETs, kept for one user context, so that repeated reads within one request make one call.
 *
 * A write through a context empties its cache. A write through a context that does not come from a request empties all.
 *
 * @see docs/protocol/sdk.md §12.5
 */
export class CoreCallCache<Result> {
  // Not inside the context itself: it may be logged, and it may meet the core of another module.
  private readonly caches = new WeakMap<object, ContextCache>();
  private writesOutsideRequests = 0;

  constructor(private readonly isEnabled: boolean) {}

  /** Returns the response to an equal call through this context, or that of `ask`; failures are not kept. */
  async getOr(userContext: UserContext, key: string, ask: () => Promise<Result>): Promise<Result> {
    if (!this.isEnabled) return ask();
    // A write meanwhile replaces the map, so a response that was read before it is stored in the old map and not used.
    const { results } = this.contextCache(userContext);
    const known = results.get(key) as Result | undefined;
    if (known !== undefined) return known;
    const result = await ask();
    results.set(key, result);
    return result;
  }

  /** Empties the cache. Call it before and after each write. */
  noteWrite(userContext: UserContext): void {
    if (!this.isEnabled) return;
    this.contextCache(userContext).results = new Map();
    if (ensureReservedContext(userContext)['keepCacheAlive'] !== true) this.writesOutsideRequests += 1;
  }

  private contextCache(userContext: UserContext): ContextCache {
    const place = ensureReservedContext(userContext);
    let cache = this.caches.get(place);
    if (cache === undefined || cache.seenWrites !== this.writesOutsideRequests) {
      cache = { results: new Map(), seenWrites: this.writesOutsideRequests };
      this.caches.set(place, cache);
    }
    return cache;
  }
}

/** Copies of a context share its reserved place, and so its cache. */
function ensureReservedContext(userContext: UserContext): UserContext {
  return reservedContext(userContext) ?? userContext;
}
