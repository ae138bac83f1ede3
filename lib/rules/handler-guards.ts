import 'reflect-metadata';
import { types } from 'node:util';
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

const { isProxy } = types;

/** A guard as Nest keeps it: a class, an instance, or for providers the wrapper around them. */
type Guard = object;

/** Returns whether one of several guards asks `SessionGuard`. */
export function strongest(verdicts: readonly Enforcement[]): Enforcement {
  if (verdicts.includes('yes')) return 'yes';
  return verdicts.includes('unknown') ? 'unknown' : 'no';
}

/** Returns whether a guard asks `SessionGuard` where several conditions must hold for it. */
export function weakest(verdicts: readonly Enforcement[]): Enforcement {
  if (verdicts.includes('no')) return 'no';
  return verdicts.includes('unknown') ? 'unknown' : 'yes';
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
  if (!isObject(guard)) return 'no';
  const isClass = typeof guard === 'function';
  const metatype = isClass ? guard : classOf(guard);
  const made = isWrapper(guard) ? guard.instance : undefined;
  const parts = [...dependencies(metatype), ...(isClass ? [] : [...contents(guard), made])];
  if (parts.some(isSessionGuard) || isSessionGuard(metatype)) return 'yes';
  const held = depth < MAX_DEPTH ? parts.filter(isGuard).map((part) => enforcement(part, depth + 1)) : [];
  const isHidden =
    [guard, made].some(isProxy) ||
    (!isClass && isMadeByHand(guard)) ||
    parts.some((part) => part === ModuleRef || (!isProxy(part) && part instanceof ModuleRef));
  return strongest([...held, isHidden ? 'unknown' : 'no']);
}

/** A provider as Nest keeps it. Its instance is also that of one that stands for another (`useExisting`). */
interface Wrapper {
  readonly metatype: unknown;
  readonly instance: unknown;
}

function isWrapper(guard: object): guard is Wrapper {
  return !isProxy(guard) && 'isNotMetatype' in guard;
}

function classOf(guard: object): unknown {
  const metatype = isWrapper(guard) ? guard.metatype : undefined;
  return metatype ?? declaredMember(guard, 'constructor');
}

/** Returns the object that carries the methods of a guard: the prototype of a class, or an instance itself. */
function carrier(value: unknown): unknown {
  return typeof value === 'function' ? declaredMember(value, 'prototype') : value;
}

function isGuard(value: unknown): boolean {
  return typeof declaredMember(carrier(value), 'canActivate') === 'function';
}

/** True for a guard that the application made itself, whose constructor and closures are not visible. */
function isMadeByHand(guard: object): boolean {
  const made = declaredMember(guard, 'constructor');
  return (
    !isWrapper(guard) &&
    typeof made === 'function' &&
    (made === Object || (made.length > 0 && !Reflect.hasMetadata(PARAMTYPES_METADATA, made)))
  );
}

/** Also true for a guard that declares by `wrapsSessionGuard` that it asks one. */
function isSessionGuard(value: unknown): boolean {
  const methods = carrier(value);
  return (
    declaredMember(methods, SESSION_GUARD) === true ||
    [value, methods, declaredMember(methods, 'constructor')].some(
      (each) => declaredMember(each, 'wrapsSessionGuard') === true,
    )
  );
}

function isObject(value: unknown): value is object {
  return (typeof value === 'object' && value !== null) || typeof value === 'function';
}

/** More prototypes than any class has: a proxy may return prototypes without end. */
const MAX_PROTOTYPES = 100;

/**
 * Returns a member that an object or one of its prototypes has. The members of a proxy do not count, only the prototypes behind
 * it: a mock or a client of another service has a truthy value for every name, and the proxy of a configuration throws.
 */
function declaredMember(value: unknown, name: string | symbol): unknown {
  try {
    let each: unknown = value;
    for (let count = 0; isObject(each) && count < MAX_PROTOTYPES; count++) {
      if (!isProxy(each) && Object.hasOwn(each, name)) return Reflect.get(each, name);
      each = Object.getPrototypeOf(each);
    }
  } catch {
    // A getter failed, or a proxy refuses to show its prototype.
  }
  return undefined;
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
  if (isProxy(guard)) return [];
  return Object.getOwnPropertyNames(guard).flatMap((name) => {
    const value: unknown = Object.getOwnPropertyDescriptor(guard, name)?.value;
    if (!Array.isArray(value)) return [value];
    return value.flatMap((each: unknown) => [each, injectedToken(each)]);
  });
}

/** Returns the token of `{ token, optional }`, a form of `inject`. */
function injectedToken(each: unknown): unknown {
  return isObject(each) && !isProxy(each)
    ? (Object.getOwnPropertyDescriptor(each, 'token')?.value as unknown)
    : undefined;
}
