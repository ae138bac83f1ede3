import 'reflect-metadata';
import type { SessionClaimValidator } from '../claims/claim-validator.js';
import type { VerifySessionOptions } from '../sessions/recipe.interface.js';
import { MethodIndex, registerMethod, type Method } from './decorated-methods.js';
import { setupError } from './setup-error.js';

/** Shared by all copies of the package in one process, so that the guard of one reads the decorators of another. */
const RULES = Symbol.for('nest-sessions:route-rules');

/** The form of {@link RecordedRules}; a guard refuses rules in a form that it does not know. */
const FORMAT = 1;

/** The rules that decorators recorded on one class or handler. */
export interface RecordedRules {
  readonly format?: number;
  readonly isPublic?: boolean;
  readonly options?: VerifySessionOptions;
  readonly claimValidators?: readonly SessionClaimValidator[];
}

/** The rules of one route. */
export type RouteRules =
  { readonly isPublic: true } | { readonly isPublic: false; readonly options: VerifySessionOptions };

/**
 * Adds rules to a class or handler. Several decorators on one target add up. Rules of a handler are recorded on the function
 * and by the name of the method, because a decorator above may put another function in its place.
 */
export function recordRules(rules: RecordedRules): ClassDecorator & MethodDecorator {
  return (target: object, name?: string | symbol, descriptor?: PropertyDescriptor): void => {
    const subject: unknown = descriptor === undefined ? target : descriptor.value;
    if (typeof subject !== 'function')
      throw new TypeError('Session decorators stand on classes and methods only');
    if (descriptor !== undefined && name !== undefined) {
      add(rules, subject.name, target, name);
      registerMethod({ target, name });
    }
    add(rules, subject.name, subject);
  };
}

function add(rules: RecordedRules, where: string, target: object, name?: string | symbol): void {
  const combined = combine(readRules(target, name) ?? {}, { ...rules, format: FORMAT });
  assertNoContradiction(combined, where);
  if (name === undefined) Reflect.defineMetadata(RULES, combined, target);
  else Reflect.defineMetadata(RULES, combined, target, name);
}

/** One of two contradicting decorators would silently have no effect. */
function assertNoContradiction(rules: RecordedRules, where: string): void {
  if (rules.isPublic === true && requiresGuard({ ...rules, isPublic: false })) {
    throw new TypeError(
      `@PublicAccess on ${where} stands beside a decorator that asks for a session: a public route never looks for one. ` +
        'Remove one of them; @OptionalSession is for routes that work with and without.',
    );
  }
}

/** Returns whether rules have no effect unless a guard reads them. */
export function requiresGuard({ isPublic, options, claimValidators }: RecordedRules): boolean {
  return isPublic !== true && (options !== undefined || claimValidators !== undefined);
}

/** Returns whether no decorator recorded any rules. */
export function hasNoRules({ isPublic, options, claimValidators }: RecordedRules): boolean {
  return isPublic === undefined && options === undefined && claimValidators === undefined;
}

/**
 * Returns the rules of a route. Options of the handler win over options of the class; claim validators of both add up. A
 * handler that requires a session overrides a public class; validators need a session, so they make an optional one
 * required. A class relates to the class that it extends as a handler does to its class.
 *
 * @throws {Error} the rules of the handler cannot be read, or another version of the package recorded them
 */
