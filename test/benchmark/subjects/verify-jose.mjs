import { importJWK, jwtVerify } from 'jose';

/** @param {import('./verify-subject.mjs').VerifySetting} setting */
export async function open({ jwk }) {
  const key = await importJWK(jwk, 'RS256');
  return { verify: (token) => jwtVerify(token, key, { algorithms: ['RS256'] }) };
}
