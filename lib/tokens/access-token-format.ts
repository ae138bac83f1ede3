import { isJsonObject, parseJsonObject, type JsonObject } from '../util/json.js';
import { DEFAULT_TENANT_ID } from '../util/tenant-id.js';

/**
 * The length of the longest token that is parsed, in characters: cookies end at 4096 and Node's headers at 16 kB.
 */
export const MAX_ACCESS_TOKEN_LENGTH = 16_384;

/** The length of the longest key id that is looked up. Key ids of this library have at most 38 characters. */
const MAX_KID_LENGTH = 256;

/** Versions 1 and 2 carry one of two fixed headers, in standard base64; both are read as version 2. */
const LEGACY_HEADERS: readonly string[] = ['1', '2'].map((version) =>
  btoa(`{"alg":"RS256","typ":"JWT","version":"${version}"}`),
);
export const LEGACY_HEADER_V2: string = LEGACY_HEADERS[1] ?? '';

/** Returns whether the first part of a token is one of the two fixed headers of versions 1 and 2. */
export function isLegacyHeader(part: string): boolean {
  return LEGACY_HEADERS.includes(part);
}

/** A parsed token. Its signature has not been checked yet. */
export interface ParsedAccessToken {
  readonly token: string;
  /** 2 (which includes 1), 3, 4, 5 or a later one that is read like 5. */
  readonly version: number;
  /** Present from version 3 on. */
  readonly kid: string | undefined;
  /** The `alg` of the header; undefined if it is missing, or if the header has `crit`. */
  readonly algorithm: string | undefined;
  readonly payload: JsonObject;
}

/** The session facts in an access token of any version. */
export interface AccessTokenInfo {
  readonly version: number;
  readonly kid: string | undefined;
  readonly sessionHandle: string;
  /** Primary user id. */
  readonly userId: string;
  readonly recipeUserId: string;
  readonly tenantId: string;
  readonly refreshTokenHash1: string;
  /** Set on a token that came from a refresh and has not been promoted yet. */
  readonly parentRefreshTokenHash1: string | undefined;
  readonly antiCsrfToken: string | undefined;
  /** Milliseconds since the epoch. */
  readonly expiryMs: number;
  /** Milliseconds since the epoch. */
  readonly timeCreatedMs: number;
  /** The payload as the application sees it: all claims, or `userData` up to version 2. */
  readonly payload: JsonObject;
}

/**
 * Returns the text of a part of a token. It reads either alphabet, with or without padding, and skips other characters, as Node's
 * `Buffer` does; bytes that are no UTF-8 become U+FFFD. A text that is not base64 decodes to bytes that are not JSON.
 */
export type DecodeBase64 = (part: string) => string;

/**
 * Parses a token and checks that it has the structure of an access token.
 *
 * @param unstatedVersion how a JWT without `version` in its header is read: the SDK says 3, a Core says 5
 * @returns undefined for any other text, such as a foreign JWT or a refresh token
 * @see docs/protocol/sdk.md §4.2, §4.3
 */
export function parseAccessToken(
  token: string,
  decode: DecodeBase64,
  unstatedVersion: 3 | 5 = 3,
): ParsedAccessToken | undefined {
  if (token.length > MAX_ACCESS_TOKEN_LENGTH) return undefined;
  const [headerPart, payloadPart, signaturePart, ...rest] = token.split('.');
  if (
    headerPart === undefined ||
    payloadPart === undefined ||
    signaturePart === undefined ||
    rest.length > 0
  ) {
    return undefined;
  }
  const header = isLegacyHeader(headerPart)
    ? LEGACY_HEADER
    : parseHeader(decode(headerPart), unstatedVersion);
  const payload = header && parseJsonObject(decode(payloadPart));
  if (header === undefined || payload === undefined) return undefined;
  const { version, kid, algorithm } = header;
  const parsed = { token, version, kid, algorithm, payload };
  return hasAccessTokenStructure(parsed) ? parsed : undefined;
}

type Header = Pick<ParsedAccessToken, 'version' | 'kid' | 'algorithm'>;

const LEGACY_HEADER: Header = { version: 2, kid: undefined, algorithm: 'RS256' };

function parseHeader(text: string, unstatedVersion: number): Header | undefined {
  const header = parseJsonObject(text);
  if (header === undefined || header['typ'] !== 'JWT') return undefined;
  const { kid, version, alg } = header;
  if (typeof kid !== 'string' || kid.length > MAX_KID_LENGTH) return undefined;
  // A token with a `crit` that is not understood must be refused (RFC 7515 4.1.11), and no extension is understood here.
  const algorithm = typeof alg === 'string' && !Object.hasOwn(header, 'crit') ? alg : undefined;
  if (version === undefined) return { version: unstatedVersion, kid, algorithm };
  if (typeof version !== 'string' || !/^\d{1,9}$/.test(version) || Number(version) < 3) return undefined;
  return { version: Number(version), kid, algorithm };
}

function hasAccessTokenStructure({
  version,
  payload,
}: Pick<ParsedAccessToken, 'version' | 'payload'>): boolean {
  // Other numbers mark tokens of the OAuth2 provider, which are no session tokens.
  if (payload['stt'] !== undefined && payload['stt'] !== 0) return false;
  const isString = (name: string): boolean => typeof payload[name] === 'string';
  const isNumber = (name: string): boolean => Number.isFinite(payload[name]);
  if (!isString('sessionHandle') || !isString('refreshTokenHash1')) return false;
  if (version <= 2) {
    return (
      isString('userId') &&
      isNumber('expiryTime') &&
      isNumber('timeCreated') &&
      isJsonObject(payload['userData'])
    );
  }
  return isString('sub') && isNumber('exp') && isNumber('iat') && (version < 5 || isString('rsub'));
}

/**
 * Returns the session facts of a token. Identifiers are not trimmed as upstream does, because an identifier with
 * white space around it belongs to another user.
 */
export function accessTokenInfo({
  version,
  kid,
  payload,
}: Pick<ParsedAccessToken, 'version' | 'kid' | 'payload'>): AccessTokenInfo {
  const text = (name: string): string | undefined => {
    const value = payload[name];
    return typeof value === 'string' ? value : undefined;
  };
  const required = (name: string): string => text(name) ?? '';
  const isLegacy = version <= 2;
  const userId = required(isLegacy ? 'userId' : 'sub');
  const userData = payload['userData'];
  return {
    version,
    kid,
    sessionHandle: required('sessionHandle'),
    userId,
    recipeUserId: isLegacy ? userId : (text('rsub') ?? userId),
    // A token without `tId` is accepted, and belongs to the default tenant (Q10).
    tenantId: version >= 4 ? (text('tId') ?? DEFAULT_TENANT_ID) : DEFAULT_TENANT_ID,
    refreshTokenHash1: required('refreshTokenHash1'),
    parentRefreshTokenHash1: text('parentRefreshTokenHash1'),
    antiCsrfToken: text('antiCsrfToken'),
    expiryMs: isLegacy ? Number(payload['expiryTime']) : Number(payload['exp']) * 1000,
    timeCreatedMs: isLegacy ? Number(payload['timeCreated']) : Number(payload['iat']) * 1000,
    payload: isLegacy && isJsonObject(userData) ? userData : payload,
  };
}
