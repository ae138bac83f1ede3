import { SessionEventHub } from '../events/session-event-hub.js';
import type { CollectedResponse, SessionResponse } from '../http/collected-response.js';
import type { RequestAndResponse } from '../http/exchanges.js';
import type { IncomingRequestSource } from '../http/incoming-request.js';
import { isRouteRequest } from '../http/request-path.js';
import { readArguments } from '../options/call-arguments.js';
import type { SessionRouteName } from '../options/session-routes.js';
import {
  resolveSessionOptions,
  type NEST_OPTIONS,
  type ResolvedSessionOptions,
  type SessionModuleOptions,
} from '../session.options.js';
import { SERVICE_CALLS } from '../sessions/call-inputs.js';
import { isHandledError } from '../sessions/error-rules.js';
import type { VerifySessionOptions } from '../sessions/recipe.interface.js';
import { getExchange } from '../sessions/request-state.js';
import { RouteRefusedError } from '../sessions/route-handlers.js';
import type { SessionContainer } from '../sessions/session-container.js';
import type { CreateNewSessionInput, SessionFunctions } from '../sessions/session-functions.js';
import { lacksSession, missingSession } from '../sessions/session-runtime.js';
import { SystemClock, type Clock } from '../util/clock.js';
import type { DefaultPayload } from '../util/session-types.js';
import type { SessionLogger } from '../util/session-logger.js';
import type { UserContext } from '../util/user-context.js';
import { completeBody, Exchanges, isPair, type CollectedRequest } from './exchanges.js';
import { startSessions, type StartedSessions, type Surroundings } from './start-sessions.js';

/**
 * The options of `createSessions`: those of `SessionModule.forRoot`, without the few that have no meaning outside of Nest.
 * A class in `recipe` is made with `new` and gets `RecipeDependencies` alone.
 *
 * @publicApi
 */
export interface StandaloneSessionOptions extends Omit<SessionModuleOptions, (typeof NEST_OPTIONS)[number]> {
  /**
   * Gets trouble with the core (`error`), what was probably not meant (`warn`, at the start) and refused requests (`debug`, if
   * there is such a method).
   * @defaultValue errors and warnings on the console
   */
  logger?: SessionLogger | undefined;
  /**
   * The source of the time, for tests.
   * @defaultValue the system's clock
   */
  clock?: Clock | undefined;
}

/**
 * Makes the sessions of an application without Nest. Nothing is opened before {@link Sessions.start}.
 *
 * @example
 * const sessions = createSessions({ appInfo, core: embeddedCore({ store: sqliteStore('sessions.db') }) });
 * await sessions.start();
 * @throws {SessionConfigError} listing every problem of the options at once
 * @publicApi
 */
export function createSessions(options: StandaloneSessionOptions): Sessions {
  return new Sessions(options);
}

/**
 * The sessions of an application without Nest.
 *
 * A request is a plain object `{ method, url, headers }`, a `Request` of fetch, or `{ req, res }` of `node:http`, Express or
 * Fastify. For the first two the response is collected: pass the same object to each function that works for one request,
 * and send what {@link finish}, {@link handle} or {@link respond} returns. With `{ req, res }` everything is written to `res`.
 *
 * @publicApi
 */
export class Sessions {
  /** The events of sessions, keys and the core; also before the start. */
  readonly events = new SessionEventHub();
  private readonly options: ResolvedSessionOptions;
  private readonly surroundings: Surroundings;
  private readonly exchanges = new Exchanges();
  private starting: Promise<StartedSessions> | undefined;
  private started: StartedSessions | undefined;
  private closing: Promise<void> | undefined;

  /** @internal Applications call `createSessions`. */
  constructor({ logger = CONSOLE, clock = new SystemClock(), ...options }: StandaloneSessionOptions) {
    this.options = resolveSessionOptions(options, 'createSessions');
    this.surroundings = { logger, clock, events: this.events };
  }

  /**
   * Starts the core. Only the first call does something, so that a serverless function can await it in each request. A start
   * that failed cannot be tried again: make new sessions.
   */
  async start(): Promise<void> {
    if (this.closing !== undefined) throw new Error('These sessions have been closed: make new ones');
    this.starting ??= startSessions(this.options, this.surroundings);
    this.started = await this.starting;
  }

