import { describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import { GOLDEN_ACCESS_TOKENS, GOLDEN_FACTS } from '../../test/fixtures/golden-access-tokens.js';
import { DYNAMIC_TEST_KID } from '../../test/fixtures/signing-keys.js';
import { jwt, legacyToken, V2_CLAIMS, V5_CLAIMS, V5_HEADER } from '../../test/fixtures/made-tokens.js';
import {
  accessTokenInfo,
  MAX_ACCESS_TOKEN_LENGTH,
  parseWithoutVerifying,
  type AccessTokenInfo,
} from './access-token.js';
import { withoutProtectedClaims } from './access-token-claims.js';

type Claims = Record<string, unknown>;

/** A token with other headers or claims than a complete one of version 5; undefined takes one away. */
const token = (claims: Claims, header: Claims = {}): string =>
  jwt({ ...V5_HEADER, ...header }, { ...V5_CLAIMS, ...claims });

function infoOf(text: string): AccessTokenInfo | undefined {
  const parsed = parseWithoutVerifying(text);
  return parsed && accessTokenInfo(parsed);
}

describe('the version of an access token', () => {
  it.each<[row: string, header: Claims, claims: Claims, expected: Partial<AccessTokenInfo> | undefined]>([
    [
      'none (T88)',
      { version: undefined },
      { rsub: 'r' },
      { version: 3, tenantId: 'public', recipeUserId: 'r' },
    ],
    ['3 with a tenant (T89)', { version: '3' }, { tId: 't1' }, { version: 3, tenantId: 'public' }],
    [
      '4 with a tenant, without a recipe user (T90)',
      { version: '4' },
      { tId: 't1', rsub: undefined },
      { version: 4, tenantId: 't1', userId: 'user-1', recipeUserId: 'user-1' },
    ],
    ['5 without a recipe user (T91)', {}, { rsub: undefined }, undefined],
    ['5 without a tenant (T92, Q10)', {}, { tId: undefined }, { version: 5, tenantId: 'public' }],
    [
      '9 (T93)',
      { version: '9' },
      { rsub: 'r', tId: 't1' },
      { version: 9, tenantId: 't1', recipeUserId: 'r' },
    ],
    ['9 without a recipe user (T93)', { version: '9' }, { rsub: undefined }, undefined],
    ['a number (T94)', { version: 5 }, {}, undefined],
    ['a word (T94)', { version: 'abc' }, {}, undefined],
    ['2 in a JWT (T94)', { version: '2' }, {}, undefined],
    ['null', { version: null }, {}, undefined],
    ['nothing', { version: '' }, {}, undefined],
    ['a number with a letter (Q11)', { version: '5x' }, {}, undefined],
    ['a number with a sign', { version: '+5' }, {}, undefined],
    ['a number with a space', { version: ' 5' }, {}, undefined],
    ['a very large number', { version: '9'.repeat(400) }, {}, undefined],
  ])('%s', (_, header, claims, expected) => {
    const info = infoOf(token(claims, header));
    expect(info === undefined).toBe(expected === undefined);
    expect(info ?? {}).toMatchObject(expected ?? {});
  });

  it('is 5 for a Core when none is named (C33)', () => {
    const text = token({}, { version: undefined });
    expect(parseWithoutVerifying(text, 5)?.version).toBe(5);
    expect(parseWithoutVerifying(token({ rsub: undefined }, { version: undefined }), 5)).toBeUndefined();
  });
});

describe('the structure of an access token', () => {
  it.each<[row: string, header: Claims, claims: Claims, isAccepted: boolean]>([
    ['no kid (T95)', { kid: undefined }, {}, false],
    ['a kid that is no text', { kid: 5 }, {}, false],
    ['a kid of 256 characters (S005)', { kid: 'k'.repeat(256) }, {}, true],
    ['a kid of 257 characters (S005)', { kid: 'k'.repeat(257) }, {}, false],
    ['another typ (T96)', { typ: 'at+jwt' }, {}, false],
    ['typ in another case (T96)', { typ: 'jwt' }, {}, false],
    ['no typ (T96)', { typ: undefined }, {}, false],
    ['stt 0 (T97)', {}, { stt: 0 }, true],
    ['stt 1 (T97)', {}, { stt: 1 }, false],
    ['stt "0" (T97)', {}, { stt: '0' }, false],
    ['stt null (T97)', {}, { stt: null }, false],
    ['exp as text (T99)', {}, { exp: '1760003600' }, false],
    ['no anti-CSRF claim (T108)', { version: '3' }, { antiCsrfToken: undefined }, true],
    ['an anti-CSRF claim of another type (T108)', { version: '3' }, { antiCsrfToken: 5 }, true],
    ['no parent (T108)', { version: '3' }, { parentRefreshTokenHash1: undefined }, true],
    ['a parent of another type (T108)', { version: '3' }, { parentRefreshTokenHash1: [] }, true],
    [
      'empty identifiers',
      {},
      { sub: '', sessionHandle: '', refreshTokenHash1: '', rsub: '', exp: 0, iat: 0 },
      true,
    ],
  ])('%s', (_, header, claims, isAccepted) => {
    expect(infoOf(token(claims, header)) !== undefined).toBe(isAccepted);
  });

  it('is three parts (T98)', () => {
    const [header, payload, signature] = token({}).split('.');
    expect(infoOf(`${header}.${payload}`)).toBeUndefined();
    expect(infoOf(`${header}.${payload}.${signature}.`)).toBeUndefined();
    expect(infoOf(`${header}.${payload}.${signature}`)).toBeDefined();
  });

  const TEXT = ['sub', 'rsub', 'sessionHandle', 'refreshTokenHash1'];
  const NUMBERS = ['exp', 'iat'];
  const LEGACY = ['userId', 'sessionHandle', 'refreshTokenHash1', 'expiryTime', 'timeCreated', 'userData'];

  it.each([...TEXT, ...NUMBERS])('refuses any other JSON type, and absence, as %s (S008)', (name) => {
    const isRight = (value: unknown): boolean =>
      TEXT.includes(name) ? typeof value === 'string' : typeof value === 'number';
    fc.assert(
      fc.property(
        fc.jsonValue().filter((value) => !isRight(value)),
        (value) => {
          expect(infoOf(token({ [name]: value }))).toBeUndefined();
        },
      ),
      { numRuns: 50 },
    );
    expect(infoOf(token({ [name]: undefined }))).toBeUndefined();
  });

  it.each(LEGACY)('refuses any other JSON type, and absence, as %s of version 2 (S008)', (name) => {
    const isRight = (value: unknown): boolean => {
      if (name === 'userData') return typeof value === 'object' && value !== null && !Array.isArray(value);
      return typeof value === (name.startsWith('expiry') || name.startsWith('time') ? 'number' : 'string');
    };
    fc.assert(
      fc.property(
        fc.jsonValue().filter((value) => !isRight(value)),
        (value) => {
          expect(infoOf(legacyToken({ ...V2_CLAIMS, [name]: value }))).toBeUndefined();
        },
      ),
      { numRuns: 50 },
    );
    expect(infoOf(legacyToken({ ...V2_CLAIMS, [name]: undefined }))).toBeUndefined();
  });

  it.each(['exp', 'iat'])('refuses an endless %s (S008)', (name) => {
    const text = JSON.stringify({ ...V5_CLAIMS, [name]: 0 }).replace(`"${name}":0`, `"${name}":1e999`);
    expect(infoOf(jwt(V5_HEADER, text))).toBeUndefined();
  });

  it('reads optional claims only when they are text (S008)', () => {
    fc.assert(
      fc.property(
        fc.jsonValue().filter((value) => typeof value !== 'string'),
        (value) => {
          expect(
            infoOf(token({ tId: value, parentRefreshTokenHash1: value, antiCsrfToken: value })),
          ).toMatchObject({
            tenantId: 'public',
            parentRefreshTokenHash1: undefined,
            antiCsrfToken: undefined,
          });
        },
      ),
      { numRuns: 100 },
    );
  });
});

describe('what an access token says', () => {
  it('is what the token says, white space and all (S094)', () => {
    const spaced = {
      sub: ' user-1\n',
      rsub: '\u00a0r\ufeff',
      sessionHandle: ' h ',
      tId: ' t1 ',
      antiCsrfToken: ' a ',
    };
    expect(infoOf(token(spaced))).toMatchObject({
      userId: ' user-1\n',
      recipeUserId: '\u00a0r\ufeff',
      sessionHandle: ' h ',
      tenantId: ' t1 ',
      antiCsrfToken: ' a ',
      payload: spaced,
    });
  });

  it.each([
    ['', ''],
    ['abc', 'abc'],
    [null, undefined],
    [5, undefined],
  ])('has the parent %j as %j (T107)', (claim, parent) => {
    expect(infoOf(token({ parentRefreshTokenHash1: claim }))?.parentRefreshTokenHash1).toBe(parent);
  });

  it.each([1, 2, 3, 4, 5] as const)('is read from a token of version %d (S010)', (version) => {
    const { role, ...facts } = GOLDEN_FACTS;
    const info = infoOf(GOLDEN_ACCESS_TOKENS[version]);
    expect(info).toMatchObject({
      ...facts,
      version: Math.max(version, 2),
      kid: version <= 2 ? undefined : DYNAMIC_TEST_KID,
      tenantId: version <= 3 ? 'public' : 't1',
      recipeUserId: version === 5 ? 'recipe-user-1' : 'user-1',
      payload: { role },
    });
    expect(Object.keys(info?.payload ?? {})).toHaveLength({ 1: 1, 2: 1, 3: 8, 4: 9, 5: 10 }[version]);
  });

  it('is the same whichever base64 alphabet and padding a JWT was written in', () => {
    const text = token({ sub: 'ÿþ?>~' });
    const [header = '', payload = '', signature] = text.split('.');
    const padded = Buffer.from(payload, 'base64url').toString('base64');
    expect(infoOf(`${header}.${padded}.${signature}`)?.userId).toBe('ÿþ?>~');
  });
});

describe('hostile input instead of an access token', () => {
  const part = (text: string): string => Buffer.from(text).toString('base64url');
  const deep = '['.repeat(5500) + ']'.repeat(5500);
  const CORPUS: [string, string][] = [
    ['nothing', ''],
    ['dots', '..'],
    ['many dots', '.'.repeat(10_000)],
    ['a megabyte', 'a'.repeat(1_000_000)],
    ['a megabyte in three parts', `${'a'.repeat(400_000)}.${'b'.repeat(400_000)}.c`],
    ['no base64', '!!.??.**'],
    ['NUL and control characters', '\0\u0001.\u0002.\u007f'],
    ['lone surrogates', '\ud800.\udc00.x'],
    ['bytes that are no UTF-8', `${Buffer.from([0xff, 0xfe]).toString('base64url')}.e30.x`],
    ['an empty object', `${part('{}')}.${part('{}')}.x`],
    ['null', `${part('null')}.${part('null')}.x`],
    ['deep JSON as header', `${part(deep)}.e30.x`],
    ['deep JSON as payload', `${part(JSON.stringify(V5_HEADER))}.${part(deep)}.x`],
    ['deep JSON as a header field', `${part(`{"typ":${deep}}`)}.e30.x`],
    ['an array as payload', jwt(V5_HEADER, [V5_CLAIMS])],
    ['text as payload', jwt(V5_HEADER, 'text')],
    ['a payload cut short', jwt(V5_HEADER, JSON.stringify(V5_CLAIMS).slice(0, -5))],
    ['__proto__ with all claims', jwt(V5_HEADER, `{"__proto__":${JSON.stringify(V5_CLAIMS)}}`)],
    ['__proto__ with all header fields', jwt(`{"__proto__":${JSON.stringify(V5_HEADER)}}`, V5_CLAIMS)],
    ['constructor.prototype', jwt(V5_HEADER, '{"constructor":{"prototype":{"sub":"x"}}}')],
  ];

  it.each(CORPUS)('is refused and changes no prototype: %s (S011)', (_, text) => {
    const before = Object.getOwnPropertyNames(Object.prototype);
    expect(parseWithoutVerifying(text)).toBeUndefined();
    expect(Object.getOwnPropertyNames(Object.prototype)).toEqual(before);
    expect(({} as Claims)['sub']).toBeUndefined();
  });

  it('gives an own claim named __proto__ no power (S011)', () => {
    const text = JSON.stringify(V5_CLAIMS).replace('{', '{"__proto__":{"stt":1,"polluted":true},');
    const info = infoOf(jwt(V5_HEADER, text));
    expect(info?.userId).toBe('user-1');
    expect(Object.getPrototypeOf(info?.payload)).toBe(Object.prototype);
    expect(({} as Claims)['polluted']).toBeUndefined();
    expect(Object.getPrototypeOf(withoutProtectedClaims(info?.payload ?? {}))).toBe(Object.prototype);
  });

  it('takes the last of duplicate claims, as JSON.parse does, wherever it reads them (S011)', () => {
    const text = JSON.stringify(V5_CLAIMS).replace('{', '{"sub":"user-2",');
    const info = infoOf(jwt(V5_HEADER, text));
    expect(info?.userId).toBe('user-1');
    expect(info?.payload['sub']).toBe('user-1');
  });

  it('is not even decoded when it is longer than 16 kB (S011)', () => {
    const padding = 'x'.repeat(MAX_ACCESS_TOKEN_LENGTH);
    const parse = jest.spyOn(JSON, 'parse');
    try {
      expect(parseWithoutVerifying(token({ padding }))).toBeUndefined();
      expect(parseWithoutVerifying(`${token({})}${'A'.repeat(MAX_ACCESS_TOKEN_LENGTH)}`)).toBeUndefined();
      expect(parse).not.toHaveBeenCalled();
    } finally {
      parse.mockRestore();
    }
  });

  it('is taken apart up to 16 kB (S011)', () => {
    const plain = token({}).length;
    const padding = 'x'.repeat(Math.floor(((MAX_ACCESS_TOKEN_LENGTH - plain - 30) * 3) / 4));
    const text = token({ padding });
    expect(text.length).toBeGreaterThan(MAX_ACCESS_TOKEN_LENGTH - 60);
    expect(infoOf(text)).toBeDefined();
    const longest = text + 'A'.repeat(MAX_ACCESS_TOKEN_LENGTH - text.length);
    expect([infoOf(longest) !== undefined, infoOf(`${longest}A`)]).toEqual([true, undefined]);
  });

  it('never throws, for any text and any three JSON parts (S011)', () => {
    const anything = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.tuple(fc.json(), fc.json(), fc.base64String()).map((parts) => parts.map(part).join('.')),
      fc
        .tuple(fc.jsonValue(), fc.jsonValue())
        .map(([a, b]) => jwt({ ...V5_HEADER, kid: a }, { ...V5_CLAIMS, sub: b }, () => 'AA')),
    );
    fc.assert(
      fc.property(anything, (text) => {
        expect(() => infoOf(text)).not.toThrow();
      }),
      { numRuns: 1000 },
    );
  });
});
