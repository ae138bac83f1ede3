import type { SessionRequest } from '../http/session-request.js';
import type { SessionConfig } from '../options/session-config.js';
import type { DpopSettings } from '../options/device-bound-options.js';
import type { Clock } from '../util/clock.js';
import type { JsonObject } from '../util/json.js';
import { chain, type MaybePromise } from '../util/maybe-promise.js';
import { ProofError, type VerifiedProof } from './proof.js';
import { ProofVerifier } from './proof-verifier.js';
import { isTargetUri } from './target-uri.js';
import type { UsedProof } from './used-proofs.js';

const MAX_ID_LENGTH = 256;
/** Time for which a used proof is kept beyond its end, because `iat` may have fractions and the clocks of instances differ. */
const KEPT_LONGER_SEC = 30;

/** Reads the proofs of requests, and checks what does not depend on the token, on nonces, or on earlier requests. */
export class DpopProofs {
  private readonly verifier: ProofVerifier;

  constructor(
    private readonly config: SessionConfig,
    private readonly settings: DpopSettings,
    private readonly clock: Clock,
  ) {
    this.verifier = new ProofVerifier(settings.algorithms);
  }

  /** Returns the text of the header `DPoP`, which Node joins with commas if there are several; undefined if there is none. */
  text({ request }: SessionRequest): string | undefined {
    return request.getHeaderValue('dpop');
  }

  /**
   * Verifies the proof of a request.
   *
   * @param jkt the thumbprint of the key that must have signed; undefined: any
   * @throws {ProofError} it is malformed, of another type or key, of another request, or not of this time
   * @see RFC 9449 section 4.3
   */
  verify(request: SessionRequest, text: string, jkt: string | undefined): MaybePromise<VerifiedProof> {
    return chain(this.verifier.verify(text, jkt), (proof) => {
      this.checkRequest(proof.claims, request);
      this.checkTimes(proof.claims);
      return proof;
    });
  }

  /** Returns what is to be kept of a verified proof, so that it is not used again. */
  toUsed({ jkt, claims: { jti, iat } }: VerifiedProof): UsedProof {
    const { maxAgeSec, clockToleranceSec } = this.settings;
    const endSec = Math.ceil(Number(iat)) + maxAgeSec + clockToleranceSec + KEPT_LONGER_SEC;
    return { jkt, jti: typeof jti === 'string' ? jti : '', untilMs: endSec * 1000 };
  }

  private checkRequest({ jti, htm, htu }: JsonObject, { request }: SessionRequest): void {
    if (typeof jti !== 'string' || jti === '' || jti.length > MAX_ID_LENGTH)
      throw new ProofError(`its jti is no text of 1 to ${MAX_ID_LENGTH} characters`);
    if (htm !== request.getMethod().toUpperCase()) throw new ProofError('its htm is another method');
    if (typeof htu !== 'string' || !isTargetUri(htu, request, this.config))
      throw new ProofError('its htu is not the address of the request below apiDomain');
  }

  private checkTimes({ iat, exp, nbf }: JsonObject): void {
    const { maxAgeSec, clockToleranceSec } = this.settings;
    const nowSec = this.clock.now() / 1000;
    if (typeof iat !== 'number' || !Number.isFinite(iat)) throw new ProofError('its iat is no number');
    if (iat - nowSec > clockToleranceSec) throw new ProofError('its iat lies in the future');
    if (nowSec - iat > maxAgeSec) throw new ProofError('it is too old');
    // Not used by DPoP, but a proof that names its own limits means them.
    if (exp !== undefined && !(typeof exp === 'number' && nowSec < exp + clockToleranceSec))
      throw new ProofError('it has expired');
    if (nbf !== undefined && !(typeof nbf === 'number' && nowSec + clockToleranceSec >= nbf))
      throw new ProofError('it is not valid yet');
  }
}
