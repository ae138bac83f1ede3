import { isJsonObject } from '../util/json.js';
import { BODY_LIMIT, JSON_TYPE, readForm } from './body-errors.js';
import type { IncomingRequestSource } from './incoming-request.js';

/**
 * A request of any framework.
 *
 * @publicApi
 */
export interface PlainRequest {
  readonly method: string;
  /** Path and query, as the client sent them. */
  readonly url: string;
  /** Names in any letter case. A header of several lines is a list, or several pairs. */
  readonly headers:
    | Readonly<Record<string, string | readonly string[] | undefined>>
    | Iterable<readonly [name: string, value: string]>;
  /**
   * The text or the bytes of the body, or what a parser made of it: read for `POST <base>/sessions/revoke`, `/session/revocations` and
   * `/session/backchannel-logout`.
   */
  readonly body?: unknown;
  /** The client's address, for events, devices and rate limits: that of the connection, or what a trusted proxy says. */
  readonly ip?: string | undefined;
}

/** Headers of which Node keeps the first line alone; the lines of all others are joined. */
const SINGLE = new Set([
  'age',
  'authorization',
  'content-length',
  'content-type',
  'etag',
  'expires',
  'from',
  'host',
  'if-modified-since',
  'if-unmodified-since',
  'last-modified',
  'location',
  'max-forwards',
  'proxy-authorization',
  'referer',
  'retry-after',
  'server',
  'user-agent',
]);

/** A request in the form of Node's. */
export interface ReadRequest extends IncomingRequestSource {
  readonly body: unknown;
  readonly ip?: string;
}

/**
 * Returns a request in the form of Node's.
 *
 * @throws {TypeError} it is none
 */
export function incomingRequest(request: PlainRequest): ReadRequest {
  const { method, url, ip } = request;
  if (typeof method !== 'string' || method === '') throw wrongMember('method', "text, 'GET' for example");
  if (typeof url !== 'string' || url === '') throw wrongMember('url', "text, '/me?page=2' for example");
  if (ip !== undefined && typeof ip !== 'string') throw wrongMember('ip', 'text, or left out');
  const headers = readHeaders(request.headers);
  const body = readBody(request.body, headers['content-type']);
  return { method: method.toUpperCase(), url, headers, body, ...(ip === undefined ? {} : { ip }) };
}

function readHeaders(given: PlainRequest['headers']): Record<string, string> {
  if (typeof given !== 'object' || (given as unknown) === null)
    throw wrongMember('headers', 'an object, a list of pairs, or Headers');
  const pairs = Symbol.iterator in given ? [...given] : Object.entries(given);
  const headers = Object.create(null) as Record<string, string>;
  for (const pair of pairs as unknown[]) {
    const [name, value] = Array.isArray(pair) ? (pair as unknown[]) : [];
    if (value === undefined && typeof name === 'string') continue;
    const lines: unknown[] = Array.isArray(value) ? value : [value];
    if (typeof name !== 'string' || !lines.every((line) => typeof line === 'string'))
      throw wrongMember('headers', 'names with text or lists of texts');
    for (const line of lines) addLine(headers, name.toLowerCase(), line);
  }
  return headers;
}

function addLine(headers: Record<string, string>, name: string, line: string): void {
  const before = headers[name];
  if (before === undefined) headers[name] = line;
  else if (!SINGLE.has(name)) headers[name] = `${before}${name === 'cookie' ? '; ' : ', '}${line}`;
}

/** Reads JSON or a form, as a body parser does: another content type, a broken or a very long body is none. */
export function readBody(body: unknown, contentType = ''): unknown {
  const isBytes = body instanceof Uint8Array;
  if (!isBytes && typeof body !== 'string') return isJsonObject(body) ? body : undefined;
  if (body.length > BODY_LIMIT) return undefined;
  const text = isBytes ? new TextDecoder().decode(body) : body;
  if (!JSON_TYPE.test(contentType)) return readForm(text, contentType);
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined; // the route says what it expects
  }
}

function wrongMember(name: string, expected: string): TypeError {
  return new TypeError(`request.${name}: expected ${expected}`);
}
