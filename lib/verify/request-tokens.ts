import type { RequestInContext } from '../http/csrf.js';
import {
  cookiesOfHeader,
  findCookies,
  isSentFrom,
  presentedCookie,
  readAuthorization,
  type PresentedCookie,
} from '../http/incoming-request.js';
import { LEGACY_COOKIE, type TokenPlaces } from '../http/presented-token.js';
import type { HttpRequest } from '../util/http-exchange.js';

/** The URL of a request is what its client sees. */
const NO_GATEWAY = { appInfo: { apiGatewayPath: '' } };

/** A `Request` of the Fetch standard, as the library reads requests. */
export class FetchRequest implements HttpRequest {
  constructor(readonly original: Request) {}

  getMethod(): string {
    return this.original.method.toLowerCase();
  }

  getOriginalURL(): string {
    return this.original.url;
  }

  getHeaderValue(name: string): string | undefined {
    const value = this.original.headers.get(name);
    if (value !== null) return value;
    return name === 'host' ? new URL(this.original.url).host : undefined; // some runtimes tell it by the URL alone
  }

  getCookieValue(name: string): string | undefined {
    return findCookies(this.getHeaderValue('cookie') ?? '', [name])[0]?.value;
  }
}

/** Reads the access token of a request. Nothing is written here: the API deletes cookies when the client refreshes. */
export class RequestTokens implements TokenPlaces<RequestInContext> {
  private readonly cookieNames: readonly string[];

  constructor(
    cookieName: string,
    private readonly accessTokenPath: string,
  ) {
    this.cookieNames = [cookieName, LEGACY_COOKIE];
  }

  readToken({ request }: RequestInContext): string | undefined {
    return readAuthorization(request)?.token;
  }

  readCookie({ request }: RequestInContext): PresentedCookie {
    const [cookie, legacy] = cookiesOfHeader(request.getHeaderValue('cookie'), this.cookieNames);
    return presentedCookie(cookie, legacy);
  }

  isOfOtherPlace({ request }: RequestInContext, { isDuplicated }: PresentedCookie): boolean {
    return isDuplicated || !isSentFrom(this.accessTokenPath, request, NO_GATEWAY);
  }

  clearAccessCookies(): void {}

  hasCustomHeader({ request }: RequestInContext): boolean {
    return request.getHeaderValue('rid') !== undefined;
  }
}
