import { TryRefreshTokenError, UnauthorisedError } from '../errors.js';
import type { RevocationWatch } from '../feed/revocation-watch.js';
import type { SessionConfig } from '../options/session-config.js';
import type { AccessTokenInfo } from '../tokens/access-token-format.js';
import type { TokenVerifier } from '../tokens/token-verifier.js';
import { chain, type MaybePromise } from '../util/maybe-promise.js';

/** The parts of a request that a verification reads before it asks the core. */
export interface SessionProofParts {
  readonly verifier: Pick<TokenVerifier, 'read' | 'verify'>;
  readonly config: Pick<SessionConfig, 'antiCsrf' | 'useDynamicAccessTokenSigningKey'>;
  readonly revocations: Pick<RevocationWatch, 'judge' | 'judgeRemembered'> | undefined;
}

/** The tokens of one verification. */
interface TokensToProve {
  readonly accessToken: string | undefined;
  readonly antiCsrfToken?: string | undefined;
  readonly options?: { readonly antiCsrfCheck?: boolean; readonly sessionRequired?: boolean } | undefined;
}

/**
 * Compares two secrets in a time that does not show where they differ; false where one is missing. @see safeEqual
 */
export type CompareSecrets = (a: string | undefined, b: string | undefined) => boolean;

/** Checks everything that can be proven without the core. */
export class SessionProofs {
  constructor(
    private readonly parts: SessionProofParts,
    private readonly isEqual: CompareSecrets,
  ) {}

  /**
   * Proves a token. The core is never called for one that no key of the set proves, as upstream does for young tokens of
   * version 2: any client could cause such calls at will.
   *
   * @param known the facts that are remembered of the token
   * @returns undefined only for an optional session without a usable token
   * @throws {SessionError} the token proves no session
   * @see docs/protocol/sdk.md §4.4-4.8
   */
  prove(
    { accessToken, antiCsrfToken, options = {} }: TokensToProve,
    known: AccessTokenInfo | undefined,
  ): MaybePromise<AccessTokenInfo | undefined> {
    const checksAntiCsrf = this.readAntiCsrfCheck(options.antiCsrfCheck);
    const proof = known ?? this.verifyToken(accessToken);
    if (proof === undefined) {
      if (options.sessionRequired === false) return undefined;
      const message = accessToken === undefined ? 'There is no access token' : 'Token parsing failed';
      throw new UnauthorisedError(message, { clearTokens: false });
    }
    return chain(proof, (info) => {
      this.checkKindOfKey(info);
      if (checksAntiCsrf) this.checkAntiCsrf(info, antiCsrfToken);
      return info;
    });
  }

  /**
   * Returns whether the core decides about a token: a refreshed one at its first use, every use where a route asks for it, and
   * one whose session may have ended in another instance.
   *
   * @param known the facts that were remembered of it; a token whose session ends is forgotten
   * @throws {UnauthorisedError} its session has ended
   */
  needsCore(
    info: AccessTokenInfo | undefined,
    checkDatabase: boolean | undefined,
    known: AccessTokenInfo | undefined,
  ): boolean {
    if (info === undefined) return false;
    const { revocations } = this.parts;
    const verdict = info === known ? revocations?.judgeRemembered() : revocations?.judge(info);
    if (verdict === 'ended') throw new UnauthorisedError('The session has ended');
    return verdict === 'ask' || checkDatabase === true || info.parentRefreshTokenHash1 !== undefined;
  }

  private verifyToken(accessToken: string | undefined): MaybePromise<AccessTokenInfo> | undefined {
    if (accessToken === undefined) return undefined;
    const { verifier } = this.parts;
    const parsed = verifier.read(accessToken);
    return parsed && verifier.verify(parsed);
  }

  private readAntiCsrfCheck(antiCsrfCheck: boolean | undefined): boolean {
    if (antiCsrfCheck === false) return false;
    if (this.parts.config.antiCsrf !== 'VIA_CUSTOM_HEADER') return true;
    throw new Error(
      'With antiCsrf VIA_CUSTOM_HEADER the check needs the request: pass antiCsrfCheck: false and check the header where it arrives',
    );
  }

  private checkAntiCsrf(info: AccessTokenInfo, antiCsrfToken: string | undefined): void {
    if (this.parts.config.antiCsrf !== 'VIA_TOKEN') return;
    if (antiCsrfToken === undefined)
      throw new TryRefreshTokenError('anti-csrf check failed: the request carries no anti-csrf token');
    if (!this.isEqual(info.antiCsrfToken, antiCsrfToken))
      throw new TryRefreshTokenError('anti-csrf check failed');
  }

  private checkKindOfKey({ kid, version }: AccessTokenInfo): void {
    if (version <= 2) return;
    if (kid?.startsWith('d-') !== this.parts.config.useDynamicAccessTokenSigningKey) {
      throw new TryRefreshTokenError(
        'The access token was signed by the other kind of key than useDynamicAccessTokenSigningKey asks for',
      );
    }
  }
}
