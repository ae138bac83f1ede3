import { describe, expect, it } from '@jest/globals';
import { normalisedBasePath, matchRoute } from './cdi-router.js';

function found(path: string, basePath = ''): unknown {
  const route = matchRoute(path, basePath);
  return route && [route.endpoint.methods['POST'], route.appId, route.tenantId];
}

describe('the route of a path', () => {
  it.each([
    ['/recipe/session', ['createSession', 'public', undefined]],
    ['/recipe/session/', ['createSession', 'public', undefined]],
    ['/RECIPE/Session', ['createSession', 'public', undefined]],
    ['/public/recipe/session', ['createSession', 'public', 'public']],
    ['/T-1/recipe/session', ['createSession', 'public', 't-1']],
    ['/appid-public/recipe/session', ['createSession', 'public', undefined]],
    ['/appid-public/t1/recipe/session/', ['createSession', 'public', 't1']],
    ['/appid-ZZ/t1/recipe/session', ['createSession', 'zz', 't1']],
    ['/appid-/recipe/session', ['createSession', '', undefined]],
    ['/', ['hello', 'public', undefined]],
    ['/appid-public', ['hello', 'public', undefined]],
    ['/appid-public/t1/hello', ['hello', 'public', 't1']],
  ])('%s is known', (path, route) => {
    expect(found(path)).toEqual(route);
  });

  it.each([
    'recipe/session',
    '/recipe/session//',
    '//recipe/session',
    '/recipe/recipe/session',
    '/config/recipe/session',
    '/users/recipe/session',
    '/hello/hello',
    '/t1/appid-public/recipe/session',
    '/appid-a/appid-b/recipe/session',
    '/a_b/recipe/session',
    '/t1',
    '/t1/',
    '/constructor',
    '/__proto__',
    '/recipe/session/verify/x',
    '/recipe/session?x=1',
  ])('%j is unknown', (path) => {
    expect(found(path)).toBeUndefined();
  });

  it.each([
    ['/core', '/core/recipe/session', true],
    ['/core', '/CORE/recipe/session', true],
    ['/core', '/core', true],
    ['/core', '/core/', true],
    ['/core', '/corerecipe/session', false],
    ['/core', '/recipe/session', false],
    ['/hello', '/hello', true],
    ['/hello', '/hello/hello', true],
    ['/recipe', '/recipe/session', false],
    ['/recipe', '/recipe/recipe/session', true],
  ])('begins behind the base path %s: %s (C151)', (basePath, path, isKnown) => {
    expect(matchRoute(path, basePath) !== undefined).toBe(isKnown);
  });

  it.each([
    ['', ''],
    ['/', ''],
    ['core', '/core'],
    ['//a///B/', '/a/b'],
  ])('takes the base path %j as %j', (given, normal) => {
    expect(normalisedBasePath(given)).toBe(normal);
  });
});
