import type { ArgumentsHost } from '@nestjs/common';
import type { ModuleRef } from '@nestjs/core';
import type { RequestAndResponse } from '../http/exchanges.js';
import { setupError } from '../rules/setup-error.js';
import { readMember } from '../util/json.js';

/** The injection token of the options of `@nestjs/graphql`, which we do not import. */
const GRAPHQL_OPTIONS = 'GqlModuleOptions';

/**
 * Returns the context value that the resolvers of one operation share. It stands before the `info` argument: third for a
 * field, second for a reference of a federated graph and for the type of an object, which have no arguments. Where a call
 * has no `info`, it is the argument that carries a request or a connection.
 */
export function findGraphqlContext(context: ArgumentsHost): unknown {
  const args = context.getArgs<unknown[]>();
  const info = args.findLastIndex(isResolveInfo);
  if (info > 0) return args[info - 1];
  return args.length > 2 && args[2] !== undefined ? args[2] : args.findLast(carriesRequest);
}

function isResolveInfo(value: unknown): boolean {
  return (
    ['fieldName', 'operation', 'path'].filter((name) => readMember(value, name) !== undefined).length > 1
  );
}

function carriesRequest(value: unknown): boolean {
  return ['req', 'request', 'reply', 'extra'].some((name) => typeof readMember(value, name) === 'object');
}

/**
 * Finds the request and the response of a GraphQL operation that came by HTTP. Apollo passes on the result of the
 * `context` option, `{ req, res }` on Express; Mercurius adds its `reply`. A request of Express knows its response, one
 * of Fastify does not.
 *
 * @throws {Error} the context value has no request or no response
 */
export function findGraphqlRequest(context: ArgumentsHost): RequestAndResponse {
  const value = findGraphqlContext(context);
  const reply = readMember(value, 'reply');
  const req = firstObject(
    readMember(value, 'req'),
    readMember(value, 'request'),
    readMember(reply, 'request'),
  );
  if (typeof readMember(req, 'headers') !== 'object') {
    throw unknownContext(
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
    throw unknownContext(
      'graphql',
      'its context value has no response: set context: (req, reply) => ({ req, reply })',
    );
  }
  return { req, res };
}

/** Returns the error for a context in which no request can be found. */
export function unknownContext(type: string, remedy: string): Error {
  return setupError(`it does not know how to find a session in a "${type}" context: ${remedy}`);
}

/**
 * Checks that a request is the one of the present operation. A GraphQL context value that several requests share keeps
 * the first one's request, so that later users would be taken for the first one. Two signs of it are visible: the request
 * already has its response, or the response belongs to another request.
 *
 * @throws {Error} the request belongs to another operation
 */
export function assertOwnRequest({ req, res }: RequestAndResponse): void {
  const response = firstObject(readMember(res, 'raw'), res);
  const requestOfResponse = unwrapRaw(firstObject(readMember(res, 'request'), readMember(response, 'req')));
  const own = unwrapRaw(req);
  // An object that an application made by hand of a request is of another class, and passes.
  const isForeign = !wrapsRequest(own, requestOfResponse) && isOfSameKind(own, requestOfResponse);
  if (!isForeign && readMember(response, 'writableEnded') !== true) return;
  throw setupError(
    'it found the request of another operation: the context value of GraphQL is shared by several requests. ' +
      'Set the option context to a function that returns a new object each time',
  );
}

/**
 * Returns whether a request is the original one or a view of it. Applications make views by `Object.create` or a proxy, to
 * add loaders or the type of their user. Requests of one connection share their socket, but never the list of headers.
 */
function wrapsRequest(request: unknown, original: unknown): boolean {
  if (request === original) return true;
  const headers = readMember(original, 'rawHeaders');
  return headers !== undefined && readMember(request, 'rawHeaders') === headers;
}

/** Recognises views, too: where a proxy binds functions, the constructor of its view is another function. */
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

/** Fastify wraps Node's request. */
function unwrapRaw(request: unknown): unknown {
  return readMember(request, 'raw') ?? request;
}

function firstObject(...candidates: unknown[]): unknown {
  return candidates.find((candidate) => typeof candidate === 'object' && candidate !== null);
}

/** Returns whether a handler resolves a field of an object (`@ResolveField()`) and not one of a query, mutation or subscription. */
export function isNestedField(context: ArgumentsHost): boolean {
  const info =
    context.getType<string>() === 'graphql'
      ? context.getArgs<unknown[]>().findLast(isResolveInfo)
      : undefined;
  return readMember(readMember(info, 'path'), 'prev') !== undefined;
}

/**
 * Returns whether Nest runs exception filters for nested fields, which the option `fieldResolverEnhancers` decides. A
 * context does not name its GraphQL module, so where an application has several, each of them must have the option.
 */
export function hasFiltersOnNestedFields(modules: Pick<ModuleRef, 'get'>): boolean {
  return findGraphqlOptions(modules).every((options) => {
    const enhancers = readMember(options, 'fieldResolverEnhancers');
    return Array.isArray(enhancers) && enhancers.includes('filters');
  });
}

function findGraphqlOptions(modules: Pick<ModuleRef, 'get'>): unknown[] {
  try {
    return modules.get<unknown, unknown>(GRAPHQL_OPTIONS, { strict: false, each: true });
  } catch {
    return [undefined]; // no options, or unreadable ones: assume that no filter runs
  }
}
