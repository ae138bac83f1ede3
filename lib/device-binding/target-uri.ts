import { browserPaths } from '../http/incoming-request.js';
import type { SessionConfig } from '../options/session-config.js';
import type { HttpRequest } from '../util/http-exchange.js';

/** Scheme, host, port and path of a URI without user information. @see RFC 3986 appendix B */
const URI = /^(https?):\/\/([^\s\\/?#@:]+|\[[0-9a-f:.]+\])(?::(\d{0,5}))?((?:\/[^\s\\?#]*)?)(?:[?#]|$)/i;
const DEFAULT_PORTS: Readonly<Record<string, string>> = { http: '80', https: '443' };
const UNRESERVED = /^[\w.~-]$/;
const BROKEN_ENCODING = /%(?![0-9a-f]{2})/i;

/**
 * Returns whether a URI of a proof (`htu`) is the one that a request was sent to. What clients see is made of `apiDomain` and the
 * path, never of the `Host` header, which the sender chooses. Query and fragment do not count.
 *
 * @see RFC 9449 section 4.3, check 9
 */
export function isTargetUri(
  htu: string,
  request: HttpRequest,
  config: Pick<SessionConfig, 'appInfo'>,
): boolean {
  const { apiDomain } = config.appInfo;
  const paths = browserPaths(request, config);
  if (paths.some((path) => htu === apiDomain + path)) return true; // what almost all clients send
  const given = normaliseUri(htu);
  return given !== undefined && paths.some((path) => given === normaliseUri(apiDomain + path));
}

/**
 * Returns a URI without query and fragment in its one spelling: case of scheme and host, default port, percent-encoding,
 * dot segments.
 *
 * @returns undefined for a text that is no absolute `http` or `https` URI
 * @see RFC 3986 sections 6.2.2 and 6.2.3
 */
export function normaliseUri(uri: string): string | undefined {
  const [, scheme, host, port = '', path = ''] = URI.exec(uri) ?? [];
  if (scheme === undefined || host === undefined) return undefined;
  const name = scheme.toLowerCase();
  const isDefault = port === '' || port === DEFAULT_PORTS[name];
  return `${name}://${host.toLowerCase()}${isDefault ? '' : `:${port}`}${normalisePath(path)}`;
}

function normalisePath(path: string): string {
  const decoded = path.replaceAll(/[^/]+/g, (segment) =>
    // A lone percent sign would begin another encoding with what is decoded behind it: `%%37e`, `%7e`, `~`.
    BROKEN_ENCODING.test(segment) ? segment : segment.replaceAll(/%[0-9a-f]{2}/gi, decodeUnreserved),
  );
  return decoded.includes('/.') ? withoutDotSegments(decoded) : decoded || '/';
}

function decodeUnreserved(encoded: string): string {
  const character = String.fromCharCode(Number.parseInt(encoded.slice(1), 16));
  return UNRESERVED.test(character) ? character : encoded.toUpperCase();
}

/** @see RFC 3986 section 5.2.4 */
function withoutDotSegments(path: string): string {
  const kept: string[] = [];
  const segments = path.split('/').slice(1);
  for (const segment of segments) {
    if (segment === '..') kept.pop();
    else if (segment !== '.') kept.push(segment);
  }
  const endsInDots = segments.at(-1) === '.' || segments.at(-1) === '..';
  return `/${kept.join('/')}${endsInDots && kept.length > 0 ? '/' : ''}`;
}
