import { parseAccessToken, type ParsedAccessToken } from './access-token-format.js';

export {
  accessTokenInfo,
  isLegacyHeader,
  LEGACY_HEADER_V2,
  MAX_ACCESS_TOKEN_LENGTH,
  type AccessTokenInfo,
  type ParsedAccessToken,
} from './access-token-format.js';

/** As {@link parseAccessToken}, by the decoder of Node. */
export function parseWithoutVerifying(
  token: string,
  unstatedVersion: 3 | 5 = 3,
): ParsedAccessToken | undefined {
  return parseAccessToken(token, decodeBase64, unstatedVersion);
}

function decodeBase64(part: string): string {
  return Buffer.from(part, 'base64').toString('utf8');
}
