import { CoreResponseError } from '../../errors.js';
import type { Clock } from '../../util/clock.js';
import type { UserContext } from '../../util/user-context.js';
import type { CoreCalls } from '../core-calls.js';
import { apiVersionRequest, type CdiRequest } from './cdi-requests.js';
import { parseApiVersions } from './cdi-responses.js';
import { AgreedCdiVersion, chooseCdiVersion, SPOKEN_CDI_VERSIONS, type CdiVersion } from './cdi-version.js';
import { attemptError, isVersionRefused } from './core-call-errors.js';
import { CoreCallCache } from './core-call-cache.js';
import { HostExchange, type PreparedCall, type Sleep } from './host-exchange.js';
import type { CoreHostHealth } from './host-pool.js';
import type { RemoteCoreConfig } from './remote-core-config.js';
import { understand, type HostAnswer, type ParseAnswer } from './understand-answer.js';

export interface CoreConnectionContext {
  readonly clock: Clock;
  /** Told to the core for its statistics. */
  readonly apiDomain: string;
  readonly sleep?: Sleep | undefined;
  /** Watches every call. */
  readonly calls: CoreCalls;
}

/**
 * Calls the core in the words of the CDI: agreed version, headers, cached reads, understood answers.
 *
 * @see docs/protocol/core.md A7, docs/protocol/sdk.md §12
 */
export class CoreConnection {
  private readonly hosts: HostExchange;
  private readonly version = new AgreedCdiVersion();
  private readonly cache: CoreCallCache<HostAnswer>;
  private readonly versionRequest: CdiRequest;
  private readonly calls: CoreCalls;

  constructor(
    private readonly config: RemoteCoreConfig,
    { clock, apiDomain, sleep, calls }: CoreConnectionContext,
  ) {
    this.calls = calls;
    this.versionRequest = apiVersionRequest(apiDomain);
    this.hosts = new HostExchange(config, clock, () => this.versionCall({}), sleep);
    this.cache = new CoreCallCache(!config.disableCoreCallCache);
  }

  get health(): CoreHostHealth[] {
    return this.hosts.health;
  }

  /**
   * @param options `isFresh`: take no cached answer
   * @throws {CoreUnavailableError} no host answered
   * @throws {CoreResponseError} an answer that is not one of the CDI
   * @throws {CoreBadInputError} status 400
   */
  async call<T>(
    request: CdiRequest,
    parse: ParseAnswer<T>,
    userContext: UserContext,
    { isFresh = false } = {},
  ): Promise<T> {
    const send = async (): Promise<HostAnswer> =>
      this.calls.run(operationName(request), async () => this.send(request, userContext));
    if (request.method === 'GET') {
      const key = `${request.path}?${JSON.stringify(request.params)}`;
      const answer = isFresh ? await send() : await this.cache.getOr(userContext, key, send);
      return understand(request, answer, parse);
    }
    // What was read before a write or during it says nothing about the time after it.
    this.cache.noteWrite(userContext);
    try {
      return understand(request, await send(), parse);
    } finally {
      this.cache.noteWrite(userContext);
    }
  }

  /** Ends what is under way; later calls find nobody. */
  close(): void {
    this.hosts.close();
  }

  private async send(request: CdiRequest, userContext: UserContext): Promise<HostAnswer> {
    try {
      return await this.sendOnce(request, userContext);
    } catch (error) {
      if (!isVersionRefused(error)) throw error;
      // Another release of the core answers now. It refused before it did anything, so that any call may be repeated.
      return this.sendOnce(request, userContext);
    }
  }

  /** A call in the version that is agreed, or else agreed now. One that is refused is no agreement any more. */
  private async sendOnce(request: CdiRequest, userContext: UserContext): Promise<HostAnswer> {
    const agreement = this.version.get(async () => this.negotiate(userContext));
    const headers = this.requestHeaders(request, await agreement);
    try {
      return await this.hosts.send({ request, headers, userContext });
    } catch (error) {
      if (isVersionRefused(error)) this.version.forget(agreement);
      throw error;
    }
  }

  private async negotiate(userContext: UserContext): Promise<CdiVersion> {
    const answer = await this.hosts.send(this.versionCall(userContext));
    const version = chooseCdiVersion(understand(this.versionRequest, answer, parseApiVersions));
    if (version === undefined) {
      throw new CoreResponseError(
        `The core at ${answer.host.origin} speaks none of the CDI versions ${SPOKEN_CDI_VERSIONS.join(', ')}: ` +
          'run a SuperTokens Core that does, 10.1 for example',
        {
          cause: attemptError(this.versionRequest, answer.host, 'no common CDI version', {
            status: answer.status,
          }),
        },
      );
    }
    return version;
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
