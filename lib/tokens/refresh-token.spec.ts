import { createDecipheriv, pbkdf2Sync } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  isRefreshToken,
  newRefreshTokenKey,
  refreshTokenHash1,
  refreshTokenHash2,
  RefreshTokens,
  sealWithIv,
  type RefreshTokenContent,
} from './refresh-token.js';

const KEY = `1000:${'a1'.repeat(64)}:${'b2'.repeat(64)}`;
const NONCE = 'bd7662a5eeb41614e720d477abfcb2272e19a8a70a93b7e3bc8560d44ad326e9';
const HANDLE = '0c2d5f0e-6c1b-4a51-9d3a-2f6f0f8f3a11';
const SEALED =
  'AAECAwQFBgcICQoL9lEYCDox4JACoAwXjiLzdTFBhTaSKvzizkHk8+mci57m9Dsj/mYedNE9HCoi5VBzr2yG4h8HoPCwqMp24XhZmh3mAoYH8P3X' +
  'JMOc/4C6+IMU09zgCDVbQqpmBkh08jz1X2ssGh3+XsdjzH3YCekh8B5qYnse9KG9pGc8D3c6xs8v/iyxJVoqymi+ucSstaWLFfzM3fKAW9MyRWeD' +
  '9FWVPWQZQyCa';
const TOKEN = `${SEALED}.${NONCE}.V2`;

const tokens = new RefreshTokens(KEY);

const FIRST: RefreshTokenContent = {
  sessionHandle: HANDLE,
  userId: 'user-1',
  tenantId: 'public',
  parentRefreshTokenHash1: undefined,
  antiCsrfToken: undefined,
};
const PARENT_HASH1 = refreshTokenHash1(TOKEN);
const CHILD = { ...FIRST, parentRefreshTokenHash1: PARENT_HASH1 };

/** IV and plaintext, read the way docs/protocol/core.md B2 describes them. */
function unsealed(token: string): { iv: string; plaintext: string } {
  const [sealed = ''] = token.split('.');
  const bytes = Buffer.from(sealed, 'base64');
  const iv = bytes.subarray(0, 12);
  const decipher = createDecipheriv('aes-256-gcm', pbkdf2Sync(KEY, iv, 100, 32, 'sha512'), iv);
  decipher.setAuthTag(bytes.subarray(-16));
  const plaintext = decipher.update(bytes.subarray(12, -16), undefined, 'utf8') + decipher.final('utf8');
  return { iv: iv.toString('hex'), plaintext };
}

/** The same text with one character replaced by a digit, which belongs to base64 and to hex. */
function flipped(text: string, index: number): string {
  return text.slice(0, index) + (text[index] === '1' ? '0' : '1') + text.slice(index + 1);
}

describe('the refresh token of a Core (known-answer vector)', () => {
  const plaintext = `{"sessionHandle":"${HANDLE}","userId":"user-1","nonce":"${NONCE}"}`;

  it('derives the nonce and the sealing key that the vector names', async () => {
    const iv = Buffer.from('000102030405060708090a0b', 'hex');
    expect(refreshTokenHash1('11111111-1111-4111-8111-111111111111')).toBe(NONCE);
    expect(pbkdf2Sync(KEY, iv, 100, 32, 'sha512').toString('hex')).toBe(
      '4ede0e08ecc4eb045001dd69bc371f885d942010cd3719f69ee9baf1ab7f78a8',
    );
  });

  it('is sealed byte for byte as a Core seals it', async () => {
    expect(TOKEN).toHaveLength(304);
    expect(await sealWithIv(KEY, Buffer.from('000102030405060708090a0b', 'hex'), plaintext)).toBe(SEALED);
  });

  it('is opened', async () => {
    expect(await tokens.open(TOKEN)).toEqual({ ...FIRST, nonce: NONCE });
  });

  it('has the first and second hash of the vector', async () => {
    expect(refreshTokenHash1(TOKEN)).toBe('274ade54714910452915a551ef77ef0247b39aa28b289a85e221be529fc6686d');
    expect(refreshTokenHash2(TOKEN)).toBe('1d19bb556f735e4f254098e861463b6921ee1197c44d3849a6bb59c2a36c4b41');
  });

  it('is opened although the plaintext is escaped as a Core escapes it', async () => {
    const escaped = plaintext.replace('user-1', 'a\\u003d\\u0026\\u003cb');
    const token = `${await sealWithIv(KEY, Buffer.alloc(12, 7), escaped)}.${NONCE}.V2`;
    expect((await tokens.open(token))?.userId).toBe('a=&<b');
  });

  it('is opened with type V1 and in any case of the type, which is another text and so another hash (C74)', async () => {
    for (const type of ['V1', 'v1', 'v2']) {
      const token = `${SEALED}.${NONCE}.${type}`;
      expect(await tokens.open(token)).toBeDefined();
      expect(refreshTokenHash2(token)).not.toBe(refreshTokenHash2(TOKEN));
    }
  });
});

