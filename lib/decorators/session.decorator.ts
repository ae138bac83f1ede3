import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { rememberedCall, type GuardedCall } from '../graphql/call-state.js';
import { SessionClaim } from '../claims/session-claim.js';
import type { SessionContainer } from '../sessions/session-container.js';
import { getRequestState } from '../sessions/request-state.js';
import type { JsonObject } from '../util/json.js';

/**
 * What `@Session('…')` can inject of a session.
 *
 * @publicApi
 */
export type SessionProperty = 'userId' | 'sessionHandle' | 'tenantId' | 'recipeUserId' | 'accessTokenPayload';

const READERS: Readonly<
  Record<SessionProperty, (session: SessionContainer) => string | Readonly<JsonObject>>
> = {
  userId: (session) => session.getUserId(),
  sessionHandle: (session) => session.getHandle(),
  tenantId: (session) => session.getTenantId(),
  recipeUserId: (session) => session.getRecipeUserId(),
  accessTokenPayload: (session) => session.getAccessTokenPayload(),
};

const InjectSession = createParamDecorator(
  (what: SessionProperty | SessionClaim<unknown> | undefined, context: ExecutionContext): unknown => {
    const session = findSession(context);
    if (session === undefined || what === undefined) return session;
    if (what instanceof SessionClaim) return what.getValueFromPayload(session.getAccessTokenPayload(), {});
    return READERS[what](session);
  },
);

/**
 * Injects the session that `SessionGuard` found: the container, one of its properties, or a claim's value. Undefined
 * where the session is optional and absent.
 *
 * @example
 * list(@Session() session: SessionContainer<Payload>, @Session('userId') userId: string) {}
 * @throws {Error} at the request: no `SessionGuard` ran for this route
 * @publicApi
 */
export function Session(what?: SessionProperty | SessionClaim<unknown>): ParameterDecorator {
  if (typeof what === 'string' && !Object.hasOwn(READERS, what)) {
    throw new TypeError(
      `@Session: there is no property "${what}"; there are ${Object.keys(READERS).join(', ')}`,
    );
  }
  return InjectSession(what);
}

function findSession(context: ExecutionContext): SessionContainer | undefined {
  const call = findGuardedCall(context);
  if (call === undefined) {
    throw new Error(
      `@Session() on ${context.getClass().name}.${context.getHandler().name}: no SessionGuard ran for this route. ` +
        'Put @UseGuards(SessionGuard) on it or register the guard as APP_GUARD.',
    );
  }
  return call.session;
}

/**
 * Wherever the guard left it: on the request, which is an argument itself or the `req` of one, or, where one request or
 * socket serves several handlers, with the handler's name on what they share.
 */
function findGuardedCall(context: ExecutionContext): GuardedCall | undefined {
  const isHttp = context.getType<string>() === 'http';
  for (const argument of context.getArgs<unknown[]>()) {
    const req = isHttp ? undefined : (argument as { req?: unknown } | undefined | null)?.req;
    const call = isHttp ? undefined : (rememberedCall(argument, context) ?? rememberedCall(req, context));
    if (call !== undefined) return call;
    const state = getRequestState(argument) ?? getRequestState(req);
    if (state?.isGuarded === true) return state;
  }
  return undefined;
}
