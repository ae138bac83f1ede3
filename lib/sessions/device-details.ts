import { createHmac } from 'node:crypto';
import { isIPv4 } from 'node:net';
import type { DeviceSettings } from '../options/feature-options.js';
import { ipv6Network } from '../util/client-address.js';

const HASH_LENGTH = 22; // 132 bits

/** As much of an address as may be kept; undefined for nothing. */
export function addressToKeep(
  ip: string | undefined,
  { ip: precision, hashKey }: DeviceSettings,
): string | undefined {
  if (ip === undefined || precision === 'off') return undefined;
  if (precision === 'full') return ip;
  if (precision === 'cut') return networkPrefix(ip);
  return hashKey === undefined ? undefined : keyedHash(ip, hashKey);
}

/** As much of a user agent as may be kept; undefined for nothing. */
export function userAgentToKeep(
  userAgent: string | undefined,
  { userAgent: precision }: DeviceSettings,
): string | undefined {
  if (userAgent === undefined || precision === 'off') return undefined;
  return precision === 'full' ? userAgent : userAgentFamily(userAgent);
}

/** `192.0.2.0/24`, `2001:db8:1::/48`: a town rather than a household. */
function networkPrefix(ip: string): string {
  if (isIPv4(ip)) return `${ip.split('.').slice(0, 3).join('.')}.0/24`;
  return ipv6Network(ip, 48);
}

/** Without the key nobody can try all addresses. */
function keyedHash(ip: string, hashKey: string): string {
  const key = `nest-sessions device ${hashKey}`;
  return createHmac('sha256', key).update(ip).digest('base64url').slice(0, HASH_LENGTH);
}

/** Order matters: most browsers also name those that they descend from. */
const BROWSERS: readonly [name: string, pattern: RegExp][] = [
  ['Edge', /\bEdg(e|A|iOS)?\//],
  ['Opera', /\b(OPR|Opera)\//],
  ['Samsung Internet', /\bSamsungBrowser\//],
  ['Firefox', /\b(Firefox|FxiOS)\//],
  ['Chrome', /\b(Chrome|CriOS|HeadlessChrome)\//],
  ['Safari', /\bVersion\/.*\bSafari\//],
  ['Android app', /\bokhttp\//],
  ['iOS app', /\bCFNetwork\//],
];

const SYSTEMS: readonly [name: string, pattern: RegExp][] = [
  ['Windows', /\bWindows\b/],
  ['iPadOS', /\biPad\b/],
  ['iOS', /\b(iPhone|iPod)\b/],
  ['Android', /\bAndroid\b/],
  ['ChromeOS', /\bCrOS\b/],
  ['macOS', /\bMac(intosh| OS X)\b/],
  ['Linux', /\bLinux\b/],
];

/** `Firefox on Windows`: enough to recognise a device of one's own, too little to recognise a person by. */
function userAgentFamily(userAgent: string): string {
  const browser = firstMatch(BROWSERS, userAgent) ?? 'Unknown client';
  const system = firstMatch(SYSTEMS, userAgent);
  return system === undefined ? browser : `${browser} on ${system}`;
}

function firstMatch(kinds: readonly [string, RegExp][], userAgent: string): string | undefined {
  return kinds.find(([, pattern]) => pattern.test(userAgent))?.[0];
}
