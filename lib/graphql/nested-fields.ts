import type { ArgumentsHost } from '@nestjs/common';
import type { ModuleRef } from '@nestjs/core';
import { readMember } from './execution-request.js';

/** What `@nestjs/graphql`, which we do not import, provides its options as. */
const GRAPHQL_OPTIONS = 'GqlModuleOptions';

/** Whether a handler resolves a field of an object (`@ResolveField()`), and not one of a query, mutation or subscription. */
export function isNestedField(context: ArgumentsHost): boolean {
  const info = context.getType<string>() === 'graphql' ? context.getArgByIndex<unknown>(3) : undefined;
  return readMember(readMember(info, 'path'), 'prev') !== undefined;
}

/**
 * Whether Nest runs exception filters of such fields: by `fieldResolverEnhancers`, guards or not. Where an application has
 * several GraphQL modules, a context does not tell its own: then only if all of them say so.
 */
export function hasFiltersOnNestedFields(modules: Pick<ModuleRef, 'get'>): boolean {
  return findGraphqlOptions(modules).every((options) => {
    const enhancers = readMember(options, 'fieldResolverEnhancers');
    return Array.isArray(enhancers) && enhancers.includes('filters');
  });
}

function findGraphqlOptions(modules: Pick<ModuleRef, 'get'>): unknown[] {
  try {
    return modules.get<unknown, unknown>(GRAPHQL_OPTIONS, { strict: false, each: true });
  } catch {
    return [undefined]; // none, or none that can be read: nothing is known of filters
  }
}
