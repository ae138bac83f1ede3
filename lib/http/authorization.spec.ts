import { describe, expect, it } from '@jest/globals';
import { MAX_CREDENTIAL_LENGTH, readAuthorization } from './authorization.js';
import { IncomingRequest } from './incoming-request.js';

const read = (authorization?: string) =>
  readAuthorization(new IncomingRequest({ headers: { authorization } }));

describe('the Authorization header', () => {
  it.each([
    ['Bearer a.b.c', { scheme: 'Bearer', token: 'a.b.c' }],
    ['Bearer   a  ', { scheme: 'Bearer', token: 'a' }],
    ['Bearer ', { scheme: 'Bearer', token: '' }],
    ['DPoP a.b.c', { scheme: 'DPoP', token: 'a.b.c' }],
    ['dpop  a ', { scheme: 'DPoP', token: 'a' }],
    ['bearer a', undefined],
    ['DPoPa', undefined],
    ['x DPoP a', undefined],
    ['Basic YTpi', undefined],
    [undefined, undefined],
  ])('%j brings %j', (value, authorization) => {
    expect(read(value)).toEqual(authorization);
  });

  it('counts up to 16 kB', () => {
    const token = 'x'.repeat(MAX_CREDENTIAL_LENGTH - 'Bearer '.length);
    expect(read(`Bearer ${token}`)?.token).toBe(token);
    expect(read(`Bearer ${token}x`)).toBeUndefined();
    expect(MAX_CREDENTIAL_LENGTH).toBe(16_384);
  });
});
