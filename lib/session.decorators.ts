import 'reflect-metadata';
import type { SessionClaimValidator } from './claims/claim-validator.js';
import type { VerifySessionOptions } from './sessions/recipe.interface.js';
import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { SessionClaim } from './claims/session-claim.js';
import type { SessionContainer } from './sessions/session-container.js';
import { findRequestState } from './sessions/request-state.js';
import type { JsonObject } from './util/json.js';

const RULES = Symbol('nest-sessions:route-rules');

/** The rules that decorators recorded on one class or handler. */
interface RecordedRules {
  readonly isPublic?: boolean;
  readonly options?: VerifySessionOptions;
  readonly claimValidators?: readonly SessionClaimValidator[];
}

/** The rules of one route. */
export type RouteRules =
  { readonly isPublic: true } | { readonly isPublic: false; readonly options: VerifySessionOptions };

const OPTION_TYPES: Readonly<Record<keyof VerifySessionOptions, 'boolean' | 'function'>> = {
  antiCsrfCheck: 'boolean',
  sessionRequired: 'boolean',
  checkDatabase: 'boolean',
  overrideGlobalClaimValidators: 'function',
};

type Target = object;

/** Adds rules to a class or handler. Several decorators on one target add up. */
export function recordRules(rules: RecordedRules): ClassDecorator & MethodDecorator {
  return (target: object, _name?: string | symbol, descriptor?: PropertyDescriptor): void => {
    const subject: unknown = descriptor === undefined ? target : descriptor.value;
    if (typeof subject !== 'function')
      throw new TypeError('Session decorators stand on classes and methods only');
    const combined = combine(recordedRules(subject), rules);
    assertNoContradiction(combined, subject.name);
    Reflect.defineMetadata(RULES, combined, subject);
  };
}

/** One of two contradicting decorators would silently have no effect. */
function assertNoContradiction({ isPublic, options, claimValidators }: RecordedRules, where: string): void {
  if (isPublic === true && (options !== undefined || claimValidators !== undefined)) {
    throw new TypeError(
      `@PublicAccess on ${where} stands beside a decorator that asks for a session: a public route never looks for one. ` +
        'Remove one of them; @OptionalSession is for routes that work with and without.',
    );
  }
}

/** Throws when the class is defined, so that an option without effect never reaches a request. */
export function assertVerifySessionOptions(options: VerifySessionOptions): void {
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
 * Returns the rules of a route. Options of the handler win over options of the class; claim validators of both add up. A
 * handler that requires a session overrides a public class; validators need a session, so they make an optional one
 * required. A class relates to the class that it extends as a handler does to its class.
 */
export function resolveRouteRules(controller: Target, handler: Target): RouteRules {
  const {
    isPublic,
    options = {},
    claimValidators = [],
  } = narrow(classRules(controller), recordedRules(handler));
  if (isPublic === true) return { isPublic };
  if (claimValidators.length === 0) return { isPublic: false, options };
  return {
    isPublic: false,
    options: {
      ...options,
      sessionRequired: true,
      overrideGlobalClaimValidators: async (global, session, userContext) => {
        const replaced = await options.overrideGlobalClaimValidators?.(global, session, userContext);
        return [...(replaced ?? global), ...claimValidators];
      },
    },
  };
}

/** Combines the rules of an outer target, such as a class, with those of an inner one, such as its handler. */
function narrow(outer: RecordedRules, inner: RecordedRules): RecordedRules {
  const needsSession = inner.options !== undefined || inner.claimValidators !== undefined;
  const isPublic = inner.isPublic ?? (outer.isPublic === true && !needsSession);
  return { ...combine(outer, inner), isPublic };
}

function combine(before: RecordedRules, added: RecordedRules): RecordedRules {
  const claimValidators = [...(before.claimValidators ?? []), ...(added.claimValidators ?? [])];
  const options = { ...before.options, ...added.options };
  return {
    ...before,
    ...added,
    ...(before.options || added.options ? { options } : {}),
    ...(claimValidators.length > 0 ? { claimValidators } : {}),
  };
}

/** Returns the rules of a class, including those of its parents. */
function classRules(target: Target): RecordedRules {
  const parent: unknown = Object.getPrototypeOf(target);
  return typeof parent === 'function'
    ? narrow(classRules(parent), recordedRules(target))
    : recordedRules(target);
}

function recordedRules(target: Target): RecordedRules {
  return (Reflect.getOwnMetadata(RULES, target) as RecordedRules | undefined) ?? {};
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

const GUARDED_CALLS = Symbol('nest-sessions:calls');

/** The decision of the guard about one handler. */
interface GuardedCall {
  readonly session: SessionContainer | undefined;
}

type CallsByHandler = Map<object, Map<object, GuardedCall>>;

/**
 * Keeps the guard's decision about a handler, for `@Session()`, on the object that the handler's call shares with others:
 * a GraphQL context or a socket. It is kept by class and handler, so that a public field never takes the session from a
 * guarded one that runs beside it, and an unguarded one never gets it.
 */
export function rememberCall(carrier: unknown, context: ExecutionContext, call: GuardedCall): void {
  if (typeof carrier !== 'object' || carrier === null) throw new TypeError('The context carries no object');
  const calls = recordedCalls(carrier) ?? new Map<object, Map<object, GuardedCall>>();
  const ofClass = calls.get(context.getClass()) ?? new Map<object, GuardedCall>();
  ofClass.set(context.getHandler(), call);
  calls.set(context.getClass(), ofClass);
  Object.defineProperty(carrier, GUARDED_CALLS, { value: calls, configurable: true });
}

function rememberedCall(carrier: unknown, context: ExecutionContext): GuardedCall | undefined {
  if (typeof carrier !== 'object' || carrier === null) return undefined;
  return recordedCalls(carrier)?.get(context.getClass())?.get(context.getHandler());
}

function recordedCalls(carrier: object): CallsByHandler | undefined {
  return (carrier as { [GUARDED_CALLS]?: CallsByHandler })[GUARDED_CALLS];
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
 * Finds the guard's decision: on the request, which is an argument itself or the `req` of one; where one request or socket
 * serves several handlers, it is kept for each handler on the object that they share.
 */
function findGuardedCall(context: ExecutionContext): GuardedCall | undefined {
  const isHttp = context.getType<string>() === 'http';
  for (const argument of context.getArgs<unknown[]>()) {
    const req = isHttp ? undefined : (argument as { req?: unknown } | undefined | null)?.req;
    const call = isHttp ? undefined : (rememberedCall(argument, context) ?? rememberedCall(req, context));
    if (call !== undefined) return call;
    const state = findRequestState(argument) ?? findRequestState(req);
    if (state?.isGuarded === true) return state;
  }
  return undefined;
}
