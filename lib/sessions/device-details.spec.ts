import { describe, expect, it } from '@jest/globals';
import type { DeviceSettings } from '../options/feature-options.js';
import { addressToKeep, userAgentToKeep } from './device-details.js';

const SETTINGS: DeviceSettings = {
  ip: 'cut',
  userAgent: 'family',
  lastSeenIntervalSec: 300,
  hashKey: undefined,
};

describe('an address that is kept', () => {
  it.each([
    ['192.0.2.77', '192.0.2.0/24'],
    ['127.0.0.1', '127.0.0.0/24'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1::/48'],
    ['2001:db8::5', '2001:db8::/48'],
    ['::1', '::/48'],
    ['fe80::1:2', 'fe80::/48'],
    ['1:2:3:4:5:6:7::', '1:2:3::/48'],
  ])('is cut: %s (S106)', (ip, kept) => {
    expect(addressToKeep(ip, SETTINGS)).toBe(kept);
  });

  it('is a hash that only the key makes: the same for the same address, another one otherwise (S106)', () => {
    const hashed = (ip: string, hashKey: string) => addressToKeep(ip, { ...SETTINGS, ip: 'hashed', hashKey });
    const hash = hashed('192.0.2.77', 'a secret of the shop');
    expect(hash).toMatch(/^[\w-]{22}$/);
    expect(hashed('192.0.2.77', 'a secret of the shop')).toBe(hash);
    expect(hashed('192.0.2.78', 'a secret of the shop')).not.toBe(hash);
    expect(hashed('192.0.2.77', 'another secret of it')).not.toBe(hash);
  });

  it('is as it came, or not there', () => {
    expect(addressToKeep('192.0.2.77', { ...SETTINGS, ip: 'full' })).toBe('192.0.2.77');
    expect(addressToKeep('192.0.2.77', { ...SETTINGS, ip: 'off' })).toBeUndefined();
    expect(addressToKeep(undefined, SETTINGS)).toBeUndefined();
  });
});

describe('a user agent that is kept', () => {
  const WINDOWS = 'Mozilla/5.0 (Windows NT 10.0; Win64; x64)';
  const WEBKIT = 'AppleWebKit/537.36 (KHTML, like Gecko)';

  it.each([
    [`${WINDOWS} ${WEBKIT} Chrome/141.0.0.0 Safari/537.36`, 'Chrome on Windows'],
    [`${WINDOWS} ${WEBKIT} Chrome/141.0.0.0 Safari/537.36 Edg/141.0.0.0`, 'Edge on Windows'],
    [`${WINDOWS} ${WEBKIT} Chrome/141.0.0.0 Safari/537.36 OPR/121.0.0.0`, 'Opera on Windows'],
    ['Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0', 'Firefox on Linux'],
    [
      'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15',
      'Safari on macOS',
    ],
    [
      'Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/141.0 Mobile/15E148 Safari/604.1',
      'Chrome on iOS',
    ],
    [
      `Mozilla/5.0 (Linux; Android 14; SM-S911B) ${WEBKIT} SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36`,
      'Samsung Internet on Android',
    ],
    ['okhttp/4.12.0', 'Android app'],
    ['Shop/7 CFNetwork/1568 Darwin/24.0.0', 'iOS app'],
    ['curl/8.5.0', 'Unknown client'],
    ['', 'Unknown client'],
    ['\u0000'.repeat(200), 'Unknown client'],
  ])('is its family alone: %j (S106)', (userAgent, family) => {
    expect(userAgentToKeep(userAgent, SETTINGS)).toBe(family);
  });

  it('is as it came, or not there', () => {
    expect(userAgentToKeep('curl/8.5.0', { ...SETTINGS, userAgent: 'full' })).toBe('curl/8.5.0');
    expect(userAgentToKeep('curl/8.5.0', { ...SETTINGS, userAgent: 'off' })).toBeUndefined();
    expect(userAgentToKeep(undefined, SETTINGS)).toBeUndefined();
  });
});
