import { CoreUnavailableError, TryRefreshTokenError, UnauthorisedError, assertNever } from '../errors.js';
import type { Clock } from '../util/clock.js';
import { deepFreeze, type JsonObject } from '../util/json.js';
import { chain, type MaybePromise } from '../util/maybe-promise.js';
import type { VerificationKeys } from '../util/verification-keys.js';
import { accessTokenInfo, type AccessTokenInfo, type ParsedAccessToken } from './access-token-format.js';
import { findForeignClaim, type ExpectedClaims } from './expected-claims.js';
import type { SignatureVerdict, TokenSignatures } from './token-signatures.js';
import {
  tokenCacheKey,
  VerifiedTokenCache,
  type CopyText,
  type ProofStart,
  type Validity,
} from './verified-token-cache.js';

export interface AccessTokenVerifierOptions {
  /** Tolerance for `exp` and `nbf`, seconds. */
  readonly clockToleranceSec: number;
  /** Number of verified tokens that are remembered; 0 for none. */
  readonly maxCachedTokens: number;
  /** Memory that remembered tokens may take, bytes, estimated; 0 for none. Default {@link DEFAULT_MAX_CACHED_TOKEN_BYTES}. */
  readonly maxCachedTokenBytes?: number;
  /** Issuers and audience that this application accepts. Default: all. */
  readonly intended?: ExpectedClaims;
  /** Returns false for a token whose session has ended or may have ended. Default: true for all. */
  readonly mayRemember?: (info: AccessTokenInfo) => boolean;
}

export const DEFAULT_MAX_CACHED_TOKEN_BYTES: number = 32 * 1024 * 1024;

/** The work on bytes, which each kind of runtime does in its own way. */
export interface TokenRuntime {
  readonly parse: (token: string) => ParsedAccessToken | undefined;
  readonly copyText: CopyText;
  readonly createSignatures: (keys: VerificationKeys) => TokenSignatures;
}

/** A verification that waits; later requests with the same token wait for it, too. */
interface ProofInFlight extends ProofStart {
  readonly token: string;
  readonly proof: Promise<AccessTokenInfo>;
}

/**
 * Verifies access tokens: signature, times, issuer and audience. Every refusal is a `TryRefreshTokenError`, except that of a
 * genuine token for another application. Without the keys there is no verdict, but a `CoreUnavailableError`.
 *
 * @see docs/protocol/sdk.md §4.4
 */
export class TokenVerifier {
  private readonly cache: VerifiedTokenCache;
  private readonly signatures: TokenSignatures;
  private readonly inFlight = new Map<string, ProofInFlight>();
  /** The forged token that came last, because one request may bring it for many fields. */
  private lastForged: { readonly token: string; readonly generation: unknown } | undefined;
  private lastRead: { readonly token: string; readonly parsed: ParsedAccessToken | undefined } | undefined;

  constructor(
    private readonly keys: VerificationKeys,
    private readonly clock: Clock,
    private readonly options: AccessTokenVerifierOptions,
    private readonly runtime: TokenRuntime,
  ) {
    const limits = {
      maxEntries: options.maxCachedTokens,
      maxBytes: options.maxCachedTokenBytes ?? DEFAULT_MAX_CACHED_TOKEN_BYTES,
    };
    this.cache = new VerifiedTokenCache(limits, runtime.copyText);
    this.signatures = runtime.createSignatures(keys);
  }

  /** Returns whether a text has the format of our access tokens. Its content is not verified. */
  isOurs(token: string): boolean {
    return this.recall(token) !== undefined || this.read(token) !== undefined;
  }

  /**
   * Parses a token as {@link parseAccessToken} does. The last result is kept, because a request first looks whether the
   * token is one of ours and then verifies it.
   */
  read(token: string): ParsedAccessToken | undefined {
    if (this.lastRead?.token !== token) this.lastRead = { token, parsed: this.runtime.parse(token) };
    return this.lastRead.parsed;
  }

  /** Returns the facts that a token names, proven or not; undefined for a text that is none of ours. */
  readInfo(token: string): AccessTokenInfo | undefined {
    const parsed = this.read(token);
    return parsed && accessTokenInfo(parsed);
  }

  /**
   * Returns the remembered facts of a token, if they are still valid; neither parses it nor checks its signature.
   *
   * @returns undefined if the token has to be verified
   */
  recall(token: string): AccessTokenInfo | undefined {
    if (this.keys.isDue === true) return undefined; // the token's key may have left the set
    return this.cache.get(token, this.keys.generation, this.clock.now());
  }

  /**
   * Verifies a token and remembers its facts.
   *
   * @returns the token's facts, whose payload is frozen because several requests share it; a promise only where the key, or
   *   the check of the signature, has to be waited for
   * @throws {TryRefreshTokenError} expired, not yet valid, unknown key, bad signature
   * @throws {CoreUnavailableError} the key is unknown and the set cannot be loaded
   * @throws {UnauthorisedError} as {@link assertIntended}
   */
  verify(parsed: ParsedAccessToken): MaybePromise<AccessTokenInfo> {
    const validity = this.checkTimes(parsed);
    const start = this.proofStart();
    return (
      this.recall(parsed.token) ?? this.findInFlight(parsed, start) ?? this.prove(parsed, validity, start)
    );
  }

