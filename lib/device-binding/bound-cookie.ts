import { serialiseCookie, type CookieToWrite } from '../http/cookies.js';
import type { SessionRequest } from '../http/session-request.js';
import { writeLines, type CookieLine } from '../http/written-headers.js';
import type { SessionConfig } from '../options/session-config.js';
import type { Clock } from '../util/clock.js';
import type { KeyConfirmation } from '../util/key-confirmation.js';
import type { BindingSecret } from './binding-secret.js';

/** More than a browser keeps for a site. */
const MAX_COOKIES = 256;
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
  private readonly olderPrefix: string;
  /** The cookies that were good beside remembered access tokens, as they stand in the header. */
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
    this.olderPrefix = strongest === '__Host-' ? '__Secure-' : '__Host-';
  }

  /** Returns its name, which differs where that of the access token does: an application may have several modules. */
  name(request: SessionRequest): string {
    return this.prefix + this.bareName(request);
  }

  private bareName({ request, userContext }: SessionRequest): string {
    const access = this.config.getCookieNameForTokenType(request, 'access', userContext);
    const bare = access.replace(/^__(?:Host|Secure)-/, '');
    return bare === 'sAccessToken' ? 'sBound' : `${bare}Bound`;
  }

  /** Writes a new one to the response. */
  write(request: SessionRequest, { sessionHandle, confirmation: { jkt } }: BoundSession): void {
    const until = (Math.ceil(this.clock.now() / 1000) + this.lifeSec).toString(36);
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
    const values = this.read(request, name);
    for (const value of values) {
      const untilMs = this.findEnd(value, sessionHandle, jkt);
      if (untilMs === undefined) continue;
      if (rememberedToken !== undefined)
        this.provenPairs.set(rememberedToken, { pair: `${name}=${value}`, untilMs });
      return true;
    }
    return values.length === 0 && !this.hasOlder(request) ? undefined : false;
  }

  /** Returns when a value ends, milliseconds since the epoch; undefined if it is over, or not of this session. */
  private findEnd(value: string, sessionHandle: string, jkt: string): number | undefined {
    const [, until = '', code = ''] = FORM.exec(value) ?? [];
    const untilMs = Number.parseInt(until, 36) * 1000;
    if (!(untilMs > this.clock.now())) return undefined;
    return this.secret.isSigned(code, 'bound-cookie', sessionHandle, jkt, until) ? untilMs : undefined;
  }

  /** All values of the name: a neighbour below a common domain can put a cookie of its own in front. */
  private read({ request }: SessionRequest, name: string): string[] {
    const header = request.getHeaderValue('cookie') ?? '';
    if (!header.includes(name)) return [];
    return header
      .split(';', MAX_COOKIES)
      .map((cookie) => cookie.trim())
      .filter((cookie) => cookie.startsWith(`${name}=`))
      .map((cookie) => cookie.slice(name.length + 1));
  }

  /** Whether the cookie of a former `cookieDomain` came, which keeps the browser from renewing the present one. */
  private hasOlder(request: SessionRequest): boolean {
    return this.read(request, this.olderPrefix + this.bareName(request)).some((value) => FORM.test(value));
  }

  /** Returns the lines that delete the cookie, and the one that a former `cookieDomain` left. */
  removal(request: SessionRequest): CookieLine[] {
    const { cookieDomain, olderCookieDomain } = this.config;
    const domain = cookieDomain === undefined ? olderCookieDomain || undefined : undefined;
    const older = { name: this.olderPrefix + this.bareName(request), domain };
    const lines = [this.line(request, '')];
    return this.hasOlder(request) ? [...lines, this.line(request, '', older)] : lines;
  }

  /**
   * Returns the attributes as the browser is to expect them. They are cut from a real line, because a browser that finds others
   * in a `Set-Cookie` takes the cookie for missing and renews it with every request (D36). Times may not be among them (D35).
   */
  attributes(request: SessionRequest): string {
    const [, ...attributes] = this.line(request, '-').line.split('; ');
    return attributes.filter((each) => !/^(?:Max-Age|Expires)=/i.test(each)).join('; ');
  }

  private line(
    request: SessionRequest,
    value: string,
    { name, domain } = { name: this.name(request), domain: this.config.cookieDomain },
  ): CookieLine {
    const { cookieSecure: secure } = this.config;
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
