import { Inject, Injectable, RequestMethod, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { METHOD_METADATA } from '@nestjs/common/constants.js';
import { routeRulesOf, type RouteRules } from './decorators/route-rules.js';
import { UnauthorisedError } from './errors/session.error.js';
import { requestAndResponseOf, type RequestAndResponse } from './execution-request.js';
import { requestStateOf, setRequestState } from './request-state.js';
import type { SessionRuntime } from './session.runtime.js';
import { SESSION_RUNTIME } from './session.tokens.js';
import { exchangeFor } from './transport/http-exchange-factory.js';

/**
 * Lets a request through only with a session that satisfies the route's rules. Per controller with
 * `@UseGuards(SessionGuard)`, or everywhere as `APP_GUARD`; `@PublicAccess`, `@OptionalSession`, `@VerifySession` and
 * `@RequireClaims` say what a route needs.
 *
 * It never answers by itself: it throws, and `SessionExceptionFilter` answers. What it does not understand it refuses.
 * For transports other than HTTP extend it and override {@link getRequestAndResponse}.
 *
 * @publicApi
 */
@Injectable()
export class SessionGuard implements CanActivate {
  private readonly rules = new WeakMap<object, WeakMap<object, RouteRules>>();

  constructor(@Inject(SESSION_RUNTIME) private readonly runtime: SessionRuntime) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const rules = this.rulesFor(context);
    const { req, res } = this.getRequestAndResponse(context);
    const { api, errorResponder, prepareContext } = this.runtime;
    if (rules.isPublic) {
      // A global guard also passes the routes of another module, which answers its own errors.
      const working = requestStateOf(req)?.errorResponder ?? errorResponder;
      setRequestState(req, { errorResponder: working, isGuarded: true, session: undefined });
      return true;
    }
    setRequestState(req, { errorResponder, isGuarded: true, session: undefined });
    const session = await api.verifySession({
      verifySessionOptions: rules.options,
      options: { exchange: exchangeFor(req, res) },
      userContext: prepareContext(),
    });
    if (session === undefined && rules.options.sessionRequired !== false && !isPreflightHandler(context)) {
      throw new UnauthorisedError('The route requires a session', { clearTokens: false });
    }
    setRequestState(req, { errorResponder, isGuarded: true, session });
    return true;
  }

  /**
   * Finds the request and the response in a context.
   *
   * @throws {Error} for every context but HTTP: what cannot be verified is refused
   */
  protected getRequestAndResponse(context: ExecutionContext): RequestAndResponse {
    return requestAndResponseOf(context);
  }

  private rulesFor(context: ExecutionContext): RouteRules {
    const controller = context.getClass();
    const handler = context.getHandler();
    let byHandler = this.rules.get(controller);
    if (byHandler === undefined) this.rules.set(controller, (byHandler = new WeakMap<object, RouteRules>()));
    let rules = byHandler.get(handler);
    if (rules === undefined) byHandler.set(handler, (rules = routeRulesOf(controller, handler)));
    return rules;
  }
}

/**
 * OPTIONS requests bring no session by their nature, so a handler made for them runs without one; one made for every
 * method does not, or any route of it could be had by OPTIONS.
 */
function isPreflightHandler(context: ExecutionContext): boolean {
  const method: unknown = Reflect.getMetadata(METHOD_METADATA, context.getHandler());
  return method === RequestMethod.OPTIONS;
}
