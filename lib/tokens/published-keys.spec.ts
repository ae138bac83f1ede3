import { describe, expect, it } from '@jest/globals';
import { parsePublicKeys } from './published-keys.js';

const RSA = { kty: 'RSA', kid: 'd-1', n: 'n', e: 'AQAB' };

describe('the keys of a JWKS', () => {
  it('are those with an id that are not symmetric, by their public members', () => {
    const keys = [
      { ...RSA, d: 'private', alg: 'RS256' },
      { kty: 'oct', kid: 'k', k: 'secret' },
      { kty: 'RSA', n: 'n' },
    ];
    expect(parsePublicKeys({ keys })).toStrictEqual([{ ...RSA, alg: 'RS256' }]);
  });

  it.each([
    ['none', [], 'keys has no usable key'],
    ['none that is usable', [{ kty: 'oct', kid: 'k' }], 'keys has no usable key'],
    ['one that is no object', [RSA, 'key'], 'keys[1] is not an object'],
  ])('are refused where there is %s, and the error says where', (_, keys, message) => {
    expect(() => parsePublicKeys({ keys })).toThrow(message);
  });
});
