import { describe, expect, it } from '@jest/globals';
import { addressGroup, clientAddress } from './client-address.js';
import type { HttpRequest } from './http-exchange.js';

describe('the address of a client', () => {
  it.each([
    ['an IPv4 address', '192.0.2.7', '192.0.2.7'],
    ['an IPv4 address inside of IPv6', '::ffff:192.0.2.7', '192.0.2.7'],
    ['the same in other letters', '0:0:0:0:0:FFFF:CB00:7107', '203.0.113.7'],
    ['IPv6 in capitals', '2001:DB8::A', '2001:db8::a'],
    ['IPv6 in full', '2001:0db8:0000:0000:0000:0000:0000:000a', '2001:db8::a'],
    ['the loopback', '::1', '::1'],
    ['an address with a zone', 'fe80::1%eth0', 'fe80::1'],
    ['an IPv4 address that NAT64 wrote', '64:ff9b::192.0.2.7', '192.0.2.7'],
    [
      'an address of its local prefix, which is a network of its own',
      '64:ff9b:1::192.0.2.7',
      '64:ff9b:1::c000:207',
    ],
    ['an IPv4 address with a port', '192.0.2.7:443', '192.0.2.7'],
    ['IPv6 with a port', '[2001:DB8::A]:443', '2001:db8::a'],
    ['IPv6 in brackets', '[2001:db8::a]', '2001:db8::a'],
    ['an IPv4 address inside of IPv6 with a port', '[::ffff:192.0.2.7]:443', '192.0.2.7'],
    ['an IPv4 address with a zone', '::ffff:10.0.0.1%lo', '10.0.0.1'],
  ])('reads %s', (_case, ip, expected) => {
    expect(clientAddress(requestFrom({ ip }))).toBe(expected);
  });

  it.each([
    ['nothing', {}],
    ['an empty text', { ip: '' }],
    ['a name', { ip: 'localhost' }],
    ['a list', { ip: '192.0.2.1, 192.0.2.2' }],
    ['a line break', { ip: '192.0.2.1\nadmin' }],
    ['an IPv4 address with something behind it', { ip: '192.0.2.1%0d%0aadmin' }],
    ['a zone alone', { ip: '%eth0' }],
    ['a name and a port', { ip: 'localhost:80' }],
    ['an address and something else', { ip: '192.0.2.1:http' }],
    ['half a bracket', { ip: '[2001:db8::1:80' }],
    ['something else', { ip: 7 }],
    ['no request at all', undefined],
  ])('is unknown where the framework has %s', (_case, original) => {
    expect(clientAddress(requestFrom(original))).toBeUndefined();
  });

  it('is not read from a header (S075)', () => {
    const headers = { 'x-forwarded-for': '203.0.113.9', forwarded: 'for=203.0.113.9' };
    expect(clientAddress(requestFrom({ ip: '192.0.2.1', headers }))).toBe('192.0.2.1');
    expect(clientAddress(requestFrom({ headers }))).toBeUndefined();
  });
});

describe('the addresses that one client has', () => {
  it.each([
    ['192.0.2.7', '192.0.2.7'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['64:ff9b::192.0.2.7', '192.0.2.7'],
    ['64:ff9b::198.51.100.9', '198.51.100.9'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:DB8:1:2::9', '2001:db8:1:2::/64'],
    ['2001:db8::9', '2001:db8::/64'],
    ['2001:db8:0:0:1::', '2001:db8::/64'],
    ['::1', '::/64'],
    ['unknown', 'unknown'],
  ])('of %s are %s', (ip, expected) => {
    expect(addressGroup(ip)).toBe(expected);
  });
});

function requestFrom(original: unknown): HttpRequest {
  return {
    original,
    getMethod: () => 'get',
    getOriginalURL: () => '/',
    getHeaderValue: () => undefined,
    getCookieValue: () => undefined,
  };
}
