import { isIPv4, isIPv6 } from 'node:net';
import type { HttpRequest } from './http-exchange.js';

/** The first six groups of IPv6 addresses that stand for an IPv4 one: mapped, and translated by NAT64 (RFC 6052). */
const HOLD_IPV4 = ['0:0:0:0:0:ffff', '64:ff9b:0:0:0:0'];

/** On the request of a handshake that no framework has seen: its `ip` is the other end of the connection. */
export const IS_PEER_ADDRESS = Symbol('nest-sessions: the ip is the address of the peer');

/**
 * The address that a request came from, as the framework tells it: the peer of the connection or, where the
 * application has configured proxies that it trusts (`trust proxy` of Express, `trustProxy` of Fastify), what those
 * say. No header is read here: anybody can write an `X-Forwarded-For`. A port that a proxy wrote behind it is left out.
 *
 * @returns IPv4 as `192.0.2.1`; IPv6 in lower case, shortened, without a zone; an IPv4 address inside of an IPv6 one
 *   as IPv4. Undefined where the framework knows none, or something that is no address
 */
export function clientAddress(request: HttpRequest): string | undefined {
  const { original } = request;
  if (typeof original !== 'object' || original === null) return undefined;
  const ip: unknown = Reflect.get(original, 'ip');
  return typeof ip === 'string' ? normalisedAddress(ip) : undefined;
}

/** Whether the address may well be that of a proxy in front of us, because nobody has looked behind the connection. */
export function isPeerAddress({ original }: HttpRequest): boolean {
  return typeof original === 'object' && original !== null && Reflect.get(original, IS_PEER_ADDRESS) === true;
}

/**
 * Addresses that one client has at its command: the /64 network of an IPv6 address, which is what a provider gives to
 * one customer; an IPv4 address as a whole.
 *
 * @returns `2001:db8:1:2::/64` or `192.0.2.1`; what is no address as it is
 */
export function addressGroup(ip: string): string {
  const address = normalisedAddress(ip);
  if (address === undefined || isIPv4(address)) return address ?? ip;
  return ipv6Network(address, 64);
}

/** The network that a valid IPv6 address is in: `2001:db8:1::/48`. */
export function ipv6Network(address: string, prefixLength: 48 | 64): string {
  const network = ipv6Groups(address).fill('0', prefixLength / 16);
  return `${shortened(network.join(':'))}/${prefixLength}`;
}

function normalisedAddress(ip: string): string | undefined {
  const host = withoutPort(ip);
  if (isIPv4(host)) return host;
  const [address = ''] = host.split('%'); // a zone means something on one machine only
  if (!isIPv6(address)) return undefined;
  const groups = ipv6Groups(address);
  return HOLD_IPV4.includes(groups.slice(0, 6).join(':')) ? dotted(groups.slice(6)) : shortened(address);
}

/** `192.0.2.1:443` and `[2001:db8::1]:443`, as some proxies write them. */
function withoutPort(ip: string): string {
  const [, ipv4, ipv6] = /^(?:([\d.]+):\d+|\[([^\]]+)\](?::\d+)?)$/.exec(ip) ?? [];
  return ipv4 ?? ipv6 ?? ip;
}

/** RFC 5952: the URL parser writes an IPv6 address in its one canonical form. */
function shortened(address: string): string {
  return new URL(`http://[${address}]`).hostname.slice(1, -1);
}

/** The eight groups of a valid IPv6 address, without leading zeros. */
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
