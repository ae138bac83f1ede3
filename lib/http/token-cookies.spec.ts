import { describe, expect, it } from '@jest/globals';
import { wireConfig } from '../../test/fixtures/wire-config.js';
import type { SessionConfig } from '../options/session-config.js';
import type { HttpRequest } from '../util/http-exchange.js';
import {
  distinct,
  hasOlderPlaces,
  hasUnseenPlaces,
  olderPlaces,
  pathsAbove,
  sendingPaths,
  type CookiePlace,
} from './token-cookies.js';

const requestTo = (url: string): HttpRequest => ({ getOriginalURL: () => url }) as HttpRequest;
const behindGateway = (apiGatewayPath: string) =>
  wireConfig({ appInfo: { ...wireConfig().appInfo, apiGatewayPath } });

describe('the paths above one', () => {
  it.each([
    ['/', []],
    ['', []],
    ['/a', ['/']],
    ['/a/b', ['/', '/a']],
    ['/a/b/c', ['/', '/a', '/a/b']],
  ])('%j are %j', (path, above) => {
    expect(pathsAbove(path)).toEqual(above);
  });
});

describe('the places of older cookies', () => {
  const present: CookiePlace = { name: 's', domain: '', path: '/api', isPartitioned: false };
  const places = (
    changes: Partial<SessionConfig>,
    tokenType: 'access' | 'refresh' = 'access',
    olderName?: string,
  ): string[] =>
    olderPlaces(wireConfig(changes), present, { tokenType, olderName }).map(
      ({ name, domain, path, isPartitioned }) => `${name} ${domain} ${path} ${isPartitioned ? 'P' : '-'}`,
    );

  it('are those above the present path, for the access token', () => {
    expect(places({})).toEqual(['s  / -']);
    expect(places({}, 'refresh')).toEqual([]);
  });

  it('are those that the options name, each with each', () => {
    expect(places({ olderAccessTokenPath: '/old' })).toEqual(['s  /old -', 's  / -']);
    expect(places({ olderRefreshTokenPath: '/old' }, 'refresh')).toEqual(['s  /old -']);
    expect(places({ olderRefreshTokenPath: '/old' })).toEqual(['s  / -']);
    expect(places({ olderAccessTokenPath: '/old' }, 'refresh')).toEqual([]);
    expect(places({ olderCookieDomain: '.a.io' }, 'refresh')).toEqual(['s .a.io /api -']);
    expect(places({ olderCookiePartitioned: true }, 'refresh')).toEqual(['s  /api P']);
    expect(places({}, 'refresh', 'old')).toEqual(['old  /api -']);
    expect(places({ olderCookieDomain: '.a.io', olderCookiePartitioned: true }, 'refresh', 'old')).toEqual([
      's  /api P',
      's .a.io /api -',
      's .a.io /api P',
      'old  /api -',
      'old  /api P',
      'old .a.io /api -',
      'old .a.io /api P',
    ]);
  });

  it('are never the present place, though an option names it', () => {
    const named = { olderCookieDomain: '', olderRefreshTokenPath: '/api', olderCookiePartitioned: false };
    expect(places(named, 'refresh', 's')).toEqual([]);
  });

  it.each<[Partial<SessionConfig>, boolean, boolean]>([
    [{}, false, false],
    [{ olderCookieName: () => 'old' }, true, false],
    [{ olderCookieDomain: '' }, true, false],
    [{ olderCookiePartitioned: false }, true, true],
    [{ olderAccessTokenPath: '/' }, true, true],
    [{ olderRefreshTokenPath: '/' }, true, true],
    [{ accessTokenPath: '/api' }, true, false],
    [{ accessTokenPath: '/api/v2' }, true, true],
  ])('exist with %j: %s; a request to /me need not show them: %s', (changes, exist, areUnseen) => {
    expect(hasOlderPlaces(wireConfig(changes))).toBe(exist);
    expect(hasUnseenPlaces(requestTo('/me'), wireConfig(changes))).toBe(areUnseen);
  });

  it('show themselves with a request below them', () => {
    const config = wireConfig({ accessTokenPath: '/api/v2' });
    expect(hasUnseenPlaces(requestTo('/api/me'), config)).toBe(false);
  });
});

describe('the paths that a browser sends cookies from', () => {
  it('count with the prefix that a gateway strips, and without', () => {
    const config = behindGateway('/gateway');
    expect(sendingPaths(requestTo('/a/b'), config)).toEqual([
      '/',
      '/gateway',
      '/gateway/a',
      '/gateway/a/b',
      '/a',
      '/a/b',
    ]);
  });

  it.each([
    ['/', ['/']],
    ['/a', ['/', '/a']],
    ['/a/', ['/', '/a']],
    ['/a/b', ['/', '/a', '/a/b']],
    [
      '/1/2/3/4/5/6/7/8/9',
      [
        '/',
        '/1',
        '/1/2',
        '/1/2/3',
        '/1/2/3/4',
        '/1/2/3/4/5',
        '/1/2/3/4/5/6',
        '/1/2/3/4/5/6/7',
        '/1/2/3/4/5/6/7/8',
      ],
    ],
    ['/a;Domain=evil.io', ['/']],
    ['/a b', ['/']],
    ['/ä', ['/']],
  ])('are the folders of %j, at most eight deep and only those that can be written', (url, paths) => {
    expect(sendingPaths(requestTo(url), wireConfig())).toEqual(paths);
  });
});

it('each value counts once', () => {
  expect(distinct(['a', undefined, 'b', 'a'])).toEqual(['a', 'b']);
});
