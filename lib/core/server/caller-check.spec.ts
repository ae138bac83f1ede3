import { describe, expect, it } from '@jest/globals';
import { CallerCheck, readHost, type CdiCaller } from './caller-check.js';

const JSON_TYPE = 'application/json; charset=utf-8';

/** Returns the outcome of the check for a call of an SDK of the same machine, with some of its facts changed. */
function outcome(
  changed: Partial<CdiCaller> & { headers?: Record<string, string> } = {},
  config: { hostNames?: string[]; hasApiKeys?: boolean } = {},
): string {
  const headers: Record<string, string> = { 'content-type': JSON_TYPE, ...changed.headers };
  const check = new CallerCheck({ hostNames: [], hasApiKeys: false, ...config });
  try {
    check.admit({
      header: (name) => headers[name],
      hosts: ['localhost:3567'],
      remoteAddress: '127.0.0.1',
      isOnLoopback: true,
      hasBody: true,
      ...changed,
    });
    return 'admitted';
  } catch (refusal) {
    return String((refusal as { status?: number }).status);
  }
}

describe('a call of a served core', () => {
  it.each([
    { origin: 'https://evil.example' },
    { origin: 'http://localhost:3567' },
    { origin: 'null' },
    { origin: '' },
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
    { 'sec-fetch-site': 'same-origin' },
  ])('is refused where a web page sent it: %j', (headers) => {
    expect(outcome({ headers })).toBe('403');
    expect(outcome({ headers, hasBody: false }, { hasApiKeys: true })).toBe('403');
  });

  it('is served where a user typed its address', () => {
    expect(outcome({ headers: { 'sec-fetch-site': 'none' }, hasBody: false })).toBe('admitted');
  });

  it.each([
    'localhost',
    'LOCALHOST:80',
    'localhost.:3567',
    'core.localhost',
    '127.0.0.1:3567',
    '127.1.2.3',
    '[::1]:3567',
    '[::1]',
    '[::ffff:127.0.0.1]:3567',
  ])('is served at %s', (host) => {
    expect(outcome({ hosts: [host] })).toBe('admitted');
    expect(outcome({ hosts: [host, host] })).toBe('admitted');
  });

  it.each([
    'rebound.evil.example',
    'rebound.evil.example:3567',
    'localhost.evil.example',
    'evil.example#localhost',
    'localhost@evil.example',
    'evil.example/localhost',
    'evil.example\\localhost',
    '127.0.0.1.evil.example',
    '10.0.0.7:3567',
    '0.0.0.0:3567',
    '[2001:db8::1]:3567',
    'localhost:port',
    'localhost evil.example',
    '',
  ])('is refused at "%s"', (host) => {
    expect(outcome({ hosts: [host] })).toBe('403');
    expect(outcome({ hosts: ['localhost', host] })).toBe('403');
    expect(outcome({ hosts: [host] }, { hasApiKeys: true })).toBe('403');
  });

  it('is served at the names behind a proxy, in any spelling', () => {
    const config = { hostNames: ['core.internal'] };
    for (const host of ['core.internal', 'CORE.Internal:443', 'core.internal.', 'localhost'])
      expect(outcome({ hosts: [host] }, config)).toBe('admitted');
    for (const host of ['other.internal', 'a.core.internal'])
      expect(outcome({ hosts: [host] }, config)).toBe('403');
  });

  it('is served at any name where keys guard the core on other addresses, until names are listed', () => {
    const caller = { isOnLoopback: false, remoteAddress: '10.0.0.9' };
    const named = { hasApiKeys: true, hostNames: ['core'] };
    expect(outcome({ ...caller, hosts: ['core:3567'] }, { hasApiKeys: true })).toBe('admitted');
    expect(outcome({ ...caller, hosts: ['core:3567'] }, named)).toBe('admitted');
    expect(outcome({ ...caller, hosts: ['10.0.0.7:3567'] }, named)).toBe('admitted');
    expect(outcome({ ...caller, hosts: ['[fd00::7]:3567'] }, named)).toBe('admitted');
    expect(outcome({ ...caller, hosts: ['evil.example'] }, named)).toBe('403');
  });

  it.each(['10.0.0.9', '::ffff:10.0.0.9', '2001:db8::9', '::'])(
    'is refused without keys when it comes from %s (S098)',
    (remoteAddress) => {
      const caller = { remoteAddress, isOnLoopback: false };
      expect(outcome(caller)).toBe('403');
      expect(outcome(caller, { hasApiKeys: true })).toBe('admitted');
    },
  );

  it.each(['127.0.0.1', '127.8.8.8', '::1', '::ffff:127.0.0.1', undefined])(
    'is served without keys when it comes from %s',
    (remoteAddress) => {
      expect(outcome({ remoteAddress, isOnLoopback: false })).toBe('admitted');
    },
  );

  it.each([
    'application/json',
    'application/json;charset=UTF-8',
    'Application/JSON ; Charset="utf-8"',
    'application/json; charset=utf8; v=1',
  ])('is served with the content type %s', (type) => {
    expect(outcome({ headers: { 'content-type': type } })).toBe('admitted');
  });

  it.each([
    '',
    'text/plain',
    'text/plain;charset=UTF-8',
    'text/plain; x=application/json',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=application/json',
    'application/json-patch',
    'application/jsonx',
    'text/json',
    'application/json, text/plain',
    'text/plain, application/json',
    'application/json; charset=utf-16',
    'application/json; charset=iso-8859-1',
  ])('is refused with the content type "%s", unless it has no body', (type) => {
    expect(outcome({ headers: { 'content-type': type } })).toBe('415');
    expect(outcome({ headers: { 'content-type': type }, hasBody: false })).toBe('admitted');
  });
});

describe('the host of a Host header', () => {
  it.each([
    ['Core.Internal:3567', 'core.internal'],
    ['core.', 'core'],
    ['[::1]:80', '[::1]'],
    ['127.1', '127.0.0.1'],
  ])('of %s is %s', (text, host) => {
    expect(readHost(text)).toBe(host);
  });

  it.each(['', 'a b', 'a@b', 'a/b', 'http://a', 'a:b', '[::1', 'a?b', 'a#b'])('of "%s" is none', (text) => {
    expect(readHost(text)).toBeUndefined();
  });
});
