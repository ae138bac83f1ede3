/**
 * True for an origin spelled as browsers send it: lower-case scheme and host, no default port, no path, no wildcard,
 * not `null`. Only such a text can be compared as a whole.
 */
export function isExactOrigin(origin: string): boolean {
  if (/^https?:/i.test(origin)) {
    return URL.canParse(origin) && new URL(origin).origin === origin && !origin.includes('*');
  }
  return /^[a-z][a-z0-9+.-]*:\/\/[a-z0-9.-]+(:\d+)?$/.test(origin); // `capacitor://localhost` of mobile shells
}
