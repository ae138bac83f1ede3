/** Browsers refuse cookies that live longer; a later expiry is brought down to this. @see RFC 6265bis 5.5 */
export const MAX_COOKIE_LIFETIME_MS = 400 * 24 * 60 * 60 * 1000;

/** Browsers drop a cookie whose name and value together are longer. @see RFC 6265bis 5.6 */
export const MAX_COOKIE_OCTETS = 4096;

const COOKIE_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/; // the token of RFC 9110 5.6.2
const PRINTABLE_WITHOUT_SEMICOLON = /^[ -:<-~]*$/; // no CR, LF, other control or non-ASCII character
const SAME_SITE = { strict: 'Strict', lax: 'Lax', none: 'None' } as const;

/** A cookie to be written. All cookies of the module are `HttpOnly`. */
export interface CookieToWrite {
  readonly name: string;
  /** The value before percent-encoding. Empty to delete the cookie. */
  readonly value: string;
  /** Absent or empty: the cookie belongs to the host that sends the response. */
  readonly domain?: string | undefined;
  readonly path: string;
  /** A date, or milliseconds since the epoch. 0 deletes the cookie. */
  readonly expires: Date | number;
  /** Seconds, which count before `expires`. Absent for a cookie that needs the expiry alone. */
  readonly maxAgeSec?: number;
  readonly httpOnly: true;
  readonly secure: boolean;
  readonly sameSite: 'strict' | 'lax' | 'none';
  readonly partitioned: boolean;
}

/**
 * Checks that a browser will accept a cookie.
 *
 * @param valueLength octets of the percent-encoded value
 * @throws {Error} name and value exceed {@link MAX_COOKIE_OCTETS}: a browser would drop the cookie silently
 */
export function assertCookieFits(name: string, valueLength: number): void {
  const octets = name.length + valueLength;
  if (octets <= MAX_COOKIE_OCTETS) return;
  throw new Error(
    `Cookie ${name} needs ${octets} octets for name and value, browsers accept ${MAX_COOKIE_OCTETS}. ` +
      'Keep less in the access token payload, or use the header transfer method.',
  );
}

/**
 * Returns one `Set-Cookie` line.
 *
 * @param nowMs the present, from which the longest allowed lifetime counts
 * @throws {TypeError} a field holds CR, LF, `;`, another control or non-ASCII character; names the field, not its content
 * @throws {Error} name and value exceed {@link MAX_COOKIE_OCTETS}: a browser would drop the cookie silently
 * @see docs/protocol/sdk.md §3.1
 */
export function serialiseCookie(cookie: CookieToWrite, nowMs: number): string {
  assertWritable(cookie);
  const value = encodeURIComponent(cookie.value);
  assertCookieFits(cookie.name, value.length);
  const expires = new Date(Math.min(Number(cookie.expires), nowMs + MAX_COOKIE_LIFETIME_MS));
  return [
    `${cookie.name}=${value}`,
    ...(cookie.domain ? [`Domain=${cookie.domain}`] : []),
    `Path=${cookie.path}`,
    `Expires=${expires.toUTCString()}`,
    ...(cookie.maxAgeSec === undefined ? [] : [`Max-Age=${cookie.maxAgeSec}`]),
    'HttpOnly',
    ...(cookie.secure ? ['Secure'] : []),
    `SameSite=${SAME_SITE[cookie.sameSite]}`,
    ...(cookie.partitioned ? ['Partitioned'] : []),
  ].join('; ');
}

/**
 * Returns the `Set-Cookie` lines of a response after adding one. The line replaces earlier lines of the same cookie,
 * whatever their domain and path, but a deletion and a cookie at different places leave each other alone; all other cookies
 * stay, in their order.
 *
 * @see docs/protocol/sdk.md §3.4, Q4
 */
export function mergeSetCookie(existing: readonly string[], line: string, name: string): string[] {
  const isDeletion = (each: string): boolean => each.startsWith(`${name}=;`);
  const isReplaced = (other: string): boolean =>
    other.startsWith(`${name}=`) &&
    (cookiePlace(other) === cookiePlace(line) || !(isDeletion(other) || isDeletion(line)));
  return [...existing.filter((other) => !isReplaced(other)), line];
}

/** Domain, path and partition, by which a browser tells cookies of one name apart. */
function cookiePlace(line: string): string {
  return line
    .split('; ')
    .filter((part) => /^(?:(?:Domain|Path)=|Partitioned$)/.test(part))
    .join('; ');
}

function assertWritable({ name, value, domain = '', path, expires }: CookieToWrite): void {
  if (!COOKIE_NAME.test(name))
    throw new TypeError('Cookie field "name" holds a character that cookie names exclude');
  assertPrintable('value', value);
  assertPrintable('domain', domain);
  assertPrintable('path', path);
  if (Number.isNaN(Number(expires))) throw new TypeError('Cookie field "expires" is not a date');
}

function assertPrintable(field: string, text: string): void {
  if (PRINTABLE_WITHOUT_SEMICOLON.test(text)) return;
  throw new TypeError(
    `Cookie field "${field}" holds a control character, ";" or a character outside of ASCII`,
  );
}
