import { createPublicKey } from 'node:crypto';
import { JwtService } from '@nestjs/jwt';

/** @param {import('./verify-subject.mjs').VerifySetting} setting */
export async function open({ jwk }) {
  const publicKey = createPublicKey({ key: jwk, format: 'jwk' }).export({ type: 'spki', format: 'pem' });
  const jwt = new JwtService({ publicKey, verifyOptions: { algorithms: ['RS256'] } });
  return { verify: (token) => jwt.verifyAsync(token) };
}
