import 'reflect-metadata';
import type { SessionClaimValidator } from '../claims/claim-validator.js';
import type { VerifySessionOptions } from '../sessions/recipe.interface.js';

const RULES = Symbol('nest-sessions:route-rules');

/** What decorators recorded on one class or handler. */
interface RecordedRules {
  readonly isPublic?: boolean;
  readonly options?: VerifySessionOptions;
  readonly claimValidators?: readonly SessionClaimValidator[];
}

/** What holds for one route. */
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

/** One of the two would do nothing, and nobody would notice. */
function assertNoContradiction({ isPublic, options, claimValidators }: RecordedRules, where: string): void {
  if (isPublic === true && (options !== undefined || claimValidators !== undefined)) {
    throw new TypeError(
      `@PublicAccess on ${where} stands beside a decorator that asks for a session: a public route never looks for one. ` +
        'Remove one of them; @OptionalSession is for routes that work with and without.',
    );
  }
}

/** Fails when the class is defined, long before a request could meet an option that does nothing. */
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
 * The rules of a route: what stands on the handler wins over what stands on the class, claim validators of both add
 * up. A handler that asks for a session takes a public class back; validators need a session, so they make an optional
 * one required. In the same way a class stands over the class that it extends.
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

/** What holds where something stands inside something else. */
function narrow(outer: RecordedRules, inner: RecordedRules): RecordedRules {
  const asksForSession = inner.options !== undefined || inner.claimValidators !== undefined;
  const isPublic = inner.isPublic ?? (outer.isPublic === true && !asksForSession);
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

/** Of a class, with what its parents say. */
function classRules(target: Target): RecordedRules {
  const parent: unknown = Object.getPrototypeOf(target);
  return typeof parent === 'function'
    ? narrow(classRules(parent), recordedRules(target))
    : recordedRules(target);
}

function recordedRules(target: Target): RecordedRules {
  return (Reflect.getOwnMetadata(RULES, target) as RecordedRules | undefined) ?? {};
}
