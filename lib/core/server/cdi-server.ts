import { CoreBadInputError, CoreUnavailableError } from '../../errors.js';
import type { Clock } from '../../util/clock.js';
import { DEFAULT_TENANT_ID } from '../../util/tenant-id.js';
import { confirmToken } from '../confirm-token.js';
import type { CoreClient } from '../core-client.js';
import { ApiKeys, presentedApiKey } from '../../util/api-keys.js';
import { CallerCheck, type CdiCaller } from './caller-check.js';
import {
  jsonResponse,
  textResponse,
  unavailableResponse,
  type CdiCall,
  type CdiResponse,
  type CdiSemantics,
  type RecentTokenReuseBehaviour,
  CDI_OPERATIONS,
} from './cdi-operations.js';
import { parseBody, PUBLIC_TENANT_ONLY, CdiRefusal, revocationsInput } from './cdi-input.js';
import {
  compareVersions,
  matchRoute,
  pathBelow,
  refuseVersion,
  rotatesAtOnce,
  unstatedVersion,
  type CdiOperation,
  type CdiRoute,
} from './cdi-router.js';
import type { ServedFeed } from '../../feed/served-feed.js';

const PROTECTED_FIELD = 'The user payload contains protected field';

/** One request, independent of the server that received it. */
export interface ReceivedCdiCall extends CdiCaller {
  readonly method: string;
  /** The request target as sent: path and query, or an absolute URL. */
  readonly url: string;
  /** Reads the body, once. @throws {CdiRefusal} 413 when it is too large */
  readBody(): Promise<Uint8Array>;
}

/** How the core is served. */
export interface CdiServerConfig {
  /** In normal form: empty, or `/some/path` in lower case. */
  readonly basePath: string;
  /** The accepted API keys; empty if none is required. */
  readonly apiKeys: readonly string[];
  /** Names in `Host` beside those of this machine. */
  readonly hostNames: readonly string[];
  /** Oldest first, at least one. */
  readonly versions: readonly string[];
  /** How the reuse of a recent token is reported to callers of CDI 5.6. */
  readonly recentTokenReuseBehaviour: RecentTokenReuseBehaviour;
}

/** The dependencies of a server. */
export interface CdiServerContext {
  readonly core: CoreClient;
  readonly clock: Clock;
  /** undefined: none is served. */
  readonly feed?: ServedFeed | undefined;
  /** Called with each error that ends in a 500 or 503, because the client sees only the status. */
  reportFailure(error: unknown): void;
}

/**
 * Serves the calls of the Core Driver Interface 5.0 to 5.6 from a `CoreClient`, in the words of a SuperTokens Core.
 *
 * @see docs/protocol/core.md A, and H3 for the differences
 */
export class CdiServer {
  private readonly apiKeys: ApiKeys;
  private readonly callers: CallerCheck;
  private readonly hello: HelloProbe;
  private readonly unstatedVersion: string;

  constructor(
    private readonly context: CdiServerContext,
    private readonly config: CdiServerConfig,
  ) {
    const { apiKeys, hostNames } = config;
    this.apiKeys = new ApiKeys(apiKeys);
    this.callers = new CallerCheck({ hostNames, hasApiKeys: apiKeys.length > 0 });
    this.hello = new HelloProbe(context.core, context.clock);
    this.unstatedVersion = unstatedVersion(config.versions);
  }

  /** Returns whether a request is for this server, which is every request below the base path. */
  servesPath(url: string): boolean {
    return pathBelow(splitUrl(url).path, this.config.basePath) !== undefined;
  }

  /** Returns the response to a request. Never rejects. */
  async respond(request: ReceivedCdiCall): Promise<CdiResponse> {
    try {
      const { authority, path, query } = splitUrl(request.url);
      const hosts = authority === undefined ? request.hosts : [...request.hosts, authority];
      this.callers.admit({ ...request, hosts });
      const route = matchRoute(path, this.config.basePath);
      if (route === undefined) throw new CdiRefusal(404, 'Not found');
      const version = request.header('cdi-version');
      const operation = this.admit(request, route, version);
      return await this.run(operation, {
        core: this.context.core,
        semantics: this.semanticsOf(version),
        tenantId: route.tenantId,
        query: new URLSearchParams(query),
        onRevoked: () => this.context.feed?.announceOwn(),
        body: async () => parseBody(await request.readBody()),
      });
    } catch (error) {
      return this.errorResponse(error);
    }
  }

