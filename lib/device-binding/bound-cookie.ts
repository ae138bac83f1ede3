import { serialiseCookie, type CookieToWrite } from '../http/cookies.js';
import { findRequestCookies } from '../http/incoming-request.js';
import type { SessionRequest } from '../http/session-request.js';
import { writeLines, type CookieLine } from '../http/written-headers.js';
import type { SessionConfig } from '../options/session-config.js';
import type { Clock } from '../util/clock.js';
import type { KeyConfirmation } from '../util/key-confirmation.js';
import type { BindingSecret } from './binding-secret.js';

const FORM = /^([0-9a-z]{1,9})\.([\w-]{43})$/;

/** The session that a bound cookie belongs to. */
export interface BoundSession {
  readonly sessionHandle: string;
  readonly confirmation: KeyConfirmation;
}

/**
 * The third cookie of a bound session. Its value says until when the browser has proved its key, authenticated together with
 * session and key, so that it is checked without a read, and several values are good at once while it is renewed (D47).
 */
export class BoundCookie {
  private readonly prefix: string;
  private readonly path = '/'; // both the application's routes and the refresh route ask for it

  constructor(
    private readonly config: SessionConfig,
    private readonly secret: BindingSecret,
    private readonly clock: Clock,
    private readonly lifeSec: number,
  ) {
    const strongest = config.cookieDomain === undefined ? '__Host-' : '__Secure-';
    this.prefix = config.cookieSecure ? strongest : '';
  }

  /** Returns its name, which differs where that of the access token does: an application may have several modules. */
  name({ request, userContext }: SessionRequest): string {
    const access = this.config.getCookieNameForTokenType(request, 'access', userContext);
    const bare = access.replace(/^__(?:Host|Secure)-/, '');
    return this.prefix + (bare === 'sAccessToken' ? 'sBound' : `${bare}Bound`);
  }

  /** Writes a new one to the response. */
  write(request: SessionRequest, { sessionHandle, confirmation: { jkt } }: BoundSession): void {
    const until = (Math.floor(this.clock.now() / 1000) + this.lifeSec).toString(36);
    const value = `${until}.${this.secret.sign('bound-cookie', sessionHandle, jkt, until)}`;
    writeLines(request.response, { cookies: [this.line(request, value)] });
  }

  /** Returns whether the cookie of a request is good for a session; undefined if there is none. */
  isGood(
    request: SessionRequest,
    { sessionHandle, confirmation: { jkt } }: BoundSession,
  ): boolean | undefined {
    const value = findRequestCookies(request.request, [this.name(request)])[0]?.value;
    if (value === undefined) return undefined;
    const [, until = '', code = ''] = FORM.exec(value) ?? [];
    if (Number.parseInt(until, 36) * 1000 <= this.clock.now()) return false;
    return this.secret.isSigned(code, 'bound-cookie', sessionHandle, jkt, until);
  }

  /** Returns the line that deletes the cookie. */
  removal(request: SessionRequest): CookieLine {
    return this.line(request, '');
  }

  /**
   * Returns the attributes as the browser is to expect them. They are cut from a real line, because a browser that finds others
   * in a `Set-Cookie` takes the cookie for missing and renews it with every request (D36). Times may not be among them (D35).
   */
  attributes(request: SessionRequest): string {
    const [, ...attributes] = this.line(request, '-').line.split('; ');
    return attributes.filter((each) => !/^(?:Max-Age|Expires)=/i.test(each)).join('; ');
  }

  private line(request: SessionRequest, value: string): CookieLine {
    const { cookieDomain: domain, cookieSecure: secure } = this.config;
    const name = this.name(request);
    const cookie: CookieToWrite = {
      name,
      value,
      domain,
      path: this.path,
      // Browsers prefer Max-Age, which does not depend on their clocks.
      expires: value === '' ? 0 : this.clock.now() + this.lifeSec * 1000,
      maxAgeSec: value === '' ? 0 : this.lifeSec,
      httpOnly: true,
      secure,
      sameSite: this.config.cookieSameSite(request),
      partitioned: false, // such a cookie cannot be bound (D35)
    };
    return { name, line: serialiseCookie(cookie, this.clock.now()) };
  }
}
