import {
  BadRequestException,
  Inject,
  Injectable,
  NotFoundException,
  type OnModuleInit,
} from '@nestjs/common';
import { ExternalContextCreator, HttpAdapterHost } from '@nestjs/core';
import { isRoutePath, requestPath } from './http/request-path.js';
import { SESSION_ROUTES, type SessionRouteName } from './options/session-routes.js';
import { SESSION_RUNTIME } from './session.constants.js';
import { PublicAccess } from './session.decorators.js';
import { ensureRequestState, getExchange } from './sessions/request-state.js';
import { apiInput, signOut } from './sessions/session-api.js';
import type { SessionRuntime } from './sessions/session-runtime.js';
import type { HttpResponse } from './util/http-exchange.js';
import { isJsonObject } from './util/json.js';

/**
 * The handlers of the module's own routes. They translate HTTP and decide nothing; each returns the body of a 200.
 *
 * Nest runs the application's global guards, interceptors and filters around them. They are public because refresh and
 * sign-out read tokens by their own rules.
 */
@Injectable()
@PublicAccess()
export class SessionController implements Record<
  SessionRouteName,
  (req: unknown, res: unknown) => Promise<unknown>
> {
  constructor(@Inject(SESSION_RUNTIME) private readonly runtime: SessionRuntime) {}

  async refresh(req: unknown, res: unknown): Promise<unknown> {
    await this.runtime.api.refreshPOST?.(this.input(req, res));
    return {};
  }

  async signOut(req: unknown, res: unknown): Promise<unknown> {
    return signOut(this.runtime.verbs, this.runtime.api, this.runtime.createRequest(req, res));
  }

  async jwks(req: unknown, res: unknown): Promise<unknown> {
    const input = this.input(req, res);
    const result = await this.runtime.api.getJWKSGET?.(input);
    if (result !== undefined && 'status' in result) return result;
    allowEveryOrigin(input.options.exchange.response);
    return result;
  }

  async openIdDiscovery(req: unknown, res: unknown): Promise<unknown> {
    const input = this.input(req, res);
    const result = await this.runtime.api.getOpenIdDiscoveryConfigurationGET?.(input);
    if (result === undefined || result.status !== 'OK') return result;
    allowEveryOrigin(input.options.exchange.response);
    const { status: _status, ...document } = result;
    return document;
  }

  async listSessions(req: unknown, res: unknown): Promise<unknown> {
    return this.runtime.userSessions?.list(this.runtime.createRequest(req, res));
  }

  async revokeSession(req: unknown, res: unknown): Promise<unknown> {
    const request = this.runtime.createRequest(req, res);
    const sessionHandle = readSessionHandle(req);
    const isRevoked = await this.runtime.userSessions?.revoke(request, sessionHandle);
    if (isRevoked !== true) throw new NotFoundException('There is no such session');
    return { status: 'OK' };
  }

  async revokeOtherSessions(req: unknown, res: unknown): Promise<unknown> {
    const revoked = await this.runtime.userSessions?.revokeOthers(this.runtime.createRequest(req, res));
    return { status: 'OK', revoked };
  }

  /** Returns whether a route exists. One whose API function an override removed does not. */
  isEnabled(name: SessionRouteName): boolean {
    const { apiFunction } = SESSION_ROUTES[name];
    return (
      (apiFunction === undefined ? this.runtime.userSessions : this.runtime.api[apiFunction]) !== undefined
    );
  }

  private input(req: unknown, res: unknown): ReturnType<typeof apiInput> {
    return apiInput(this.runtime.createRequest(req, res));
  }
}

/** Reads the `sessionHandle` of a JSON body. */
function readSessionHandle(req: unknown): string {
  const { body } = req as { readonly body?: unknown };
  const sessionHandle = isJsonObject(body) ? body['sessionHandle'] : undefined;
  if (typeof sessionHandle === 'string') return sessionHandle;
  throw new BadRequestException('A JSON body with the sessionHandle is expected');
}