  /** Makes the checks of A3 in their order, up to the input. */
  private admit(
    request: ReceivedCdiCall,
    { endpoint, appId, tenantId }: CdiRoute,
    version: string | undefined,
  ): CdiOperation {
    if (appId !== 'public') throw new CdiRefusal(400, unknownApp(appId, tenantId ?? DEFAULT_TENANT_ID));
    if (!endpoint.isOpen && !this.apiKeys.accepts(presentedApiKey(request.header))) {
      throw new CdiRefusal(401, 'Invalid API key');
    }
    const refusal = refuseVersion(version, this.config.versions, !endpoint.takesAnyVersion);
    if (refusal !== undefined) throw new CdiRefusal(400, refusal);
    const operation = Object.hasOwn(endpoint.methods, request.method)
      ? endpoint.methods[request.method]
      : undefined;
    if (operation === undefined) throw new CdiRefusal(405, 'Method not supported');
    const { publicTenantOnlyFrom } = endpoint;
    if (
      (tenantId ?? DEFAULT_TENANT_ID) !== DEFAULT_TENANT_ID &&
      publicTenantOnlyFrom !== undefined &&
      compareVersions(version ?? this.unstatedVersion, publicTenantOnlyFrom) >= 0
    ) {
      throw new CdiRefusal(403, PUBLIC_TENANT_ONLY);
    }
    return operation;
  }

  private semanticsOf(version: string | undefined): CdiSemantics {
    return {
      rotation: rotatesAtOnce(version ?? this.unstatedVersion) ? 'at-once' : 'at-first-use',
      recentTokenReuseBehaviour: this.config.recentTokenReuseBehaviour,
    };
  }

  private async run(operation: CdiOperation, call: CdiCall): Promise<CdiResponse> {
    if (operation === 'listVersions') return jsonResponse({ versions: this.config.versions });
    if (operation === 'readRevocations') return this.readRevocations(call.body);
    if (operation !== 'hello') return CDI_OPERATIONS[operation](call);
    await this.hello.touch();
    return textResponse(200, 'Hello');
  }

  private async readRevocations(readBody: CdiCall['body']): Promise<CdiResponse> {
    const { feed } = this.context;
    if (feed === undefined) throw new CdiRefusal(404, 'Not found');
    const body = await readBody();
    const { accessToken } = body;
    if (typeof accessToken === 'string')
      return jsonResponse(await confirmToken(this.context.core, accessToken));
    const page = await feed.read(revocationsInput(body));
    return jsonResponse({ status: 'OK', ...page }, feed.headers);
  }

  private errorResponse(error: unknown): CdiResponse {
    if (error instanceof CdiRefusal) return textResponse(error.status, error.message);
    if (error instanceof CoreBadInputError) return textResponse(400, wordedAsByACore(error.message));
    this.context.reportFailure(error);
    return error instanceof CoreUnavailableError
      ? unavailableResponse(error.retryAfterSec)
      : textResponse(500, 'Internal Error');
  }
}

/** A target is a path, or an absolute URL as proxies get them. */
function splitUrl(url: string): { authority: string | undefined; path: string; query: string } {
  const [, authority, target = url] = /^https?:\/\/([^/?#]*)(.*)$/i.exec(url) ?? [];
  const [path = '', ...query] = target.split('?');
  return { authority, path, query: query.join('?') };
}

function unknownApp(appId: string, tenantId: string): string {
  return (
    'AppId or tenantId not found => Tenant with the following connectionURIDomain, appId and tenantId ' +
    `combination not found: (, ${appId}, ${tenantId})`
  );
}

/** Returns a Core's text. The engine's message names the field, too, but clients compare the whole text. */
function wordedAsByACore(message: string): string {
  return message.startsWith(PROTECTED_FIELD) ? PROTECTED_FIELD : message;
}

const BUCKET_SIZE = 5;
const MS_PER_TOKEN = 200;
/** A handle without a session, so that a look-up touches the store and finds no row. */
const NO_SESSION = '00000000-0000-0000-0000-000000000000';

/**
 * Touches the core's store, so that `/hello` shows whether sessions can be served. It needs no API key, so the calls
 * to the store are limited: five at once, then one each 200 ms. Further calls leave the store alone.
 *
 * @see docs/protocol/core.md A6.14
 */
export class HelloProbe {
  private tokens = BUCKET_SIZE;
  private refilledAtMs: number;

  constructor(
    private readonly core: CoreClient,
    private readonly clock: Clock,
  ) {
    this.refilledAtMs = clock.now();
  }

  /** @throws when the store is unavailable */
  async touch(): Promise<void> {
    if (this.takeToken()) await this.core.getSessionInformation(NO_SESSION, {});
  }

  private takeToken(): boolean {
    const earned = Math.max(0, Math.floor((this.clock.now() - this.refilledAtMs) / MS_PER_TOKEN));
    this.refilledAtMs += earned * MS_PER_TOKEN;
    this.tokens = Math.min(BUCKET_SIZE, this.tokens + earned);
    if (this.tokens === 0) return false;
    this.tokens--;
    return true;
  }
}
