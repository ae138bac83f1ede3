import { isIP } from 'node:net';
import { UnauthorisedError } from '../../../lib/errors.js';
import { assertAllowedOrigin, assertOwnSignIn } from '../../../lib/http/csrf.js';
import { isRoutePath, isRouteRequest, requestPath, samePath } from '../../../lib/http/request-path.js';
import { isTargetUri, normaliseUri } from '../../../lib/device-binding/target-uri.js';
import { addressGroup, clientAddress } from '../../../lib/util/client-address.js';
import { wireConfig } from '../../fixtures/wire-config.js';
import { must, mustEqual, parsedOr, type FuzzTarget } from '../target.js';
import { requestWith } from './cookies.js';

const config = wireConfig();
const withList = wireConfig({ allowedOrigins: ['https://shop.io', 'https://app.shop.io:8443'] });
const OWN_ORIGINS = new Set([config.appInfo.apiDomain, 'https://shop.io']);

export const ADDRESS_TARGETS: readonly FuzzTarget[] = [
  {
    name: 'client-address',
    seeds: [
      '192.0.2.1',
      '192.0.2.1:443',
      '[2001:db8::1]:443',
      '::ffff:192.0.2.1',
      '64:ff9b::c000:201',
      'fe80::1%eth0',
      '1:2:3:4:5:6:7::',
    ],
    run(ip) {
      const address = clientAddress({ original: { ip } } as never);
      if (address === undefined) {
        mustEqual(addressGroup(ip), ip, 'the group of a text that is no address is the text');
        return;
      }
      must(isIP(address) !== 0, 'the address is one');
      mustEqual(
        clientAddress({ original: { ip: address } } as never),
        address,
        'an address is its own normal form',
      );
      mustEqual(addressGroup(ip), addressGroup(address), 'every spelling is in the same group');
      must(/^[\d.]+$|^[\da-f:]+\/64$/.test(addressGroup(ip)), 'a group is an address or a network');
    },
  },
  {
    name: 'target-uri',
    seeds: [
      'https://api.shop.io/me?x=1#y',
      'HTTPS://API.shop.io:443/a/./b/../%7euser',
      'http://[2001:DB8::1]:80/%2e%2E/',
      'https://api.shop.io',
    ],
    run(uri) {
      const normal = normaliseUri(uri);
      const request = requestWith({}, 'GET', '/me');
      const isTarget = isTargetUri(uri, request, config);
      if (normal === undefined) {
        must(!isTarget, 'a text that is no address is not that of a request');
        return;
      }
      mustEqual(normaliseUri(normal), normal, 'the normal form is its own');
      must(
        isTarget === (normal === 'https://api.shop.io/me'),
        'an address is that of the request in every spelling, and no other',
      );
      // The parser of browsers allows fewer hosts; where it reads the address, it is the same place.
      if (!URL.canParse(uri) || /[^\u0021-\u007e]|%[^/?#]*\//.test(uri.slice(0, uri.indexOf('/', 8)))) return;
      const { protocol, host } = new URL(uri);
      const [scheme, , authority] = normal.split('/', 3);
      must(protocol === scheme, 'the scheme is that of the address');
      if (/^[a-z][a-z0-9.-]*$/.test(authority ?? '') && !(authority ?? '').startsWith('xn--'))
        mustEqual(host, authority, 'the host is that of the address');
    },
  },
  {
    name: 'request-path',
    seeds: [
      '/auth/session/refresh',
      '/auth/t1/session/refresh/?a=b',
      'http://h:1/auth/session/refresh#x',
      '//evil/auth/session/refresh',
      'https://a@b/c',
    ],
    run(url) {
      const path = requestPath(url);
      must(!/[?#]/.test(path), 'a path has neither query nor fragment');
      must(samePath(path, path), 'a path is the same as itself');
      const isRoute = isRoutePath('refresh', path, '/auth');
      must(
        !isRoute || /^\/auth(?:\/[A-Za-z0-9-]+)?\/session\/refresh\/?$/.test(path),
        'a route has one form',
      );
      const bases = { basePath: '/auth', apiBasePath: '/auth' };
      must(
        isRouteRequest('refresh', { method: 'POST', url }, bases) === isRoute,
        'a request is one for the route of its path',
      );
      must(!isRouteRequest('refresh', { method: 'GET', url }, bases), 'a refresh is no GET');
    },
  },
  {
    name: 'origin',
    seeds: [
      'https://shop.io',
      'https://api.shop.io',
      'null',
      'https://shop.io.evil.example',
      'https://app.shop.io:8443',
      'https://user@shop.io',
    ],
    run(origin) {
      for (const site of ['cross-site', undefined]) {
        const headers = { origin, ...(site === undefined ? {} : { 'sec-fetch-site': site }) };
        const scope = { request: requestWith(headers, 'POST'), userContext: {} } as never;
        const isAllowed =
          parsedOr([UnauthorisedError], '', () => (assertAllowedOrigin(scope, config), true)) === true;
        if (site === 'cross-site')
          must(
            isAllowed === OWN_ORIGINS.has(origin),
            'a page of another site passes by its exact origin only',
          );
        else if (isAllowed)
          must(/(?:^|[./])shop\.io$/.test(new URL(origin).host), 'a page passes on its own site only');
        const isListed =
          parsedOr([UnauthorisedError], '', () => (assertAllowedOrigin(scope, withList), true)) === true;
        must(isListed === (withList.allowedOrigins?.includes(origin) ?? false), 'a list is exact');
        parsedOr([UnauthorisedError], '', () => assertOwnSignIn(scope, config));
      }
    },
  },
];
