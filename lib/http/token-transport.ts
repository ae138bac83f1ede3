import type { SessionConfig } from '../options/session-config.js';
import type { TokenTransferMethod, TokenType } from '../options/wire-options.js';
import type { Clock } from '../util/clock.js';
import { OccasionalWarning } from '../util/occasional-warning.js';
import {
  RevocationLog,
  type RevocationLogScope,
  type RevocationLogSubject,
  type RevocationMark,
} from '../util/revocation-log.js';
import type { SessionRequest } from './session-request.js';
import { assertCookieFits } from './cookies.js';
import {
  findRequestCookies,
  isSentFrom,
  presentedCookie,
  readAuthorization,
  type PresentedCookie,
} from './incoming-request.js';
import { LEGACY_COOKIE } from './presented-token.js';
import type { HeaderLine, IsStale } from './take-back.js';
import {
  distinct,
  hasOlderPlaces,
  hasUnseenPlaces,
  olderPlaces,
  sendingPaths,
  TokenCookies,
  type CookiePlace,
  type TokensToWrite,
} from './token-cookies.js';
import { appendToHeaderList, writeLines, type CookieLine } from './written-headers.js';

/** The request headers that a session is read from. */
const VARY_ITEMS = ['Cookie', 'Authorization'];
const VARY = VARY_ITEMS.join(', ');

/** Marks a session that was replaced in the log of those that ended or were; no handle has a space. */
const REPLACED = 'replaced ';

const LATE_TOKENS =
  'A session changed after the headers of the response had been sent: its client gets the new tokens with its next refresh';
const LATE_CLEARING =
  'A session ended after the headers of the response had been sent: its client keeps the tokens until they are refused';

/** A moment in the life of a token transport. */
export type TransportMark = RevocationMark;

/** The session that tokens belong to. */
export interface TokenOwner {
  readonly sessionHandle: string;
  /** {@link TokenTransport.mark} when the work for the request began. */
  readonly mark: TransportMark;
  /** Undefined: an end that does not name its sessions counts as one of this session, whatever its scope. */
  readonly subject?: RevocationLogSubject;
}

/**
 * Reads and writes the tokens of HTTP messages, by cookies or by headers. The recipe decides which of several credentials
 * counts, and whether a session exists. Each call reads one place, so that an access token of one place is never paired with
 * a refresh token of another. Tokens are read from cookies and headers only, never from URLs or bodies.
 *
 * @see docs/protocol/sdk.md chapter 3
 */
export class TokenTransport {
  private readonly cookies: TokenCookies;
  private readonly ended = new RevocationLog();
  /** Sessions that ended, and those in whose place a client got the tokens of another one; these twice. */
  private readonly departed = new RevocationLog();
  private readonly owners = new WeakMap<object, TokenOwner>();
  private readonly lateTokens: OccasionalWarning;
  private readonly lateClearing: OccasionalWarning;

  constructor(
    private readonly config: SessionConfig,
    clock: Clock,
    /** Makes the lines that delete further cookies of a session. */
    private readonly removeFurther: (request: SessionRequest) => readonly CookieLine[] = () => [],
  ) {
    this.cookies = new TokenCookies(config, clock);
    this.lateTokens = new OccasionalWarning(clock);
    this.lateClearing = new OccasionalWarning(clock);
  }

  /** The present moment, for later questions about what has happened since. */
  get mark(): TransportMark {
    return this.departed.mark;
  }

  /** Takes the tokens of ended sessions out of every response that has not left yet, and of all later ones. */
  noteEnded(sessionHandles: readonly string[]): void {
    for (const sessionHandle of sessionHandles) {
      this.ended.add(sessionHandle);
      this.departed.add(sessionHandle);
    }
  }

  /**
   * Takes tokens out of every response whose request came before now: it is not known which sessions have ended.
   *
   * @param scope the sessions that may have; undefined: any
   */
  noteUnknownEnds(scope?: RevocationLogScope): void {
    this.departed.addUnknown(scope);
  }

  /** Takes the tokens of a session out of the responses to requests that came before: its client has signed in anew. */
  noteReplaced(sessionHandle: string): void {
    this.departed.add(sessionHandle);
    this.departed.add(REPLACED + sessionHandle);
  }

  hasChangedSince(mark: TransportMark): boolean {
    return mark !== this.mark;
  }

  /** Returns whether a session has ended, or its client has signed in anew, since the work for a request began. */
  isLateFor({ sessionHandle, mark }: TokenOwner): boolean {
    return this.departed.includesSince(mark, sessionHandle) === true;
  }

  /**
   * Returns the token of one kind in one place. Only the route knows which kind an `Authorization` header holds, so
   * `tokenType` only names the cookie.
   *
   * @returns the text as sent, which may be empty (an empty bearer value is present, and so is an empty cookie);
   *   undefined when there is none, when the scheme is neither `Bearer` nor `DPoP`, or when header or cookie exceed 16 kB
   */
  readToken(request: SessionRequest, tokenType: TokenType, method: TokenTransferMethod): string | undefined {
    if (method === 'cookie') return this.readCookie(request, tokenType).token;
    return readAuthorization(request.request)?.token;
  }

