import type { TokenTransferMethod } from '../options/wire-options.js';
import type { SessionWire, SessionTokens } from './session-wire.js';

/** A path that no cookie of the session is limited to. */
const ANYWHERE = '/';

/**
 * A session for a test, with all headers and cookies that a request of its client has. The tokens are those of its
 * creation: use an agent for requests after a refresh.
 *
 * @example
 * await request(app.getHttpServer()).get('/orders').set(session.headers).expect(200);
 * await app.inject({ url: '/orders', headers: session.headers });
 * @publicApi
 */
export class TestSession {
  readonly userId: string;
  readonly sessionHandle: string;
  readonly tenantId: string;
  readonly accessToken: string;
  readonly refreshToken: string;
  /** Present when the application's `antiCsrf` is `VIA_TOKEN`. */
  readonly antiCsrfToken: string | undefined;
  /** The headers of a client that sends its token itself: `Authorization: Bearer …`. */
  readonly headers: Readonly<Record<string, string>>;
  /** The headers of a browser: `Cookie`, and those that the application's anti-CSRF and `allowedOrigins` demand. */
  readonly cookieHeaders: Readonly<Record<string, string>>;
  /** The access token's cookie by name, for `app.inject({ cookies })` or a jar. Without anti-CSRF. */
  readonly cookies: Readonly<Record<string, string>>;

  /** @internal */
  constructor(
    who: { userId: string; sessionHandle: string; tenantId: string },
    tokens: SessionTokens,
    wire: SessionWire,
  ) {
    this.userId = who.userId;
    this.sessionHandle = who.sessionHandle;
    this.tenantId = who.tenantId;
    this.accessToken = tokens.accessToken;
    this.refreshToken = tokens.refreshToken;
    this.antiCsrfToken = tokens.antiCsrfToken;
    const sessionHeaders = (method: TokenTransferMethod): Record<string, string> =>
      wire.clientTokens(method, tokens).requestHeaders(ANYWHERE);
    this.headers = sessionHeaders('header');
    this.cookieHeaders = { ...sessionHeaders('cookie'), ...wire.originHeaders() };
    this.cookies = wire.toCookies(tokens);
  }
}

/**
 * A session whose refresh token a thief has used, and the replacement too.
 *
 * @publicApi
 */
export class StolenSession extends TestSession {
  /** The thief's side: works until the owner refreshes. */
  readonly thief: TestSession;

  /** @internal */
  constructor(owner: TestSession, thief: TestSession, wire: SessionWire) {
    super(owner, owner, wire);
    this.thief = thief;
  }
}
