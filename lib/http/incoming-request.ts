import type { HttpRequest } from '../util/http-exchange.js';
import { ownMember } from '../util/json.js';
import { MAX_CREDENTIAL_LENGTH } from './authorization.js';
import { findCookies, type FoundCookie } from './cookies.js';

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
