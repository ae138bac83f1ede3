import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { findCookies, MAX_COOKIE_LIFETIME_MS, mergeSetCookie, serialiseCookie } from './cookies.js';
import type { CookieToWrite } from './cookies.js';

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

/** The first value and the number of the cookies of one name. */
function find(header: string, name: string): [value: string | undefined, count: number] {
  const [found] = findCookies(header, [name]);
  return [found?.value, found?.count ?? 0];
}

describe('reading a Cookie header', () => {
  it.each([
    ['an ordinary cookie', 'sAccessToken=abc', 'abc'],
    ['the first of several with the name', 'sAccessToken=first; sAccessToken=second', 'first'],
    ['a value in double quotes (T74)', 'sAccessToken="abc"', 'abc'],
    ['a single quote mark as it is', 'sAccessToken="', '"'],
    ['a percent-encoded value', 'sAccessToken=a%2Bb%2F%3D', 'a+b/='],
    ['a value raw where decoding fails', 'sAccessToken=100%', '100%'],
    ['a value holding "="', 'sAccessToken=a=b==', 'a=b=='],
    ['an empty value', 'sAccessToken=', ''],
    ['a value starting with j: as text (T76)', 'sAccessToken=j:{"a":1}', 'j:{"a":1}'],
    ['beside a cookie with broken encoding (T75)', 'other=%E0%A4%A; sAccessToken=abc', 'abc'],
    ['between stray separators', ';; sAccessToken = abc ;=x;flag', 'abc'],
  ])('gives %s', (_case, header, value) => {
    expect(find(header, 'sAccessToken')[0]).toBe(value);
  });

  it('finds nothing where there is nothing, whatever the name', () => {
    const nothing = [undefined, 0];
    expect(find('', 'a')).toEqual(nothing);
    expect(find('a=1', '__proto__')).toEqual(nothing);
    expect(find('a=1', 'constructor')).toEqual(nothing);
  });

  it('treats names case-sensitively, so a look-alike is another cookie', () => {
    expect(find('saccesstoken=abc', 'sAccessToken')).toEqual([undefined, 0]);
  });

  it.each([
    ['', 0],
    ['sAccessToken=a', 1],
    ['sAccessToken=a; x=1;sAccessToken=b', 2],
    ['sAccessTokenOther=a; sAccessToken=b', 1],
    ['sAccessToken=a; s%41ccessToken=b', 2],
    ['sAccessToken; sAccessToken=b', 2],
    ['x=sAccessToken=1; %E0%A4%A=2', 0],
  ])('counts sAccessToken in "%s": %d', (header, count) => {
    expect(find(header, 'sAccessToken')[1]).toBe(count);
  });

  it('finds several names in one pass as if each cookie had been taken apart', () => {
    const names = ['a', 'sAccessToken', 'b%41', '__proto__'];
    const piece = fc.constantFrom(
      ...names,
      's%41ccessToken',
      '=',
      ';',
      ' ',
      '"',
      '%',
      '%3B',
      '\u00a0',
      '\t',
      'x',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 24 }), (pieces) => {
        const header = pieces.join('');
        expect(findCookies(header, names)).toEqual(names.map((name) => takenApart(header, name)));
      }),
    );
  });

  it('reads a header without any "=" as fast as another one (S102)', () => {
    expect(find('a;'.repeat(32_000), 'a')).toEqual([undefined, 32_000]);
  });
});

/** The rules, written out for one name. */
function takenApart(header: string, name: string): { value: string | undefined; count: number } {
  const decode = (text: string): string => {
    try {
      return decodeURIComponent(text);
    } catch {
      return text;
    }
  };
  const pairs = header.split(';').map((pair) => /^(?<key>[^=]*)(?<value>=.*)?$/su.exec(pair)?.groups ?? {});
  const keys = pairs.map(({ key = '' }) => key.trim());
  const first = pairs.find(({ value }, i) => keys[i] === name && value !== undefined)?.['value'];
  const unquoted = first
    ?.slice(1)
    .trim()
    .replace(/^"(.*)"$/su, '$1');
  return {
    value: unquoted === undefined ? undefined : decode(unquoted),
    count: keys.filter((key) => decode(key) === name).length,
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

  it('deletes with an empty value and the epoch', () => {
    expect(serialiseCookie(cookie({ value: '', expires: 0 }), NOW)).toContain(
      'sAccessToken=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT;',
    );
  });

  it('percent-encodes the value (T17), so that reading gives it back', () => {
    const line = serialiseCookie(cookie({ value: 'a+/=.V2' }), NOW);
    expect(line).toContain('sAccessToken=a%2B%2F%3D.V2;');
    expect(find(line, 'sAccessToken')[0]).toBe('a+/=.V2');
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
      /sAccessToken needs 4097 octets/,
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
});

describe('a Cookie header beyond 64 kB', () => {
  it('holds no cookies, so that its length costs nothing (S102)', () => {
    const header = `sAccessToken=a; ${'x=y; '.repeat(14_000)}sAccessToken=b`;
    expect(find(header, 'sAccessToken')).toEqual([undefined, 0]);
  });
});
