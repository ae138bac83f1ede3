import { readHostname, normaliseDomain, normalisePath } from '../../options/domains.js';
import { isThisMachine } from '../../util/hosts.js';

/** One address of the core. */
export interface CoreHost {
  /** Scheme, name and port, `https://core-1.example.com:3567` for example. */
  readonly origin: string;
  /** What stands in front of every path: empty, `/base`, `/appid-x` or both. */
  readonly basePath: string;
}

const SCHEME = /^[a-z][a-z0-9+.-]*:\/\//i;

/**
 * The addresses in a connection URI: separated by `;`, each with an optional base path; empty parts do not count.
 *
 * @throws {Error} saying which part cannot be an address; credentials in it are not repeated
 * @see docs/protocol/core.md A7
 */
export function parseConnectionUri(text: string): CoreHost[] {
  const parts = text
    .split(';')
    .map((part) => part.trim())
    .filter((part) => part !== '');
  if (parts.length === 0) throw new Error('it names no host');
  return parts.map(parseHost);
}

/** True where nobody on the network can listen: TLS, or an address of this machine. */
export function isPrivateConnection({ origin }: CoreHost): boolean {
  return origin.startsWith('https:') || isThisMachine(readHostname(origin));
}

function parseHost(part: string): CoreHost {
  if (part.includes('@')) throw new Error('credentials do not belong into it: use apiKey');
  const origin = normaliseDomain(part);
  if (!/^https?:/.test(origin)) throw new Error(`"${part}" is neither http nor https`);
  // With a scheme in front, the path is read the same way for every kind of host name.
  return { origin, basePath: normalisePath(SCHEME.test(part) ? part : `http://${part}`) };
}
