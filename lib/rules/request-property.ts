import { Inject, Injectable } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { SessionConfigError } from '../options/config-error.js';
import { RESOLVED_SESSION_OPTIONS } from '../session.constants.js';
import type { ResolvedSessionOptions } from '../session.options.js';
import type { SessionContainer } from '../sessions/session-container.js';
import { sessionOf } from './guarded-calls.js';

/** The key under which a server keeps the names that we have given to its requests: several modules of one application share them. */
const DEFINED = Symbol.for('nest-sessions:request-properties');

/** The members that we use of Nest's HTTP adapters, of Express applications and of Fastify instances. */
interface Adapter {
  getType(): string;
  getInstance(): unknown;
}
interface ExpressApplication {
  /** The prototype of all requests of this application. */
  readonly request: object;
  readonly router?: { readonly stack?: readonly { readonly name?: string }[] };
}
interface FastifyInstance {
  hasRequestDecorator(name: string): boolean;
  decorateRequest(
    name: string,
    property: { getter(this: object): unknown; setter(value: unknown): void },
  ): unknown;
}

/** Names of middleware that keeps sessions of its own under `session`: of express-session and of cookie-session. */
const SESSION_MIDDLEWARE = ['session', '_cookieSession'];

/**
 * Gives requests the property of the option `requestProperty`: a getter on the prototype of an application's requests, so that a
 * request has no cost, with the option or without.
 */
@Injectable()
export class RequestProperty {
  private readonly name: string | undefined;

  constructor(
    private readonly adapterHost: HttpAdapterHost,
    @Inject(RESOLVED_SESSION_OPTIONS) { requestProperty }: ResolvedSessionOptions,
  ) {
    this.name = requestProperty;
  }

  /** @throws {SessionConfigError} requests have such a property already, or the server is neither Express nor Fastify */
  define(): void {
    const adapter = this.adapterHost.httpAdapter as Adapter | undefined; // absent without an HTTP server
    if (this.name === undefined || adapter === undefined) return;
    const server = adapter.getInstance() as (ExpressApplication | FastifyInstance) & {
      [DEFINED]?: Set<string>;
    };
    const defined = (server[DEFINED] ??= new Set());
    if (defined.has(this.name)) return;
    switch (adapter.getType()) {
      case 'express':
        defineOnExpress(server as ExpressApplication, this.name);
        break;
      case 'fastify':
        defineOnFastify(server as FastifyInstance, this.name);
        break;
      default:
        throw problem('works on Express and Fastify only; call sessionOf(request) instead');
    }
    defined.add(this.name);
  }
}

function defineOnExpress(application: ExpressApplication, name: string): void {
  const other = sessionMiddleware(application);
  if (name === 'session' && other !== undefined)
    throw taken(name, `the middleware ${JSON.stringify(other)} keeps a session of its own there`);
  const { request } = application;
  if (name in request) throw taken(name, 'it belongs to Express');
  Object.defineProperty(request, name, { configurable: true, get: readSession, set: refusal(name) });
}

function defineOnFastify(instance: FastifyInstance, name: string): void {
  if (instance.hasRequestDecorator(name))
    throw taken(name, 'it belongs to Fastify, or a plugin has added it');
  instance.decorateRequest(name, { getter: readSession, setter: refusal(name) });
}

function readSession(this: object): SessionContainer | undefined {
  return sessionOf(this);
}

/** Returns the name of middleware in front of the routes that keeps other sessions under the same name. */
function sessionMiddleware({ router }: ExpressApplication): string | undefined {
  const names = router?.stack?.map(({ name }) => name) ?? [];
  return SESSION_MIDDLEWARE.find((name) => names.includes(name));
}

/** A value that is assigned would hide the session, or be lost: express-session assigns one to each request. */
function refusal(name: string): (value: unknown) => never {
  return () => {
    throw new Error(
      `SessionModule: ${conflict(name, `other code assigns request.${name}, as express-session does`)}`,
    );
  };
}

function taken(name: string, because: string): SessionConfigError {
  return problem(conflict(name, because));
}

function conflict(name: string, because: string): string {
  return (
    `requests cannot have the session as ${JSON.stringify(name)}, because ${because}: ` +
    "choose another requestProperty, 'userSession' for example, or leave the option out and call sessionOf(request)"
  );
}

function problem(message: string): SessionConfigError {
  return new SessionConfigError([{ path: 'requestProperty', message }]);
}