  /**
   * Checks the issuer and audience of a proven payload. {@link verify} has done so for the facts that it returns.
   *
   * The error is no `TryRefreshTokenError`, because a refresh never changes the issuer and audience of a session: the client
   * would refresh forever. It is a 401 because a client whose session began under another issuer has to sign in: its refresh
   * here is refused in the same way, and the browser client then ends its local session. With a 403 it would keep a session
   * that is useless here. The tokens stay: where applications share cookies, the tokens are valid at the application that
   * they are meant for, and a call to the wrong application must not end that session. The client bounds the cost itself
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

  /** Returns the claim for which {@link assertIntended} refuses a payload. */
  findForeignClaim(payload: JsonObject): 'iss' | 'aud' | undefined {
    const { intended } = this.options;
    return intended && findForeignClaim(payload, intended);
  }

  /**
   * Returns the session of a genuine token, expired or not, if it is another one than the given.
   *
   * @returns undefined for every other text, and where the keys cannot be had
   */
  async findOtherSession(token: string, sessionHandle: string): Promise<string | undefined> {
    // Compared before the signature is checked: a token that names this session changes nothing, forged or not.
    const named = this.recall(token) ?? this.readInfo(token);
    if (named?.sessionHandle === sessionHandle) return undefined;
    return this.findSession(token);
  }

  /** Forgets the tokens of these sessions, so that they are verified again at their next use. */
  forgetSessions(sessionHandles: readonly string[]): void {
    this.cache.deleteSessions(sessionHandles);
  }

  /** Forgets the tokens whose facts fulfil a condition. */
  forgetWhere(condition: (info: AccessTokenInfo) => boolean): void {
    this.cache.deleteWhere(condition);
  }

  /** Forgets the tokens of all sessions. */
  forgetAll(): void {
    this.cache.deleteAll();
  }

  /** Number of tokens that are remembered at present. */
  get cachedTokens(): number {
    return this.cache.size;
  }

  /** Memory that remembered tokens take, bytes, estimated. */
  get cachedTokenBytes(): number {
    return this.cache.bytes;
  }

  /** Returns the session of a genuine token, expired or not; undefined for every other text, and where the keys cannot be had. */
  async findSession(token: string): Promise<string | undefined> {
    const known = this.recall(token);
    const parsed = known === undefined ? this.read(token) : undefined;
    if (parsed === undefined) return known?.sessionHandle;
    try {
      const verdict = await this.signatures.verify(parsed);
      return verdict === 'PROVEN' ? accessTokenInfo(parsed).sessionHandle : undefined;
    } catch {
      return undefined; // the caller has something else to do, and did it
    }
  }

  private checkTimes(parsed: ParsedAccessToken): Validity {
    const now = this.clock.now();
    const validity = checkValidity(parsed, this.options.clockToleranceSec);
    // Negated comparisons, because a limit that is not a number must refuse the token.
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

  /**
   * Returns the proof that another request with the same token waits for. One that began before a key left or a session was
   * revoked does not count for later requests.
   */
  private findInFlight(
    { token }: ParsedAccessToken,
    start: ProofStart,
  ): Promise<AccessTokenInfo> | undefined {
    const other = this.inFlight.get(tokenCacheKey(token));
    return other?.token === token && isSameStart(other, start) ? other.proof : undefined;
  }

  private prove(
    parsed: ParsedAccessToken,
    validity: Validity,
    start: ProofStart,
  ): MaybePromise<AccessTokenInfo> {
    const proof = chain(this.checkSignature(parsed), (verdict) =>
      this.conclude(verdict, parsed, validity, start),
    );
    if (proof instanceof Promise) this.share({ ...start, token: parsed.token, proof });
    return proof;
  }

  /** A failure reaches all requests that wait for the proof, and is then forgotten. */
  private share(shared: ProofInFlight): void {
    const key = tokenCacheKey(shared.token);
    this.inFlight.set(key, shared);
    const forget = (): void => {
      if (this.inFlight.get(key) === shared) this.inFlight.delete(key);
    };
    shared.proof.then(forget, forget);
  }

  private checkSignature(parsed: ParsedAccessToken): MaybePromise<SignatureVerdict> {
    const { lastForged } = this;
    if (lastForged?.token === parsed.token && lastForged.generation === this.keys.generation)
      return 'WRONG_SIGNATURE';
    // Without its key nothing is known about a token, so it is not called bad, and no attempt is counted (Q1).
    const stop = (error: unknown): never => {
      if (error instanceof CoreUnavailableError) throw error;
      throw new CoreUnavailableError('The keys that verify access tokens cannot be had', { cause: error });
    };
    try {
      const verdict = this.signatures.verify(parsed);
      return verdict instanceof Promise ? verdict.catch(stop) : verdict;
    } catch (error) {
      return stop(error);
    }
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
        // Checked before the facts are remembered, so that a remembered token needs no second check.
        this.assertIntended(info.payload);
        deepFreeze(info);
        if (this.options.mayRemember?.(info) !== false) this.cache.set(parsed.token, info, validity, start);
        return info;
      }
      case 'UNKNOWN_KEY':
        throw failure('its key is not known');
      case 'WRONG_SIGNATURE':
        if (parsed.version > 2) this.lastForged = { token: parsed.token, generation: start.generation };
        throw failure('its signature is wrong');
      default:
        return assertNever(verdict);
    }
  }
}

function isSameStart(a: ProofStart, b: ProofStart): boolean {
  return a.generation === b.generation && a.epoch === b.epoch;
}

/**
 * Returns the validity of a token. The claims count whole seconds: a token is valid from the beginning of the second `nbf`
 * until the beginning of the second `exp`. Version 2 counts milliseconds and is valid in the last one, too.
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

function failure(detail: string): TryRefreshTokenError {
  return new TryRefreshTokenError(`Failed to verify access token: ${detail}`);
}
