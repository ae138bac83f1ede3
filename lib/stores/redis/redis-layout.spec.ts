import { describe, expect, it } from '@jest/globals';
import { tagUuid, userTag } from '../../util/handle-tag.js';
import { decodeRow, encodeRow, indexMember, keySlot, parseIndexMember, RedisLayout } from './redis-layout.js';

const UUID = '0c2d5f0e-6c1b-4a51-9d3a-2f6f0f8f3a11';
const KEY = { tenantId: 'public', sessionHandle: UUID };
const ROW = {
  ...KEY,
  userId: 'user-1',
  refreshTokenHash2: '0f'.repeat(32),
  sessionData: '{"cart":3}',
  accessTokenPayload: '{}',
  expiresAtMs: 2000,
  createdAtMs: 1000,
  useStaticKey: true,
  prevRefreshTokenHash2: undefined,
  rotatedAtMs: undefined,
};

describe('the keys in a cluster', () => {
  const layout = new RedisLayout('x:', true);

  it('have the slots of the cluster specification: CRC16/XMODEM', () => {
    expect(keySlot('123456789')).toBe(0x31c3);
    expect(keySlot('foo')).toBe(12_182);
    expect(keySlot('a{foo}b{bar}')).toBe(12_182);
  });

  it('are in 256 slots, one in each stretch of 64, so that every node gets its share', () => {
    const places = Array.from({ length: 256 }, (_, n) => Math.floor(keySlot(layout.indexKey(n)) / 64));
    expect(places).toEqual(Array.from({ length: 256 }, (_, n) => n));
  });

  it('of a session with a tag are in the slot of its user’s index', () => {
    for (let n = 0; n < 500; n++) {
      const userId = `user-${n}`;
      const key = { tenantId: 't1', sessionHandle: `${tagUuid(UUID, userTag(userId))}_t1` };
      expect(keySlot(layout.rowKey(key))).toBe(keySlot(layout.indexKey(layout.userPartition(userId))));
    }
  });

  it('of sessions without a tag are spread by their handles', () => {
    const slots = Array.from({ length: 500 }, (_, n) =>
      keySlot(layout.rowKey({ tenantId: 'public', sessionHandle: `h-${n}` })),
    );
    expect(new Set(slots).size).toBeGreaterThan(100);
  });
});

describe('the keys on one server', () => {
  it('are short, and different for each tenant', () => {
    const layout = new RedisLayout('x:', false);
    expect(layout.rowKey(KEY)).toBe(`x:s:${UUID}`);
    expect(layout.rowKey({ tenantId: 't1', sessionHandle: UUID })).toBe(`x:t:t1:${UUID}`);
    const odd = { tenantId: 'a:b', sessionHandle: 'c', userId: 'u' };
    expect(parseIndexMember(indexMember(odd))).toEqual(odd);
  });
});

describe('the text of a row', () => {
  it.each([
    {},
    { prevRefreshTokenHash2: 'a'.repeat(64), rotatedAtMs: 5 },
    { refreshTokenHash2: 'no hash', prevRefreshTokenHash2: '!' },
    { refreshTokenHash2: 'A'.repeat(64), userId: 'u\n漢' },
  ])('is read as it was written: %j', (changes) => {
    const row = { ...ROW, ...changes };
    expect(decodeRow(KEY, encodeRow(row))).toEqual(row);
  });

  it.each(['', 'x', '1\x002', '\0\0\0\0\0\0\0\0', encodeRow(ROW).replace('2000', 'soon')])(
    'that is none is refused: %j',
    (text) => {
      expect(() => decodeRow(KEY, text)).toThrow('no session');
    },
  );
});
