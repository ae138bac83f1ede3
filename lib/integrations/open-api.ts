import type { INestApplicationContext } from '@nestjs/common';
import { METHOD_METADATA } from '@nestjs/common/constants.js';
import { ExternalContextCreator, ModulesContainer } from '@nestjs/core';
import { arrivingBasePath } from '../http/request-path.js';
import { SESSION_ROUTES, type SessionRouteName } from '../options/session-routes.js';
import { methodNames, ownValue, prototypeChain } from '../rules/decorated-methods.js';
import { boundEnforcement, globalEnforcement, strongest } from '../rules/handler-guards.js';
import { combinedRules } from '../rules/route-rules.js';
import { SESSION_RUNTIME } from '../session.constants.js';
import type { SessionRuntime } from '../sessions/session-runtime.js';
import type { HttpRequest } from '../util/http-exchange.js';
import {
  COOKIE_SCHEME,
  DESCRIBED_ROUTES,
  describeRoute,
  HEADER_SCHEME,
  SESSION_NEEDED,
  SESSION_OPTIONAL,
} from './open-api-routes.js';

/**
 * The members of an OpenAPI 3 document that are read and written: what `SwaggerModule.createDocument` returns.
 *
 * @publicApi
 */
export interface OpenApiDocument {
  paths: Record<string, object>;
  components?: { securitySchemes?: Record<string, unknown> };
}

/**
 * How sessions appear in a document.
 *
 * @publicApi
 */
export interface OpenApiOptions {
  /** The tag of the module's own routes. Default `sessions`. */
  readonly tag?: string;
  /**
   * How `createDocument` names operations, if it was given a way of its own; guarded routes are found by these names. Default
   * `Controller_method`.
   */
  readonly operationIdFactory?: (controllerKey: string, methodKey: string) => string;
}

/** The members of an operation that are read and written. */
interface Operation {
  readonly operationId?: string;
  security?: unknown;
  responses?: Record<string, unknown>;
}

/** The security of a guarded route, and whether a refusal by claims is possible. */
interface RouteSecurity {
  readonly security: readonly object[];
  readonly hasClaims: boolean;
}

/**
 * Adds sessions to an OpenAPI document of `@nestjs/swagger`, which this package does not need: the security schemes by cookie and by
 * header, the module's own routes, and for each route that `SessionGuard` protects its security and its refusals. Statements
 * that the document already has stay.
 *
 * @param app the application, with `SessionModule`; before or after it listens
 * @returns the document
 * @throws {TypeError} the first argument is no document, or the application has no `SessionModule`
 * @example
 * const document = addSessionsToOpenApi(SwaggerModule.createDocument(app, new DocumentBuilder().build()), app);
 * @publicApi
 */
export function addSessionsToOpenApi<Document extends OpenApiDocument>(
  document: Document,
  app: INestApplicationContext,
  { tag = 'sessions', operationIdFactory = defaultOperationId }: OpenApiOptions = {},
): Document {
  if (typeof (document as Partial<Document> | undefined)?.paths !== 'object') {
    throw new TypeError(
      'addSessionsToOpenApi takes a document with paths: what SwaggerModule.createDocument(app, config) returns',
    );
  }
  const runtime = findRuntime(app);
  const components = (document.components ??= {});
  components.securitySchemes = { ...securitySchemes(runtime), ...components.securitySchemes };
  addOwnRoutes(document, runtime, tag);
  const secured = securedOperations(app, operationIdFactory);
  for (const path of Object.values(document.paths)) {
    for (const operation of Object.values(path) as Operation[]) addSecurity(operation, secured);
  }
  return document;
}

function defaultOperationId(controllerKey: string, methodKey: string): string {
  return `${controllerKey}_${methodKey}`;
}

function findRuntime(app: INestApplicationContext): SessionRuntime {
  try {
    return app.get<SessionRuntime>(SESSION_RUNTIME, { strict: false });
  } catch (error) {
    throw new TypeError(
      'addSessionsToOpenApi found no SessionModule in this application: import SessionModule.forRoot(…) first',
      { cause: error },
    );
  }
}

function securitySchemes({ config }: SessionRuntime): Record<string, object> {
  const description = 'The access token of a session';
  return {
    [COOKIE_SCHEME]: { type: 'apiKey', in: 'cookie', name: cookieName(config), description },
    [HEADER_SCHEME]: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description },
  };
}

/** A function of the application may name cookies by the request, of which there is none here. */
function cookieName(config: SessionRuntime['config']): string {
  try {
    return config.getCookieNameForTokenType({} as HttpRequest, 'access', {});
  } catch {
    return 'sAccessToken';
  }
}

function addOwnRoutes({ paths }: OpenApiDocument, runtime: SessionRuntime, tag: string): void {
  const basePath = arrivingBasePath(runtime.config.appInfo);
  for (const name of runtime.routeNames()) {
    const description = DESCRIBED_ROUTES[name];
    const { method, path } = SESSION_ROUTES[name satisfies SessionRouteName];
    if (description === undefined) continue;
    const url = basePath + path;
    paths[url] = { [method]: describeRoute(name, tag, description), ...paths[url] };
  }
}

/** The security of each route that `SessionGuard` protects, by the name of its operation. */
function securedOperations(
  app: INestApplicationContext,
  operationIdFactory: NonNullable<OpenApiOptions['operationIdFactory']>,
): ReadonlyMap<string, RouteSecurity> {
  const modules = app.get(ModulesContainer);
  const everywhere = globalEnforcement(modules, app.get(ExternalContextCreator));
  const found = new Map<string, RouteSecurity>();
  for (const { controllers } of modules.values()) {
    for (const { metatype } of controllers.values()) {
      if (typeof metatype !== 'function') continue;
      for (const [name, method] of routesOf(metatype)) {
        const isGuarded =
          strongest([boundEnforcement(metatype), boundEnforcement(method), everywhere]) === 'yes';
        const security = isGuarded ? routeSecurity(metatype, method) : undefined;
        if (security !== undefined) found.set(operationIdFactory(metatype.name, name), security);
      }
    }
  }
  return found;
}

/** Returns the methods of a controller that are routes; of an overridden one the override. */
function routesOf(controller: Function): Map<string, Function> {
  const routes = new Map<string, Function>();
  for (const target of prototypeChain(controller.prototype as object)) {
    for (const name of methodNames(target)) {
      const method = ownValue(target, name) as Function;
      if (typeof name === 'string' && !routes.has(name) && Reflect.hasMetadata(METHOD_METADATA, method))
        routes.set(name, method);
    }
  }
  return routes;
}

function routeSecurity(controller: Function, method: Function): RouteSecurity | undefined {
  const { isPublic, options, claimValidators = [] } = combinedRules(controller, method);
  if (isPublic === true) return undefined;
  const hasClaims = claimValidators.length > 0;
  const isOptional = options?.sessionRequired === false && !hasClaims;
  return { security: isOptional ? SESSION_OPTIONAL : SESSION_NEEDED, hasClaims };
}

function addSecurity(operation: Operation, secured: ReadonlyMap<string, RouteSecurity>): void {
  // A route with several paths has one operation for each, whose names end in a number.
  const found = secured.get(operation.operationId?.replace(/\[\d+\]$/, '') ?? '');
  if (found === undefined) return;
  operation.security ??= found.security;
  const refusals = {
    401: { description: 'There is no session, or its access token has expired' },
    ...(found.hasClaims ? { 403: { description: 'A claim of the session does not allow it' } } : {}),
  };
  operation.responses = { ...refusals, ...operation.responses };
}
