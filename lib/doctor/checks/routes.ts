import {
  jsonBody,
  exchangeName,
  finalResponse,
  readHeader,
  type RecordedResponse,
  type RecordedExchange,
} from '../exchange.js';
import { allExchanges, type Facts } from '../facts.js';
import { error, ok, warning, type Finding } from '../finding.js';
import { quote } from '../printable.js';
import { normalisePath } from '../../options/domains.js';
import { SESSION_ROUTES } from '../../options/session-routes.js';

/** Checks that the session routes are where the client expects them, and that the application knows its address. */
export function checkRoutes(facts: Facts): Finding[] {
  return [...checkRefresh(facts), ...checkKeys(facts), ...checkDiscovery(facts), ...checkCore(facts)];
}

/** True for the module's response to a refresh without a token. */
export function isSessionRoute(exchange: RecordedExchange): boolean {
  const response = finalResponse(exchange);
  if (response === undefined || response.status === 404) return false;
  return (
    jsonBody(response)?.['message'] === 'unauthorised' || readHeader(exchange, 'front-token') === 'remove'
  );
}

function checkRefresh({ exchanges }: Facts): Finding[] {
  const { emptyRefresh } = exchanges;
  const response = finalResponse(emptyRefresh);
  if (response === undefined) return []; // a redirect, reported as such
  const name = exchangeName(emptyRefresh);
  if (isSessionRoute(emptyRefresh)) {
    const remark = response.status === 401 ? '' : '; the client must know this sessionExpiredStatusCode';
    return [
      ok('routes.refresh', `${name} returns ${response.status} to a client without a session${remark}`),
    ];
  }
  if (jsonBody(response)?.['message'] === 'duplicate session cookies') return [olderCookies(name)];
  if (response.status === 404) return [missingRoute(name, exchanges.otherPaths ?? [])];
  return [unexpectedResponse(name, response)];
}

function missingRoute(name: string, otherPaths: readonly RecordedExchange[]): Finding {
  const found = otherPaths.find(isSessionRoute);
  const why = 'The client cannot refresh: users are signed out when their first access token expires.';
  if (found === undefined) {
    return error('routes.refresh', `${name} returns 404`, {
      why,
      fix:
        'Compare appInfo.apiBasePath (default /auth) with the address given here and with apiBasePath in the client; behind ' +
        'a gateway that strips a prefix, set appInfo.apiGatewayPath. A global prefix of Nest does not move these routes.',
    });
  }
  const basePath = new URL(found.url).pathname.slice(0, -SESSION_ROUTES.refresh.path.length) || '/';
  return error('routes.refresh', `${name} returns 404, the session routes are at ${basePath}`, {
    why,
    fix: `Set apiBasePath to ${basePath} in the client, or appInfo.apiBasePath in the API to what the client uses.`,
  });
}

/** The cookies come from a header that was given to the doctor: it sends none of its own here. */
function olderCookies(name: string): Finding {
  return error('cookie.older', `${name} carries two generations of one cookie, and is refused with 400`, {
    why: 'A browser with these cookies can neither refresh nor use a session. They remain of an earlier configuration.',
    fix:
      'Set olderCookieDomain, olderAccessTokenPath or olderCookieNamePrefixes to the value before the change. Make sure that it differs ' +
      'from the present one: olderCookieDomain is empty only where there was no cookieDomain and there is one now.',
  });
}

function unexpectedResponse(name: string, response: RecordedResponse): Finding {
  const seen = `${name} without a token returns ${response.status}, not as a session route does`;
  const why = 'Another service responds in its place, so the client cannot refresh.';
  if (response.status === 401) {
    return warning('routes.refresh', seen, {
      why: 'A proxy or a guard in front may want credentials of its own; a handler of yours (onUnauthorised) would be fine.',
      fix: 'Let requests to the session routes pass the proxy or guard in front, or give its header to the doctor by --header.',
    });
  }
  if (response.status >= 200 && response.status < 300) {
    return error('routes.refresh', seen, {
      why,
      fix: 'It looks like a web page or another service: give the address of the API, and check the routing of the proxy.',
    });
  }
  return error('routes.refresh', seen, {
    why,
    fix: 'Look into the logs of the application and of the layers in front of it (firewall, CSRF middleware, rate limit).',
  });
}

