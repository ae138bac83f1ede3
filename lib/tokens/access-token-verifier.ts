import { TryRefreshTokenError, UnauthorisedError, assertNever } from '../errors.js';
import type { Clock } from '../util/clock.js';
import { deepFreeze, type JsonObject } from '../util/json.js';
import type { VerificationKeys } from '../util/verification-keys.js';
import {
  accessTokenInfo,
  parseWithoutVerifying,
  type AccessTokenInfo,
  type ParsedAccessToken,
} from './access-token.js';
import { findForeignClaim, type ExpectedClaims } from './access-token-claims.js';
import { SignatureVerifier, type SignatureVerdict } from './signature-verifier.js';
import { tokenCacheKey, VerifiedTokenCache, type ProofStart, type Validity } from './verified-token-cache.js';

export interface AccessTokenVerifierOptions {
  /** Seconds by which `exp` and `nbf` may be missed. */
  readonly clockToleranceSec: number;
  /** Tokens that are remembered as verified; 0 for none. */
  readonly maxCachedTokens: number;
  /** Memory that they may take, bytes, estimated; 0 for none. Default {@link DEFAULT_MAX_CACHED_TOKEN_BYTES}. */
  readonly maxCachedTokenBytes?: number;
  /** Which tokens are meant for this application. Default: all. */
  readonly intended?: ExpectedClaims;
}

export const DEFAULT_MAX_CACHED_TOKEN_BYTES: number = 32 * 1024 * 1024;

/** A verification under way, which others who present the same token wait for. */
interface Flight extends ProofStart {
  readonly token: string;
  readonly proof: Promise<AccessTokenInfo>;
}

/**
 * Proves access tokens: signature, times, and that they are meant for us. Every refusal is one `TryRefreshTokenError`, but
 * for a proven token that is meant for others.
 *
 * @see docs/protocol/sdk.md §4.4
 */
export class AccessTokenVerifier {
  private readonly cache: VerifiedTokenCache;
  private readonly signatures: SignatureVerifier;
  private readonly flights = new Map<string, Flight>();
  private lastRead: { readonly token: string; readonly parsed: ParsedAccessToken | undefined } | undefined;

  constructor(
    private readonly keys: VerificationKeys,
    private readonly clock: Clock,
    private readonly options: AccessTokenVerifierOptions,
  ) {
    this.cache = new VerifiedTokenCache({
      maxEntries: options.maxCachedTokens,
      maxBytes: options.maxCachedTokenBytes ?? DEFAULT_MAX_CACHED_TOKEN_BYTES,
    });
    this.signatures = new SignatureVerifier(keys);
  }

  /** Whether a text is built like one of our access tokens; nothing of it need be true. */
  isOurs(token: string): boolean {
    return this.recall(token) !== undefined || this.read(token) !== undefined;
  }

  /**
   * Takes a token apart as {@link parseWithoutVerifying} does; who asks twice in a row, first to see whether it is one of
   * ours and then to verify it, pays once.
   */
  read(token: string): ParsedAccessToken | undefined {
    if (this.lastRead?.token !== token) this.lastRead = { token, parsed: parseWithoutVerifying(token) };
    return this.lastRead.parsed;
  }

  /**
   * What was proven about a token before, if it still holds: without a promise, without parsing, without signature work.
   *
   * @returns undefined when it has to be verified, which also tells what is wrong with it
   */
  recall(token: string): AccessTokenInfo | undefined {
    return this.cache.get(token, this.keys.generation, this.clock.now());
  }

  /**
   * {@link verify} without a promise: for a token that is known, and for one whose key is at hand.
   *
   * @returns undefined where only {@link verify} can tell, for what is none of our tokens, and for a refreshed token at its
   *   first use: the core has to be asked about it, so that it is verified on the way there, and only once
   * @throws as {@link verify} rejects
   */
  verifyAtOnce(token: string): AccessTokenInfo | undefined {
    const known = this.recall(token);
    if (known !== undefined) return known;
    const parsed = this.read(token);
    if (parsed === undefined || parsed.version <= 2) return undefined;
    if (typeof parsed.payload['parentRefreshTokenHash1'] === 'string') return undefined;
    const validity = this.checkTimes(parsed);
    const start = this.proofStart();
    const verdict = this.signatures.verifyAtOnce(parsed);
    return verdict && this.conclude(verdict, parsed, validity, start);
  }

