import { Inject, Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { ExternalContextCreator, HttpAdapterHost, ModulesContainer } from '@nestjs/core';
import { CoreClient } from '../core/core-client.js';
import { RESOLVED_SESSION_OPTIONS } from '../session.constants.js';
import type { ResolvedSessionOptions } from '../session.options.js';
import {
  MethodIndex,
  methodNames,
  ownValue,
  prototypeChain,
  registerReplacements,
} from './decorated-methods.js';
import {
  boundEnforcement,
  globalEnforcement,
  strongest,
  weakest,
  type Enforcement,
} from './handler-guards.js';
import { handlerKind, isHandler, type Handler } from './handler-kinds.js';
import {
  classRules,
  handlerRules,
  hasNoRules,
  isDecorated,
  requiresGuard,
  withRulesOfClass,
  type RecordedRules,
} from './route-rules.js';

/** A handler whose rules no guard reads, or one of which that cannot be seen. */
interface Unguarded {
  readonly text: string;
  readonly isCertain: boolean;
}

const MAYBE_WRAPPED =
  'whether a guard on it asks SessionGuard is not visible; a guard that does declares it: static readonly wrapsSessionGuard = true';

const OR_PUBLIC =
  '. Guards are not inherited by a method that overrides another; an override that is to be open says so: @PublicAccess()';

/**
 * Finds, when the application starts, the handlers whose rules no `SessionGuard` will read: without it `@VerifySession` and
 * `@RequireClaims` have no effect, and the handler is open. What cannot be decided before a request is a warning.
 */
@Injectable()
export class UnguardedRules implements OnApplicationBootstrap {
  private readonly logger = new Logger('SessionModule');

  constructor(
    private readonly modules: ModulesContainer,
    private readonly contexts: ExternalContextCreator,
    private readonly adapterHost: HttpAdapterHost,
    private readonly core: CoreClient,
    @Inject(RESOLVED_SESSION_OPTIONS) private readonly options: ResolvedSessionOptions,
  ) {}

  /** @throws {Error} naming each handler whose rules no guard reads, unless `unguardedRules` is `warn` */
  async onApplicationBootstrap(): Promise<void> {
    const found = this.find();
    const isError = ({ isCertain }: Unguarded): boolean =>
      isCertain && this.options.unguardedRules === 'error';
    const warnings = found.filter((each) => !isError(each));
    if (warnings.length > 0)
      this.logger.warn(explain('Session decorators that may have no effect', warnings));
    const errors = found.filter(isError);
    if (errors.length === 0) return;
    await this.core.close(); // Nest runs no shutdown hooks of an application that did not start
    throw new Error(
      explain(
        'SessionModule cannot start, because no SessionGuard reads the rules of these handlers',
        errors,
      ) + "\nThe option unguardedRules: 'warn' starts the application all the same.",
    );
  }

  private find(): Unguarded[] {
    const everywhere = globalEnforcement(this.modules, this.contexts);
    const classes = [...this.classes()];
    const index = new MethodIndex();
    return classes.flatMap((controller) => {
      const rulesOfClass = classRules(controller);
      return handlersOf(controller).flatMap((handler) => {
        const own = handlerRules(controller, handler.method, index);
        const isPlain = [own, rulesOfClass].every(hasNoRules) && handler.overridden.length === 0;
        return isPlain ? [] : (this.examine(handler, own, everywhere) ?? []);
      });
    });
  }

  /** Returns the classes of all controllers and providers, each once. */
  private classes(): Set<Function> {
    const classes = new Set<Function>();
    for (const { controllers, providers } of this.modules.values()) {
      for (const { metatype, isNotMetatype, instance } of [...controllers.values(), ...providers.values()]) {
        const made: unknown = instance;
        const isObject = typeof made === 'object' && made !== null;
        if (isObject && !Object.isFrozen(made)) registerReplacements(made);
        // The "class" of a factory is the factory function, and that of a value is nothing: their instances have one.
        const found: unknown = isNotMetatype ? isObject && made.constructor : metatype;
        if (typeof found === 'function') classes.add(found);
      }
    }
    return classes;
  }

  /** @param own the rules of the handler without those of its class */
  private examine(handler: ClassHandler, own: RecordedRules, everywhere: Enforcement): Unguarded | undefined {
    const { controller, method, name } = handler;
    const rules = withRulesOfClass(controller, own);
    // What is no handler has no rules from its class.
    const isOwnRule = requiresGuard(own);
    const isRule = isOwnRule || (isHandler(handler) && requiresGuard(rules));
    if (!isRule && !losesGuard(handler, rules)) return undefined;
    const servesHttp = (this.adapterHost.httpAdapter as unknown) !== undefined;
    const kind = handlerKind(handler, { modules: this.modules, servesHttp });
    if (kind === undefined) return undefined;
    const bound = strongest([boundEnforcement(controller), boundEnforcement(method)]);
    const verdict = weakest([kind.guards, strongest([bound, weakest([kind.globalGuards, everywhere])])]);
    if (verdict === 'yes') return undefined;
    const remedy =
      kind.guards === 'yes' && everywhere !== 'yes' && verdict === 'unknown' ? MAYBE_WRAPPED : kind.remedy;
    return {
      text: `${controller.name}.${String(name)} (${origin(handler, rules)}): ${remedy}${isOverride(handler) ? OR_PUBLIC : ''}`,
      // Nest itself makes no handlers of methods whose names are symbols.
      isCertain:
        verdict === 'no' &&
        kind.isCertain &&
        (isOwnRule || (isRule && kind.takesRulesOfClass)) &&
        typeof name === 'string',
    };
  }
}

function explain(headline: string, found: readonly Unguarded[]): string {
  return `${headline}:${found.map(({ text }) => `\n  - ${text}`).join('')}`;
}

interface ClassHandler extends Handler {
  /** The methods that it overrides, the nearest first. */
  readonly overridden: Function[];
}

/** Returns the methods of a class that could be handlers, inherited ones included; of an overridden one the override. */
function handlersOf(controller: Function): ClassHandler[] {
  const prototype: unknown = controller.prototype;
  if (typeof prototype !== 'object' || prototype === null) return [];
  const handlers = new Map<string | symbol, ClassHandler>();
  for (const target of prototypeChain(prototype)) {
    for (const name of methodNames(target)) {
      const method = ownValue(target, name) as Function;
      const override = handlers.get(name);
      if (override === undefined) handlers.set(name, { controller, name, method, overridden: [] });
      else if (override.method !== method) override.overridden.push(method);
    }
  }
  return [...handlers.values()];
}

function isOverride({ method, overridden }: ClassHandler): boolean {
  return overridden.length > 0 && !isDecorated(method);
}

/** True for an override without the `@UseGuards(SessionGuard)` of the method in its place, because Nest does not inherit it. */
function losesGuard(handler: ClassHandler, { isPublic }: RecordedRules): boolean {
  return (
    isPublic !== true &&
    handler.overridden.some((each) => boundEnforcement(each) === 'yes') &&
    isHandler(handler)
  );
}

/** Returns the decorators that have no effect, and where they stand if not on the handler. */
function origin(handler: ClassHandler, rules: RecordedRules): string {
  const names = decoratorNames(rules) || '@UseGuards(SessionGuard)';
  return isOverride(handler) ? `${names} of the method that it overrides` : names;
}

function decoratorNames({ options, claimValidators }: RecordedRules): string {
  const isOptional =
    options !== undefined && Object.keys(options).length === 1 && options.sessionRequired === false;
  return [
    ...(options === undefined ? [] : [isOptional ? '@OptionalSession' : '@VerifySession']),
    ...(claimValidators === undefined ? [] : ['@RequireClaims']),
  ].join(', ');
}
