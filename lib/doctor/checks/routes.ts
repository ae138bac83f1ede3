import {
  jsonBody,
  exchangeName,
  settledAnswer,
  readHeader,
  type RecordedAnswer,
  type RecordedExchange,
} from '../exchange.js';
import { allExchanges, type Facts } from '../facts.js';
import { error, ok, warning, type Finding } from '../finding.js';
import { quote } from '../printable.js';
import { SESSION_ROUTES } from '../../options/session-routes.js';

/** Do the session routes answer where the client will look for them, and does the application agree where it is? */
export function checkRoutes(facts: Facts): Finding[] {
  return [...checkRefresh(facts), ...checkKeys(facts), ...checkDiscovery(facts), ...checkCore(facts)];
}

/** True for what the module answers to a refresh without a token. */
export function isSessionRoute(exchange: RecordedExchange): boolean {
  const answer = settledAnswer(exchange);
  if (answer === undefined || answer.status === 404) return false;
  return jsonBody(answer)?.['message'] === 'unauthorised' || readHeader(exchange, 'front-token') === 'remove';
}

function checkRefresh({ exchanges }: Facts): Finding[] {
  const { emptyRefresh } = exchanges;
  const answer = settledAnswer(emptyRefresh);
  if (answer === undefined) return []; // a redirect, reported as such
  const name = exchangeName(emptyRefresh);
  if (isSessionRoute(emptyRefresh)) {
    const remark = answer.status === 401 ? '' : '; the client must know this sessionExpiredStatusCode';
    return [ok('routes.refresh', `${name} answers ${answer.status} to a client without a session${remark}`)];
  }
  if (answer.status === 404) return [missingRoute(name, exchanges.elsewhere ?? [])];
  return [unexpectedAnswer(name, answer)];
}

function missingRoute(name: string, elsewhere: readonly RecordedExchange[]): Finding {
  const found = elsewhere.find(isSessionRoute);
  const why = 'The client cannot refresh: users are signed out when their first access token expires.';
  if (found === undefined) {
    return error('routes.refresh', `${name} answers 404`, {
      why,
      mend:
        'Compare appInfo.apiBasePath (default /auth) with the address given here and with apiBasePath in the client; behind ' +
        'a gateway that strips a prefix, set appInfo.apiGatewayPath. A global prefix of Nest does not move these routes.',
    });
  }
  const basePath = new URL(found.url).pathname.slice(0, -SESSION_ROUTES.refresh.path.length) || '/';
  return error('routes.refresh', `${name} answers 404, the session routes are at ${basePath}`, {
    why,
    mend: `Set apiBasePath to ${basePath} in the client, or appInfo.apiBasePath in the API to what the client uses.`,
  });
}

function unexpectedAnswer(name: string, answer: RecordedAnswer): Finding {
  const seen = `${name} without a token answers ${answer.status}, not as a session route does`;
  const why = 'Something else answers in its place, so the client cannot refresh.';
  if (answer.status === 401) {
    return warning('routes.refresh', seen, {
      why: 'A proxy or a guard in front may want credentials of its own; a handler of yours (onUnauthorised) would be fine.',
      mend: 'Let requests to the session routes pass whatever is in front, or give its header to the doctor by --header.',
    });
  }
  if (answer.status >= 200 && answer.status < 300) {
    return error('routes.refresh', seen, {
      why,
      mend: 'It looks like a web page or another service: give the address of the API, and check the routing of the proxy.',
    });
  }
  return error('routes.refresh', seen, {
    why,
    mend: 'Look into the logs of the application and of what stands in front of it (firewall, CSRF middleware, rate limit).',
  });
}

function checkKeys({ exchanges: { jwks, emptyRefresh } }: Facts): Finding[] {
  const answer = settledAnswer(jwks);
  if (jwks === undefined || answer === undefined || !isSessionRoute(emptyRefresh) || answer.status >= 500)
    return [];
  const keys = jsonBody(answer)?.['keys'];
  if (answer.status === 200 && Array.isArray(keys) && keys.length > 0) {
    return [ok('routes.jwks', `${exchangeName(jwks)} answers with ${keys.length} keys`)];
  }
  return [
    warning('routes.jwks', `${exchangeName(jwks)} answers ${answer.status} without keys`, {
      why: 'Services that verify access tokens or JWTs of this API find no keys. Browsers do not need them.',
      mend: 'Remove the override that switches getJWKSGET off, or ignore this if nobody verifies tokens elsewhere.',
    }),
  ];
}

function checkDiscovery({ api, exchanges: { discovery, emptyRefresh } }: Facts): Finding[] {
  const answer = settledAnswer(discovery);
  if (discovery === undefined || answer === undefined || !isSessionRoute(emptyRefresh)) return [];
  const issuer = jsonBody(answer)?.['issuer'];
  if (answer.status !== 200 || typeof issuer !== 'string') {
    return [
      warning('routes.discovery', `${exchangeName(discovery)} answers ${answer.status} without an issuer`, {
        why: 'Services that configure themselves from it cannot. Browsers do not need it.',
        mend: 'Remove the override that switches getOpenIdDiscoveryConfigurationGET off, or ignore this if nobody reads it.',
      }),
    ];
  }
  return [
    ok('routes.discovery', `${exchangeName(discovery)} answers`),
    checkIssuer(issuer, api.origin, api.basePath),
  ];
}

/** The issuer is what the application takes for its own address. */
function checkIssuer(issuer: string, origin: string, basePath: string): Finding {
  if (issuer === origin + basePath)
    return ok('routes.issuer', `the application knows its address, ${quote(issuer)}`);
  const seen = `the application takes ${quote(issuer)} for its address, it was asked at ${quote(origin + basePath)}`;
  const why =
    'From appInfo the module derives Secure, SameSite, the path of the refresh cookie and the issuer of its tokens.';
  if (URL.canParse(issuer) && new URL(issuer).origin === origin) {
    return warning('routes.issuer', seen, {
      why,
      mend: 'Set appInfo.apiBasePath and, for a prefix that a gateway strips, appInfo.apiGatewayPath to what browsers use.',
    });
  }
  return warning('routes.issuer', seen, {
    why,
    mend: 'Set appInfo.apiDomain to the origin that browsers use, with the scheme from outside the proxy.',
  });
}

function checkCore(facts: Facts): Finding[] {
  const failing = allExchanges(facts).filter((exchange) => (settledAnswer(exchange)?.status ?? 0) >= 500);
  if (failing.length === 0) return [];
  const seen = failing
    .map((exchange) => `${exchangeName(exchange)} answers ${exchange.answer?.status}`)
    .join('; ');
  return [
    error('core.unavailable', seen, {
      why: 'The API, the core behind it or its store fails: sessions can be neither created nor refreshed.',
      mend: 'Look into the log of the application; 503 means that the core or the store could not be reached.',
    }),
  ];
}
