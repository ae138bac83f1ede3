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
  /** What was good beside a remembered access token, as it stands in the header. */
  private readonly provenPairs = new WeakMap<object, { readonly pair: string; readonly untilMs: number }>();
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

  /**
   * Returns whether a request brings the cookie that was good before beside the same remembered access token. Text that holds name and
   * value anywhere in the header will do: a client that can write it has the cookie.
   */
  recalls({ request }: SessionRequest, rememberedToken: object): boolean {
    const proven = this.provenPairs.get(rememberedToken);
    return (
      proven !== undefined &&
      proven.untilMs > this.clock.now() &&
      request.getHeaderValue('cookie')?.includes(proven.pair) === true
    );
  }

  /**
   * Returns whether the cookie of a request is good for a session; undefined if there is none.
   *
   * @param rememberedToken what {@link recalls} finds it by later
   */
  isGood(
    request: SessionRequest,
    { sessionHandle, confirmation: { jkt } }: BoundSession,
    rememberedToken?: object,
  ): boolean | undefined {
    const name = this.name(request);
    const value = findRequestCookies(request.request, [name])[0]?.value;
    if (value === undefined) return undefined;
    const [, until = '', code = ''] = FORM.exec(value) ?? [];
    const untilMs = Number.parseInt(until, 36) * 1000;
    if (!(untilMs > this.clock.now())) return false;
    if (!this.secret.isSigned(code, 'bound-cookie', sessionHandle, jkt, until)) return false;
    if (rememberedToken !== undefined)
      this.provenPairs.set(rememberedToken, { pair: `${name}=${value}`, untilMs });
    return true;
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
