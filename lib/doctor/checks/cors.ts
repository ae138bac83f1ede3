import {
  readHeader,
  isSuccess,
  readHeaderList,
  exchangeName,
  finalResponse,
  presentExchanges,
  headerLines,
  type RecordedExchange,
} from '../exchange.js';
import { FOREIGN_ORIGIN, isCrossOrigin, type Facts } from '../facts.js';
import { error, ok, combineFindings, warning, type Finding } from '../finding.js';
import { quote } from '../printable.js';
import { CLIENT_HEADERS } from '../../http/session-cors-headers.js';

const OWN_RESPONSE_HEADERS = ['front-token', 'st-access-token', 'st-refresh-token', 'anti-csrf'];
const CLIENT_WAITS = 'The browser hides the response from the page, and the client sees a failed request.';

/** Checks that pages of the website, and no others, may call the API and read its responses. */
export function checkCors(facts: Facts): Finding[] {
  if (!isCrossOrigin(facts)) {
    return [ok('cors.origin', 'website and API are one origin: CORS is not needed'), ...checkForeign(facts)];
  }
  return [
    ...checkPreflight(facts),
    checkOrigin(facts),
    ...checkCredentials(facts),
    ...checkRequestHeaders(facts),
    checkExposedHeaders(facts),
    ...checkForeign(facts),
    ...checkVary(facts),
  ];
}

function listPreflights({ exchanges }: Facts): RecordedExchange[] {
  return presentExchanges(exchanges.preflight, exchanges.signInPreflight).filter(isSettled);
}

/** The responses that a page must be able to read: errors as well, and those that carry tokens. */
function listResponses({ exchanges }: Facts): RecordedExchange[] {
  return presentExchanges(
    exchanges.emptyRefresh,
    exchanges.signIn,
    exchanges.refresh,
    exchanges.signOut,
  ).filter(isSettled);
}

function enableCors({ website }: Facts): string {
  return `app.enableCors(sessionCorsOptions({ origins: ['${website.origin}'] }))`;
}

function isSettled(exchange: RecordedExchange | undefined): exchange is RecordedExchange {
  return finalResponse(exchange) !== undefined;
}

function checkPreflight(facts: Facts): Finding[] {
  const preflights = listPreflights(facts);
  if (preflights.length === 0) return [];
  const refused = preflights.filter((exchange) => !isSuccess(exchange));
  return [
    combineFindings(
      'cors.preflight',
      refused.map((exchange) => `${exchangeName(exchange)} returns ${exchange.response?.status}`),
      'preflights succeed',
      {
        why: 'A browser asks by OPTIONS before it sends the headers of the client, and gives up unless the response is a success.',
        fix: `Call ${enableCors(facts)} before listening, and let OPTIONS pass proxies and firewalls without credentials.`,
      },
    ),
  ];
}

function checkOrigin(facts: Facts): Finding {
  const origin = facts.website.origin;
  const problems = [...listPreflights(facts), ...listResponses(facts)].flatMap((exchange) => {
    const problem = originProblem(exchange, origin);
    return problem === undefined
      ? []
      : [`${exchangeName(exchange)} (${exchange.response?.status}) ${problem}`];
  });
  return combineFindings('cors.origin', problems, `Access-Control-Allow-Origin names ${origin}`, {
    why: `${CLIENT_WAITS} Error responses need the header, too: a 401 is how the client learns that it must refresh.`,
    fix:
      `Allow exactly ${origin}, in one place, on every response: ${enableCors(facts)}. ` +
      'In nginx use "add_header … always" or leave CORS to the application, not both.',
  });
}

function originProblem(exchange: RecordedExchange, origin: string): string | undefined {
  const lines = headerLines(exchange, 'access-control-allow-origin');
  const value = lines.join(', ');
  if (value === origin) return undefined;
  if (lines.length === 0) return 'has no Access-Control-Allow-Origin';
  if (value.includes(',')) return `has several Access-Control-Allow-Origin: ${quote(value)}`;
  if (value === '*')
    return 'has Access-Control-Allow-Origin "*", which does not count for requests with credentials';
  return `has Access-Control-Allow-Origin ${quote(value)}, not ${origin}`;
}