function checkKeys({ exchanges: { jwks, emptyRefresh } }: Facts): Finding[] {
  const response = finalResponse(jwks);
  if (jwks === undefined || response === undefined || !isSessionRoute(emptyRefresh) || response.status >= 500)
    return [];
  const keys = jsonBody(response)?.['keys'];
  if (response.status === 200 && Array.isArray(keys) && keys.length > 0) {
    return [ok('routes.jwks', `${exchangeName(jwks)} returns ${keys.length} keys`)];
  }
  return [
    warning('routes.jwks', `${exchangeName(jwks)} returns ${response.status} without keys`, {
      why: 'Services that verify access tokens or JWTs of this API find no keys. Browsers do not need them.',
      fix: 'Remove the override that switches getJWKSGET off, or ignore this if no other service verifies tokens.',
    }),
  ];
}

function checkDiscovery({ api, exchanges: { discovery, emptyRefresh } }: Facts): Finding[] {
  const response = finalResponse(discovery);
  if (discovery === undefined || response === undefined || !isSessionRoute(emptyRefresh)) return [];
  const issuer = jsonBody(response)?.['issuer'];
  if (response.status !== 200 || typeof issuer !== 'string') {
    return [
      warning('routes.discovery', `${exchangeName(discovery)} returns ${response.status} without an issuer`, {
        why: 'Services that configure themselves from it cannot. Browsers do not need it.',
        fix: 'Remove the override that switches getOpenIdDiscoveryConfigurationGET off, or ignore this if no service reads it.',
      }),
    ];
  }
  return [
    ok('routes.discovery', `${exchangeName(discovery)} responds`),
    checkIssuer(issuer, api.origin, api.basePath),
    ...checkMount(issuer, api.basePath),
  ];
}

/** Finds a prefix that clients see and the application does not: it is mounted below a path, or something strips it. */
function checkMount(issuer: string, basePath: string): Finding[] {
  const known = URL.canParse(issuer) ? normalisePath(new URL(issuer).pathname) : basePath;
  if (known === basePath || !basePath.endsWith(known)) return [];
  const prefix = basePath.slice(0, basePath.length - known.length);
  return [
    error(
      'routes.mount',
      `the routes are found below ${quote(prefix)}, which the application does not know of`,
      {
        why: 'The path of the refresh cookie lacks it, so browsers never send the refresh token: users are signed out.',
        fix: `Set appInfo.apiGatewayPath to ${quote(prefix)}, in front of a value that it may have.`,
      },
    ),
  ];
}

/** Compares the issuer, which is the application's own address by its options, with the examined address. */
function checkIssuer(issuer: string, origin: string, basePath: string): Finding {
  if (issuer === origin + basePath)
    return ok('routes.issuer', `the application knows its address, ${quote(issuer)}`);
  const seen = `the application takes ${quote(issuer)} for its address, the examined address is ${quote(origin + basePath)}`;
  const why =
    'From appInfo the module derives Secure, SameSite, the path of the refresh cookie and the issuer of its tokens.';
  if (URL.canParse(issuer) && new URL(issuer).origin === origin) {
    return warning('routes.issuer', seen, {
      why,
      fix: 'Set appInfo.apiBasePath and, for a prefix that a gateway strips, appInfo.apiGatewayPath to what browsers use.',
    });
  }
  return warning('routes.issuer', seen, {
    why,
    fix: 'Set appInfo.apiDomain to the origin that browsers use, with the scheme from outside the proxy.',
  });
}

function checkCore(facts: Facts): Finding[] {
  // Without the option deviceBound its route is 503 on purpose, at which browsers keep their keys.
  const { deviceRoute } = facts.exchanges;
  const failing = allExchanges(facts).filter(
    (exchange) => exchange !== deviceRoute && (finalResponse(exchange)?.status ?? 0) >= 500,
  );
  if (failing.length === 0) return [];
  const seen = failing
    .map((exchange) => `${exchangeName(exchange)} returns ${exchange.response?.status}`)
    .join('; ');
  return [
    error('core.unavailable', seen, {
      why: 'The API, the core behind it or its store fails: sessions can be neither created nor refreshed.',
      fix: 'Look into the log of the application; 503 means that the core or the store could not be reached.',
    }),
  ];
}
