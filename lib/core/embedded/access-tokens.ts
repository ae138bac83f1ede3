import { sign as signBytes } from 'node:crypto';
import { promisify } from 'node:util';
import {
  accessTokenInfo,
  isLegacyHeader,
  LEGACY_HEADER_V2,
  MAX_ACCESS_TOKEN_LENGTH,
  parseWithoutVerifying,
  type AccessTokenInfo,
} from '../../tokens/access-token.js';
import { accessTokenClaims, type AccessTokenContent } from '../../tokens/access-token-claims.js';
import { findMissingClaim } from '../../tokens/reserved-claims.js';
import { SignatureVerifier } from '../../tokens/signature-verifier.js';
import { parseJsonObject, type JsonObject } from '../../util/json.js';
import type { TokenInfo } from '../core.types.js';
import type { SigningKey, SigningKeys } from './signing-keys.js';

const NEWEST_VERSION = 5;
const CLAIM_MISSING = 'Access token does not contain all the information. Maybe the structure has changed?';
const signInThreadPool = promisify(signBytes);

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
        token: await signLegacy(claims, await this.keys.signingKey(kind, 'RS256')),
        expiry: content.expiryMs,
        createdTime: content.timeCreatedMs,
      };
    }
    return {
      token: await signJwt(claims, await this.keys.signingKey(kind), { version: String(content.version) }),
      expiry: wholeSeconds(content.expiryMs),
      createdTime: wholeSeconds(content.timeCreatedMs),
    };
  }

  /** Signs a JWT of the application: without `version` in its header, and with RS256 whatever signs access tokens. */
  async issueJwt(claims: JsonObject, useStaticKey: boolean): Promise<string> {
    return signJwt(claims, await this.keys.signingKey(useStaticKey ? 'static' : 'dynamic', 'RS256'), {});
  }

  /**
   * Checks format, signature and the presence of all claims, but not the times.
   *
   * @see docs/protocol/core.md B3, steps 1-4
   */
  async prove(token: string): Promise<AccessTokenProof> {
    const refused = (message: string): AccessTokenProof => ({
      isProven: false,
      message: findHeaderFault(token) ?? message,
    });
    const parsed = parseWithoutVerifying(token, NEWEST_VERSION);
    if (parsed === undefined || parsed.version > NEWEST_VERSION) return refused(CLAIM_MISSING);
    const verdict = await this.signatures.verify(parsed);
    if (verdict === 'UNKNOWN_KEY') return refused('Key not found');
    if (verdict === 'WRONG_SIGNATURE') return refused('JWT verification failed');
    // The same keys sign the application's own JWTs, which are no access tokens.
    const missing = findMissingClaim(parsed.payload, parsed.version);
    return missing === undefined
      ? { isProven: true, info: accessTokenInfo(parsed) }
      : refused(`${CLAIM_MISSING} ${missing}`);
  }
}

async function signJwt(claims: JsonObject, key: SigningKey, header: { version?: string }): Promise<string> {
  const { kid, algorithm: alg } = key;
  const signed = `${base64url({ kid, typ: 'JWT', ...header, alg })}.${base64url(claims)}`;
  return `${signed}.${(await signData(Buffer.from(signed), key)).toString('base64url')}`;
}

/**
 * On the thread pool, where a signature keeps nobody waiting: handing it over takes 4 to 10 µs of the main thread, where
 * one of RSA takes 250 and one on P-256 26.
 */
async function signData(data: Buffer, { algorithm, privateKey }: SigningKey): Promise<Buffer> {
  // RFC 7518 3.4: the two numbers of an ECDSA signature one after the other, not the DER that Node makes by default.
  const key = algorithm === 'ES256' ? { key: privateKey, dsaEncoding: 'ieee-p1363' as const } : privateKey;
  return signInThreadPool('sha256', data, key);
}

function base64url(value: JsonObject): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

async function signLegacy(claims: JsonObject, key: SigningKey): Promise<string> {
  const signed = `${LEGACY_HEADER_V2}.${Buffer.from(JSON.stringify(claims)).toString('base64')}`;
  const signature = await signInThreadPool('RSA-SHA256', Buffer.from(signed), key.privateKey);
  return `${signed}.${signature.toString('base64')}`;
}

function wholeSeconds(timeMs: number): number {
  return Math.floor(timeMs / 1000) * 1000;
}

/** What is wrong with a token's header, in the words of a Core (docs/protocol/core.md B3 step 1). */
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