  /** Reads the cookie of a token, and what comes beside it, in one pass over the header. */
  readCookie(request: SessionRequest, tokenType: TokenType): PresentedCookie {
    const names = [this.cookieName(request, tokenType), LEGACY_COOKIE];
    const [cookie, legacy] = findRequestCookies(request.request, names);
    return presentedCookie(cookie, legacy);
  }

  private cookieName({ request, userContext }: SessionRequest, tokenType: TokenType): string {
    return this.config.getCookieNameForTokenType(request, tokenType, userContext);
  }

  /** The same for both tokens, in one pass. */
  readCookies(request: SessionRequest): Readonly<Record<TokenType, PresentedCookie>> {
    const names = [this.cookieName(request, 'access'), this.cookieName(request, 'refresh'), LEGACY_COOKIE];
    const [access, refresh, legacy] = findRequestCookies(request.request, names);
    return { access: presentedCookie(access, legacy), refresh: presentedCookie(refresh, legacy) };
  }

  readAntiCsrfToken({ request }: SessionRequest): string | undefined {
    return request.getHeaderValue('anti-csrf');
  }

  /** The client's wish for a transfer method, in lower case; any text is possible. */
  readAuthMode({ request }: SessionRequest): string | undefined {
    return request.getHeaderValue('st-auth-mode')?.toLowerCase();
  }

  /** True if there is a `rid` header. Other sites cannot make a browser send one, so its value, even empty, is irrelevant. */
  hasCustomHeader({ request }: SessionRequest): boolean {
    return request.getHeaderValue('rid') !== undefined;
  }

  /** True if the access token's cookie came twice, or with a request that browsers do not send the present one with. */
  isOfOtherPlace({ request }: SessionRequest, { isDuplicated }: PresentedCookie): boolean {
    return isDuplicated || !isSentFrom(this.config.accessTokenPath, request, this.config);
  }

  /**
   * Writes tokens to the response. Tokens written earlier to the same response in the same place are replaced. Once the headers
   * have been sent, there is a warning instead.
   *
   * @param owner whose tokens they are: when the response leaves, those of a session that has ended meanwhile are taken out
   * @throws {Error} a token does not fit into a cookie; the response is unchanged then
   */
  writeTokens(
    request: SessionRequest,
    method: TokenTransferMethod,
    tokens: TokensToWrite,
    owner: TokenOwner,
  ): void {
    const { response } = request;
    if (response.isSent) return this.lateTokens.warn(LATE_TOKENS);
    // All cookies are made before the first write, because a failure must not leave a front token without its session.
    const cookies = method === 'cookie' ? this.cookies.write(request, tokens) : [];
    const inHeaders = method === 'header';
    const exposed: HeaderLine[] = [['front-token', tokens.frontToken]];
    if (inHeaders || this.config.exposeAccessTokenToFrontendInCookieBasedAuth)
      exposed.push([this.headerName(request, 'access'), tokens.accessToken]);
    if (inHeaders && tokens.refreshToken)
      exposed.push([this.headerName(request, 'refresh'), tokens.refreshToken.token]);
    if (tokens.antiCsrfToken !== undefined) exposed.push(['anti-csrf', tokens.antiCsrfToken]);

    this.markUncacheable(request);
    // Deletions come first, for clients that know cookies by their names alone.
    if (method === 'cookie' && tokens.refreshToken) this.clearOlder(request);
    writeLines(response, { cookies, exposed }, this.staleTokens(owner));
  }

  /**
   * Checks that an access token can be written before it is issued, so that no payload is stored that the client could not
   * receive.
   *
   * @param tokenLength characters of the token
   * @throws {Error} it does not fit into a cookie
   */
  assertAccessTokenFits(request: SessionRequest, method: TokenTransferMethod, tokenLength: number): void {
    if (method === 'cookie') assertCookieFits(this.cookieName(request, 'access'), tokenLength);
  }

  /**
   * Takes the tokens of one transfer method away from the client, and from this response if they are already on it. Once the
   * headers have been sent, there is a warning instead.
   *
   * @param owner whose tokens they are: the client keeps what it has if it signs in anew before the response leaves
   */
  clear(request: SessionRequest, method: TokenTransferMethod, owner?: TokenOwner): void {
    const { response } = request;
    if (response.isSent) return this.lateClearing.warn(LATE_CLEARING);
    const isStale =
      owner &&
      ((): boolean => this.departed.includesSince(owner.mark, REPLACED + owner.sessionHandle) === true);
    const both = ['access', 'refresh'] as const;
    const exposed: HeaderLine[] = [['front-token', 'remove']];
    if (method === 'header')
      exposed.unshift(...both.map((each) => [this.headerName(request, each), ''] as const));
    const places = method === 'cookie' ? both.map((each) => this.cookies.place(request, each)) : [];
    const further = method === 'cookie' ? this.removeFurther(request) : [];
    const cookies = [...places.map((place) => this.cookies.remove(request, place)), ...further];
    this.markUncacheable(request);
    writeLines(response, { cookies, exposed }, isStale);
    if (method === 'cookie') this.clearOlder(request);
    response.removeHeader('anti-csrf');
  }

