import { Inject, Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { ExternalContextCreator, HttpAdapterHost } from '@nestjs/core';
import { bodyHooks, isBodyError } from '../http/body-errors.js';
import type { IncomingRequestSource } from '../http/incoming-request.js';
import { arrivingBasePath, isRouteRequest, requestPath } from '../http/request-path.js';
import { SESSION_ROUTES, type SessionRouteName } from '../options/session-routes.js';
import { SESSION_RUNTIME } from '../session.constants.js';
import { SessionController } from '../session.controller.js';
import { ensureRequestState, getExchange } from '../sessions/request-state.js';
import type { SessionRuntime } from '../sessions/session-runtime.js';
import { Clock } from '../util/clock.js';
import { OccasionalWarning } from '../util/occasional-warning.js';
import {
  adviseOnUnknownPath,
  watchOnExpress,
  watchOnFastify,
  type FastifyInstance,
} from './unknown-paths.js';

type Next = (error?: unknown) => void;
type RouteHandler = (req: unknown, res: unknown, next?: Next) => Promise<unknown>;

/** The members that we use of Nest's HTTP adapters. */
type RouterAdapter = { getType(): string; getInstance(): unknown };

/** The members that we use of an Express application. */
interface ExpressApplication {
  get(path: string, handler: RouteHandler): unknown;
  post(path: string, handler: RouteHandler): unknown;
  use(
    layer:
      | ((error: unknown, req: { body?: unknown }, res: unknown, next: Next) => unknown)
      | ((req: unknown, res: unknown, next: Next) => unknown),
  ): unknown;
  on?(event: 'mount', listener: () => void): unknown;
  /** The mount path; empty for an application that is not mounted. */
  path?(): string;
}

/** The members that we use of a Fastify instance. */
interface FastifyServer extends FastifyInstance {
  readonly prefix: string;
  readonly initialConfig?: TrailingSlashOption & { readonly routerOptions?: TrailingSlashOption };
  route(route: { method: string; url: string; handler: RouteHandler }): unknown;
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
  private readonly logger = new Logger('SessionModule');
  private readonly warning: OccasionalWarning;
  private readonly names: SessionRouteName[];
  private whileOff: RouteHandler | undefined;
  /** The base path as requests arrive here, after a gateway has stripped its prefix. */
  private basePath: string;

  constructor(
    private readonly adapterHost: HttpAdapterHost,
    private readonly contexts: ExternalContextCreator,
    private readonly controller: SessionController,
    @Inject(SESSION_RUNTIME) private readonly runtime: SessionRuntime,
    clock: Clock,
  ) {
    this.basePath = arrivingBasePath(runtime.config.appInfo);
    this.warning = new OccasionalWarning(clock);
    this.names = runtime.routeNames();
  }

  /** Lets requests for our routes pass although their body cannot be read. Call it between body parsers and middleware. */
  ignoreBodyErrors(): void {
    this.findServer('express')?.use((error: unknown, req: { body?: unknown }, _res: unknown, next: Next) => {
      if (!isBodyError(error) || !this.names.some((name) => this.isServed(name, req))) return next(error);
      req.body = undefined;
      next();
    });
  }

  onModuleInit(): void {
    const express = this.findServer('express');
    if (express !== undefined) this.registerOnExpress(express);
    const fastify = this.findServer('fastify');
    if (fastify !== undefined) this.registerOnFastify(fastify);
  }

  private findServer(type: 'express'): ExpressApplication | undefined;
  private findServer(type: 'fastify'): FastifyServer | undefined;
  private findServer(type: string): unknown {
    const adapter = this.adapterHost.httpAdapter as RouterAdapter | undefined; // absent without an HTTP server
    return adapter?.getType() === type ? adapter.getInstance() : undefined;
  }

  private registerOnExpress(app: ExpressApplication): void {
    const handlers = new Map(this.names.map((name) => [name, this.createHandler(name)]));
    for (const [name, handler] of handlers) {
      for (const path of routePaths(name, this.basePath)) {
        app[SESSION_ROUTES[name].method](path, async (req, res, next) =>
          this.isServed(name, req) ? handler(req, res, next) : next?.(),
        );
      }
    }
    // A base path that holds the prefix which a mount point or a middleware has taken off the URL.
    app.use((req: unknown, res: unknown, next: Next) => {
      const { url, originalUrl } = req as IncomingRequestSource;
      const name = url === originalUrl ? undefined : this.names.find((each) => this.isServed(each, req));
      return name === undefined ? next() : handlers.get(name)?.(req, res, next);
    });
    watchOnExpress(this.adapterHost.httpAdapter, app, {
      serve: (req) => this.serveWhileOff(req),
      advise: (req) => this.adviseOnPath(req),
    });
    const checkMount = (): void => {
      const advice = this.adviseOnPrefix(app.path?.() ?? '');
      if (advice !== undefined) this.logger.warn(advice);
    };
    checkMount();
    app.on?.('mount', checkMount);
  }

  private registerOnFastify(instance: FastifyServer): void {
    const { prefix } = instance; // Fastify puts it before the path of each route
    const full = [this.basePath, this.runtime.config.appInfo.apiBasePath].find((each) =>
      `${each}/`.startsWith(`${prefix}/`),
    );
    const advice = full === undefined ? this.adviseOnPrefix(prefix) : undefined;
    if (advice !== undefined) this.logger.warn(advice);
    const relative = full === undefined ? this.basePath : full.slice(prefix.length);
    this.basePath = prefix + relative;
    const handlers = new Map(this.names.map((name) => [name, this.createHandler(name)]));
    watchOnFastify(this.adapterHost.httpAdapter, instance, {
      serve: (req) =>
        [...handlers].find(([name]) => this.isServed(name, req))?.[1] ?? this.serveWhileOff(req),
      advise: (req) => this.adviseOnPath(req),
    });
    for (const [name, handler] of handlers) {
      const method = SESSION_ROUTES[name].method.toUpperCase();
      const hooks = method === 'POST' ? bodyHooks(instance) : {};
      for (const url of routePaths(name, relative, ignoresTrailingSlash(instance))) {
        const handlerOfPath: RouteHandler = async (req, res) =>
          this.isServed(name, req) ? handler(req, res) : (res as { callNotFound(): unknown }).callNotFound();
        instance.route({ method, url, handler: handlerOfPath, ...hooks });
      }
    }
  }

  private isServed(name: SessionRouteName, req: unknown): boolean {
    const { apiBasePath } = this.runtime.config.appInfo;
    return isRouteRequest(name, req as IncomingRequestSource, { basePath: this.basePath, apiBasePath });
  }

  private createHandler(name: SessionRouteName): RouteHandler {
    // A guard that limits or redirects the browser's own requests would end the binding of its session (D45).
    const route = SESSION_ROUTES[name];
    const guards = !('part' in route && route.part === 'deviceRoutes');
    const enhancers = { guards, interceptors: false, filters: true };
    const run = this.contexts.create(
      this.controller,
      this.controller[name],
      name,
      undefined,
      undefined,
      undefined,
      undefined,
      enhancers,
    );
    return async (req, res, next) => {
      const { response } = getExchange(req, res);
      ensureRequestState(req).errorResponder = this.runtime.errorResponder;
      this.checkPrefix(req);
      try {
        const body: unknown = await run(req, res, next);
        response.sendJSONResponse(body);
      } catch (error) {
        if (response.isSent) return res;
        if (next === undefined) throw error; // Fastify's error handler is Nest's
        next(error);
      }
      return res;
    };
  }

  /**
   * Responds to browsers that bound a session while `deviceBound.dbsc` was on: they keep their keys until it is on again. Only requests that
   * no route took are looked at.
   */
  private serveWhileOff(req: unknown): RouteHandler | undefined {
    const isOff = !this.names.includes('renewDevice') && this.isServed('renewDevice', req);
    return isOff ? (this.whileOff ??= this.createHandler('renewDevice')) : undefined;
  }

  private adviseOnPath(req: unknown): void {
    const { method = '', url = '' } = req as IncomingRequestSource;
    const { apiGatewayPath } = this.runtime.config.appInfo;
    const advice = adviseOnUnknownPath(method, url, this.basePath, apiGatewayPath);
    if (advice !== undefined) this.warning.warn(advice);
  }

  private checkPrefix(req: unknown): void {
    const { url, originalUrl = url } = req as IncomingRequestSource;
    const [routed, original] = [requestPath(url ?? ''), requestPath(originalUrl ?? '')];
    if (original === routed || !original.endsWith(routed)) return;
    const advice = this.adviseOnPrefix(original.slice(0, -routed.length));
    if (advice !== undefined) this.warning.warn(advice);
  }

  /** @returns undefined if the paths of the cookies hold the prefix that clients see in front of our routes */
  private adviseOnPrefix(mount: string): string | undefined {
    const prefix = mount.replace(/\/$/, '');
    const { apiGatewayPath, apiBasePath } = this.runtime.config.appInfo;
    if (apiGatewayPath.endsWith(prefix) || apiBasePath.startsWith(`${prefix}/`)) return undefined;
    return (
      `This application is reached below ${prefix}, but the path of the refresh cookie is ${this.runtime.config.refreshTokenPath}, ` +
      `so browsers never send it to the refresh route. Set appInfo.apiGatewayPath: '${apiGatewayPath}${prefix}'`
    );
  }
}

/** With and without a trailing slash; Fastify refuses the second one where it ignores such a slash by itself. */
function routePaths(name: SessionRouteName, basePath: string, ignoresSlash = false): string[] {
  const { path } = SESSION_ROUTES[name];
  const paths = [basePath + path, `${basePath}/:tenantId${path}`];
  return ignoresSlash ? paths : paths.flatMap((each) => [each, `${each}/`]);
}

function ignoresTrailingSlash({ initialConfig }: FastifyServer): boolean {
  return [initialConfig, initialConfig?.routerOptions].some((options) => options?.ignoreTrailingSlash);
}
