/** True for `localhost` and names below it. @param host a name or an address, as `URL.hostname` writes it */
export function isLocalName(host: string): boolean {
  return host === 'localhost' || host.endsWith('.localhost');
}

/** `127.0.0.0/8`; URLs spell each IPv4 address as four numbers. */
const LOOPBACK_IPV4 = /^127(?:\.\d{1,3}){3}$/;
/** `::1`, and `127.0.0.0/8` inside IPv6. */
const LOOPBACK_IPV6 = /^\[(?:::1|::ffff:7f[0-9a-f]{2}:[0-9a-f]{1,4})\]$/;

/** True for names and addresses of this machine. @param host as above */
export function isThisMachine(host: string): boolean {
  return isLocalName(host) || LOOPBACK_IPV6.test(host) || LOOPBACK_IPV4.test(host);
}

/** True for an address that secrets and keys may travel by: `https:`, or `http:` on this machine, and without a user in it. */
export function isSafeAddress(url: string): boolean {
  const { protocol, hostname, username, password } = URL.canParse(url) ? new URL(url) : {};
  const isSafe = protocol === 'https:' || (protocol === 'http:' && isThisMachine(hostname ?? ''));
  return isSafe && username === '' && password === '';
}

/**
 * True for an origin spelled as browsers send it: lower-case scheme and host, no default port, no path, no wildcard,
 * not `null`. Only such texts can be compared as a whole.
 */
export function isExactOrigin(origin: string): boolean {
  if (/^https?:/i.test(origin)) {
    return URL.canParse(origin) && new URL(origin).origin === origin && !origin.includes('*');
  }
  return /^[a-z][a-z0-9+.-]*:\/\/[a-z0-9.-]+(:\d+)?$/.test(origin); // `capacitor://localhost` of mobile shells
}
