import { CoreBadInputError, CoreUnavailableError } from '../../errors.js';
import type { Clock } from '../../util/clock.js';
import { DEFAULT_TENANT_ID } from '../../util/tenant-id.js';
import type { CoreClient } from '../core-client.js';
import { ApiKeys, presentedApiKey, type ReadHeader } from './api-keys.js';
import { jsonAnswer, textAnswer, unavailableAnswer, type CdiAnswer } from './cdi-answers.js';
import { parseBody, PUBLIC_TENANT_ONLY } from './cdi-input.js';
import { CDI_OPERATIONS } from './cdi-operations.js';
import { CdiRefusal } from './cdi-refusal.js';
import { pathBelow, matchRoute, type CdiOperation, type CdiRoute } from './cdi-router.js';
import { HelloProbe } from './hello-probe.js';
import { refusalOfVersion } from './versions.js';

const PROTECTED_FIELD = 'The user payload contains protected field';

/** One request, whichever server received it. */
export interface ReceivedCdiCall {
  readonly method: string;
  /** Path and query as sent. */
  readonly url: string;
  readonly header: ReadHeader;
  /** Reads the body, once. @throws {CdiRefusal} 413 when it is too large */
  readBody(): Promise<Uint8Array>;
}

/** How the core is served. */
export interface CdiServerConfig {
  /** In normal form: empty, or `/some/path` in lower case. */
  readonly basePath: string;
  /** Any of them opens the core; none leaves it open. */
  readonly apiKeys: readonly string[];
  /** Oldest first, at least one. */
  readonly versions: readonly string[];
}

/** What a server needs beside its configuration. */
export interface CdiServerContext {
  readonly core: CoreClient;
  readonly clock: Clock;
  /** Told about everything that ends in a 500 or 503, of which the client learns nothing but that. */
  reportFailure(error: unknown): void;
}

/**
 * Answers the calls of the Core Driver Interface 5.0 to 5.4 from a `CoreClient`, in the words of a SuperTokens Core.
 *
 * @see docs/protocol/core.md A, and H3 for the differences
 */
export class CdiServer {
  private readonly apiKeys: ApiKeys;
  private readonly hello: HelloProbe;

  constructor(
    private readonly context: CdiServerContext,
    private readonly config: CdiServerConfig,
  ) {
    this.apiKeys = new ApiKeys(config.apiKeys);
    this.hello = new HelloProbe(context.core, context.clock);
  }

  /** Whether a request is for this server at all: everything below the base path is. */
  servesPath(url: string): boolean {
    return pathBelow(splitUrl(url).path, this.config.basePath) !== undefined;
  }

  /** Never rejects. */
  async answer(request: ReceivedCdiCall): Promise<CdiAnswer> {
    try {
      const { path, query } = splitUrl(request.url);
      const route = matchRoute(path, this.config.basePath);
      if (route === undefined) throw new CdiRefusal(404, 'Not found');
      const operation = this.admit(request, route);
      return await this.run(operation, {
        core: this.context.core,
        tenantId: route.tenantId,
        query: new URLSearchParams(query),
        body: async () => parseBody(await request.readBody()),
      });
    } catch (error) {
      return this.answerToError(error);
    }
  }

  /** The checks of A3 in their order, up to the input. */
  private admit(request: ReceivedCdiCall, { endpoint, appId, tenantId }: CdiRoute): CdiOperation {
    if (appId !== 'public') throw new CdiRefusal(400, unknownApp(appId, tenantId ?? DEFAULT_TENANT_ID));
    if (!endpoint.isOpen && !this.apiKeys.accepts(presentedApiKey(request.header))) {
      throw new CdiRefusal(401, 'Invalid API key');
    }
    const version = request.header('cdi-version');
    const refusal = refusalOfVersion(version, this.config.versions, !endpoint.takesAnyVersion);
    if (refusal !== undefined) throw new CdiRefusal(400, refusal);
    const operation = Object.hasOwn(endpoint.methods, request.method)
      ? endpoint.methods[request.method]
      : undefined;
    if (operation === undefined) throw new CdiRefusal(405, 'Method not supported');
    if (endpoint.isOfPublicTenantOnly && (tenantId ?? DEFAULT_TENANT_ID) !== DEFAULT_TENANT_ID) {
      throw new CdiRefusal(403, PUBLIC_TENANT_ONLY);
    }
    return operation;
  }

  private async run(
    operation: CdiOperation,
    call: Parameters<(typeof CDI_OPERATIONS)['getJwks']>[0],
  ): Promise<CdiAnswer> {
    if (operation === 'listVersions') return jsonAnswer({ versions: this.config.versions });
    if (operation !== 'hello') return CDI_OPERATIONS[operation](call);
    await this.hello.touch();
    return textAnswer(200, 'Hello');
  }

  private answerToError(error: unknown): CdiAnswer {
    if (error instanceof CdiRefusal) return textAnswer(error.status, error.message);
    if (error instanceof CoreBadInputError) return textAnswer(400, wordedAsByACore(error.message));
    this.context.reportFailure(error);
    return error instanceof CoreUnavailableError
      ? unavailableAnswer(error.retryAfterSec)
      : textAnswer(500, 'Internal Error');
  }
}

function splitUrl(url: string): { path: string; query: string } {
  const [path = '', ...query] = url.split('?');
  return { path, query: query.join('?') };
}

function unknownApp(appId: string, tenantId: string): string {
  return (
    'AppId or tenantId not found => Tenant with the following connectionURIDomain, appId and tenantId ' +
    `combination not found: (, ${appId}, ${tenantId})`
  );
}

/** Our engine names the field, too; clients compare the whole text. */
function wordedAsByACore(message: string): string {
  return message.startsWith(PROTECTED_FIELD) ? PROTECTED_FIELD : message;
}