describe('what each release makes of a refresh-token key alike, because instances of two releases share one database', () => {
  const SUCCESSOR =
    '8ucaOsPkiYN1c+JR6j8bUwNMAvrm8X5q10R2DEb/hS7tOEmpVebRKSv7l7I4dx8jdGZf3N4aRgvax+apACcOCc2fxf6bmQkZ3qIIzLlLGWZXZ97v' +
    '8k7SW5HEJBZTW1gqznVLKcQzsZ9CAfz3mittWMqAKqddcIYct+TGwKPqnh4AhrzQlTeMe9ToSQGurZDjDgwiAH+2mcQ1AI9N9W9KgLI28yFUgJNe' +
    'TwBercvNZMz1aupGaNwFaYmtNih2mlPdo0JJd0qqVE+cbQnsn//wGsZPVgbPejFlAYsVL5Fc6OMqMqn/tPqlfXf+vrkekh7C2m2pH0slfRJ1d/5A' +
    'MA7NXZqTzPZfL8Wl2oHkXSC9.997bb04566c3087f45468b213f12db8544d65456dd085f07b2b9e276573a2ac4.V2';
  const FULL_SUCCESSOR =
    'r0HPxtNi7E9BtLCgCbkHmcNkZ2UC2kJQmf3j1woHIj4Lb3ncCz190gcMraB5DYFZZaJDPRLGeGbE5xKJWSsaRbuOhHc506vOaSWspwj3fM9ClWJY' +
    'nkY0AOtG2RykHXrJC1fJc6trB646HOqdWd0669UdpmtXKbrsX+7h+i3tyb1fTtTadY9/ggFQbI5wtGPqzfZRurjTWmfuv2fizZhX0o7vkMtqqhob' +
    'Qu2JC+wZ1WU96QGR801brFrzuH2PYWLx2D86FODoL6rWG2aQ88GWdgsSTUe5g1eIoDmED2RHKlxdpTeM4tDvl4Y1mo1M79klTBm/Pc4xf3U5z3Ca' +
    'yMT1VWHOhllqZiFGA3AT2asrXTuBujvZnCdP/awQlGl6PsdeINLcbIu2bdfAns4nwVFpMostzApH/eFb0eAp13CtX2KSPA4OSzM1QuL7B7XMYBEP' +
    'ipOWerRrtyw=.368483252bd95ebfecfa24406faeb5a251b448b4854d60329f0c57e99c024c9d.V2';
  const ANTI_CSRF = '939a7290-d916-4484-8c2b-36a42abe4da1';

  it('is the successor of a token, byte for byte (S024)', async () => {
    expect(await tokens.issueSuccessor(CHILD)).toBe(SUCCESSOR);
    expect(await tokens.open(SUCCESSOR)).toMatchObject(CHILD);
  });

  it('is the successor with all members and other than ASCII characters (S024)', async () => {
    const content = { ...CHILD, userId: 'üser-漢', tenantId: 't1', antiCsrfToken: ANTI_CSRF };
    expect(await tokens.issueSuccessor(content)).toBe(FULL_SUCCESSOR);
    expect(await tokens.open(FULL_SUCCESSOR)).toMatchObject(content);
  });

  it("is a successor's anti-CSRF token, and a secret for another purpose", () => {
    expect(tokens.successorAntiCsrfToken(PARENT_HASH1)).toBe(ANTI_CSRF);
    expect(tokens.deriveSecret('nonces')).toBe('36k45is19Ygl8EVjNuzowMLL0N-hT7u6-ewWDwwxAKQ');
  });
});

