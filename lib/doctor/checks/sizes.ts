import { isSuccess, exchangeName, presentExchanges, type RecordedExchange } from '../exchange.js';
import { type Facts } from '../facts.js';
import { ok, combineFindings, type Finding } from '../finding.js';
import { sessionCookies } from '../session-tokens.js';

const USUAL_LIMIT = 8 * 1024;
const LAST_LIMIT = 16 * 1024;
/** The octets of other headers that browsers send: agent, languages, hints. */
const OTHER_REQUEST_HEADERS = 1024;

/** Checks that the headers of requests and responses fit the limits of servers in between. */
export function checkSizeOfHeads({ exchanges }: Facts): Finding[] {
  const withTokens = presentExchanges(exchanges.signIn, exchanges.refresh).filter(isSuccess);
  const heads = withTokens.flatMap((exchange) => [
    { what: `the response to ${exchangeName(exchange)} has headers of`, octets: headOctets(exchange) },
    {
      what: `after ${exchangeName(exchange)} requests have headers of about`,
      octets: requestOctets(exchange),
    },
  ]);
  const [largest] = heads.toSorted((a, b) => b.octets - a.octets);
  if (largest === undefined) return [];
  const seen = `${largest.what} ${largest.octets} octets`;
  if (largest.octets <= USUAL_LIMIT) return [ok('header.size', seen)];
  return [
    combineFindings(
      'header.size',
      [seen],
      '',
      {
        why:
          'Node accepts 16 KB of request headers; proxies often take 8 KB, and nginx buffers 4 or 8 KB of a response: beyond ' +
          'that users see 400, 431 or 502.',
        fix: 'Keep less in the access token payload (it travels in the token and in front-token), and fewer other cookies.',
      },
      largest.octets > LAST_LIMIT ? 'error' : 'warning',
    ),
  ];
}

function headOctets(exchange: RecordedExchange): number {
  const lines = exchange.response?.headers ?? [];
  return lines.reduce(
    (sum, [name, value]) => sum + Buffer.byteLength(name) + Buffer.byteLength(value) + 4,
    0,
  );
}

/** The size of a refresh request, which carries both cookies. */
function requestOctets(exchange: RecordedExchange): number {
  const cookies = sessionCookies(exchange).filter(({ isRemoval }) => !isRemoval);
  return cookies.reduce(
    (sum, { name, value }) => sum + name.length + value.length + 3,
    OTHER_REQUEST_HEADERS,
  );
}
