import { Inject, Injectable, RequestMethod, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { METHOD_METADATA } from '@nestjs/common/constants.js';
import { resolveRouteRules, type RouteRules } from './rules/route-rules.js';
import { SESSION_GUARD } from './rules/handler-guards.js';
import { labelStatus } from './rules/http-exception.js';
import { findGraphqlRequest, unknownContext } from './graphql/graphql-context.js';
import { isHandledError } from './sessions/error-rules.js';
import type { SessionContainer } from './sessions/session-container.js';
import { chain } from './util/maybe-promise.js';
import { ensureRequestState, type RequestState } from './sessions/request-state.js';
import type { SharedSessions } from './graphql/shared-sessions.js';
import { lacksSession, missingSession, type SessionRuntime } from './sessions/session-runtime.js';
import { SESSION_RUNTIME, SHARED_SESSIONS } from './session.constants.js';
import type { RequestAndResponse } from './http/exchanges.js';

/**
 * Lets a request through only with a session that satisfies the route's rules. Per controller with
 * `@UseGuards(SessionGuard)`, or everywhere as `APP_GUARD`; `@PublicAccess`, `@OptionalSession`, `@VerifySession` and
 * `@RequireClaims` set the rules of a route.
 *
 * It never responds by itself: it throws, and `SessionExceptionFilter` responds. (For a field below a GraphQL query, where
 * Nest runs no filters by default, it throws the filter's error.) It knows HTTP, GraphQL and WebSocket gateways and refuses
 * every other context. For another transport extend it and override {@link getRequestAndResponse}.
 *
 * @publicApi
 */
@Injectable()
export class SessionGuard implements CanActivate {
  static {
    // Marks this class and those that extend it, for the check of the rules at the start.
    Object.defineProperty(this.prototype, SESSION_GUARD, { value: true });
  }

  private readonly rules = new WeakMap<object, WeakMap<object, RouteRules>>();

  constructor(
    @Inject(SESSION_RUNTIME) private readonly runtime: SessionRuntime,
    @Inject(SHARED_SESSIONS) private readonly shared: SharedSessions,
  ) {}

  /**
   * Decides about a call by the rules of its handler.
   *
   * @returns true without a promise for a public route, and for a session that is verified without waiting; otherwise a promise
   *   that rejects if the call is refused
   */
  canActivate(context: ExecutionContext): boolean | Promise<boolean> {
    try {
      const rules = this.routeRules(context);
      if (context.getType<string>() !== 'http') {
        return this.labelled(
          this.shared.canActivate(context, rules, () => this.getRequestAndResponse(context)),
        );
      }
      return this.labelled(this.activateRoute(context, rules));
    } catch (error) {
      return this.labelled(Promise.reject(error));
    }
  }

  /** Gives refusals the configured status codes, for filters of the application; a decision at once is no refusal. */
  private labelled(decision: boolean | Promise<boolean>): boolean | Promise<boolean> {
    if (!(decision instanceof Promise)) return decision;
    return decision.catch((error: unknown) => {
      if (isHandledError(error)) labelStatus(error, this.runtime.errorResponder.status(error));
      throw error;
    });
  }

  /**
   * Finds the request and the response in a context.
   *
   * @throws {Error} for a context that is neither HTTP nor GraphQL, because it cannot be verified
   */
  protected getRequestAndResponse(context: ExecutionContext): RequestAndResponse {
    const type: string = context.getType();
    switch (type) {
      case 'http': {
        const http = context.switchToHttp();
        return { req: http.getRequest<unknown>(), res: http.getResponse<unknown>() };
      }
      case 'graphql':
        return findGraphqlRequest(context);
      case 'ws':
        throw unknownContext(
          type,
          'a client of this platform does not carry its handshake: call SessionSockets.admit(client, request) in handleConnection',
        );
      default:
        throw unknownContext(type, 'extend it and override getRequestAndResponse');
    }
  }

  /**
   * Lets a call through that another credential than a session authorises, an API key for example: `@Session()` is
   * undefined then, and no claim is checked. For guards that extend this one and decide before it does.
   *
   * @example
   * override canActivate(context: ExecutionContext) {
   *   return this.hasApiKey(context) ? this.passWithoutSession(context) : super.canActivate(context);
   * }
   * @returns true, for `canActivate` to return
   */
  protected passWithoutSession(context: ExecutionContext): true {
    if (context.getType<string>() === 'http') {
      const state = this.findState(context);
      if (state !== undefined) this.markGuarded(state);
    } else {
      this.shared.remember(context, undefined, () => this.getRequestAndResponse(context));
    }
    return true;
  }

  /** Returns the state of a request; undefined for a call that has none, such as a webhook's that a library passes on. */
  private findState(context: ExecutionContext): RequestState | undefined {
    const { req } = this.getRequestAndResponse(context);
    return typeof req === 'object' && req !== null && Object.isExtensible(req)
      ? ensureRequestState(req)
      : undefined;
  }

  private activateRoute(context: ExecutionContext, rules: RouteRules): boolean | Promise<boolean> {
    if (rules.isPublic) return true;
    const { req, res } = this.getRequestAndResponse(context);
    const state = ensureRequestState(req);
    this.markGuarded(state); // before the verification, because it may fail
    const found = this.runtime.verifyRequest(this.runtime.createGuardedRequest(state, res), rules.options);
    const pass = (session: SessionContainer | undefined): boolean => {
      if (lacksSession(session, rules.options) && !isPreflightHandler(context)) throw missingSession();
      state.session = session;
      return true;
    };
    return chain(found, pass);
  }

  private markGuarded(state: RequestState): void {
    state.errorResponder = this.runtime.errorResponder;
    state.isGuarded = true;
    state.session = undefined;
  }

  private routeRules(context: ExecutionContext): RouteRules {
    const controller = context.getClass();
    const handler = context.getHandler();
    let byHandler = this.rules.get(controller);
    if (byHandler === undefined) this.rules.set(controller, (byHandler = new WeakMap<object, RouteRules>()));
    let rules = byHandler.get(handler);
    if (rules === undefined) byHandler.set(handler, (rules = resolveRouteRules(controller, handler)));
    return rules;
  }
}

/**
 * Returns whether a handler is made for OPTIONS, whose requests carry no session. A handler for every method still needs a
 * session then, because otherwise OPTIONS would open all its routes.
 */
function isPreflightHandler(context: ExecutionContext): boolean {
  const method: unknown = Reflect.getMetadata(METHOD_METADATA, context.getHandler());
  return method === RequestMethod.OPTIONS;
}
