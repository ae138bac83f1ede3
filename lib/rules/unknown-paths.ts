import { bodyHooks, type FastifyBodyRequest, type JsonParserSource } from '../http/body-errors.js';
import { requestPath } from '../http/request-path.js';
import { printable } from '../events/printable.js';
import { SESSION_ROUTES, type SessionRouteName } from '../options/session-routes.js';

type Next = (error?: unknown) => void;
type Handler = (req: unknown, res: unknown, next?: Next) => unknown;

/** The member of Nest's HTTP adapters by which Nest says, after all routes, how to respond to an unknown path. */
interface UnknownPathAdapter {
  setNotFoundHandler?(handler: Handler, ...rest: unknown[]): unknown;
}
/** The members that we use of a Fastify instance; Fastify takes all hooks here, as it does for routes. */
export interface FastifyInstance extends JsonParserSource {
  setNotFoundHandler(hooks: object, handler: Handler): unknown;
}
interface ExpressApplication {
  use(layer: (req: unknown, res: unknown, next: Next) => unknown): unknown;
}

/** The responses of one module to requests that no route took. */
interface UnknownPathWatch {
  /** Responds to a request; undefined if it is not the module's. */
  readonly serve: (req: unknown) => Handler | undefined;
  readonly advise: (req: unknown) => void;
}

/** Lets a module look at the requests that no route of an Express application took. */
export function watchOnExpress(
  adapter: UnknownPathAdapter,
  application: ExpressApplication,
  { serve, advise }: UnknownPathWatch,
): void {
  const original = adapter.setNotFoundHandler?.bind(adapter);
  if (original === undefined) return;
  adapter.setNotFoundHandler = (...input) => {
    application.use((req, res, next) => {
      const handler = serve(req);
      if (handler !== undefined) return handler(req, res, next);
      advise(req);
      next();
    });
    return original(...input);
  };
}

/** The watches of one adapter, because an application may have several modules. */
const watches = new WeakMap<UnknownPathAdapter, UnknownPathWatch[]>();

/**
 * Lets a module respond to requests that no route of a Fastify instance took. Fastify's router sees the path that `rewriteUrl`
 * returns: where that took the front of the base path off, our routes are not found by it, and routes at the shortened path could be
 * the application's own.
 */
export function watchOnFastify(
  adapter: UnknownPathAdapter,
  instance: FastifyInstance,
  watch: UnknownPathWatch,
): void {
  const known = watches.get(adapter);
  if (known !== undefined) return void known.push(watch);
  const all = [watch];
  watches.set(adapter, all);
  const find = (req: unknown): Handler | undefined => {
    for (const each of all) {
      const handler = each.serve(req);
      if (handler !== undefined) return handler;
    }
    return undefined;
  };
  const { preParsing, preValidation } = bodyHooks(instance);
  const hooks = {
    preParsing: async (req: FastifyBodyRequest, reply: unknown, payload: never) =>
      find(req) && preParsing(req, reply, payload),
    preValidation,
  };
  adapter.setNotFoundHandler = (handler) =>
    instance.setNotFoundHandler(hooks, async (req, reply) => {
      const ours = find(req);
      if (ours !== undefined) return ours(req, reply);
      for (const { advise } of all) advise(req);
      return handler(req, reply);
    });
}

/** Routes whose paths belong to nobody else. */
const CHARACTERISTIC: readonly SessionRouteName[] = ['refresh', 'jwks'];

/**
 * Returns which option to set where a client looks for our routes at another base path than ours.
 *
 * @param basePath as requests should arrive here
 * @returns undefined if the path is none of our routes, wherever they were
 */
export function adviseOnUnknownPath(
  method: string,
  url: string,
  basePath: string,
  apiGatewayPath: string,
): string | undefined {
  const path = requestPath(url).replace(/\/$/, '');
  const name = CHARACTERISTIC.find(
    (each) =>
      SESSION_ROUTES[each].method === method.toLowerCase() && path.endsWith(SESSION_ROUTES[each].path),
  );
  if (name === undefined) return undefined;
  const found = path.slice(0, -SESSION_ROUTES[name].path.length);
  if (found === basePath) return undefined;
  const stripped = basePath.endsWith(found) ? basePath.slice(0, -found.length || undefined) : undefined;
  const remedy =
    stripped === undefined
      ? `set appInfo.apiBasePath: '${printable(found, 100)}', or apiBasePath: '${apiGatewayPath}${basePath}' in the client. ` +
        "Nest's global prefix and versions do not move our routes"
      : `something in front of this application takes ${stripped} off: set appInfo.apiBasePath: '${found}' and ` +
        `appInfo.apiGatewayPath: '${apiGatewayPath}${stripped}'`;
  return `${method.toUpperCase()} ${printable(path, 200)} is no route, the session routes are at ${basePath || '/'}: ${remedy}`;
}
