import type { TokenTransferMethod } from '../options/wire-options.js';
import { CookieJar, formatCookieHeader, matchesCookiePath, parseSetCookie } from '../http/set-cookie.js';

/** The headers of a response. */
export interface ResponseHeaders {
  /** All lines of a header; the name is case-insensitive. */
  lines(name: string): readonly string[];
}

/** The names and paths of tokens in requests and responses. */
export interface ClientTokensOptions {
  /** Path of the refresh route as cookies name it. */
  readonly refreshPath: string;
  /** The prefix that a gateway strips from the paths of a client. Default: none. */
  readonly gatewayPath?: string;
  readonly accessTokenHeader?: string;
  readonly refreshTokenHeader?: string;
  /** Milliseconds since the epoch, to drop cookies that have expired when they arrive. Default: they are kept. */
  readonly now?: () => number;
}

/** A client of one host needs neither the domain of a cookie nor, as all paths are set, the address of the request. */
const ANY_URL = new URL('http://localhost/');

/**
 * The tokens of a client of the session protocol, treated as a browser with supertokens-website does: a cookie jar, or
 * stored tokens that are sent as bearer tokens. Responses set and clear them.
 */
export class ClientTokens {
  accessToken: string | undefined;
  refreshToken: string | undefined;
  antiCsrf: string | undefined;
  frontToken: string | undefined;
  private readonly jar = new CookieJar();

  constructor(
    readonly mode: TokenTransferMethod,
    private readonly options: ClientTokensOptions,
  ) {}

  /** The value of a cookie as it was set: percent-encoded. */
  cookie(name: string): string | undefined {
    return this.jar.list().findLast((cookie) => cookie.name === name)?.value;
  }

  /**
   * Stores a cookie.
   *
   * @param value percent-encoded
   */
  setCookie(name: string, value: string, path = '/'): void {
    this.jar.set({ name, value, path });
  }

  /** Replaces all tokens by those of another client. */
  adoptTokens(other: ClientTokens): void {
    this.accessToken = other.accessToken;
    this.refreshToken = other.refreshToken;
    this.antiCsrf = other.antiCsrf;
    this.frontToken = other.frontToken;
    this.jar.clear();
    for (const cookie of other.jar.list()) this.jar.set(cookie);
  }

  /** The headers of a request to a path as the application sees it, with or without query. */
  requestHeaders(pathAndQuery: string): Record<string, string> {
    const path = (this.options.gatewayPath ?? '') + (pathAndQuery.split('?', 1)[0] ?? '');
    const bearer = path === this.options.refreshPath ? this.refreshToken : this.accessToken;
    const cookies = this.jar.list().filter((cookie) => matchesCookiePath(cookie.path, path));
    const headers = {
      'st-auth-mode': this.mode,
      rid: 'anti-csrf',
      'anti-csrf': this.antiCsrf,
      cookie: cookies.length === 0 ? undefined : formatCookieHeader(cookies),
      authorization: bearer === undefined ? undefined : `Bearer ${bearer}`,
    };
    return Object.fromEntries(
      Object.entries(headers).filter((entry): entry is [string, string] => entry[1] !== undefined),
    );
  }

  /** Stores and clears tokens as a response demands. */
  keep(response: ResponseHeaders): void {
    const nowMs = this.options.now?.() ?? Number.NEGATIVE_INFINITY;
    for (const line of response.lines('set-cookie')) {
      const cookie = parseSetCookie(line, ANY_URL, nowMs);
      if (cookie === undefined) continue;
      const { name, value, path, isRemoval } = cookie;
      this.jar.set({ name, value, path, isRemoval });
    }
    const header = (name: string, held: string | undefined): string | undefined => {
      const value = response.lines(name)[0];
      return value === undefined ? held : value || undefined;
    };
    const { accessTokenHeader = 'st-access-token', refreshTokenHeader = 'st-refresh-token' } = this.options;
    this.accessToken = this.mode === 'header' ? header(accessTokenHeader, this.accessToken) : undefined;
    this.refreshToken = this.mode === 'header' ? header(refreshTokenHeader, this.refreshToken) : undefined;
    this.antiCsrf = header('anti-csrf', this.antiCsrf);
    this.frontToken = header('front-token', this.frontToken);
    if (this.frontToken !== 'remove') return;
    this.frontToken = this.accessToken = this.refreshToken = this.antiCsrf = undefined;
  }
}
