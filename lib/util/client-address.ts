import { isIPv4, isIPv6 } from 'node:net';
import type { HttpRequest } from './http-exchange.js';

/** The first six groups of IPv6 addresses that contain an IPv4 address: mapped, and translated by NAT64 (RFC 6052). */
const HOLD_IPV4 = ['0:0:0:0:0:ffff', '64:ff9b:0:0:0:0'];

/** Marks the request of a handshake without a framework: its `ip` is the other end of the connection. */
export const IS_PEER_ADDRESS = Symbol('nest-sessions: the ip is the address of the peer');

/**
 * Returns the client's address as the framework reports it: the peer of the connection or, if the application trusts
 * proxies (`trust proxy` of Express, `trustProxy` of Fastify), the address that these report. No header is read here,
 * because clients can send any `X-Forwarded-For`. A port behind the address is removed.
 *
 * @returns IPv4 as `192.0.2.1`; IPv6 in lower case, shortened, without a zone; an IPv4 address inside of an IPv6 one
 *   as IPv4. Undefined if the framework reports none, or a text that is no address
 */
export function clientAddress(request: HttpRequest): string | undefined {
  const { original } = request;
  if (typeof original !== 'object' || original === null) return undefined;
  const ip: unknown = Reflect.get(original, 'ip');
  return typeof ip === 'string' ? normalisedAddress(ip) : undefined;
}

/** True if the address can be that of a proxy, because it is the peer of the connection. */
export function isPeerAddress({ original }: HttpRequest): boolean {
  return typeof original === 'object' && original !== null && Reflect.get(original, IS_PEER_ADDRESS) === true;
}

/**
 * Returns the group of addresses that one client can use: the /64 network of an IPv6 address, which a provider assigns to
 * one customer; an IPv4 address as a whole.
 *
 * @returns `2001:db8:1:2::/64` or `192.0.2.1`; a text that is no address is returned unchanged
 */
export function addressGroup(ip: string): string {
  const address = normalisedAddress(ip);
  if (address === undefined || isIPv4(address)) return address ?? ip;
  return ipv6Network(address, 64);
}

/** Returns the network of a valid IPv6 address: `2001:db8:1::/48`. */
export function ipv6Network(address: string, prefixLength: 48 | 64): string {
  const network = ipv6Groups(address).fill('0', prefixLength / 16);
  return `${shortened(network.join(':'))}/${prefixLength}`;
}

function normalisedAddress(ip: string): string | undefined {
  const host = withoutPort(ip);
  if (isIPv4(host)) return host;
  const [address = ''] = host.split('%'); // a zone has a meaning on one machine only
  if (!isIPv6(address)) return undefined;
  const groups = ipv6Groups(address);
  return HOLD_IPV4.includes(groups.slice(0, 6).join(':')) ? dotted(groups.slice(6)) : shortened(address);
}

/** Removes the port of `192.0.2.1:443` and `[2001:db8::1]:443`, as some proxies write them. */
function withoutPort(ip: string): string {
  const [, ipv4, ipv6] = /^(?:([\d.]+):\d+|\[([^\]]+)\](?::\d+)?)$/.exec(ip) ?? [];
  return ipv4 ?? ipv6 ?? ip;
}

/** Returns the canonical form (RFC 5952), which the URL parser writes. */
function shortened(address: string): string {
  return new URL(`http://[${address}]`).hostname.slice(1, -1);
}

/** Returns the eight groups of a valid IPv6 address, without leading zeros. */
function ipv6Groups(address: string): string[] {
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