  /** Closes the core and ends the events; further calls wait for the first. Requests that come later fail. */
  async close(): Promise<void> {
    await (this.closing ??= this.shutDown());
  }

  /**
   * The functions of `SessionService`. Those that take `req` and `res` get them from {@link exchange}.
   *
   * @throws {Error} before the start, and after the end
   */
  get service(): SessionFunctions {
    return this.running.service;
  }

  /** Signs a user in, as `service.createNewSession` does. */
  async createNewSession<Payload extends object = DefaultPayload>(
    request: CollectedRequest | RequestAndResponse,
    input: CreateNewSessionInput,
  ): Promise<SessionContainer<Payload>> {
    const { service } = this.running;
    const { req, res } = this.exchanges.find(request);
    return service.createNewSession<Payload>(req, res, input);
  }

  /**
   * Verifies the session of a request that need not have one.
   *
   * @returns undefined without a usable token
   */
  async verify(
    request: CollectedRequest | RequestAndResponse,
    options: VerifySessionOptions & { sessionRequired: false },
    userContext?: UserContext,
  ): Promise<SessionContainer | undefined>;
  /**
   * Verifies the session of a request by the rules of `SessionGuard`: a request that needs another response is an error, for
   * {@link respond}.
   *
   * @param options as of `@VerifySession`. Claims: `overrideGlobalClaimValidators: (global) => [...global, validator]`
   */
  async verify(
    request: CollectedRequest | RequestAndResponse,
    options?: VerifySessionOptions & { sessionRequired?: true },
    userContext?: UserContext,
  ): Promise<SessionContainer>;
  async verify(
    request: CollectedRequest | RequestAndResponse,
    options: VerifySessionOptions = {},
    userContext?: UserContext,
  ): Promise<SessionContainer | undefined> {
    const { runtime } = this.running;
    readArguments('verify', VERIFY_CALL, [options, userContext]);
    const { req, res } = this.exchanges.find(request);
    const session = await runtime.verifyRequest(runtime.claimRequest(req, res, userContext), options);
    if (lacksSession(session, options)) throw missingSession();
    return session;
  }

  /**
   * Serves the routes below `apiBasePath`: refresh, sign-out, keys, discovery, and those that options add.
   *
   * @returns whether the request was for one of these, and has its response
   */
  async handle(exchange: RequestAndResponse): Promise<boolean>;
  /**
   * Serves the routes below `apiBasePath`: refresh, sign-out, keys, discovery, and those that options add.
   *
   * @returns the response; undefined for a request of another path or method
   */
  async handle(request: CollectedRequest): Promise<SessionResponse | undefined>;
  async handle(
    request: CollectedRequest | RequestAndResponse,
  ): Promise<SessionResponse | undefined | boolean> {
    const { handlers } = this.running;
    const { req, res } = this.exchanges.find(request);
    const { response } = getExchange(req, res);
    const name = this.findRoute(req as IncomingRequestSource);
    if (name === undefined) return isPair(request) ? false : undefined;
    if (ROUTES_WITH_BODY.includes(name)) await completeBody(request, { req, res });
    try {
      const body = await handlers.serve(name, req, res);
      response.sendJSONResponse(body); // does nothing after the response to an error
    } catch (error) {
      if (!(error instanceof RouteRefusedError)) throw error;
      response.setStatusCode(error.status);
      response.sendJSONResponse(error.body);
    }
    return isPair(request) ? true : this.finish(request);
  }

  /**
   * Responds to an error about sessions, wherever it was thrown, as `SessionExceptionFilter` does: status, body, cleared tokens.
   * Trouble with the core is a 503 or 502 that clears no token.
   *
   * @returns false for any other error
   */
  async respond(error: unknown, exchange: RequestAndResponse): Promise<boolean>;
  /**
   * Responds to an error about sessions, wherever it was thrown, as `SessionExceptionFilter` does: status, body, cleared tokens.
   * Trouble with the core is a 503 or 502 that clears no token.
   *
   * @returns the response; undefined for any other error
   */
  async respond(error: unknown, request: CollectedRequest): Promise<SessionResponse | undefined>;
  async respond(
    error: unknown,
    request: CollectedRequest | RequestAndResponse,
  ): Promise<SessionResponse | undefined | boolean> {
    const { runtime } = this.running;
    const { req, res } = this.exchanges.find(request);
    if (!isHandledError(error)) return isPair(request) ? false : undefined;
    if (!isPair(request)) this.exchanges.collect(request).res.reopen();
    const exchange = getExchange(req, res);
    if (!exchange.response.isSent) await runtime.errorResponder.send(error, exchange);
    return isPair(request) ? true : this.finish(request);
  }

