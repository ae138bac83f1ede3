// The strategy alone, as passport runs it for a request.
import { createPublicKey } from 'node:crypto';
import { ExtractJwt, Strategy } from 'passport-jwt';

/** @param {import('./verify-subject.mjs').VerifySetting} setting */
export async function open({ jwk }) {
  const strategy = strategyFor(jwk);
  return {
    verify: (token) =>
      new Promise((resolve, reject) => {
        const run = Object.create(strategy);
        Object.assign(run, { success: resolve, fail: reject, error: reject });
        run.authenticate({ headers: { authorization: `Bearer ${token}` } });
      }),
  };
}

export function strategyFor(jwk, jwtFromRequest = ExtractJwt.fromAuthHeaderAsBearerToken()) {
  const secretOrKey = createPublicKey({ key: jwk, format: 'jwk' }).export({ type: 'spki', format: 'pem' });
  const options = { secretOrKey, algorithms: ['RS256'], jwtFromRequest };
  return new Strategy(options, (payload, done) => done(null, { userId: payload.sub }));
}
