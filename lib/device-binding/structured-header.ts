import { distinct } from '../http/token-cookies.js';
import type { HttpRequest } from '../util/http-exchange.js';

/** A header value without quotes around it and without parameters: Chromium sends proofs and identifiers bare, the draft quotes them (D4, D5). */
export function readBareOrQuoted(value: string | undefined): string | undefined {
  if (value === undefined) return undefined;
  const [, quoted, bare] = /^\s*(?:"([^"\\]*)"|([^\s",;]+))\s*(?:;[^,"]*)?$/.exec(value) ?? [];
  return quoted ?? bare;
}

/** Returns the names in a list of tokens, without their parameters. */
export function readTokenList(value: string | undefined): string[] {
  // Quotes hold identifiers, in which a comma can be.
  const withoutParameters = (value ?? '').slice(0, 1024).replaceAll(/"[^"]*"/g, '');
  return withoutParameters
    .split(',')
    .map((item) => item.split(';', 1)[0]?.trim() ?? '')
    .filter((name) => /^[A-Za-z*][\w:/!#$%&'*+.^`|~-]{0,63}$/.test(name)); // a token of RFC 9651 section 3.3.4
}

/** Returns a text as a string of a structured field. @throws {TypeError} it has other characters than printable ASCII @see RFC 9651 section 3.3.3 */
export function quote(text: string): string {
  if (!/^[ -~]*$/.test(text)) throw new TypeError('A structured string holds printable ASCII only');
  return `"${text.replaceAll(/["\\]/g, '\\$&')}"`;
}

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
