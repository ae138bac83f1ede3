import { describe, expect, it } from '@jest/globals';
import { decoded, verify } from '../../support/core-calls.js';
import { DYNAMIC_TEST_KID, makeEmbeddedCore, STATIC_TEST_KID } from '../../support/embedded.js';
import { CoreBadInputError } from '../../../lib/errors.js';
import type { CoreJwtInput } from '../../../lib/core/core.types.js';

async function made(changes: Partial<CoreJwtInput> = {}) {
  const { core } = await makeEmbeddedCore();
  const input = {
    payload: {},
    validity: 100,
    useStaticSigningKey: true,
    algorithm: 'RS256',
    jwksDomain: 'http://localhost:3000',
    ...changes,
  };
  const result = await core.createJwt(input);
  return { core, result, jwt: result.status === 'OK' ? result.jwt : '' };
}

describe('a JWT of the application', () => {
  it('carries issuer and times besides the payload, null included, and no version', async () => {
    const { jwt } = await made({ payload: { aud: 'x', nothing: null }, useStaticSigningKey: true });
    expect(decoded(jwt)).toEqual({
      header: { kid: STATIC_TEST_KID, typ: 'JWT', alg: 'RS256' },
      payload: {
        iss: 'http://localhost:3000',
        iat: 1_760_000_000,
        exp: 1_760_000_100,
        aud: 'x',
        nothing: null,
      },
    });
  });

  it.each(['HS256', 'rs512', 'none', ''])('is not made with %j (C139)', async (algorithm) => {
    expect((await made({ algorithm })).result).toEqual({ status: 'UNSUPPORTED_ALGORITHM_ERROR' });
  });

  it('is made with rs256 in any case of the letters', async () => {
    expect((await made({ algorithm: 'rs256' })).result.status).toBe('OK');
  });

  it.each([0, -1, Number.NaN])('is not made with the validity %d (C140)', async (validity) => {
    await expect(made({ validity })).rejects.toThrow(CoreBadInputError);
  });

  it('keeps an issuer of the payload (C141)', async () => {
    const { jwt } = await made({ payload: { iss: 'https://other.example' } });
    expect(decoded(jwt).payload['iss']).toBe('https://other.example');
  });

  it('is signed by the kind of key that is asked for (C142)', async () => {
    const kidOf = (jwt: string): unknown => decoded(jwt).header['kid'];
    expect(kidOf((await made({ useStaticSigningKey: true })).jwt)).toBe(STATIC_TEST_KID);
    expect(kidOf((await made({ useStaticSigningKey: false })).jwt)).toBe(DYNAMIC_TEST_KID);
  });

  it('is no access token (S007)', async () => {
    const { core, jwt } = await made({
      payload: { sub: 'user-1', sessionHandle: 'x', refreshTokenHash1: 'y' },
    });
    expect(await verify(core, jwt)).toMatchObject({ status: 'TRY_REFRESH_TOKEN' });
  });
});
