import type { SessionConfig } from '../options/session-config.js';
import { SESSION_ROUTES, type SessionRouteName } from '../options/session-routes.js';
import type { TokenTransferMethod } from '../options/wire-options.js';
import type { HttpRequest } from '../util/http-exchange.js';
import type { UserContext } from '../util/user-context.js';
import { ClientTokens } from './client-tokens.js';
import { ProofKey } from './proof-key.js';

/** The tokens of a session as its client holds them. */
export interface SessionTokens {
  readonly accessToken: string;
  readonly refreshToken: string;
  /** Present when `antiCsrf` is `VIA_TOKEN`. */
  readonly antiCsrfToken: string | undefined;
}

/** The names, paths and headers of tokens in the application under test. */
export class SessionWire {
  constructor(
    private readonly config: SessionConfig,
    private readonly now: () => number,
  ) {}

  /** The status of "try refresh token" and "unauthorised". */
  get sessionExpiredStatusCode(): number {
    return this.config.sessionExpiredStatusCode;
  }

  /** The path of a route in the application: without the prefix that a gateway strips. */
  routePath(name: SessionRouteName): string {
    const { apiBasePath, apiGatewayPath } = this.config.appInfo;
    return apiBasePath.slice(apiGatewayPath.length) + SESSION_ROUTES[name].path;
  }

  /** The `Origin` of a browser, when the application has `allowedOrigins`. */
  originHeaders(): Record<string, string> {
    const origin = this.config.allowedOrigins?.[0];
    return origin === undefined ? {} : { origin };
  }

  /** The session's cookies that a request to most paths carries: the access token. */
  toCookies({ accessToken }: SessionTokens): Record<string, string> {
    return { [this.cookieName('access')]: accessToken };
  }

  /** Creates a client with these tokens, or without any. */
  clientTokens(mode: TokenTransferMethod, tokens?: SessionTokens): ClientTokens {
    const { getResponseHeaderNameForTokenType: headerName } = this.config;
    const client = new ClientTokens(mode, {
      refreshPath: this.config.refreshTokenPath,
      gatewayPath: this.config.appInfo.apiGatewayPath,
      accessTokenHeader: headerName(ANY_REQUEST, 'access', newContext()),
      refreshTokenHeader: headerName(ANY_REQUEST, 'refresh', newContext()),
      now: this.now,
    });
    if (tokens === undefined) return client;
    client.antiCsrf = tokens.antiCsrfToken;
    if (mode === 'header') {
      client.accessToken = tokens.accessToken;
      client.refreshToken = tokens.refreshToken;
    } else {
      const { accessTokenPath, refreshTokenPath } = this.config;
      client.setCookie(this.cookieName('access'), encodeURIComponent(tokens.accessToken), accessTokenPath);
      client.setCookie(this.cookieName('refresh'), encodeURIComponent(tokens.refreshToken), refreshTokenPath);
    }
    return client;
  }

  /** Creates a key for a client whose sessions are to be bound to it. */
  newProofKey(): ProofKey {
    const { apiDomain, apiGatewayPath } = this.config.appInfo;
    return new ProofKey({ baseUrl: apiDomain + apiGatewayPath, now: this.now });
  }

  /** The access token that the client sends at present, to notice a change. */
  readAccessToken(tokens: ClientTokens): string | undefined {
    return tokens.mode === 'header' ? tokens.accessToken : tokens.cookie(this.cookieName('access'));
  }

  hasRefreshToken(tokens: ClientTokens): boolean {
    return (
      (tokens.mode === 'header' ? tokens.refreshToken : tokens.cookie(this.cookieName('refresh'))) !==
      undefined
    );
  }

  private cookieName(tokenType: 'access' | 'refresh'): string {
    return this.config.getCookieNameForTokenType(ANY_REQUEST, tokenType, newContext());
  }
}

function newContext(): UserContext {
  return {};
}

/** An empty request, for options that decide by request. */
const ANY_REQUEST: HttpRequest = {
  original: {},
  getMethod: () => 'get',
  getOriginalURL: () => '/',
  getHeaderValue: () => undefined,
  getCookieValue: () => undefined,
};
