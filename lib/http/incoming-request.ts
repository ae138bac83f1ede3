import type { SessionConfig } from '../options/session-config.js';
import type { HttpRequest } from '../util/http-exchange.js';
import { ownMember } from '../util/json.js';
import { requestPath } from './request-path.js';

/** Longer than any token and than what Node accepts by default; work on the value ends here. */
export const MAX_CREDENTIAL_LENGTH: number = 16 * 1024;
const MAX_COOKIE_HEADER_LENGTH = 64 * 1024;

/** The properties that we read of a request of Express, Fastify or `node:http`. */
export interface IncomingRequestSource {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  /** The URL before a router took its mount prefix off. */
  readonly originalUrl?: string | undefined;
  readonly headers: { readonly [name: string]: string | string[] | undefined };
  /** Set by a cookie parser, if the application has one. */
  readonly cookies?: unknown;
}

/** The request side of the port; Express, Fastify and `node:http` look alike here. */
export class IncomingRequest implements HttpRequest {
  /** Read once, because on a request of Node it is an accessor, and a slow one under Express. */
  private readonly headers: IncomingRequestSource['headers'];

  constructor(readonly original: IncomingRequestSource) {
    this.headers = original.headers;
  }

  getMethod(): string {
    return (this.original.method ?? '').toLowerCase();
  }

  getOriginalURL(): string {
    return this.original.originalUrl ?? this.original.url ?? '';
  }

  getHeaderValue(name: string): string | undefined {
    const key = name.toLowerCase();
    if (!Object.hasOwn(this.headers, key)) return undefined; // an inherited name such as `__proto__` is no header
    const value = this.headers[key];
    return Array.isArray(value) ? value[0] : value;
  }

  getCookieValue(name: string): string | undefined {
    const parsed = this.parsedCookies;
    return parsed === undefined ? findHeaderCookies(this, [name])[0]?.value : readCookie(parsed, name);
  }

  /** The cookies that a parser of the application has read, which count in place of the header. */
  get parsedCookies(): object | undefined {
    const { cookies } = this.original;
    return typeof cookies === 'object' && cookies !== null ? cookies : undefined;
  }
}

/** A cookie of a request. */
export interface RequestCookie extends FoundCookie {
  /** True if the cookie is there with any value, also one that a parser has made an object of. */
  readonly isPresent: boolean;
}

/** The cookies of a request, as far as one token is concerned. */
export interface PresentedCookie {
  /** Its value; undefined if there is none, or if it exceeds 16 kB. */
  readonly token: string | undefined;
  /** True if the token's cookie is there with any value, also one that is not returned. */
  readonly isPresent: boolean;
  /** True if the token's cookie came more than once, as happens after a change of `cookieDomain`. */
  readonly isDuplicated: boolean;
  /** True if the cookie of very old SDKs is there, even empty: such a client has to refresh. */
  readonly hasLegacyCookie: boolean;
}

/** Returns the cookie of a token as far as a request presents it. @param legacy the cookie of very old SDKs */
export function presentedCookie(
  cookie: RequestCookie | undefined,
  legacy: RequestCookie | undefined,
): PresentedCookie {
  const value = cookie?.value;
  return {
    token: value === undefined || value.length > MAX_CREDENTIAL_LENGTH ? undefined : value,
    isPresent: cookie?.isPresent === true,
    isDuplicated: cookie !== undefined && cookie.count > 1,
    hasLegacyCookie: legacy?.isPresent === true,
  };
}

/** Finds the cookies with these names, in one pass over the request's header. @returns one for each name */
export function findRequestCookies(request: HttpRequest, names: readonly string[]): RequestCookie[] {
  const isParsed = !(request instanceof IncomingRequest) || request.parsedCookies !== undefined;
  return findHeaderCookies(request, names).map(({ value: inHeader, count }, i) => {
    const value = isParsed ? request.getCookieValue(names[i] ?? '') : inHeader;
    return { value, count, isPresent: value !== undefined || inHeader !== undefined };
  });
}

/** Finds the cookies with these names in a `Cookie` header, where no parser of the application counts. @returns one for each name */
export function cookiesOfHeader(header: string | undefined, names: readonly string[]): RequestCookie[] {
  return findCookies(header ?? '', names).map((cookie) => ({
    ...cookie,
    isPresent: cookie.value !== undefined,
  }));
}

function findHeaderCookies(request: HttpRequest, names: readonly string[]): FoundCookie[] {
  return findCookies(request.getHeaderValue('cookie') ?? '', names);
}

/** Cookie parsers make objects of values that start with `j:`. */
function readCookie(cookies: object, name: string): string | undefined {
  const value = ownMember(cookies, name);
  return typeof value === 'string' ? value : undefined;
}

