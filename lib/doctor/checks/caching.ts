import {
  headerLines,
  readHeader,
  readHeaderList,
  exchangeName,
  presentExchanges,
  type RecordedExchange,
} from '../exchange.js';
import type { Facts } from '../facts.js';
import { combineFindings, type Finding } from '../finding.js';
import { sessionCookies } from '../session-tokens.js';

/** Checks that no cache stores a response that sets or clears tokens. */
export function checkCaching({ exchanges }: Facts): Finding[] {
  const { emptyRefresh, signIn, refresh, signOut } = exchanges;
  const withTokens = presentExchanges(emptyRefresh, signIn, refresh, signOut).filter(carriesTokens);
  if (withTokens.length === 0) return [];
  const problems = withTokens.flatMap((exchange) => {
    const problem = findCachingProblem(exchange);
    return problem === undefined ? [] : [`${exchangeName(exchange)} ${problem}`];
  });
  return [
    combineFindings('caching.no-store', problems, 'responses with tokens are not stored', {
      why: "A cache on the way may give one user's session to another.",
      fix: 'The module sets Cache-Control: no-store: do not overwrite it, in a proxy, a CDN or an interceptor.',
    }),
  ];
}

function carriesTokens(exchange: RecordedExchange): boolean {
  return (
    sessionCookies(exchange).length > 0 ||
    headerLines(exchange, 'st-access-token').length > 0 ||
    headerLines(exchange, 'front-token').length > 0
  );
}

function findCachingProblem(exchange: RecordedExchange): string | undefined {
  if (Number(readHeader(exchange, 'age') ?? 0) > 0) return 'came from a cache (Age)';
  return readHeaderList(exchange, 'cache-control').includes('no-store')
    ? undefined
    : 'lacks Cache-Control: no-store';
}
