import 'reflect-metadata';
import type { SessionClaimValidator } from '../claims/claim-validator.js';
import type { VerifySessionOptions } from '../recipe/recipe.interface.js';

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
    Reflect.defineMetadata(RULES, combine(ownRulesOf(subject), rules), subject);
  };
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
 * one required.
 */
export function routeRulesOf(controller: Target, handler: Target): RouteRules {
  const onClass = rulesOf(controller);
  const onHandler = rulesOf(handler);
  const asksForSession = onHandler.options !== undefined || onHandler.claimValidators !== undefined;
  if (onHandler.isPublic === true || (onClass.isPublic === true && !asksForSession))
    return { isPublic: true };
  const options = { ...onClass.options, ...onHandler.options };
  const required = [...(onClass.claimValidators ?? []), ...(onHandler.claimValidators ?? [])];
  if (required.length === 0) return { isPublic: false, options };
  return {
    isPublic: false,
    options: {
      ...options,
      sessionRequired: true,
      overrideGlobalClaimValidators: async (global, session, userContext) => {
        const replaced = await options.overrideGlobalClaimValidators?.(global, session, userContext);
        return [...(replaced ?? global), ...required];
      },
    },
  };
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

/** Of a class also what its parents say. */
function rulesOf(target: Target): RecordedRules {
  return (Reflect.getMetadata(RULES, target) as RecordedRules | undefined) ?? {};
}

function ownRulesOf(target: Target): RecordedRules {
  return (Reflect.getOwnMetadata(RULES, target) as RecordedRules | undefined) ?? {};
}