/** The cookies of one name in a `Cookie` header. */
export interface FoundCookie {
  /**
   * The value of the first one: without surrounding quotes, percent-decoded, and as it is where that fails. Undefined if there
   * is none.
   */
  value: string | undefined;
  /** How many there are, those with a percent-encoded name or without a value included. */
  count: number;
}

/**
 * Finds cookies by their names in one pass over a `Cookie` header, and takes apart no others. A header beyond 64 kB, which no
 * browser sends, counts as empty.
 *
 * @returns one for each name, in their order
 * @see docs/protocol/sdk.md §3.6, §3.9
 */
export function findCookies(header: string, names: readonly string[]): FoundCookie[] {
  const found = names.map((): FoundCookie => ({ value: undefined, count: 0 }));
  if (header.length > MAX_COOKIE_HEADER_LENGTH) return found;
  let separator = -1;
  for (let start = 0, end = 0; start < header.length; start = end + 1) {
    end = indexFrom(header, ';', start);
    // Looked for again only once it is behind, because a header without any would be read to its end for each cookie.
    if (separator < start) separator = indexFrom(header, '=', start);
    const name = header.slice(start, Math.min(separator, end)).trim();
    const decodedName = percentDecode(name);
    found.forEach((cookie, i) => {
      if (decodedName === names[i]) cookie.count++;
      if (name === names[i] && separator < end)
        cookie.value ??= percentDecode(unquote(header.slice(separator + 1, end).trim()));
    });
  }
  return found;
}

/** Returns the place of a character, or the length of the text if it is not there. */
function indexFrom(text: string, character: string, start: number): number {
  const index = text.indexOf(character, start);
  return index === -1 ? text.length : index;
}

function unquote(value: string): string {
  return value.length >= 2 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value;
}

/** Decodes percent-encoded text; returns it unchanged where that fails, because foreign cookies need not be encoded. */
export function percentDecode(text: string): string {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** A token of a request's `Authorization` header. */
export interface Authorization {
  /** `DPoP` says that a proof comes with the token. @see RFC 9449 section 7.1 */
  readonly scheme: 'Bearer' | 'DPoP';
  /** As sent; it may be empty. */
  readonly token: string;
}

/**
 * Reads the `Authorization` header. Tokens under `DPoP` are read without the option `deviceBound`, too, so that switching it off
 * signs nobody out.
 *
 * @returns undefined when there is none, when the scheme is another one (`Bearer` is read in this spelling only, as by
 *   SuperTokens), or when it exceeds 16 kB
 */
export function readAuthorization(request: HttpRequest): Authorization | undefined {
  const value = request.getHeaderValue('authorization');
  if (value === undefined || value.length > MAX_CREDENTIAL_LENGTH) return undefined;
  if (value.startsWith('Bearer ')) return { scheme: 'Bearer', token: value.slice('Bearer '.length).trim() };
  if (/^dpop /i.test(value)) return { scheme: 'DPoP', token: value.slice('DPoP '.length).trim() };
  return undefined;
}

/** The prefix that a gateway strips, in the configuration. */
export interface Gateway {
  readonly appInfo: Pick<SessionConfig['appInfo'], 'apiGatewayPath'>;
}

/** Returns whether browsers send the cookies of a path with a request; true also where the URL is not known. */
export function isSentFrom(cookiePath: string, request: HttpRequest, config: Gateway): boolean {
  return (
    cookiePath === '/' ||
    request.getOriginalURL() === '' ||
    // @see RFC 6265bis 5.1.4
    browserPaths(request, config).some((path) => `${path}/`.startsWith(`${cookiePath}/`))
  );
}

/** Returns the paths that the client may see: with the prefix of the gateway, and without. */
export function browserPaths(request: HttpRequest, { appInfo: { apiGatewayPath } }: Gateway): string[] {
  const path = requestPath(request.getOriginalURL());
  return [...new Set([apiGatewayPath + path, path])];
}

/** Names the object that stays the same while the requests made of it change. */
const IDENTITY = Symbol('nest-sessions: the identity of a request');

/** The mark of a request that is made anew whenever it is looked at, as that of a handshake is. */
export interface IdentifiedRequest {
  readonly [IDENTITY]: object;
}

/** Returns the member that makes all requests of one origin the same to {@link requestIdentity}. */
export function identifiedBy(origin: object): IdentifiedRequest {
  return { [IDENTITY]: origin };
}

/** Returns the object that stands for a request, however many exchanges are made of it. */
export function requestIdentity(request: HttpRequest): object {
  const { original } = request;
  if (typeof original !== 'object' || original === null) return request;
  return (original as Partial<IdentifiedRequest>)[IDENTITY] ?? original;
}
