import 'reflect-metadata';
import type { Type } from '@nestjs/common';
import { PARAMTYPES_METADATA, SELF_DECLARED_DEPS_METADATA } from '@nestjs/common/constants.js';
import type { ModulesContainer } from '@nestjs/core';

interface DeclaredDependency {
  readonly index: number;
  readonly param: unknown;
}

/**
 * Checks that a class made by `ModuleRef.create` does not wait for providers that wait for it. Nest finds circles among
 * providers, but not this one: its start would never end, and log nothing.
 *
 * @param awaiting providers that wait for the class
 * @throws {Error} naming the providers of the circle
 */
export function assertNoCircle(modules: ModulesContainer, made: Type, awaiting: ReadonlySet<unknown>): void {
  const visited = new Set<unknown>();
  const visit = (token: unknown, path: readonly string[]): void => {
    if (awaiting.has(token)) throw circle([...path, tokenName(token)]);
    if (visited.has(token)) return;
    visited.add(token);
    for (const dependency of dependenciesOf(modules, token)) visit(dependency, [...path, tokenName(token)]);
  };
  for (const dependency of classDependencies(made)) visit(dependency, [made.name]);
}

function circle(path: readonly string[]): Error {
  return new Error(
    `SessionModule cannot start: ${path.join(' -> ')} -> ${path[0] ?? ''} is a circle. The option recipe takes a class that needs what ` +
      'waits for it. Inject ModuleRef into the recipe and get the provider when a function is called, or inject it by forwardRef().',
  );
}

/** Returns the tokens that a provider waits for, wherever it is provided; `forwardRef` waits for nothing. */
function dependenciesOf(modules: ModulesContainer, token: unknown): unknown[] {
  return [...modules.values()].flatMap(({ providers }) => {
    const wrapper = providers.get(token as Type);
    if (wrapper === undefined) return [];
    return (
      wrapper.inject ?? (typeof wrapper.metatype === 'function' ? classDependencies(wrapper.metatype) : [])
    );
  });
}

function classDependencies(metatype: object): unknown[] {
  const types = (Reflect.getMetadata(PARAMTYPES_METADATA, metatype) ?? []) as unknown[];
  const declared = (Reflect.getMetadata(SELF_DECLARED_DEPS_METADATA, metatype) ?? []) as DeclaredDependency[];
  const byIndex = new Map(types.map((type, index) => [index, type]));
  for (const { index, param } of declared) byIndex.set(index, param);
  return [...byIndex.values()];
}

function tokenName(token: unknown): string {
  return typeof token === 'function' ? token.name : String(token);
}