  /**
   * Takes all tokens away, by cookies and by headers, whatever the request brought: a handler may have created a
   * session earlier in the same response.
   *
   * @param cause the error that says so: with its owner, the client keeps what a newer sign-in has brought it
   */
  clearBoth(request: SessionRequest, cause?: object): void {
    const owner = cause && this.owners.get(cause);
    this.clear(request, 'cookie', owner);
    this.clear(request, 'header', owner);
  }

  /** Keeps whose tokens {@link clearBoth} takes away because of an error. */
  noteOwner(cause: object, owner: TokenOwner): void {
    this.owners.set(cause, owner);
  }

  /** Deletes the cookie of very old SDKs, present or not. */
  clearLegacyCookie(request: SessionRequest): void {
    if (request.response.isSent) return;
    const { accessTokenPath: path, cookieDomain: domain = '' } = this.config;
    this.removeCookies(request, [{ name: LEGACY_COOKIE, domain, path, isPartitioned: false }]);
  }

  /**
   * Deletes a token's cookie at the places where an earlier configuration put it; the session goes on with the present one.
   *
   * @returns false if no such place is known; then nothing is deleted, because it might be the newer cookie
   */
  clearDuplicate(request: SessionRequest, tokenType: TokenType): boolean {
    if (request.response.isSent) return false;
    const olderName = this.config.olderCookieName?.(request.request, tokenType, request.userContext);
    const places = olderPlaces(this.config, this.cookies.place(request, tokenType), { tokenType, olderName });
    if (places.length > 0) this.removeCookies(request, places);
    return places.length > 0;
  }

  /**
   * Deletes the access token's cookie at every path from which it can have come with the request, the present one too: as long
   * as one of two is left, the browser could go on with that of a former user.
   */
  clearAccessCookies(request: SessionRequest): void {
    if (request.response.isSent) return;
    const { name, domain: present } = this.cookies.place(request, 'access');
    const domains = distinct([present, this.config.olderCookieDomain]);
    const paths = sendingPaths(request.request, this.config);
    const partitions = this.config.cookieSecure ? [false, true] : [false]; // browsers refuse insecure partitioned cookies
    this.removeCookies(
      request,
      domains.flatMap((domain) =>
        paths.flatMap((path) => partitions.map((isPartitioned) => ({ name, domain, path, isPartitioned }))),
      ),
    );
  }

  private removeCookies(request: SessionRequest, places: readonly CookiePlace[]): void {
    this.markUncacheable(request);
    writeLines(request.response, { cookies: places.map((place) => this.cookies.remove(request, place)) });
  }

  /** Deletes what an earlier configuration left in the browser, so that it does not go on as the user of that time. */
  private clearOlder(request: SessionRequest): void {
    const { config } = this;
    if (!hasOlderPlaces(config)) return;
    const { olderCookieName } = config;
    const isPresent =
      hasUnseenPlaces(request.request, config) ||
      this.readCookie(request, 'access').isPresent ||
      (olderCookieName !== undefined &&
        hasCookie(request, olderCookieName(request.request, 'access', request.userContext)));
    if (!isPresent) return;
    for (const tokenType of ['access', 'refresh'] as const) this.clearDuplicate(request, tokenType);
  }

  /** Marks the response as dependent on the session, for caches on the way to the client. */
  markSessionDependent({ response }: SessionRequest): void {
    const present = response.getHeaderValues('Vary');
    const all = present.length === 0 ? VARY : appendToHeaderList(present, VARY_ITEMS);
    if (present[0] === all) return;
    try {
      response.setHeader('Vary', all);
    } catch (error) {
      if (!response.isSent) throw error; // looked at only now, because that is slow under Express and hardly ever true
    }
  }

  /** Whether the tokens of a session may no longer be sent: it has ended, or its client has signed in anew. */
  private staleTokens({ sessionHandle, mark, subject }: TokenOwner): IsStale {
    // More changes than are remembered count as one of this session: without its new tokens a client refreshes.
    return () =>
      this.ended.includes(sessionHandle) ||
      this.departed.includesSince(mark, sessionHandle, subject) !== false;
  }

  private markUncacheable(request: SessionRequest): void {
    request.response.setHeader('Cache-Control', 'no-store');
    this.markSessionDependent(request);
  }

  private headerName({ request, userContext }: SessionRequest, tokenType: TokenType): string {
    return this.config.getResponseHeaderNameForTokenType(request, tokenType, userContext);
  }
}

/** Returns the transfer method that a request does not use. */
export function otherMethod(method: TokenTransferMethod): TokenTransferMethod {
  return method === 'cookie' ? 'header' : 'cookie';
}

function hasCookie({ request }: SessionRequest, name: string): boolean {
  return findRequestCookies(request, [name])[0]?.isPresent === true;
}
