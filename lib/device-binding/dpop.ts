import { hash } from 'node:crypto';
import { readAuthorization, requestIdentity } from '../http/incoming-request.js';
import type { SessionRequest } from '../http/session-request.js';
import type { SessionConfig } from '../options/session-config.js';
import type { DpopSettings } from '../options/device-bound-options.js';
import type { ReplayStore } from '../options/replay-store.js';
import type { Clock } from '../util/clock.js';
import { chain, type MaybePromise } from '../util/maybe-promise.js';
import type { KeyConfirmation } from '../util/key-confirmation.js';
import type { BindingSecret } from './binding-secret.js';
import { DpopProofs } from './dpop-proofs.js';
import { DpopRefusedError, writeNonce, type DpopErrorCode } from './dpop-refused.error.js';
import { Nonces } from './nonces.js';
import { OtherKeyError, ProofError, type VerifiedProof } from './proof.js';
import { UsedProofs } from './used-proofs.js';

/** The credential that a proof comes with: that of a sign-in, a refresh token, or an access token. */
type ProofUse = 'sign-in' | 'refresh' | 'access';

/** The proof of one request, which several guards and handlers may ask for. */
interface ProofOfRequest {
  readonly text: string;
  readonly verified: MaybePromise<VerifiedProof>;
  /** The outcome of the look whether it was used before, once somebody has looked. */
  unused?: { readonly outcome: MaybePromise<void> };
}

/** The parts that the binding works with. */
export interface DpopParts {
  readonly config: SessionConfig;
  readonly settings: DpopSettings;
  readonly secret: BindingSecret;
  readonly replay: ReplayStore;
  readonly clock: Clock;
}

/**
 * Demonstrating Proof of Possession for sessions by header (RFC 9449): the client signs in with a key, and sends a proof of
 * it with each request.
 */
export class DpopBinding {
  private readonly proofs: DpopProofs;
  private readonly used: UsedProofs;
  private readonly nonces: Nonces;
  /** By request, so that a second look at a request does not find its own proof used. */
  private readonly byRequest = new WeakMap<object, ProofOfRequest>();

  constructor(private readonly parts: DpopParts) {
    const { config, settings, secret, replay, clock } = parts;
    this.proofs = new DpopProofs(config, settings, clock);
    this.used = new UsedProofs(replay, clock);
    this.nonces = new Nonces(secret, clock);
  }

  /** @throws {DpopRefusedError} a token that is bound to no key came with the scheme that promises one */
  checkUnbound({ request }: SessionRequest): void {
    if (readAuthorization(request)?.scheme !== 'DPoP') return;
    throw this.refusal('invalid_token', 'The access token is bound to no key, and came with the scheme DPoP');
  }

  /**
   * Checks the proof that comes with a bound access token.
   *
   * @param token genuine, so that forged ones cost no more than their own check
   * @throws {DpopRefusedError} there is no proof, or it is not good
   * @throws {DeviceCheckUnavailableError} it cannot be known whether it was used before
   */
  checkToken(request: SessionRequest, token: string, { jkt }: KeyConfirmation): MaybePromise<void> {
    return this.explained(() => {
      if (readAuthorization(request.request)?.scheme !== 'DPoP')
        throw new OtherKeyError('the access token came without the scheme DPoP');
      return chain(this.find(request, 'access', jkt), (found) => {
        const { proof, ofRequest } = assertKey(found, jkt);
        if (proof.claims['ath'] !== hash('sha256', token, 'base64url'))
          throw new ProofError('its ath is that of another access token');
        return this.spend(proof, ofRequest);
      });
    });
  }

  /**
   * Returns the key that a new session is bound to; undefined if the request has no proof.
   *
   * @throws {DpopRefusedError | DeviceCheckUnavailableError} as {@link checkToken}
   */
  async keyOfNewSession(request: SessionRequest): Promise<KeyConfirmation | undefined> {
    return this.explained(async () => {
      const found = await this.find(request, 'sign-in', undefined);
      if (found === undefined) return undefined;
      const { proof, ofRequest } = found;
      await this.spend(proof, ofRequest);
      return { jkt: proof.jkt, via: 'dpop', boundAt: Math.floor(this.parts.clock.now() / 1000) };
    });
  }

