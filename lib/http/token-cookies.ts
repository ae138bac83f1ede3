import type { SessionConfig } from '../options/session-config.js';
import type { TokenType } from '../options/wire-options.js';
import type { Clock } from '../util/clock.js';
import type { CookiePlace } from './cookie-places.js';
import { serialiseCookie } from './cookies.js';
import type { SessionRequest } from './session-request.js';
import type { TokensToWrite } from './token-transport.js';
import type { CookieLine } from './written-headers.js';

const ACCESS_COOKIE_LIFETIME_MS = 365 * 24 * 60 * 60 * 1000;

interface CookieContent {
  readonly value: string;
  readonly expires: number;
}

/** Makes the `Set-Cookie` lines of tokens, with the names, places and attributes of the configuration. */
export class TokenCookies {
  constructor(
    private readonly config: SessionConfig,
    private readonly clock: Clock,
  ) {}

  name({ request, userContext }: SessionRequest, tokenType: TokenType): string {
    return this.config.getCookieNameForTokenType(request, tokenType, userContext);
  }

  /** Returns where the cookie of a token is put. */
  place(request: SessionRequest, tokenType: TokenType): CookiePlace {
    const { accessTokenPath, refreshTokenPath, cookieDomain: domain = '' } = this.config;
    const path = tokenType === 'access' ? accessTokenPath : refreshTokenPath;
    return { name: this.name(request, tokenType), domain, path };
  }

  /** @throws {Error} a token does not fit into a cookie */
  write(request: SessionRequest, { accessToken, refreshToken }: TokensToWrite): CookieLine[] {
    // The cookie outlives its token and the refresh cookie, because an expired access token makes the client refresh.
    const expires = this.clock.now() + ACCESS_COOKIE_LIFETIME_MS;
    const access = this.line(request, this.place(request, 'access'), { value: accessToken, expires });
    if (!refreshToken) return [access];
    const { token: value, expiry } = refreshToken;
    return [access, this.line(request, this.place(request, 'refresh'), { value, expires: expiry })];
  }

  /** Returns the line that deletes the cookie of one place. */
  remove(request: SessionRequest, place: CookiePlace): CookieLine {
    return this.line(request, place, { value: '', expires: 0 });
  }

  private line(
    request: SessionRequest,
    { name, domain, path }: CookiePlace,
    content: CookieContent,
  ): CookieLine {
    const attributes = {
      httpOnly: true,
      secure: this.config.cookieSecure,
      sameSite: this.config.cookieSameSite(request),
      partitioned: this.config.cookiePartitioned,
    } as const;
    return {
      name,
      line: serialiseCookie({ name, path, domain, ...content, ...attributes }, this.clock.now()),
    };
  }
}
