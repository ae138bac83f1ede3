import { isIP } from 'node:net';
import { isThisMachine } from '../../util/hosts.js';
import type { ReadHeader } from '../../util/api-keys.js';
import { CdiRefusal } from './cdi-input.js';

/** The caller of a served core, as the connection and the headers show it. */
export interface CdiCaller {
  readonly header: ReadHeader;
  /** Every host that the request names: each `Host` header, `:authority`, the authority of an absolute target. */
  readonly hosts: readonly string[];
  /** Undefined where the connection has none, as a Unix socket. */
  readonly remoteAddress: string | undefined;
  /** Whether the server listens on an address of the loopback. */
  readonly isOnLoopback: boolean;
  readonly hasBody: boolean;
}

const HOST = /^(?:\[[0-9a-f:.]+\]|[^\s:/?#@*[\]\\]+)(?::\d{0,5})?$/i;
/** Addresses of this machine, as a socket writes them. */
const LOOPBACK = /^(127\.|::1$|::ffff:127\.)/;

/** Returns whether an address is one of the loopback. */
export function isLoopback(address: string): boolean {
  return LOOPBACK.test(address);
}

/**
 * Refuses requests that a web page may have sent, because browsers reach services on loopback and in private networks. A
 * page cannot send `application/json` to another origin without a preflight, cannot leave out `Origin` where it writes,
 * and cannot choose `Host`: after DNS rebinding that still holds the name of the page.
 *
 * @see docs/protocol/core.md H3
 */
export class CallerCheck {
  /** @param config `hostNames` in the form of `URL.hostname` */
  constructor(private readonly config: { hostNames: readonly string[]; hasApiKeys: boolean }) {}

  /** @throws {CdiRefusal} 403 or 415 */
  admit(caller: CdiCaller): void {
    const { header, hosts, remoteAddress } = caller;
    const site = header('sec-fetch-site') ?? 'none'; // what a user typed into the address bar has no site
    if (header('origin') !== undefined || site !== 'none') {
      throw new CdiRefusal(403, 'Requests of web pages are not served');
    }
    if (!this.config.hasApiKeys && remoteAddress !== undefined && !isLoopback(remoteAddress)) {
      throw new CdiRefusal(403, 'Without apiKeys only calls of the same machine are served');
    }
    if (!hosts.every((host) => this.servesHost(host, caller.isOnLoopback))) {
      throw new CdiRefusal(403, 'This Host is not served; the option hostNames adds names');
    }
    if (caller.hasBody && !isJsonType(header('content-type'))) {
      throw new CdiRefusal(415, 'The Content-Type must be application/json, in UTF-8');
    }
  }

  /**
   * A page does not know an API key, so a server with keys on other addresses has other names as long as none is listed;
   * and an address in place of a name cannot be rebound.
   */
  private servesHost(text: string, isOnLoopback: boolean): boolean {
    const { hostNames, hasApiKeys } = this.config;
    const host = readHost(text);
    if (host === undefined) return false;
    if (isThisMachine(host) || hostNames.includes(host)) return true;
    if (!hasApiKeys || isOnLoopback) return false;
    return hostNames.length === 0 || isIP(host.replace(/^\[|\]$/g, '')) !== 0;
  }
}

/**
 * Returns a host without its port, in the form of `URL.hostname` and without the dot at the end of an absolute name.
 *
 * @returns undefined for anything that is no host
 */
export function readHost(text: string): string | undefined {
  if (!HOST.test(text) || !URL.canParse(`http://${text}`)) return undefined;
  return new URL(`http://${text}`).hostname.replace(/\.$/, '');
}

/** Bodies are read as UTF-8, so a type with another charset is refused instead of misread. */
function isJsonType(contentType = ''): boolean {
  const [type, ...parameters] = contentType.split(';').map((part) => part.trim().toLowerCase());
  const charset = parameters.find((parameter) => parameter.startsWith('charset='))?.slice('charset='.length);
  return type === 'application/json' && /^"?utf-?8"?$/.test(charset ?? 'utf-8');
}