  /**
   * Verifies the proof that comes with a refresh token, as far as that can be done before the session is known.
   *
   * @throws {DpopRefusedError} there is one, and it is not good
   */
  async checkRefreshing(request: SessionRequest): Promise<void> {
    await this.explained(async () => this.find(request, 'refresh', undefined));
  }

  /**
   * Checks the same proof for the session that was refreshed. Only now it counts as used, so that the room for used proofs cannot be
   * filled without a refresh token.
   *
   * @throws {DpopRefusedError | DeviceCheckUnavailableError} as {@link checkToken}
   */
  async checkRefreshed(request: SessionRequest, { jkt }: KeyConfirmation): Promise<void> {
    await this.explained(async () => {
      const { proof, ofRequest } = assertKey(await this.find(request, 'refresh', jkt), jkt);
      await this.spend(proof, ofRequest);
    });
  }

  /** Finds and verifies the proof of a request, and its nonce where that is asked for. */
  private find(
    request: SessionRequest,
    use: ProofUse,
    jkt: string | undefined,
  ): MaybePromise<FoundProof | undefined> {
    const { settings, secret } = this.parts;
    const needsNonce = settings.nonce === 'always' || (settings.nonce === 'refresh' && use !== 'access');
    const text = this.proofs.text(request);
    const find = (): MaybePromise<FoundProof | undefined> => {
      if (text === undefined) return undefined;
      const ofRequest = this.proofOfRequest(request, text, jkt);
      return chain(ofRequest.verified, (proof) => {
        if (needsNonce) this.checkNonce(proof, request);
        return { proof, ofRequest };
      });
    };
    return settings.nonce === 'never' ? find() : chain(secret.ready(), find); // refusals bring a nonce, too
  }

  private proofOfRequest(request: SessionRequest, text: string, jkt: string | undefined): ProofOfRequest {
    const owner = requestIdentity(request.request);
    const known = this.byRequest.get(owner);
    if (known?.text === text) return known;
    const ofRequest = { text, verified: this.proofs.verify(request, text, jkt) };
    this.byRequest.set(owner, ofRequest);
    return ofRequest;
  }

  private checkNonce({ claims }: VerifiedProof, { response }: SessionRequest): void {
    const verdict = this.nonces.judge(claims['nonce']);
    if (verdict === 'refused') throw this.refusal('use_dpop_nonce', 'The DPoP proof lacks a nonce of today');
    if (verdict === 'ageing') writeNonce(response, this.nonces.current());
  }

  private spend(proof: VerifiedProof, ofRequest: ProofOfRequest): MaybePromise<void> {
    ofRequest.unused ??= { outcome: this.used.add(this.proofs.toUsed(proof)) };
    return ofRequest.unused.outcome;
  }

  /** Does some work, and turns what it finds wrong with a proof into the response to it. */
  private explained<T>(work: () => MaybePromise<T>): MaybePromise<T> {
    const explain = (error: unknown): never => {
      if (!(error instanceof ProofError)) throw error;
      const code = error instanceof OtherKeyError ? 'invalid_token' : 'invalid_dpop_proof';
      throw this.refusal(code, `The DPoP proof is refused: ${error.message}`);
    };
    try {
      const done = work();
      return done instanceof Promise ? done.catch(explain) : done;
    } catch (error) {
      return explain(error);
    }
  }

  private refusal(code: DpopErrorCode, message: string): DpopRefusedError {
    const { algorithms, nonce } = this.parts.settings;
    return new DpopRefusedError(message, {
      code,
      algorithms,
      nonce: nonce === 'never' ? undefined : this.nonces.current(),
    });
  }
}

interface FoundProof {
  readonly proof: VerifiedProof;
  readonly ofRequest: ProofOfRequest;
}

function assertKey(found: FoundProof | undefined, jkt: string): FoundProof {
  if (found === undefined) throw new ProofError('there is none');
  if (found.proof.jkt !== jkt) throw new OtherKeyError('its key is another one');
  return found;
}
