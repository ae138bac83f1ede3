import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { ExternalContextCreator, HttpAdapterHost } from '@nestjs/core';
import { requestPath } from './request-path.js';
import { setRequestState } from '../sessions/request-state.js';
import type { SessionRuntime } from '../sessions/session-runtime.js';
import { SESSION_RUNTIME } from '../session.constants.js';
import { getExchange } from './http-exchange-factory.js';
import { isRoutePath, SESSION_ROUTES, type SessionRouteName } from './session-route-table.js';
import { SessionController } from '../session.controller.js';

type Next = (error?: unknown) => void;
type RouteHandler = (req: unknown, res: unknown, next?: Next) => Promise<unknown>;

/** What we use of Nest's HTTP adapters. */
interface RouterAdapter {
  getType(): string;
  getInstance(): unknown;
  get(path: string, handler: RouteHandler): unknown;
  post(path: string, handler: RouteHandler): unknown;
}

/**
 * Registers the module's routes at exactly `apiBasePath`, where the browser client and the refresh cookie's path
 * expect them: a global prefix or API version of the application does not move them. The base path is known only when
 * the options are, so they cannot be declared by decorators. They come after the application's middleware.
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
    for (const name of Object.keys(SESSION_ROUTES) as SessionRouteName[]) {
      if (!this.controller.isEnabled(name)) continue;
      const handler = this.createHandler(name);
      for (const path of this.routePaths(
        name,
        type === 'fastify' && !ignoresTrailingSlash(adapter.getInstance()),
      )) {
        adapter[SESSION_ROUTES[name].method](path, handler);
      }
    }
  }

  /** Express takes a trailing slash by itself, Fastify only when told to. */
  private routePaths(name: SessionRouteName, withTrailingSlash: boolean): string[] {
    const { path } = SESSION_ROUTES[name];
    const paths = [this.basePath + path, `${this.basePath}/:tenantId${path}`];
    return withTrailingSlash ? paths.flatMap((each) => [each, `${each}/`]) : paths;
  }

  private createHandler(name: SessionRouteName): RouteHandler {
    const { errorResponder } = this.runtime;
    const run = this.contexts.create(this.controller, this.controller[name], name);
    return async (req, res, next) => {
      const { request, response } = getExchange(req, res);
      if (!isRoutePath(name, requestPath(request.getOriginalURL()), this.basePath))
        return callNext(res, next);
      setRequestState(req, { errorResponder, isGuarded: false, session: undefined });
      try {
        const body: unknown = await run(req, res, next);
        response.sendJSONResponse(body);
      } catch (error) {
        if (response.isSent) return res;
        if (next === undefined || isFastifyReply(res)) throw error; // Fastify's error handler is Nest's
        next(error);
      }
      return res;
    };
  }

  /** Without the prefix that a gateway has stripped before the request arrives here. */
  private get basePath(): string {
    const { apiBasePath, apiGatewayPath } = this.runtime.config.appInfo;
    return apiBasePath.slice(apiGatewayPath.length);
  }
}

/** The framework's router matches more loosely than we do; what is not ours is somebody else's, or a 404. */
function callNext(res: unknown, next: Next | undefined): unknown {
  if (isFastifyReply(res)) return res.callNotFound();
  next?.();
  return undefined;
}

function isFastifyReply(res: unknown): res is { callNotFound(): unknown } {
  return typeof (res as { callNotFound?: unknown }).callNotFound === 'function';
}

function ignoresTrailingSlash(fastify: unknown): boolean {
  const { initialConfig } = fastify as {
    initialConfig?: { ignoreTrailingSlash?: boolean; routerOptions?: { ignoreTrailingSlash?: boolean } };
  };
  return (
    initialConfig?.ignoreTrailingSlash === true || initialConfig?.routerOptions?.ignoreTrailingSlash === true
  );
}
