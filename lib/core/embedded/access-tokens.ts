import {
  accessTokenInfo,
  isLegacyHeader,
  MAX_ACCESS_TOKEN_LENGTH,
  parseWithoutVerifying,
  type AccessTokenInfo,
  type ParsedAccessToken,
} from '../../tokens/access-token.js';
import {
  accessTokenClaims,
  type AccessTokenContent,
  findMissingClaim,
} from '../../tokens/access-token-claims.js';
import { isSignedBy, signJwt, signLegacyToken } from '../../tokens/jws.js';
import { SignatureVerifier } from '../../tokens/signature-verifier.js';
import type { SignatureVerdict } from '../../tokens/token-signatures.js';
import { parseJsonObject } from '../../util/json.js';
import { CoreBadInputError } from '../../errors.js';
import type { CoreJwtInput, CoreJwtResult, TokenInfo } from '../core.types.js';
import type { SigningKeys } from './signing-keys.js';

const NEWEST_VERSION = 5;
const CLAIM_MISSING = 'Access token does not contain all the information. Maybe the structure has changed?';

/** The result of {@link AccessTokens.prove}; `message` has a Core's wording. */
export type AccessTokenProof =
  | { readonly isProven: true; readonly info: AccessTokenInfo }
  | { readonly isProven: false; readonly message: string };

/** Signs access tokens and JWTs, and verifies the engine's own access tokens. */
export class AccessTokens {
  private readonly signatures: SignatureVerifier;

  constructor(private readonly keys: SigningKeys) {
    this.signatures = new SignatureVerifier(keys);
  }

  async issue(content: AccessTokenContent, useStaticKey: boolean): Promise<TokenInfo> {
    const kind = useStaticKey ? 'static' : 'dynamic';
    const claims = accessTokenClaims(content);
    if (content.version === 2) {
      return {
        token: await signLegacyToken(claims, await this.keys.signingKey(kind, 'RS256')),
        expiry: content.expiryMs,
        createdTime: content.timeCreatedMs,
      };
    }
    return {
      token: await signJwt(claims, await this.keys.signingKey(kind), content.version),
      expiry: wholeSeconds(content.expiryMs),
      createdTime: wholeSeconds(content.timeCreatedMs),
    };
  }

  /**
   * Signs a JWT of the application: without `version` in its header, and with RS256 whatever signs access tokens.
   *
   * @throws {CoreBadInputError} its validity is no time
   */
  async createJwt(input: CoreJwtInput, nowMs: number): Promise<CoreJwtResult> {
    if (input.algorithm.toUpperCase() !== 'RS256') return { status: 'UNSUPPORTED_ALGORITHM_ERROR' };
    if (!(input.validity > 0 && Number.isFinite(input.validity)))
      throw new CoreBadInputError('validity must be greater than or equal to 0');
    const iat = Math.floor(nowMs / 1000);
    const claims = {
      iss: input.jwksDomain,
      iat,
      exp: Math.floor(iat + input.validity),
      ...input.payload,
    };
    const key = await this.keys.signingKey(input.useStaticSigningKey ? 'static' : 'dynamic', 'RS256');
    return { status: 'OK', jwt: await signJwt(claims, key) };
  }

  /**
   * Checks format, signature and the presence of all claims, but not the times.
   *
   * @see docs/protocol/core.md B3, steps 1-4
   */
  async prove(token: string): Promise<AccessTokenProof> {
    return this.judge(token, () => false);
  }

  /**
   * The same, for a caller who gives an expired token nothing but a look at which session it names: one that has outlived its
   * key, as that of a connection may, counts as proven, too. A Core does not verify the signature here.
   */
  async proveOrName(token: string, nowMs: number): Promise<AccessTokenProof> {
    return this.judge(token, ({ expiryMs }) => expiryMs < nowMs);
  }

  private async judge(
    token: string,
    mayLackKey: (info: AccessTokenInfo) => boolean,
  ): Promise<AccessTokenProof> {
    const refused = (message: string): AccessTokenProof => ({
      isProven: false,
      message: findHeaderFault(token) ?? message,
    });
    const parsed = parseWithoutVerifying(token, NEWEST_VERSION);
    if (parsed === undefined || parsed.version > NEWEST_VERSION) return refused(CLAIM_MISSING);
    const verdict = await this.checkSignature(parsed);
    const isNamed = findHeaderFault(token) === undefined && mayLackKey(accessTokenInfo(parsed));
    // A token up to version 2 names no key, so one whose key is gone cannot be told from one that no key of ours signed.
    if (verdict === 'WRONG_SIGNATURE' && !(parsed.version <= 2 && isNamed))
      return refused('JWT verification failed');
    if (verdict === 'UNKNOWN_KEY' && !isNamed) return refused('Key not found');
    // The same keys sign the application's own JWTs, which are no access tokens.
    const missing = findMissingClaim(parsed.payload, parsed.version);
    return missing === undefined
      ? { isProven: true, info: accessTokenInfo(parsed) }
      : refused(`${CLAIM_MISSING} ${missing}`);
  }

  /** Tokens up to version 2 are no JWS, so that jose cannot check them. */
  private async checkSignature(parsed: ParsedAccessToken): Promise<SignatureVerdict> {
    if (parsed.version <= 2) return this.signatures.verify(parsed);
    const [key] = await this.keys.find(parsed.kid);
    if (key === undefined) return 'UNKNOWN_KEY';
    return (await isSignedBy(parsed.token, key)) ? 'PROVEN' : 'WRONG_SIGNATURE';
  }
}

function wholeSeconds(timeMs: number): number {
  return Math.floor(timeMs / 1000) * 1000;
}

/** Returns the fault of a token's header, in a Core's wording (docs/protocol/core.md B3 step 1). */
function findHeaderFault(token: string): string | undefined {
  if (token.length > MAX_ACCESS_TOKEN_LENGTH) return 'Invalid JWT';
  const [headerPart, ...rest] = token.split('.');
  if (headerPart === undefined || rest.length !== 2) return 'Invalid JWT';
  if (isLegacyHeader(headerPart)) return undefined;
  const header = parseJsonObject(Buffer.from(headerPart, 'base64').toString('utf8'));
  if (header === undefined) return 'Invalid JWT';
  for (const name of ['typ', 'alg', 'kid'] as const) {
    const value = header[name];
    if (value === undefined || typeof value === 'object') return `JWT header missing - ${name}`;
  }
  if (header['typ'] !== 'JWT') return 'JWT header mismatch - typ';
  if (header['alg'] !== 'RS256' && header['alg'] !== 'ES256') return 'JWT header mismatch - alg';
  if (typeof header['kid'] !== 'string') return 'JWT header mismatch - kid';
  const { version } = header;
  if (version !== undefined && !(typeof version === 'string' && /^[345]$/.test(version))) {
    return 'JWT header mismatch - version';
  }
  return undefined;
}
