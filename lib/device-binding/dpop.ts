import { UnauthorisedError } from '../errors.js';
import type { SessionRequest } from '../http/session-request.js';
import type { MaybePromise } from '../util/maybe-promise.js';
import type { KeyConfirmation } from '../util/key-confirmation.js';

/**
 * Demonstrating Proof of Possession for sessions by header (RFC 9449): the client signs in with a key, and sends a proof of
 * it with each request.
 */
export class DpopBinding {
  checkToken(
    _request: SessionRequest,
    _token: string,
    _confirmation: KeyConfirmation | undefined,
  ): MaybePromise<void> {
    throw new UnauthorisedError('DPoP is not there yet', { clearTokens: false });
  }

  async keyOfNewSession(_request: SessionRequest): Promise<KeyConfirmation | undefined> {
    return undefined;
  }

  async proofOfRefresh(_request: SessionRequest): Promise<string | undefined> {
    return undefined;
  }

  assertSameKey(
    _request: SessionRequest,
    _confirmation: KeyConfirmation,
    _provenJkt: string | undefined,
  ): void {
    throw new UnauthorisedError('DPoP is not there yet', { clearTokens: false });
  }
}
