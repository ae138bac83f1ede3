import { describe, expect, it } from '@jest/globals';
import { MAX_COOKIE_LIFETIME_MS, mergeSetCookie, serialiseCookie } from './cookies.js';
import type { CookieToWrite } from './cookies.js';
import { findCookies } from './incoming-request.js';

const NOW = Date.parse('2026-01-01T00:00:00Z');

function cookie(changes: Partial<CookieToWrite> = {}): CookieToWrite {
  return {
    name: 'sAccessToken',
    value: 'token',
    path: '/',
    expires: NOW,
    httpOnly: true,
    secure: true,
    sameSite: 'lax',
    partitioned: false,
    ...changes,
  };
}

describe('writing a Set-Cookie line', () => {
  it('puts the attributes in a fixed order, Partitioned last', () => {
    expect(serialiseCookie(cookie({ domain: '.a.io', sameSite: 'none', partitioned: true }), NOW)).toBe(
      'sAccessToken=token; Domain=.a.io; Path=/; Expires=Thu, 01 Jan 2026 00:00:00 GMT; HttpOnly; Secure; SameSite=None; Partitioned',
    );
  });

  it('leaves out what is not wanted (T2)', () => {
    expect(serialiseCookie(cookie({ domain: '', secure: false, sameSite: 'strict' }), NOW)).toBe(
      'sAccessToken=token; Path=/; Expires=Thu, 01 Jan 2026 00:00:00 GMT; HttpOnly; SameSite=Strict',
    );
  });

  it('names the seconds of its life, which count before the expiry', () => {
    expect(serialiseCookie(cookie({ maxAgeSec: 300 }), NOW)).toBe(
      'sAccessToken=token; Path=/; Expires=Thu, 01 Jan 2026 00:00:00 GMT; Max-Age=300; HttpOnly; Secure; SameSite=Lax',
    );
    expect(serialiseCookie(cookie({ maxAgeSec: 0 }), NOW)).toContain('; Max-Age=0; ');
  });

  it('deletes with an empty value and the epoch', () => {
    expect(serialiseCookie(cookie({ value: '', expires: 0 }), NOW)).toContain(
      'sAccessToken=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT;',
    );
  });

  it('percent-encodes the value (T17), so that reading gives it back', () => {
    const line = serialiseCookie(cookie({ value: 'a+/=.V2' }), NOW);
    expect(line).toContain('sAccessToken=a%2B%2F%3D.V2;');
    expect(findCookies(line, ['sAccessToken'])[0]?.value).toBe('a+/=.V2');
  });

  it.each([
    ['far ahead', NOW + 100 * 365 * 86_400_000],
    ['for ever', Number.POSITIVE_INFINITY],
    ['a date', new Date(NOW + 401 * 86_400_000)],
  ])('brings an expiry %s down to 400 days from now (S062)', (_case, expires) => {
    const latest = new Date(NOW + MAX_COOKIE_LIFETIME_MS).toUTCString();
    expect(serialiseCookie(cookie({ expires }), NOW)).toContain(`Expires=${latest};`);
  });

  it('accepts 4096 octets of name and value and refuses one more, naming cookie and size (S062)', () => {
    const room = 4096 - 'sAccessToken'.length;
    expect(() => serialiseCookie(cookie({ value: 'x'.repeat(room) }), NOW)).not.toThrow();
    expect(() => serialiseCookie(cookie({ value: 'x'.repeat(room + 1) }), NOW)).toThrow(
      /sAccessToken needs 4097 octets.* Keep less in the access token payload/,
    );
  });

  it('counts the value as encoded (S062)', () => {
    expect(() => serialiseCookie(cookie({ value: '+'.repeat(1400) }), NOW)).toThrow(/4212 octets/);
  });

  const injections = [
    '\r\nSet-Cookie: a=b',
    '\n',
    '; Domain=evil.io',
    '\0',
    '\u007f',
    '\t',
    '\u2028',
    '\ud800',
  ];
  const fields = ['name', 'value', 'domain', 'path'] as const;
  it.each(fields.flatMap((field) => injections.map((text) => [field, JSON.stringify(text), text] as const)))(
    'refuses in %s the characters %s, without repeating them (S063, CVE-2024-47764)',
    (field, _shown, text) => {
      const write = (): string => serialiseCookie(cookie({ [field]: `secret${text}` }), NOW);
      expect(write).toThrow(TypeError);
      expect(write).toThrow(`"${field}"`);
      expect(write).not.toThrow('secret');
    },
  );

  it.each(['', 'a b', 'a=b', 'a,b', '"a"'])('refuses the name "%s" (S063)', (name) => {
    expect(() => serialiseCookie(cookie({ name }), NOW)).toThrow(TypeError);
  });

  it('refuses an expiry that is no date', () => {
    expect(() => serialiseCookie(cookie({ expires: Number.NaN }), NOW)).toThrow('"expires"');
  });
});

describe('merging Set-Cookie lines', () => {
  it("keeps the application's cookies and their order, and the last write of ours (S065)", () => {
    const existing = ['a=1; Path=/', 'sAccessToken=old; Path=/', 'b=2'];
    expect(mergeSetCookie(existing, 'sAccessToken=new; Path=/', 'sAccessToken')).toEqual([
      'a=1; Path=/',
      'b=2',
      'sAccessToken=new; Path=/',
    ]);
  });

  it('leaves cookies alone whose names merely start like ours (Q4)', () => {
    expect(mergeSetCookie(['sAccessTokenOther=1'], 'sAccessToken=new', 'sAccessToken')).toEqual([
      'sAccessTokenOther=1',
      'sAccessToken=new',
    ]);
  });

  it('lets the last write of a name win across domains and paths', () => {
    expect(mergeSetCookie(['s=0; Domain=.old.io; Path=/x'], 's=1; Domain=.new.io; Path=/', 's')).toEqual([
      's=1; Domain=.new.io; Path=/',
    ]);
  });

  it('keeps deletions at another place than that of the last write', () => {
    const existing = ['s=; Path=/x; Expires=0', 's=; Domain=.new.io; Path=/; Expires=0'];
    expect(mergeSetCookie(existing, 's=1; Domain=.new.io; Path=/', 's')).toEqual([
      's=; Path=/x; Expires=0',
      's=1; Domain=.new.io; Path=/',
    ]);
  });

  it.each([
    ['the cookie at its place', 's=1; Path=/', true],
    ['one whose value looks like an attribute', 's=Path=/x; Path=/', true],
    ['one with an attribute that only begins like ours', 's=1; Path=/; Partitioned2', true],
    ['not the cookie at another path', 's=1; Path=/x', false],
    ['not that of the partition', 's=1; Path=/; Partitioned', false],
  ])('lets a deletion replace %s', (_, other, isReplaced) => {
    const deletion = 's=; Path=/; Expires=0';
    expect(mergeSetCookie([other], deletion, 's')).toEqual(isReplaced ? [deletion] : [other, deletion]);
  });

  it('takes no path for a path and an attribute behind it', () => {
    const existing = ['s=; Path=/; Partitioned; Expires=0'];
    const line = 's=1; Path=/Partitioned';
    expect(mergeSetCookie(existing, line, 's')).toEqual([...existing, line]);
  });
});
