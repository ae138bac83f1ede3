import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { SessionClaim } from '../claims/session-claim.js';
import type { SessionContainer } from '../recipe/session-container.js';
import { requestStateOf } from '../request-state.js';
import type { JsonObject } from '../shared/json.js';

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
    const session = sessionOf(context);
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

function sessionOf(context: ExecutionContext): SessionContainer | undefined {
  // Wherever the guard found the request: an argument itself, or the `req` of one, as in GraphQL.
  const state = context
    .getArgs<unknown[]>()
    .map(
      (argument) =>
        requestStateOf(argument) ?? requestStateOf((argument as { req?: unknown } | undefined | null)?.req),
    )
    .find((found) => found !== undefined);
  if (state?.isGuarded !== true) {
    throw new Error(
      `@Session() on ${context.getClass().name}.${context.getHandler().name}: no SessionGuard ran for this route. ` +
        'Put @UseGuards(SessionGuard) on it or register the guard as APP_GUARD.',
    );
  }
  return state.session;
}
