import type { HttpRequest } from '../util/http-exchange.js';
import { parseCookieHeader } from './cookies.js';

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

const NO_COOKIES: ReadonlyMap<string, string> = new Map<string, string>();

/** The request side of the port; Express, Fastify and `node:http` look alike here. */
export class IncomingRequest implements HttpRequest {
  private cookies: { readonly header: string; readonly values: ReadonlyMap<string, string> } | undefined;

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
    const parsed = this.original.cookies;
    if (typeof parsed !== 'object' || parsed === null) return this.parsedHeader().get(name);
    const value: unknown = Object.hasOwn(parsed, name) ? Reflect.get(parsed, name) : undefined;
    return typeof value === 'string' ? value : undefined; // cookie parsers make objects of values starting with `j:`
  }

  private parsedHeader(): ReadonlyMap<string, string> {
    const header = this.getHeaderValue('cookie');
    if (header === undefined) return NO_COOKIES;
    if (this.cookies?.header !== header) this.cookies = { header, values: parseCookieHeader(header) };
    return this.cookies.values;
  }
}