  /**
   * @returns the token's facts; its payload is frozen, because several requests share it
   * @throws {TryRefreshTokenError} expired, not yet valid, unknown key, bad signature, or the key set cannot be had
   * @throws {UnauthorisedError} as {@link assertIntended}
   */
  verify(parsed: ParsedAccessToken): Promise<AccessTokenInfo> {
    try {
      const validity = this.checkTimes(parsed);
      const known = this.recall(parsed.token);
      return known === undefined ? this.shareProof(parsed, validity) : Promise.resolve(known);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * For payloads that are proven; {@link verify} has done it for what it answers.
   *
   * Not `TryRefreshTokenError`: a refresh never changes who made a session and for whom, so a client that believed it would
   * refresh for ever. 401 all the same, because a client whose session began under another issuer has to sign in: its
   * refresh here is refused like this, too, and the browser client ends its local session then. With a 403 it would keep
   * a session that opens nothing. The tokens stay: where cookies are shared they are good at the application that they are
   * meant for, and calling us by mistake must not sign anybody out there. What such a client costs is bounded by itself
   * (supertokens-website refreshes at its own application at most ten times for one call).
   *
   * @throws {UnauthorisedError} the session is one for other applications; clears no tokens
   * @see docs/protocol/sdk.md §16 B8, B9
   */
  assertIntended(payload: JsonObject): void {
    const claim = this.findForeignClaim(payload);
    if (claim === undefined) return;
    const option = claim === 'iss' ? 'is not among accessTokenIssuers' : 'does not name accessTokenAudience';
    throw new UnauthorisedError(`The session is meant for another application: its ${claim} ${option}`, {
      clearTokens: false,
    });
  }

  /** The claim for which {@link assertIntended} refuses a payload. */
  findForeignClaim(payload: JsonObject): 'iss' | 'aud' | undefined {
    const { intended } = this.options;
    return intended && findForeignClaim(payload, intended);
  }

  /** What was proven about these sessions is proven again at the next use. */
  forgetSessions(sessionHandles: readonly string[]): void {
    this.cache.deleteSessions(sessionHandles);
  }

  /** Number of tokens that are remembered now. */
  get cachedTokens(): number {
    return this.cache.size;
  }

  /** Memory that they take, bytes, estimated. */
  get cachedTokenBytes(): number {
    return this.cache.bytes;
  }

  private checkTimes(parsed: ParsedAccessToken): Validity {
    const now = this.clock.now();
    const validity = checkValidity(parsed, this.options.clockToleranceSec);
    // Not the other way round: a limit that is no number lets nobody in.
    if (!(now >= validity.fromMs)) throw failure('it is not valid yet');
    if (!(now < validity.untilMs)) {
      this.cache.delete(parsed.token);
      throw failure('it has expired');
    }
    return validity;
  }

  private proofStart(): ProofStart {
    return { generation: this.keys.generation, epoch: this.cache.epoch };
  }

  /** Who comes with the same token meanwhile waits for the same proof; a failure is told to all and then forgotten. */
  private shareProof(parsed: ParsedAccessToken, validity: Validity): Promise<AccessTokenInfo> {
    const { token } = parsed;
    const start = this.proofStart();
    const key = tokenCacheKey(token);
    const underWay = this.flights.get(key);
    if (underWay?.token === token && isSameStart(underWay, start)) return underWay.proof;
    const flight: Flight = { ...start, token, proof: this.prove(parsed, validity, start) };
    this.flights.set(key, flight);
    const land = (): void => {
      if (this.flights.get(key) === flight) this.flights.delete(key);
    };
    flight.proof.then(land, land);
    return flight.proof;
  }

  private async prove(
    parsed: ParsedAccessToken,
    validity: Validity,
    start: ProofStart,
  ): Promise<AccessTokenInfo> {
    let verdict: SignatureVerdict;
    try {
      verdict = await this.signatures.verify(parsed);
    } catch (error) {
      // Q1: without keys nothing can be proven; the client refreshes, which tells it whether the core is there.
      throw failure('the keys cannot be had', { cause: error });
    }
    return this.conclude(verdict, parsed, validity, start);
  }

  private conclude(
    verdict: SignatureVerdict,
    parsed: ParsedAccessToken,
    validity: Validity,
    start: ProofStart,
  ): AccessTokenInfo {
    switch (verdict) {
      case 'PROVEN': {
        const info = accessTokenInfo(parsed);
        // Before it is remembered: what is found again has passed.
        this.assertIntended(info.payload);
        deepFreeze(info);
        this.cache.set(parsed.token, info, validity, start);
        return info;
      }
      case 'UNKNOWN_KEY':
        throw failure('its key is not known');
      case 'WRONG_SIGNATURE':
        throw failure('its signature is wrong');
      default:
        return assertNever(verdict);
    }
  }
}

/** A proof that began before a key left or a session was revoked does not serve those who come after. */
function isSameStart(a: ProofStart, b: ProofStart): boolean {
  return a.generation === b.generation && a.epoch === b.epoch;
}

/**
 * The claims count whole seconds of the clock: `nbf` is reached when the second is, `exp` is over when the second begins.
 * Version 2 counts milliseconds and is good in the last one, too.
 */
function checkValidity({ version, payload }: ParsedAccessToken, toleranceSec: number): Validity {
  const { nbf } = payload;
  const isNumber = typeof nbf === 'number';
  return {
    fromMs: nbf === undefined ? -Infinity : isNumber ? Math.ceil(nbf - toleranceSec) * 1000 : Infinity,
    untilMs:
      version <= 2
        ? Number(payload['expiryTime']) + toleranceSec * 1000 + 1
        : Math.ceil(Number(payload['exp']) + toleranceSec) * 1000,
  };
}

function failure(detail: string, options?: ErrorOptions): TryRefreshTokenError {
  return new TryRefreshTokenError(`Failed to verify access token: ${detail}`, options);
}