export function resolveRouteRules(controller: object, handler: object): RouteRules {
  const { isPublic, options = {}, claimValidators = [] } = combinedRules(controller, handler);
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

/** Returns whether a session decorator stands on a handler itself, rather than on a method that it overrides. */
export function isDecorated(handler: object): boolean {
  return readRules(handler) !== undefined;
}

/** Returns the rules of a handler together with those of its class. */
export function combinedRules(controller: object, handler: object): RecordedRules {
  return withRulesOfClass(controller, handlerRules(controller, handler));
}

/** Adds the rules of its class to those of a handler. */
export function withRulesOfClass(controller: object, rules: RecordedRules): RecordedRules {
  return narrow(classRules(controller), rules);
}

/** Returns the rules of a class, including those of its parents. */
export function classRules(target: object): RecordedRules {
  const parent: unknown = Object.getPrototypeOf(target);
  const own = readRules(target) ?? {};
  return typeof parent === 'function' ? narrow(classRules(parent), own) : own;
}

/** Returns the rules of a handler without those of its class: recorded by function, by method, and on overridden methods. */
export function handlerRules(
  controller: object,
  handler: object,
  index: MethodIndex = new MethodIndex(),
): RecordedRules {
  const own = readRules(handler);
  const methods = index.find(controller, handler);
  if (methods === undefined) {
    if (own === undefined) throw unknownHandler(controller, handler);
    return own;
  }
  return [...methods.map(methodRules), own ?? {}].reduce(merge);
}

/**
 * Returns the rules recorded for a method. An overridden method's rules hold on, as those of a class do for the classes that
 * extend it, but only where they restrict: an override is never public because of the method in its place, and requires a
 * session where that method asks for one.
 */
function methodRules({ target, name }: Method): RecordedRules {
  const own = readRules(target, name);
  const parent = Object.getPrototypeOf(target) as object | null;
  const inherited = parent === null ? {} : methodRules({ target: parent, name });
  const isDeclared = Object.hasOwn(target, name);
  if (own === undefined) return isDeclared ? restrictions(inherited) : inherited;
  return narrow(isDeclared ? restrictions(inherited) : inherited, own);
}

function restrictions({ options, claimValidators }: RecordedRules): RecordedRules {
  const { antiCsrfCheck, checkDatabase, overrideGlobalClaimValidators: override } = options ?? {};
  const kept: VerifySessionOptions = {
    ...(antiCsrfCheck === true ? { antiCsrfCheck } : {}),
    ...(checkDatabase === true ? { checkDatabase } : {}),
    ...(override === undefined ? {} : { overrideGlobalClaimValidators: addingOnly(override) }),
  };
  return {
    ...(options === undefined ? {} : { options: kept }),
    ...(claimValidators === undefined ? {} : { claimValidators }),
  };
}

type ValidatorsOverride = NonNullable<VerifySessionOptions['overrideGlobalClaimValidators']>;

function addingOnly(override: ValidatorsOverride): ValidatorsOverride {
  return async (global, session, userContext) => [
    ...new Set([...global, ...(await override(global, session, userContext))]),
  ];
}

/** Combines the rules of an outer target, such as a class, with those of an inner one, such as its handler. */
function narrow(outer: RecordedRules, inner: RecordedRules): RecordedRules {
  if ([outer, inner].every(hasNoRules)) return inner; // most classes: a start then looks at their handlers no further
  const isPublic = inner.isPublic ?? (outer.isPublic === true && !requiresGuard(inner));
  return { ...combine(outer, inner), isPublic };
}

/** Combines two records of one handler; the stricter one decides whether it is public. */
function merge(first: RecordedRules, second: RecordedRules): RecordedRules {
  const { isPublic: _either, ...combined } = combine(first, second);
  const isPublic = (first.isPublic ?? second.isPublic) === true && ![first, second].some(requiresGuard);
  return isPublic ? { ...combined, isPublic } : combined;
}

function combine(before: RecordedRules, added: RecordedRules): RecordedRules {
  // A wrapper that copies metadata brings the same validators twice.
  const claimValidators = [...new Set([...(before.claimValidators ?? []), ...(added.claimValidators ?? [])])];
  const options = { ...before.options, ...added.options };
  return {
    ...before,
    ...added,
    ...(before.options || added.options ? { options } : {}),
    ...(claimValidators.length > 0 ? { claimValidators } : {}),
  };
}

/** @throws {Error} another version of the package recorded the rules, in a form that is not known here */
function readRules(target: object, name?: string | symbol): RecordedRules | undefined {
  const found = (
    name === undefined ? Reflect.getOwnMetadata(RULES, target) : Reflect.getOwnMetadata(RULES, target, name)
  ) as RecordedRules | undefined;
  if (found !== undefined && found.format !== FORMAT) {
    throw setupError(
      'the rules of this handler were recorded by another version of nest-sessions: install one version only (npm ls nest-sessions)',
    );
  }
  return found;
}

function unknownHandler(controller: object, handler: object): Error {
  const [className, method] = [controller, handler].map((each) => (each as { name?: string }).name ?? '');
  return setupError(
    `it cannot tell which method of ${className} the handler ${JSON.stringify(method)} is, and so not which rules it has: ` +
      'methods of this class carry session decorators. Replace methods on the class (with a decorator), not on its instances',
  );
}