describe('issuing a refresh token', () => {
  it('leaves out what is absent, in the order of a Core', async () => {
    const token = await tokens.issue(FIRST);
    const [, nonce] = token.split('.');
    expect(token).toMatch(/^[A-Za-z0-9+/]+={0,2}\.[0-9a-f]{64}\.V2$/);
    expect(unsealed(token).plaintext).toBe(
      `{"sessionHandle":"${HANDLE}","userId":"user-1","nonce":"${nonce}"}`,
    );
  });

  it('carries parent, anti-CSRF token and a tenant other than public', async () => {
    const content = { ...CHILD, antiCsrfToken: 'anti', tenantId: 't1' };
    const token = await tokens.issueSuccessor(content);
    const [, nonce] = token.split('.');
    expect(JSON.parse(unsealed(token).plaintext)).toEqual({
      sessionHandle: HANDLE,
      userId: 'user-1',
      nonce,
      parentRefreshTokenHash1: PARENT_HASH1,
      antiCsrfToken: 'anti',
      tenantId: 't1',
    });
    expect(await tokens.open(token)).toEqual({ ...content, nonce });
  });

  it('gives back any user id, anti-CSRF token and tenant', async () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 128 });
    await fc.assert(
      fc.asyncProperty(
        text,
        fc.option(text, { nil: undefined }),
        text,
        async (userId, antiCsrfToken, tenantId) => {
          const content = { ...FIRST, userId, antiCsrfToken, tenantId };
          expect(await tokens.open(await tokens.issue(content))).toMatchObject({
            userId,
            antiCsrfToken,
            tenantId,
          });
        },
      ),
      { numRuns: 200 },
    );
  });

  it('is unique and unpredictable: 2,000 tokens of one content share no nonce and no IV, and each nonce bit is a coin (S021)', async () => {
    const issued = await Promise.all(Array.from({ length: 2000 }, async () => tokens.issue(FIRST)));
    const nonces = issued.map((token) => Buffer.from(token.split('.')[1] ?? '', 'hex'));
    expect(new Set(nonces.map((nonce) => nonce.toString('hex'))).size).toBe(2000);
    expect(new Set(issued.map((token) => token.slice(0, 16))).size).toBe(2000);
    for (let bit = 0; bit < 256; bit++) {
      const ones = nonces.filter((nonce) => ((nonce[bit >> 3] ?? 0) >> (bit & 7)) & 1).length;
      expect(ones).toBeGreaterThan(800);
      expect(ones).toBeLessThan(1200);
    }
  });

  it('makes keys in the form of a Core, each another', async () => {
    const keys = Array.from({ length: 10 }, newRefreshTokenKey);
    for (const key of keys) expect(key).toMatch(/^1000:[0-9a-f]{128}:[0-9a-f]{128}$/);
    expect(new Set(keys).size).toBe(10);
  });
});

describe('a secret for another purpose', () => {
  it('is the same wherever the key is, and another one for another purpose or key', () => {
    const secret = tokens.deriveSecret('nonces');
    expect(secret).toMatch(/^[\w-]{43}$/);
    expect(new RefreshTokens(KEY).deriveSecret('nonces')).toBe(secret);
    expect(tokens.deriveSecret('')).not.toBe(secret);
    expect(new RefreshTokens(newRefreshTokenKey()).deriveSecret('nonces')).not.toBe(secret);
  });
});

