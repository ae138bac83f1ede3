/**
 * Whether a browser sends a cookie of this path with a request.
 *
 * @see RFC 6265bis, 5.1.4
 */
export function matchesCookiePath(cookiePath: string, requestPath: string): boolean {
  return requestPath === cookiePath || requestPath.startsWith(`${cookiePath.replace(/\/$/, '')}/`);
}
