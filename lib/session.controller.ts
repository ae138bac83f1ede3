import {
  BadRequestException,
  Inject,
  Injectable,
  NotFoundException,
  type OnModuleInit,
} from '@nestjs/common';
import { PublicAccess } from './session.decorators.js';
import { signOut } from './sessions/api-implementation.js';
import type { SessionRuntime } from './sessions/session-runtime.js';
import { SESSION_RUNTIME } from './session.constants.js';
import { isJsonObject } from './util/json.js';
import { ROUTE_PATHS } from './options/session-config.js';
import { withoutTrailingSlash, requestPath } from './http/request-path.js';
import { ExternalContextCreator, HttpAdapterHost } from '@nestjs/core';
import { ensureRequestState, getExchange } from './sessions/request-state.js';
import { createSessionRequest, type SessionRequest } from './http/session-request.js';

/**
 * The handlers of the module's own routes: translate HTTP, decide nothing. Each returns the body of a 200.
 *
 * Nest runs the application's global guards, interceptors and filters around them; `@PublicAccess` because refresh and
 * sign-out look at tokens by their own rules.
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
    return signOut(this.runtime, this.runtime.api, this.input(req, res));
  }

  async jwks(req: unknown, res: unknown): Promise<unknown> {
    const input = this.input(req, res);
    const answer = await this.runtime.api.getJWKSGET?.(input);
    if (answer !== undefined && 'status' in answer) return answer;
    allowEveryOrigin(input);
    return answer;
  }

  async openIdDiscovery(req: unknown, res: unknown): Promise<unknown> {
    const input = this.input(req, res);
    const answer = await this.runtime.api.getOpenIdDiscoveryConfigurationGET?.(input);
    if (answer === undefined || answer.status !== 'OK') return answer;
    allowEveryOrigin(input);
    const { status: _status, ...document } = answer;
    return document;
  }

  async listSessions(req: unknown, res: unknown): Promise<unknown> {
    return this.runtime.userSessions?.list(this.request(req, res));
  }

  async revokeSession(req: unknown, res: unknown): Promise<unknown> {
    const request = this.request(req, res);
    const sessionHandle = readSessionHandle(req);
    const isRevoked = await this.runtime.userSessions?.revoke(request, sessionHandle);
    if (isRevoked !== true) throw new NotFoundException('There is no such session');
    return { status: 'OK' };
  }

  async revokeOtherSessions(req: unknown, res: unknown): Promise<unknown> {
    const revoked = await this.runtime.userSessions?.revokeOthers(this.request(req, res));
    return { status: 'OK', revoked };
  }

  /** A route whose API function was removed by an override does not exist. */
  isEnabled(name: SessionRouteName): boolean {
    const { api, userSessions } = this.runtime;
    const functions = {
      refresh: api.refreshPOST,
      signOut: api.signOutPOST,
      jwks: api.getJWKSGET,
      openIdDiscovery: api.getOpenIdDiscoveryConfigurationGET,
      listSessions: userSessions,
      revokeSession: userSessions,
      revokeOtherSessions: userSessions,
    };
    return functions[name] !== undefined;
  }

  private request(req: unknown, res: unknown): SessionRequest {
    return createSessionRequest(getExchange(req, res), this.runtime.prepareContext());
  }

  private input(req: unknown, res: unknown) {
    return { options: { exchange: getExchange(req, res) }, userContext: this.runtime.prepareContext() };
  }
}

/** The `sessionHandle` of a JSON body. */
function readSessionHandle(req: unknown): string {
  const { body } = req as { readonly body?: unknown };
  const sessionHandle = isJsonObject(body) ? body['sessionHandle'] : undefined;
  if (typeof sessionHandle === 'string') return sessionHandle;
  throw new BadRequestException('A JSON body with the sessionHandle is expected');
}

/** Keys and discovery are public documents without credentials. */
function allowEveryOrigin({ options }: { options: { exchange: ReturnType<typeof getExchange> } }): void {
  options.exchange.response.setHeader('Access-Control-Allow-Origin', '*');
}

/** The routes that the module brings; the path is relative to the base path. */
export const SESSION_ROUTES = {
  refresh: { method: 'post', path: ROUTE_PATHS.refresh },
  signOut: { method: 'post', path: ROUTE_PATHS.signOut },
  jwks: { method: 'get', path: ROUTE_PATHS.jwks },
  openIdDiscovery: { method: 'get', path: ROUTE_PATHS.openIdDiscovery },
  listSessions: { method: 'get', path: ROUTE_PATHS.listSessions },
  revokeSession: { method: 'post', path: ROUTE_PATHS.revokeSession },
  revokeOtherSessions: { method: 'post', path: ROUTE_PATHS.revokeOtherSessions },
} as const;

export type SessionRouteName = keyof typeof SESSION_ROUTES;

const TENANT_SEGMENT = /^\/[A-Za-z0-9-]+$/;

/**
 * Whether a request's path is that of a route: exactly, or with one tenant segment behind the base path. One trailing
 * slash is ignored, case counts.
 *
 * @param path without query
 * @param basePath as the application sees it, without a gateway's prefix
 * @see docs/protocol/sdk.md §10.2
 */
export function isRoutePath(name: SessionRouteName, path: string, basePath: string): boolean {
  const normalised = withoutTrailingSlash(path);
  const route = SESSION_ROUTES[name].path;
  if (!normalised.startsWith(basePath) || !normalised.endsWith(route)) return false;
  const between = normalised.slice(basePath.length, normalised.length - route.length);
  return (
    normalised.length >= basePath.length + route.length && (between === '' || TENANT_SEGMENT.test(between))
  );
}

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
      ensureRequestState(req).errorResponder = errorResponder;
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
