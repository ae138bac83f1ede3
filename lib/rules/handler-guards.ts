import 'reflect-metadata';
import {
  GUARDS_METADATA,
  PARAMTYPES_METADATA,
  PROPERTY_DEPS_METADATA,
  SELF_DECLARED_DEPS_METADATA,
} from '@nestjs/common/constants.js';
import { ExternalContextCreator, ModuleRef, ModulesContainer } from '@nestjs/core';
import { readMember } from '../util/json.js';
import { applicationConfig } from './application-config.js';

/** The mark of `SessionGuard`, of each copy of the package, and of the classes that extend it. */
export const SESSION_GUARD = Symbol.for('nest-sessions.SessionGuard');

/** Whether a guard asks `SessionGuard`: `unknown` where it could, by means that are not visible before a request. */
export type Enforcement = 'yes' | 'no' | 'unknown';

/** A guard as Nest keeps it: a class, an instance, or for providers the wrapper around them. */
type Guard = object;

/** Returns whether one of several guards asks `SessionGuard`. */
export function strongest(answers: readonly Enforcement[]): Enforcement {
  if (answers.includes('yes')) return 'yes';
  return answers.includes('unknown') ? 'unknown' : 'no';
}

/** Returns whether a guard asks `SessionGuard` where several conditions must hold for it. */
export function weakest(answers: readonly Enforcement[]): Enforcement {
  if (answers.includes('no')) return 'no';
  return answers.includes('unknown') ? 'unknown' : 'yes';
}

/** Returns whether the guards of a class or handler ask `SessionGuard`, by Nest's metadata of `@UseGuards`. */
export function boundEnforcement(target: object): Enforcement {
  const guards: unknown = Reflect.getMetadata(GUARDS_METADATA, target);
  return strongest(Array.isArray(guards) ? guards.map((guard) => enforcement(guard)) : []);
}

/** Returns whether the global guards ask `SessionGuard`: those of `useGlobalGuards` and of each `APP_GUARD`. */
export function globalEnforcement(modules: ModulesContainer, contexts: ExternalContextCreator): Enforcement {
  const config = applicationConfig(contexts);
  if (config === undefined) return 'unknown';
  const guards: Guard[] = [...config.getGlobalGuards(), ...config.getGlobalRequestGuards()];
  for (const { providers, injectables } of modules.values()) {
    for (const wrapper of [...providers.values(), ...injectables.values()]) {
      if (wrapper.subtype === 'guard' && String(wrapper.token).startsWith('APP_GUARD')) guards.push(wrapper);
    }
  }
  return strongest(guards.map((guard) => enforcement(guard)));
}

/** Guards that hold guards are followed so far. */
const MAX_DEPTH = 3;

function enforcement(guard: unknown, depth = 0): Enforcement {
  if (isSessionGuard(guard)) return 'yes';
  const isClass = typeof guard === 'function';
  if (!isClass && (typeof guard !== 'object' || guard === null)) return 'no';
  const metatype: unknown = isClass ? guard : (readMember(guard, 'metatype') ?? guard.constructor);
  const parts = [...dependencies(metatype), ...(isClass ? [] : [...contents(guard), madeInstance(guard)])];
  if (parts.some(isSessionGuard) || isSessionGuard(metatype)) return 'yes';
  const held = depth < MAX_DEPTH ? parts.filter(isGuard).map((part) => enforcement(part, depth + 1)) : [];
  const isHidden =
    (!isClass && isMadeByHand(guard)) ||
    parts.some((part) => part === ModuleRef || part instanceof ModuleRef);
  return strongest([...held, isHidden ? 'unknown' : 'no']);
}

function isGuard(value: unknown): boolean {
  const target: unknown = typeof value === 'function' ? value.prototype : value;
  try {
    return typeof target === 'object' && typeof readMember(target, 'canActivate') === 'function';
  } catch {
    return false; // a strict proxy
  }
}

/** Returns the instance of a provider, also of one that stands for another (`useExisting`). */
function madeInstance(wrapper: object): unknown {
  return 'isNotMetatype' in wrapper ? readMember(wrapper, 'instance') : undefined;
}

/** True for a guard that the application made itself, whose constructor and closures are not visible. */
function isMadeByHand(guard: object): boolean {
  const { constructor } = guard;
  return (
    !('isNotMetatype' in guard) &&
    (constructor === Object ||
      (constructor.length > 0 && !Reflect.hasMetadata(PARAMTYPES_METADATA, constructor)))
  );
}

/** Also true for a guard that declares by `wrapsSessionGuard` that it asks one. */
function isSessionGuard(value: unknown): boolean {
  try {
    return [value, typeof value === 'function' ? (value.prototype as unknown) : undefined].some(
      (each) =>
        ((typeof each === 'object' && each !== null) || typeof each === 'function') &&
        (SESSION_GUARD in each ||
          Reflect.get(each, 'wrapsSessionGuard') === true ||
          (each.constructor as { wrapsSessionGuard?: unknown } | undefined)?.wrapsSessionGuard === true),
    );
  } catch {
    return false; // a guard may hold a strict proxy, such as of a configuration, that throws for unknown names
  }
}

/** Returns the tokens that Nest injects into a class, by constructor and properties. */
function dependencies(metatype: unknown): unknown[] {
  if (typeof metatype !== 'function') return [];
  const types: unknown = Reflect.getMetadata(PARAMTYPES_METADATA, metatype);
  const declared: unknown = Reflect.getMetadata(SELF_DECLARED_DEPS_METADATA, metatype);
  const properties: unknown = Reflect.getMetadata(PROPERTY_DEPS_METADATA, metatype);
  const read = (list: unknown, name: string): unknown[] =>
    Array.isArray(list) ? list.map((each) => readMember(each, name)) : [];
  return [
    ...(Array.isArray(types) ? (types as unknown[]) : []),
    ...read(declared, 'param'),
    ...read(properties, 'type'),
  ].map((token: unknown) => {
    const refer = readMember(token, 'forwardRef');
    return typeof refer === 'function' ? (refer as () => unknown)() : token;
  });
}

/** Returns what an instance holds in its fields, in lists too, and of a provider what Nest injects and has made. */
function contents(guard: object): unknown[] {
  return Object.getOwnPropertyNames(guard).flatMap((name) => {
    const value: unknown = Object.getOwnPropertyDescriptor(guard, name)?.value;
    if (!Array.isArray(value)) return [value];
    return value.flatMap((each: unknown) => [each, injectedToken(each)]);
  });
}

/** Returns the token of `{ token, optional }`, a form of `inject`. */
function injectedToken(each: unknown): unknown {
  return typeof each === 'object' && each !== null
    ? (Object.getOwnPropertyDescriptor(each, 'token')?.value as unknown)
    : undefined;
}
