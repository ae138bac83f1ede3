import { createSessionVerifier } from 'nest-sessions/verify';

/**
 * @param {import('./verify-subject.mjs').VerifySetting} setting
 * @param {{ at: 'request' | 'token' }} options
 */
export async function open({ jwk }, { at }) {
  const verifier = createSessionVerifier({ keys: { keys: [jwk] } });
  const verify = {
    token: (token) => verifier.verifyToken(token),
    request: (token) =>
      verifier.verify(new Request('http://localhost/', { headers: { authorization: `Bearer ${token}` } })),
  };
  return { verify: verify[at] };
}