describe('the successor of a refresh token', () => {
  it('is the same for everybody who exchanges the same parent, in any process that has the key (S024)', async () => {
    const child = await tokens.issueSuccessor(CHILD);
    expect(await new RefreshTokens(KEY).issueSuccessor({ ...CHILD })).toBe(child);
    expect(child).not.toBe(TOKEN);
  });

  it.each<[string, Partial<typeof CHILD>]>([
    ['parent', { parentRefreshTokenHash1: refreshTokenHash1('another') }],
    ['session', { sessionHandle: 'another' }],
    ['user', { userId: 'user-2' }],
    ['tenant', { tenantId: 't1' }],
    ['anti-CSRF token', { antiCsrfToken: 'anti' }],
  ])('is another one for another %s, with another nonce and IV', async (_, change) => {
    const one = await tokens.issueSuccessor(CHILD);
    const other = await tokens.issueSuccessor({ ...CHILD, ...change });
    expect(other.split('.')[1]).not.toBe(one.split('.')[1]);
    expect(unsealed(other).iv).not.toBe(unsealed(one).iv);
  });

  it('cannot be computed without the key', async () => {
    const stranger = new RefreshTokens(newRefreshTokenKey());
    const [sealed, nonce] = (await stranger.issueSuccessor(CHILD)).split('.');
    const ours = await tokens.issueSuccessor(CHILD);
    expect(ours).not.toContain(sealed);
    expect(ours).not.toContain(nonce);
    expect(stranger.successorAntiCsrfToken(PARENT_HASH1)).not.toBe(
      tokens.successorAntiCsrfToken(PARENT_HASH1),
    );
  });

  it('never uses an IV twice over a line of 3,000 generations', async () => {
    const ivs = new Set<string>();
    let token = await tokens.issue(FIRST);
    for (let generation = 0; generation < 3000; generation++) {
      token = await tokens.issueSuccessor({ ...FIRST, parentRefreshTokenHash1: refreshTokenHash1(token) });
      ivs.add(Buffer.from(token.slice(0, 16), 'base64').toString('hex'));
    }
    expect(ivs.size).toBe(3000);
  });

  it('comes with an anti-CSRF token of its own: a UUID that depends on the parent only', async () => {
    const antiCsrfToken = tokens.successorAntiCsrfToken(PARENT_HASH1);
    expect(antiCsrfToken).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(new RefreshTokens(KEY).successorAntiCsrfToken(PARENT_HASH1)).toBe(antiCsrfToken);
    expect(tokens.successorAntiCsrfToken(refreshTokenHash1('another'))).not.toBe(antiCsrfToken);
  });
});

describe('the form of a refresh token', () => {
  it.each([
    [TOKEN, true],
    ['a.b.V1', true],
    ['aa.bb.v9', true],
    ['a.b.V10', false],
    ['a.b.Vx', false],
    ['a.b.c', false],
    ['.b.V2', false],
    ['a..V2', false],
    ['x.a.b.V2', false],
    ['a.b.V2.x', false],
    ['eyJhbGciOiJSUzI1NiJ9.e30.AAAA', false],
    ['', false],
  ])('has %j: %s', (text, isOne) => {
    expect(isRefreshToken(text)).toBe(isOne);
  });
});