/** Keys and discovery are public documents without credentials. */
function allowEveryOrigin(response: HttpResponse): void {
  response.setHeader('Access-Control-Allow-Origin', '*');
}

type Next = (error?: unknown) => void;
type RouteHandler = (req: unknown, res: unknown, next?: Next) => Promise<unknown>;

/** The members that we use of Nest's HTTP adapters. */
interface RouterAdapter {
  getType(): string;
  getInstance(): unknown;
  get(path: string, handler: RouteHandler): unknown;
  post(path: string, handler: RouteHandler): unknown;
}

/** The members that we use of a Fastify instance. */
interface FastifyServer {
  readonly initialConfig?: TrailingSlashOption & { readonly routerOptions?: TrailingSlashOption };
}

interface TrailingSlashOption {
  readonly ignoreTrailingSlash?: boolean;
}

/**
 * Registers the module's routes at exactly `apiBasePath`, where the browser client and the refresh cookie's path
 * expect them: a global prefix or API version of the application does not move them. Decorators cannot declare them,
 * because the base path is known only when the options are. They come after the application's middleware.
 */
@Injectable()
export class SessionRoutes implements OnModuleInit {
  constructor(
    private readonly adapterHost: HttpAdapterHost,
    private readonly contexts: ExternalContextCreator,
    private readonly controller: SessionController,
    @Inject(SESSION_RUNTIME) private readonly runtime: SessionRuntime,
  ) {}

  onModuleInit(): void {
    const adapter = this.adapterHost.httpAdapter as RouterAdapter | undefined;
    const type = adapter?.getType();
    if (adapter === undefined || (type !== 'express' && type !== 'fastify')) return; // no HTTP server in this application
    const isFastify = type === 'fastify';
    const withTrailingSlash = isFastify && !ignoresTrailingSlash(adapter.getInstance() as FastifyServer);
    for (const name of Object.keys(SESSION_ROUTES) as SessionRouteName[]) {
      if (!this.controller.isEnabled(name)) continue;
      const handler = this.createHandler(name, isFastify);
      for (const path of this.routePaths(name, withTrailingSlash)) {
        adapter[SESSION_ROUTES[name].method](path, handler);
      }
    }
  }

  /** Express accepts a trailing slash by itself, Fastify only with its option `ignoreTrailingSlash`. */
  private routePaths(name: SessionRouteName, withTrailingSlash: boolean): string[] {
    const { path } = SESSION_ROUTES[name];
    const paths = [this.basePath + path, `${this.basePath}/:tenantId${path}`];
    return withTrailingSlash ? paths.flatMap((each) => [each, `${each}/`]) : paths;
  }

  private createHandler(name: SessionRouteName, isFastify: boolean): RouteHandler {
    const { errorResponder } = this.runtime;
    const run = this.contexts.create(this.controller, this.controller[name], name);
    return async (req, res, next) => {
      const { request, response } = getExchange(req, res);
      // The framework's router matches more loosely than we do; other paths are the application's, or a 404.
      if (!isRoutePath(name, requestPath(request.getOriginalURL()), this.basePath)) {
        return isFastify ? (res as { callNotFound(): unknown }).callNotFound() : next?.();
      }
      ensureRequestState(req).errorResponder = errorResponder;
      try {
        const body: unknown = await run(req, res, next);
        response.sendJSONResponse(body);
      } catch (error) {
        if (response.isSent) return res;
        if (isFastify || next === undefined) throw error; // Fastify's error handler is Nest's
        next(error);
      }
      return res;
    };
  }

  /** The base path as requests arrive here, after a gateway has stripped its prefix. */
  private get basePath(): string {
    const { apiBasePath, apiGatewayPath } = this.runtime.config.appInfo;
    return apiBasePath.slice(apiGatewayPath.length);
  }
}

function ignoresTrailingSlash({ initialConfig }: FastifyServer): boolean {
  return [initialConfig, initialConfig?.routerOptions].some((options) => options?.ignoreTrailingSlash);
}
