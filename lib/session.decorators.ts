import type { SessionClaimValidator } from './claims/claim-validator.js';
import type { PrimitiveArrayClaim } from './claims/primitive-array-claim.js';
import { PermissionClaim, UserRoleClaim } from './claims/user-roles.js';
import type { VerifySessionOptions } from './sessions/recipe.interface.js';
import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { SessionClaim } from './claims/session-claim.js';
import { findGuardedCall } from './rules/guarded-calls.js';
import { combinedRules, recordRules } from './rules/route-rules.js';
import { SessionParameter } from './rules/pipes.js';
import { setupError } from './rules/setup-error.js';
import type { SessionContainer } from './sessions/session-container.js';
import type { JsonObject } from './util/json.js';

const OPTION_TYPES: Readonly<Record<keyof VerifySessionOptions, 'boolean' | 'function'>> = {
  antiCsrfCheck: 'boolean',
  sessionRequired: 'boolean',
  checkDatabase: 'boolean',
  overrideGlobalClaimValidators: 'function',
};

/** Throws when the class is defined, so that an option without effect never reaches a request. */
function assertVerifySessionOptions(options: VerifySessionOptions): void {
  for (const [name, value] of Object.entries(options)) {
    const type = Object.hasOwn(OPTION_TYPES, name)
      ? OPTION_TYPES[name as keyof VerifySessionOptions]
      : undefined;
    if (type === undefined) {
      throw new TypeError(
        `@VerifySession: there is no option "${name}"; there are ${Object.keys(OPTION_TYPES).join(', ')}`,
      );
    }
    if (value !== undefined && typeof value !== type) {
      throw new TypeError(`@VerifySession: ${name} must be a ${type}, not ${JSON.stringify(value)}`);
    }
  }
}

/**
 * Sets how `SessionGuard` verifies on a class or handler; the handler's options win over the class's, one by one.
 *
 * @throws {TypeError} when the class is defined: an option is unknown or of the wrong type
 * @publicApi
 */
export function VerifySession(options: VerifySessionOptions = {}): ClassDecorator & MethodDecorator {
  assertVerifySessionOptions(options);
  return recordRules({ options: { ...options } });
}

/**
 * Lets requests without a session through; `@Session()` is undefined then. A token that is present must still be valid.
 *
 * @publicApi
 */
export function OptionalSession(): ClassDecorator & MethodDecorator {
  return recordRules({ options: { sessionRequired: false } });
}

/**
 * Lets every request through without looking for a session.
 *
 * @throws {TypeError} when the class is defined: another decorator on the same class or handler requires a session
 * @publicApi
 */
export function PublicAccess(): ClassDecorator & MethodDecorator {
  return recordRules({ isPublic: true });
}

/**
 * Requires that claim validators pass, in addition to the global ones; those on class and handler add up. The response to
 * a failure is a 403 that names the failed validators.
 *
 * @throws {TypeError} when the class is defined: an argument is no validator
 * @publicApi
 */
export function RequireClaims(...claimValidators: SessionClaimValidator[]): ClassDecorator & MethodDecorator {
  for (const validator of claimValidators) {
    if (typeof (validator as Partial<SessionClaimValidator> | undefined)?.validate !== 'function') {
      throw new TypeError(
        '@RequireClaims takes claim validators, for example UserRoleClaim.validators.includes("admin")',
      );
    }
  }
  return recordRules({ claimValidators });
}

/**
 * The names that `@RequireRoles` and `@RequirePermissions` take when more is said than "all of these".
 *
 * @publicApi
 */
export interface RoleRequirement {
  /** One of these is enough. */
  readonly any?: readonly string[];
  /** All of these are needed. */
  readonly all?: readonly string[];
  /** Seconds after which what the token says is looked up again, at the source of `userRoles`. Default: never. */
  readonly maxAgeSec?: number;
}

/**
 * Requires roles of the user: all that are named, or one of `{ any: […] }`. A shorter way to write `@RequireClaims` with
 * `UserRoleClaim`; the response to a failure is the same 403.
 *
 * @example
 * @RequireRoles('admin')
 * @RequireRoles({ any: ['admin', 'editor'], maxAgeSec: 300 })
 * @throws {TypeError} when the class is defined: there is no name, or it is no text
 * @publicApi
 */
export function RequireRoles(
  ...roles: readonly string[] | readonly [RoleRequirement]
): ClassDecorator & MethodDecorator {
  return RequireClaims(...listValidators('@RequireRoles', UserRoleClaim, roles));
}

/**
 * Requires permissions that the user's roles give: all that are named, or one of `{ any: […] }`. A shorter way to write
 * `@RequireClaims` with `PermissionClaim`; the response to a failure is the same 403.
 *
 * @example
 * @RequirePermissions('orders:write')
 * @throws {TypeError} when the class is defined: there is no name, or it is no text
 * @publicApi
 */
export function RequirePermissions(
  ...permissions: readonly string[] | readonly [RoleRequirement]
): ClassDecorator & MethodDecorator {
  return RequireClaims(...listValidators('@RequirePermissions', PermissionClaim, permissions));
}

function listValidators(
  decorator: string,
  { validators }: PrimitiveArrayClaim<string>,
  given: readonly unknown[],
): SessionClaimValidator[] {
  const [first] = given;
  const requirement: unknown = given.length === 1 && typeof first !== 'string' ? first : { all: given };
  assertRequirement(decorator, requirement);
  const { any, all, maxAgeSec } = requirement;
  return [
    ...(all === undefined ? [] : [validators.includesAll(all, maxAgeSec)]),
    ...(any === undefined ? [] : [validators.includesAny(any, maxAgeSec)]),
  ];
}

/** Throws when the class is defined, because an empty list of names would let every user pass. */
function assertRequirement(decorator: string, given: unknown): asserts given is RoleRequirement {
  const { any, all, maxAgeSec, ...unknown } = { ...(given as { [K in keyof RoleRequirement]?: unknown }) };
  const lists = [any, all].filter((list) => list !== undefined);
  const isAge = maxAgeSec === undefined || (typeof maxAgeSec === 'number' && maxAgeSec >= 0);
  if (lists.length > 0 && lists.every(isNameList) && isAge && Object.keys(unknown).length === 0) return;
  throw new TypeError(
    `${decorator} takes names, all of which are needed, or { any: [names], all: [names], maxAgeSec: seconds } with at least one name: ` +
      `${decorator}('admin') for example`,
  );
}

function isNameList(list: unknown): boolean {
  return (
    Array.isArray(list) && list.length > 0 && list.every((name) => typeof name === 'string' && name !== '')
  );
}

/**
 * The properties of a session that `@Session('…')` can inject.
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

type InjectedPart = SessionProperty | SessionClaim<unknown> | undefined;

const InjectSession = createParamDecorator(
  ({ what }: SessionParameter<InjectedPart>, context: ExecutionContext): unknown => {
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
  return InjectSession(new SessionParameter(what));
}

function findSession(context: ExecutionContext): SessionContainer | undefined {
  const call = findGuardedCall(context);
  if (call !== undefined) return call.session;
  const [controller, handler] = [context.getClass(), context.getHandler()];
  // A call that carries no object, such as a message of a queue, has no place for the guard's decision.
  if (combinedRules(controller, handler).isPublic === true) return undefined;
  throw setupError(
    `@Session() on ${controller.name}.${handler.name}: no SessionGuard ran for this route. ` +
      "Put @UseGuards(SessionGuard) on it or close every route with SessionModule.forRoot({ guard: 'global' }).",
  );
}
