import {
  accessTokenInfo,
  parseWithoutVerifying,
  type AccessTokenInfo,
  type ParsedAccessToken,
} from '../tokens/access-token.js';
import type { TokenInfo } from '../core/core.types.js';
import type { AccessTokenVerifier } from '../tokens/access-token-verifier.js';
import type { SessionConfig } from '../options/session-config.js';
import { TryRefreshTokenError } from '../errors.js';
import { safeEqual } from '../util/safe-equal.js';
import type { VerifySessionOptions } from './recipe.interface.js';
import type { SessionState } from './session-container.js';

/** What an access token has to satisfy before a session works with it, as far as the core need not be asked. */
export class TokenChecks {
  constructor(
    private readonly config: SessionConfig,
    private readonly verifier: AccessTokenVerifier,
  ) {}

  /**
   * Everything that can be proven without the core. It is never asked about a token that no key of the set proves, as
   * upstream does with young tokens of version 2: a stranger could make us call it as often as he likes.
   *
   * @see docs/protocol/sdk.md §4.4-4.8
   */
  async verifyLocally(
    parsed: ParsedAccessToken,
    doAntiCsrfCheck: boolean,
    antiCsrfToken: string | undefined,
  ): Promise<AccessTokenInfo> {
    const info = await this.verifier.verify(parsed);
    this.checkProven(info, doAntiCsrfCheck, antiCsrfToken);
    return info;
  }

  doesAntiCsrfCheck({ options }: { options?: VerifySessionOptions | undefined }): boolean {
    const doAntiCsrfCheck = options?.antiCsrfCheck !== false;
    if (doAntiCsrfCheck && this.config.antiCsrf === 'VIA_CUSTOM_HEADER') {
      throw new Error(
        'With antiCsrf VIA_CUSTOM_HEADER the check needs the request: pass antiCsrfCheck: false and check the header where it arrives',
      );
    }
    return doAntiCsrfCheck;
  }

  /** What a token has to satisfy besides being genuine and in time. */
  checkProven(info: AccessTokenInfo, doAntiCsrfCheck: boolean, antiCsrfToken: string | undefined): void {
    this.checkKindOfKey(info);
    if (!doAntiCsrfCheck || this.config.antiCsrf !== 'VIA_TOKEN') return;
    if (antiCsrfToken === undefined)
      throw new TryRefreshTokenError('anti-csrf check failed: the request carries no anti-csrf token');
    if (!safeEqual(info.antiCsrfToken, antiCsrfToken))
      throw new TryRefreshTokenError('anti-csrf check failed');
  }

  private checkKindOfKey({ kid, version }: AccessTokenInfo): void {
    if (version <= 2) return;
    if (kid?.startsWith('d-') !== this.config.useDynamicAccessTokenSigningKey) {
      throw new TryRefreshTokenError(
        'The access token was signed by the other kind of key than useDynamicAccessTokenSigningKey asks for',
      );
    }
  }
}

/** @param antiCsrfToken the request's; it is echoed to the client only where it is the session's own (Q3) */
export function stateFromToken(
  token: string,
  info: AccessTokenInfo,
  antiCsrfToken: string | undefined,
): SessionState {
  return {
    sessionHandle: info.sessionHandle,
    userId: info.userId,
    recipeUserId: info.recipeUserId,
    tenantId: info.tenantId,
    accessToken: token,
    accessTokenExpiryMs: info.expiryMs,
    accessTokenPayload: info.payload,
    refreshToken: undefined,
    antiCsrfToken: safeEqual(info.antiCsrfToken, antiCsrfToken) ? antiCsrfToken : undefined,
    accessAndFrontTokenUpdated: false,
  };
}

/** Returns whether a token that a core gave in exchange for another one expires later than that. */
export function outlives(reissued: TokenInfo, presented: AccessTokenInfo): boolean {
  const parsed = parseWithoutVerifying(reissued.token);
  const expiryMs = parsed === undefined ? reissued.expiry : accessTokenInfo(parsed).expiryMs;
  return expiryMs > presented.expiryMs;
}