describe('opening what is no refresh token of ours', () => {
  it.each<[string, string]>([
    ['nothing (C71)', ''],
    ['a word (C71)', 'random'],
    ['a token with junk after it (C71)', `${TOKEN}junk`],
    ['a token with junk before it (C71)', `junk${TOKEN}`],
    ['a token with a space before it (C71)', ` ${TOKEN}`],
    ['a token with a line end after it (C71)', `${TOKEN}\n`],
    ['two parts', `${SEALED}.${NONCE}`],
    ['four parts', `${TOKEN}.V2`],
    ['four parts, the last three a token', `x.${TOKEN}`],
    ['a nonce with more behind it', `${SEALED}.${NONCE}0.V2`],
    ['a type with more before it', `${SEALED}.${NONCE}.xV2`],
    ['no sealed part', `.${NONCE}.V2`],
    ['a sealed part that is an IV', `${Buffer.alloc(12).toString('base64')}.${NONCE}.V2`],
    ['a sealed part without a whole tag', `${Buffer.alloc(27).toString('base64')}.${NONCE}.V2`],
    ['type V0', `${SEALED}.${NONCE}.V0`],
    ['type V3', `${SEALED}.${NONCE}.V3`],
    ['an access token', 'eyJhbGciOiJSUzI1NiJ9.e30.AAAA'],
    ['base64 without its alphabet', `${SEALED.replace(/[+/]/g, '-')}.${NONCE}.V2`],
    ['base64 with white space', `${SEALED.slice(0, 76)}\n${SEALED.slice(76)}.${NONCE}.V2`],
    ['a sealed part that is too short', `${Buffer.alloc(28).toString('base64')}.${NONCE}.V2`],
    ['a sealed part of a megabyte', `${'A'.repeat(1_000_000)}.${NONCE}.V2`],
    ['another nonce (S028, C73)', `${SEALED}.${refreshTokenHash1('x')}.V2`],
    ['the nonce in upper case', `${SEALED}.${NONCE.toUpperCase()}.V2`],
  ])('refuses %s', async (_, token) => {
    expect(await tokens.open(token)).toBeUndefined();
  });

  it.each<[string, string]>([
    ['no JSON', 'text'],
    ['no object', '["sessionHandle"]'],
    ['no session handle', `{"userId":"user-1","nonce":"${NONCE}"}`],
    ['a session handle that is no text', `{"sessionHandle":1,"userId":"user-1","nonce":"${NONCE}"}`],
    ['no user', `{"sessionHandle":"${HANDLE}","nonce":"${NONCE}"}`],
    ['no nonce', `{"sessionHandle":"${HANDLE}","userId":"user-1"}`],
  ])('refuses one that holds %s although it was sealed with our key', async (_, plaintext) => {
    expect(
      await tokens.open(`${await sealWithIv(KEY, Buffer.alloc(12, 3), plaintext)}.${NONCE}.V2`),
    ).toBeUndefined();
  });

  it('refuses one of more than 8,192 characters although it was sealed with our key, and opens the longest', async () => {
    const ofUserId = async (length: number): Promise<string> => {
      const plaintext = `{"sessionHandle":"${HANDLE}","userId":"${'u'.repeat(length)}","nonce":"${NONCE}"}`;
      return `${await sealWithIv(KEY, Buffer.alloc(12, 5), plaintext)}.${NONCE}.V2`;
    };
    const [longest, tooLong] = [await ofUserId(5922), await ofUserId(5923)];
    expect([longest.length, tooLong.length]).toEqual([8192, 8196]);
    expect([await tokens.open(longest), await tokens.open(tooLong)]).toEqual([
      expect.objectContaining({ sessionHandle: HANDLE }),
      undefined,
    ]);
  });

  it('takes a parent, an anti-CSRF token or a tenant that is no text for none', async () => {
    const plaintext = `{"sessionHandle":"${HANDLE}","userId":"user-1","nonce":"${NONCE}","parentRefreshTokenHash1":null,"antiCsrfToken":7,"tenantId":["t1"]}`;
    const token = `${await sealWithIv(KEY, Buffer.alloc(12, 4), plaintext)}.${NONCE}.V2`;
    expect(await tokens.open(token)).toEqual({ ...FIRST, nonce: NONCE });
  });

  it('refuses a token that another key sealed (C72)', async () => {
    expect(await new RefreshTokens(newRefreshTokenKey()).open(TOKEN)).toBeUndefined();
  });

  it('refuses the halves of two tokens, of one session or of two (S028)', async () => {
    const mine = (await tokens.issue(FIRST)).split('.');
    for (const other of [
      await tokens.issue(FIRST),
      await tokens.issue({ ...FIRST, sessionHandle: 'b', userId: 'user-2' }),
    ]) {
      const theirs = other.split('.');
      expect(await tokens.open(`${mine[0]}.${theirs[1]}.V2`)).toBeUndefined();
      expect(await tokens.open(`${theirs[0]}.${mine[1]}.V2`)).toBeUndefined();
      const [a, b] = [mine[0] ?? '', theirs[0] ?? ''];
      expect(await tokens.open(`${a.slice(0, 16)}${b.slice(16)}.${mine[1]}.V2`)).toBeUndefined();
    }
  });

  it('refuses a token with any one character changed', async () => {
    const typePart = TOKEN.length - 2;
    for (let index = 0; index < typePart; index++) {
      expect({ index, opened: await tokens.open(flipped(TOKEN, index)) }).toEqual({
        index,
        opened: undefined,
      });
    }
    expect(await tokens.open(`${SEALED}.${NONCE}.W2`)).toBeUndefined();
    expect(await tokens.open(`${SEALED}.${NONCE}.V3`)).toBeUndefined();
  });

  it('refuses a token with any one bit of its sealed bytes changed', async () => {
    const bytes = Buffer.from(SEALED, 'base64');
    for (let index = 0; index < bytes.length; index++) {
      const altered = Buffer.from(bytes);
      altered[index] = (altered[index] ?? 0) ^ (1 << (index % 8));
      expect(await tokens.open(`${altered.toString('base64')}.${NONCE}.V2`)).toBeUndefined();
    }
  });
});
