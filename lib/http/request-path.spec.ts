import { describe, expect, it } from '@jest/globals';
import { arrivingBasePath, isRoutePath, isRouteRequest, requestPath, samePath } from './request-path.js';

const REFRESH = '/auth/session/refresh';

describe('the path of a request', () => {
  it.each([
    [REFRESH, REFRESH],
    [`${REFRESH}?a=/b#c`, REFRESH],
    [`http://api.shop.io${REFRESH}`, REFRESH],
    [`HTTPS://[2001:db8::1]:8443${REFRESH}?a`, REFRESH],
    ['http://api.shop.io', '/'],
    ['', '/'],
    ['*', '*'],
  ])('of %j is %j', (url, path) => {
    expect(requestPath(url)).toBe(path);
  });

  it.each([
    `http://h?${REFRESH}`,
    `http://h#${REFRESH}`,
    `http://u@h?${REFRESH}`,
    `http://u@h${REFRESH}`,
    `http://h;x${REFRESH}`,
    `http://h\\x${REFRESH}`,
    `http://h%2fx${REFRESH}`,
    `http://h'x${REFRESH}`,
    `javascript://h${REFRESH}`,
    `//h${REFRESH}`,
    `h${REFRESH}`,
  ])('takes nothing for a path of ours that a router may read otherwise: %j (S027)', (url) => {
    expect(requestPath(url)).not.toBe(REFRESH);
  });
});

describe('paths that are the same', () => {
  it.each([
    ['/a', '/a', true],
    ['/a/', '/a', true],
    ['/a', '/a/', true],
    ['/', '', true],
    ['/a//', '/a', false],
    ['/A', '/a', false],
    ['/a', '/ab', false],
  ])('%j and %j: %s', (a, b, isSame) => {
    expect(samePath(a, b)).toBe(isSame);
  });
});

describe('the path of a route', () => {
  it.each([
    [REFRESH, true],
    [`${REFRESH}/`, true],
    ['/auth/t1/session/refresh', true],
    ['/auth/Tenant-1/session/refresh/', true],
    ['/auth//session/refresh', false],
    ['/auth/t1/t2/session/refresh', false],
    ['/auth/t_1/session/refresh', false],
    ['/auth/é/session/refresh', false],
    ['/autht1/session/refresh', false],
    ['/auth/xsession/refresh', false],
    [`${REFRESH}//`, false],
    ['/AUTH/session/refresh', false],
    ['/other/session/refresh', false],
    ['/auth/session/refresher', false],
    ['/auth/session', false],
    ['/session/refresh', false],
  ])('%j: %s', (path, isRoute) => {
    expect(isRoutePath('refresh', path, '/auth')).toBe(isRoute);
  });

  it('does not overlap with a base path that ends as the route begins', () => {
    expect(isRoutePath('refresh', REFRESH, '/auth/session')).toBe(false);
    expect(isRoutePath('refresh', '/session/refresh', '')).toBe(true);
  });
});

describe('a request for a route', () => {
  const paths = { basePath: '/auth', apiBasePath: '/gateway/auth' };
  const post = { method: 'POST', url: REFRESH };

  it.each([
    ['as it arrives', post, true],
    ['with a query', { ...post, url: `${REFRESH}?rid=session` }, true],
    ['with a method in small letters', { ...post, method: 'post' }, true],
    ['with another method', { ...post, method: 'GET' }, false],
    ['without a method', { url: REFRESH }, false],
    ['without a URL', { method: 'POST' }, false],
    ['of another path', { ...post, url: '/auth/signout' }, false],
    [
      'that a router has stripped',
      { ...post, url: '/session/refresh', originalUrl: `/gateway${REFRESH}` },
      true,
    ],
    [
      'that a router has stripped of another prefix',
      { ...post, url: '/session/refresh', originalUrl: REFRESH },
      false,
    ],
    ['that a router has rewritten', { ...post, url: '/x', originalUrl: `/gateway${REFRESH}` }, false],
    ['under the path of the gateway, which is not stripped', { ...post, url: `/gateway${REFRESH}` }, false],
    ['the same before and behind a router', { ...post, originalUrl: REFRESH }, true],
  ])('is one %s: %j %s', (_, request, isRoute) => {
    expect(isRouteRequest('refresh', request, paths)).toBe(isRoute);
  });

  it('may be a HEAD where a GET is', () => {
    const url = '/auth/jwt/jwks.json';
    for (const method of ['GET', 'HEAD', 'get'])
      expect(isRouteRequest('jwks', { method, url }, paths)).toBe(true);
    expect(isRouteRequest('jwks', { method: 'POST', url }, paths)).toBe(false);
    expect(isRouteRequest('refresh', { method: 'HEAD', url: REFRESH }, paths)).toBe(false);
  });

  it.each([
    ['/gateway/auth', '/gateway', '/auth'],
    ['/auth', '', '/auth'],
  ])(
    'arrives below the base path without that of the gateway: %s',
    (apiBasePath, apiGatewayPath, basePath) => {
      expect(arrivingBasePath({ apiBasePath, apiGatewayPath })).toBe(basePath);
    },
  );
});