/** Checks responses that allow an origin; the others have been reported. */
function checkCredentials(facts: Facts): Finding[] {
  const exchanges = [...listPreflights(facts), ...listResponses(facts)].filter(
    (exchange) => readHeader(exchange, 'access-control-allow-origin') !== undefined,
  );
  if (exchanges.length === 0) return [];
  const without = exchanges.filter((each) => readHeader(each, 'access-control-allow-credentials') !== 'true');
  return [
    combineFindings(
      'cors.credentials',
      without.map((exchange) => `${exchangeName(exchange)} lacks Access-Control-Allow-Credentials: true`),
      'credentials are allowed',
      {
        why: 'Without it a browser neither keeps the cookies of the response nor shows it to the page.',
        fix: `Set credentials: true in the CORS options; ${enableCors(facts)} does.`,
      },
    ),
  ];
}

function checkRequestHeaders(facts: Facts): Finding[] {
  const preflights = listPreflights(facts).filter(isSuccess);
  if (preflights.length === 0) return [];
  const problems = preflights.flatMap((exchange) => {
    const allowed = readHeaderList(exchange, 'access-control-allow-headers');
    const missing = CLIENT_HEADERS.filter((name) => !allowed.includes(name));
    if (missing.length === 0) return [];
    const star = allowed.includes('*') ? ' ("*" does not count for requests with credentials)' : '';
    return [`${exchangeName(exchange)} does not allow ${missing.join(', ')}${star}`];
  });
  return [
    combineFindings('cors.request-headers', problems, 'the headers of the client are allowed', {
      why: 'The client sends these with its requests; the browser stops every request that has one which is not allowed.',
      fix: `Add sessionCorsHeaders() to the allowed headers; ${enableCors(facts)} does.`,
    }),
  ];
}

function checkExposedHeaders(facts: Facts): Finding {
  const problems = listResponses(facts).flatMap((exchange) => {
    const exposed = readHeaderList(exchange, 'access-control-expose-headers');
    const hidden = OWN_RESPONSE_HEADERS.filter(
      (name) => readHeader(exchange, name) !== undefined && !exposed.includes(name),
    );
    return hidden.length === 0 ? [] : [`${exchangeName(exchange)} does not expose ${hidden.join(', ')}`];
  });
  return combineFindings('cors.exposed-headers', problems, 'the headers for the client are exposed', {
    why: 'The client learns from front-token that there is a session, and in header mode gets its tokens in headers.',
    fix:
      'The module adds them to Access-Control-Expose-Headers by itself: do not overwrite that header afterwards, in a ' +
      'proxy for example.',
  });
}

/** Finds a server that allows every origin, because any website could then use the user's session. */
function checkForeign(facts: Facts): Finding[] {
  const { foreignPreflight, emptyRefresh } = facts.exchanges;
  if (!isSettled(foreignPreflight)) return [];
  const allowed = readHeader(foreignPreflight, 'access-control-allow-origin');
  const isReflected = allowed === FOREIGN_ORIGIN || allowed === 'null';
  if (!isReflected || readHeader(foreignPreflight, 'access-control-allow-credentials') !== 'true') {
    return [ok('cors.foreign-origin', 'an unknown website is not allowed')];
  }
  return [
    error('cors.foreign-origin', `${exchangeName(emptyRefresh)} allows a website that cannot be on a list`, {
      why: 'Any page that a user visits can call the API with credentials and read the responses.',
      fix: `List your websites one by one: ${enableCors(facts)}. Not origin: true, no pattern that matches all.`,
    }),
  ];
}

/** Checks `Vary` when responses differ by origin; those that always name the same origin may be cached. */
function checkVary(facts: Facts): Finding[] {
  const { preflight, foreignPreflight } = facts.exchanges;
  if (!isSettled(preflight) || !isSettled(foreignPreflight)) return [];
  const [own, other] = [preflight, foreignPreflight].map((each) =>
    readHeader(each, 'access-control-allow-origin'),
  );
  const vary = readHeaderList(preflight, 'vary');
  if (own === undefined || own === other || vary.includes('origin') || vary.includes('*')) return [];
  return [
    warning('cors.vary', `${exchangeName(preflight)} differs by origin without Vary: Origin`, {
      why: 'A cache may give one website the response that was made for another, which the browser then refuses.',
      fix: `Let the application set CORS (${enableCors(facts)}), or add Vary: Origin where the header is set.`,
    }),
  ];
}
