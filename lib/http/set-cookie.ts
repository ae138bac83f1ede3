/** A `Set-Cookie` line in its parts, not interpreted. */
export interface SetCookieLine {
  readonly name: string;
  /** As on the wire: percent-encoded. */
  readonly value: string;
  /** By names in lower case, in the order of the line. Of a repeated attribute the last one counts. */
  readonly attributes: ReadonlyMap<string, string>;
}

/** A cookie as a browser reads it from a `Set-Cookie` line. */
export interface ReceivedCookie {
  readonly name: string;
  /** As on the wire: percent-encoded. */
  readonly value: string;
  /** Lower case, without a leading dot. Absent: this host only. */
  readonly domain?: string;
  readonly path: string;
  readonly sameSite?: 'strict' | 'lax' | 'none';
  readonly secure: boolean;
  readonly httpOnly: boolean;
  readonly partitioned: boolean;
  /** True for a line that removes the cookie. */
  readonly isRemoval: boolean;
}

/**
 * Splits a `Set-Cookie` line into name, value and attributes.
 *
 * @returns undefined when the line has no name
 * @see RFC 6265bis, 5.6
 */
export function splitSetCookie(line: string): SetCookieLine | undefined {
  const [pair = '', ...rest] = line.split(';');
  const [name, value] = splitPair(pair);
  if (!pair.includes('=') || name === '') return undefined;
  const attributes = rest.map(splitPair).map(([key, text]) => [key.toLowerCase(), text] as const);
  return { name, value, attributes: new Map(attributes) };
}

/**
 * Reads a `Set-Cookie` line as a browser does.
 *
 * @param url address of the request whose response has the line; its folder is the default path
 * @param nowMs milliseconds since the epoch; a cookie that has expired by then is a removal
 * @returns undefined when the line has no name
 */
export function parseSetCookie(line: string, url: URL, nowMs: number): ReceivedCookie | undefined {
  const parts = splitSetCookie(line);
  if (parts === undefined) return undefined;
  const { name, value, attributes } = parts;
  const domain = attributes.get('domain')?.toLowerCase().replace(/^\./, '') ?? '';
  const path = attributes.get('path') ?? '';
  const sameSite = attributes.get('samesite')?.toLowerCase();
  return {
    name,
    value,
    ...(domain === '' ? {} : { domain }),
    path: path.startsWith('/') ? path : defaultPath(url),
    ...(isSameSiteValue(sameSite) ? { sameSite } : {}),
    secure: attributes.has('secure'),
    httpOnly: attributes.has('httponly'),
    partitioned: attributes.has('partitioned'),
    isRemoval: value === '' || hasExpired(attributes, nowMs),
  };
}

/**
 * Checks whether a browser sends a cookie of this path with a request.
 *
 * @see RFC 6265bis, 5.1.4
 */
export function matchesCookiePath(cookiePath: string, requestPath: string): boolean {
  return requestPath === cookiePath || requestPath.startsWith(`${cookiePath.replace(/\/$/, '')}/`);
}

/** The facts of a cookie that a jar needs. */
export type StoredCookie = Pick<ReceivedCookie, 'name' | 'value' | 'domain' | 'path'> &
  Partial<Pick<ReceivedCookie, 'partitioned'>>;

/** The cookies that a client holds: the newest of each name, domain, path and partition. */
export class CookieJar<Cookie extends StoredCookie = StoredCookie> {
  private readonly cookies = new Map<string, Cookie>();

  /** Stores a cookie, or removes the stored one when it is a removal. */
  set(cookie: Cookie & { readonly isRemoval?: boolean }): void {
    const key = JSON.stringify([cookie.name, cookie.domain, cookie.path, cookie.partitioned === true]);
    if (cookie.isRemoval === true) this.cookies.delete(key);
    else this.cookies.set(key, cookie);
  }

  /** All cookies, the oldest first. */
  list(): Cookie[] {
    return [...this.cookies.values()];
  }

  clear(): void {
    this.cookies.clear();
  }
}

/** The value of a `Cookie` header. */
export function formatCookieHeader(cookies: readonly StoredCookie[]): string {
  return cookies.map(({ name, value }) => `${name}=${value}`).join('; ');
}

function splitPair(text: string): readonly [name: string, value: string] {
  const separator = text.indexOf('=');
  if (separator < 0) return [text.trim(), ''];
  return [text.slice(0, separator).trim(), text.slice(separator + 1).trim()];
}

function isSameSiteValue(text: string | undefined): text is 'strict' | 'lax' | 'none' {
  return text === 'strict' || text === 'lax' || text === 'none';
}

/** `Max-Age` wins over `Expires`. */
function hasExpired(attributes: ReadonlyMap<string, string>, nowMs: number): boolean {
  const maxAge = attributes.get('max-age');
  if (maxAge !== undefined && /^-?\d+$/.test(maxAge)) return Number(maxAge) <= 0;
  return Date.parse(attributes.get('expires') ?? '') <= nowMs;
}

function defaultPath({ pathname }: URL): string {
  return pathname.slice(0, pathname.lastIndexOf('/')) || '/';
}
