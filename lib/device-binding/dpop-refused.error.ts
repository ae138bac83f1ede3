import { UnauthorisedError } from '../errors.js';
import { writeLines } from '../http/written-headers.js';
import type { HttpResponse } from '../util/http-exchange.js';

/** Why a client is challenged. @see RFC 9449 sections 7.1 and 9 */
export type DpopErrorCode = 'invalid_token' | 'invalid_dpop_proof' | 'use_dpop_nonce';

/** The content of the challenge to the client. */
export interface DpopChallenge {
  readonly code: DpopErrorCode;
  readonly algorithms: readonly string[];
  /** For the client's next proof. */
  readonly nonce: string | undefined;
}

/**
 * A request is refused because its DPoP proof is missing or not good. It takes no tokens away, because a thief must not sign the owner out.
 */
export class DpopRefusedError extends UnauthorisedError {
  constructor(
    message: string,
    readonly challenge: DpopChallenge,
  ) {
    super(message, { clearTokens: false });
  }

  /** Tells the client how to go on. */
  writeChallenge(response: HttpResponse): void {
    const { code, algorithms, nonce } = this.challenge;
    const challenge = `DPoP error="${code}", algs="${algorithms.join(' ')}"`;
    writeLines(response, { exposed: [['WWW-Authenticate', challenge]] });
    if (nonce !== undefined) writeNonce(response, nonce);
  }
}

/** Gives the client a nonce for its next proof. A cache must not give it out later. @see RFC 9449 section 8.2 */
export function writeNonce(response: HttpResponse, nonce: string): void {
  if (response.isSent) return;
  response.setHeader('Cache-Control', 'no-store');
  writeLines(response, { exposed: [['DPoP-Nonce', nonce]] });
}
