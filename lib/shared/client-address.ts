import { isIPv4, isIPv6 } from 'node:net';
import type { HttpRequest } from './http-exchange.js';

/** The first six groups of an IPv6 address that stands for an IPv4 one. */
const MAPPED_IPV4 = '0:0:0:0:0:ffff';

/**
 * The address that a request came from, as the framework tells it: the peer of the connection or, where the
 * application has configured proxies that it trusts (`trust proxy` of Express, `trustProxy` of Fastify), what those
 * say. No header is read here: anybody can write an `X-Forwarded-For`.
 *
 * @returns IPv4 as `192.0.2.1`; IPv6 in lower case, shortened, without a zone; an IPv4 address inside of an IPv6 one
 *   as IPv4. Undefined where the framework knows none, or something that is no address
 */
export function clientAddressOf(request: HttpRequest): string | undefined {
  const { original } = request;
  if (typeof original !== 'object' || original === null) return undefined;
  const ip: unknown = Reflect.get(original, 'ip');
  return typeof ip === 'string' ? normalisedAddress(ip) : undefined;
}

/**
 * Addresses that one client has at its command: the /64 network of an IPv6 address, which is what a provider gives to
 * one customer; an IPv4 address as a whole.
 *
 * @returns `2001:db8:1:2::/64` or `192.0.2.1`; what is no address as it is
 */
export function addressGroupOf(ip: string): string {
  const address = normalisedAddress(ip);
  if (address === undefined || isIPv4(address)) return address ?? ip;
  const network = groupsOf(address).slice(0, 4).join(':');
  return `${shortened(`${network}:0:0:0:0`)}/64`;
}

function normalisedAddress(ip: string): string | undefined {
  if (isIPv4(ip)) return ip;
  const [address = ''] = ip.split('%'); // a zone means something on one machine only
  if (!isIPv6(address)) return undefined;
  const groups = groupsOf(address);
  return groups.slice(0, 6).join(':') === MAPPED_IPV4 ? dotted(groups.slice(6)) : shortened(address);
}

/** RFC 5952: the URL parser writes an IPv6 address in its one canonical form. */
function shortened(address: string): string {
  return new URL(`http://[${address}]`).hostname.slice(1, -1);
}

/** The eight groups of a valid IPv6 address, without leading zeros. */
function groupsOf(address: string): string[] {
  const [head = '', tail] = shortened(address).split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  return [...before, ...Array.from({ length: 8 - before.length - after.length }, () => '0'), ...after];
}

function dotted(groups: readonly string[]): string {
  return groups
    .map((group) => Number.parseInt(group, 16))
    .flatMap((value) => [value >> 8, value & 0xff])
    .join('.');
}
