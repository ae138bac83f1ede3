import { describe, expect, it } from '@jest/globals';
import { hasFiltersOnNestedFields } from './graphql-context.js';

const FILTERED = { fieldResolverEnhancers: ['guards', 'filters'] };

describe('whether filters run for the fields of objects', () => {
  it.each<[string, boolean, () => unknown]>([
    ['the GraphQL module says so', true, () => [FILTERED]],
    ['all GraphQL modules say so', true, () => [FILTERED, FILTERED]],
    ['only one of them says so', false, () => [FILTERED, { fieldResolverEnhancers: ['guards'] }]],
    ['nothing is said', false, () => [{}]],
    ['its options are none', false, () => [undefined]],
    [
      'there is none that Nest made',
      false,
      () => {
        throw new Error('Nest could not find GqlModuleOptions element');
      },
    ],
  ])('where %s: %s', (_case, expected, get) => {
    expect(hasFiltersOnNestedFields({ get: get as never })).toBe(expected);
  });
});
