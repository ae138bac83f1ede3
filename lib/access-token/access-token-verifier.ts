import { TryRefreshTokenError } from '../errors/session.error.js';
import { assertNever } from '../shared/assert-never.js';
import type { Clock } from '../shared/clock.js';
import { deepFreeze } from '../shared/json.js';
import type { VerificationKeys } from '../shared/verification-keys.js';
import { accessTokenInfo, type AccessTokenInfo, type ParsedAccessToken } from './access-token.js';
import { SignatureVerifier, type SignatureVerdict } from './signature-verifier.js';
import { VerifiedTokenCache } from './verified-token-cache.js';

export interface AccessTokenVerifierOptions {
  /** Seconds by which `exp` and `nbf` may be missed. */
  readonly clockToleranceSec: number;
  /** Tokens that are remembered as verified; 0 for none. */
  readonly maxCachedTokens: number;
}

/**
 * Proves access tokens: signature and times. Every refusal is one `TryRefreshTokenError`.
 *
 * @see docs/protocol/sdk.md §4.4
 */
export class AccessTokenVerifier {
  private readonly cache: VerifiedTokenCache;
  private readonly signatures: SignatureVerifier;

  constructor(
    private readonly keys: VerificationKeys,
    private readonly clock: Clock,
    private readonly options: AccessTokenVerifierOptions,
  ) {
    this.cache = new VerifiedTokenCache(options.maxCachedTokens);
    this.signatures = new SignatureVerifier(keys);
  }

  /**
   * @returns the token's facts; its payload is frozen, because several requests share it
   * @throws {TryRefreshTokenError} expired, not yet valid, unknown key, bad signature, or the key set cannot be had
   */
  async verify(parsed: ParsedAccessToken): Promise<AccessTokenInfo> {
    this.checkTimes(parsed);
    const { generation } = this.keys;
    const { epoch } = this.cache;
    const known = this.cache.get(parsed.token, generation);
    if (known !== undefined) return known;
    await this.checkSignature(parsed);
    const info = deepFreeze(accessTokenInfo(parsed));
    this.cache.set(parsed.token, info, { generation, epoch });
    return info;
  }

  /** What was proven about these sessions is proven again at the next use. */
  forgetSessions(sessionHandles: readonly string[]): void {
    this.cache.deleteSessions(sessionHandles);
  }

  /** Number of tokens that are remembered now. */
  get cachedTokens(): number {
    return this.cache.size;
  }

  private checkTimes({ token, version, payload }: ParsedAccessToken): void {
    const now = this.clock.now();
    const nowSec = Math.floor(now / 1000);
    const { clockToleranceSec } = this.options;
    const { nbf } = payload;
    if (nbf !== undefined && !(typeof nbf === 'number' && nbf <= nowSec + clockToleranceSec)) {
      throw failure('it is not valid yet');
    }
    const isExpired =
      version <= 2
        ? Number(payload['expiryTime']) < now - clockToleranceSec * 1000
        : Number(payload['exp']) <= nowSec - clockToleranceSec;
    if (isExpired) {
      this.cache.delete(token);
      throw failure('it has expired');
    }
  }

  private async checkSignature(parsed: ParsedAccessToken): Promise<void> {
    const verdict = await this.verdictOn(parsed);
    switch (verdict) {
      case 'PROVEN':
        return;
      case 'UNKNOWN_KEY':
        throw failure('its key is not known');
      case 'WRONG_SIGNATURE':
        throw failure('its signature is wrong');
      default:
        assertNever(verdict);
    }
  }

  private async verdictOn(parsed: ParsedAccessToken): Promise<SignatureVerdict> {
    try {
      return await this.signatures.verify(parsed);
    } catch (error) {
      // Q1: without keys nothing can be proven; the client refreshes, which tells it whether the core is there.
      throw failure('the keys cannot be had', { cause: error });
    }
  }
}

function failure(detail: string, options?: ErrorOptions): TryRefreshTokenError {
  return new TryRefreshTokenError(`Failed to verify access token: ${detail}`, options);
}
