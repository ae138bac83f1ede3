import type { Clock } from '../util/clock.js';
import type { VerificationKeys } from '../util/verification-keys.js';
import { parseWithoutVerifying } from './access-token.js';
import { SignatureVerifier } from './signature-verifier.js';
import { TokenVerifier, type AccessTokenVerifierOptions, type TokenRuntime } from './token-verifier.js';

export { DEFAULT_MAX_CACHED_TOKEN_BYTES, type AccessTokenVerifierOptions } from './token-verifier.js';

const NODE: TokenRuntime = {
  parse: (token) => parseWithoutVerifying(token),
  copyText: (text) => Buffer.from(text).toString(),
  createSignatures: (keys) => new SignatureVerifier(keys),
};

/** Verifies access tokens by `Buffer` and `node:crypto`: a token whose key is at hand needs no promise. */
export class AccessTokenVerifier extends TokenVerifier {
  constructor(keys: VerificationKeys, clock: Clock, options: AccessTokenVerifierOptions) {
    super(keys, clock, options, NODE);
  }
}