  /**
   * Returns what the session wrote to the response of a request, for the application to send with its own: the headers, which
   * hold the tokens. It is the last step, as the first byte is on a response of Node: from then on a sign-in is refused with
   * `ResponseSentError`, and the client gets other changes with its next refresh.
   */
  finish(request: CollectedRequest): SessionResponse {
    const { res } = this.exchanges.collect(request);
    const { status, headers, body } = res.finish();
    return { status, headers, body: request.method.toUpperCase() === 'HEAD' ? '' : body };
  }

  /** Returns the request and the response that the functions of {@link service} take. */
  exchange(request: CollectedRequest): { readonly req: unknown; readonly res: CollectedResponse } {
    return this.exchanges.collect(request);
  }

  /**
   * Serves the routes of the sessions, as {@link handle}.
   *
   * @returns undefined for a request of another path or method
   */
  async fetch(request: Request): Promise<Response | undefined>;
  /**
   * Serves one request of a fetch-style runtime: the routes of the sessions, then the handler. Errors about sessions get their
   * response, and a response of the handler gets the tokens that the session wrote.
   */
  async fetch(
    request: Request,
    handler: (request: Request) => Promise<Response> | Response,
  ): Promise<Response>;
  async fetch(
    request: Request,
    handler?: (request: Request) => Promise<Response> | Response,
  ): Promise<Response | undefined> {
    const own = await this.handle(request);
    if (own !== undefined) return toFetchResponse(own);
    if (handler === undefined) return undefined;
    try {
      return mergeResponse(await handler(request), this.finish(request));
    } catch (error) {
      const refusal = await this.respond(error, request);
      if (refusal === undefined) throw error;
      return toFetchResponse(refusal);
    }
  }

  private get running(): StartedSessions {
    if (this.closing !== undefined) throw new Error('These sessions have been closed');
    if (this.started !== undefined) return this.started;
    throw new Error('The sessions have not started: await sessions.start() before the first request');
  }

  private async shutDown(): Promise<void> {
    // A start that failed has closed what it had opened.
    const started = await this.starting?.catch(() => undefined);
    if (started === undefined) this.events.complete();
    else await started.lifecycle.close();
  }

  /** A browser that bound a session while `deviceBound.dbsc` was on keeps its key until that is on again. */
  private findRoute(req: IncomingRequestSource): SessionRouteName | undefined {
    const { routes, paths } = this.running;
    const all: readonly SessionRouteName[] = [...routes, 'renewDevice'];
    return all.find((name) => isRouteRequest(name, req, paths));
  }
}

const ROUTES_WITH_BODY: readonly SessionRouteName[] = ['revokeSession', 'revocations', 'backChannelLogout'];

const { options: optionsRow, userContext: userContextRow } = SERVICE_CALLS.getSession;
const VERIFY_CALL = { options: optionsRow, userContext: userContextRow };

const CONSOLE: SessionLogger = {
  // oxlint-disable-next-line no-console -- without Nest there is no other log
  error: (message) => console.error(`nest-sessions: ${message}`),
  // oxlint-disable-next-line no-console -- as above
  warn: (message) => console.warn(`nest-sessions: ${message}`),
};

/** Statuses whose responses have no body. */
const WITHOUT_BODY = [101, 204, 205, 304];
/** Headers whose lines add up; each other header is replaced. */
const LISTS = ['set-cookie', 'vary', 'access-control-expose-headers'];

/** Returns a response of fetch. */
function toFetchResponse({ status, headers, body }: SessionResponse): Response {
  return new Response(WITHOUT_BODY.includes(status) ? null : body, { status, headers });
}

/** Returns the response of a handler with the headers that the session wrote. */
function mergeResponse(response: Response, { headers: written }: SessionResponse): Response {
  if (written.length === 0) return response;
  const headers = new Headers(response.headers);
  for (const [name, value] of written) {
    if (LISTS.includes(name)) headers.append(name, value);
    else headers.set(name, value);
  }
  const { status, statusText } = response;
  return new Response(response.body, { status, statusText, headers });
}
