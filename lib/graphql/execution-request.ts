import type { ArgumentsHost } from '@nestjs/common';

/**
 * The request that a context is about, and its response; what an overridden `getRequestAndResponse` returns.
 *
 * @publicApi
 */
export interface RequestAndResponse {
  readonly req: unknown;
  readonly res: unknown;
}

/**
 * Finds the request and the response in a context: of HTTP, or of GraphQL over HTTP.
 *
 * @throws {Error} for every kind of context that is not known here: what cannot be verified is refused
 */
export function findRequestAndResponse(context: ArgumentsHost): RequestAndResponse {
  const type: string = context.getType();
  switch (type) {
    case 'http': {
      const http = context.switchToHttp();
      return { req: http.getRequest<unknown>(), res: http.getResponse<unknown>() };
    }
    case 'graphql':
      return ofGraphql(findGraphqlContext(context));
    case 'ws':
      throw notFound(
        type,
        'a client of this platform does not carry its handshake: call SessionSockets.admit(client, request) in handleConnection',
      );
    default:
      throw notFound(type, 'extend it and override getRequestAndResponse');
  }
}

/** The context value that the resolvers of one operation share; the third argument of a resolver. */
export function findGraphqlContext(context: ArgumentsHost): unknown {
  return context.getArgByIndex<unknown>(2);
}

/**
 * Apollo hands on what the `context` option makes, `{ req, res }` on Express; Mercurius adds its `reply`. Express knows
 * the response of a request, Fastify does not.
 */
function ofGraphql(value: unknown): RequestAndResponse {
  const reply = readMember(value, 'reply');
  const req = firstObject(
    readMember(value, 'req'),
    readMember(value, 'request'),
    readMember(reply, 'request'),
  );
  if (typeof readMember(req, 'headers') !== 'object') {
    throw notFound(
      'graphql',
      'its context value has no req; leave the option context out, or return { req, res } from it',
    );
  }
  const res = firstObject(
    readMember(value, 'res'),
    readMember(value, 'response'),
    reply,
    readMember(req, 'res'),
  );
  if (res === undefined) {
    throw notFound(
      'graphql',
      'its context value has no response: set context: (req, reply) => ({ req, reply })',
    );
  }
  return { req, res };
}

/**
 * A GraphQL context value that several requests share keeps the first one's request: whoever comes later would be taken for
 * the first user. What can be seen of that is refused: a request that has been answered, or a response of another one.
 *
 * @throws {Error} the request cannot be the one that is being answered
 */
export function assertOwnRequest({ req, res }: RequestAndResponse): void {
  const response = firstObject(readMember(res, 'raw'), res);
  const answered = unwrapRaw(firstObject(readMember(res, 'request'), readMember(response, 'req')));
  const own = unwrapRaw(req);
  // What an application made by hand of a request is another object, and of another class.
  const isForeign = !wrapsRequest(own, answered) && isOfSameKind(own, answered);
  if (!isForeign && readMember(response, 'writableEnded') !== true) return;
  throw new Error(
    'SessionGuard found the request of another operation: the context value of GraphQL is shared by several requests. ' +
      'Set the option context to a function that returns a new object each time',
  );
}

/**
 * The request itself, or what hands through to it: applications make such views, by `Object.create` or a proxy, to give it
 * loaders or the type of their user. Requests of one connection share their socket, but none shares its list of headers.
 */
function wrapsRequest(request: unknown, original: unknown): boolean {
  if (request === original) return true;
  const headers = readMember(original, 'rawHeaders');
  return headers !== undefined && readMember(request, 'rawHeaders') === headers;
}

/** Also of a view, whose constructor may be another function where a proxy binds what it hands out. */
function isOfSameKind(request: unknown, other: unknown): boolean {
  if (typeof request !== 'object' || typeof other !== 'object' || request === null || other === null)
    return false;
  const prototype = Object.getPrototypeOf(other) as object | null;
  return (
    readMember(request, 'constructor') === readMember(other, 'constructor') ||
    (prototype !== null &&
      prototype !== Object.prototype &&
      Object.prototype.isPrototypeOf.call(prototype, request))
  );
}

/** Fastify wraps what Node made. */
function unwrapRaw(request: unknown): unknown {
  return readMember(request, 'raw') ?? request;
}

function notFound(type: string, remedy: string): Error {
  return new Error(`SessionGuard does not know how to find a session in a "${type}" context: ${remedy}`);
}

function firstObject(...candidates: unknown[]): unknown {
  return candidates.find((candidate) => typeof candidate === 'object' && candidate !== null);
}

/** A member of a value of unknown shape. */
export function readMember(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (Reflect.get(value, name) as unknown) : undefined;
}
