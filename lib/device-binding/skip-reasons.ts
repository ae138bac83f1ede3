import { distinct } from '../http/token-cookies.js';
import type { HttpRequest } from '../util/http-exchange.js';
import { readTokenList } from './structured-header.js';

const KNOWN_REASONS = ['unreachable', 'server_error', 'quota_exceeded'];

/**
 * Reads the reasons for which a browser did not renew its bound cookie. Other words than the draft's are the client's own, and become
 * `other`, so that none of them gets into records.
 *
 * @see docs/protocol/dbsc.md D6
 */
export function readSkipReasons(request: HttpRequest): string[] {
  const given = readTokenList(request.getHeaderValue('secure-session-skipped'));
  return distinct(given.map((reason) => (KNOWN_REASONS.includes(reason) ? reason : 'other')));
}
