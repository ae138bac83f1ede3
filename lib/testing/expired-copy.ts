import type { CoreClient } from '../core/core-client.js';
import { parseWithoutVerifying } from '../tokens/access-token.js';

/** More than any tolerance for clock differences. */
const EXPIRED_FOR_SEC = 120;

/** Signs a copy of the token that has expired. */
export async function createExpiredCopy(
  accessToken: string,
  context: { core: CoreClient; nowMs: number; useStaticSigningKey: boolean },
): Promise<string> {
  const { core, nowMs, useStaticSigningKey } = context;
  const exp = Math.floor(nowMs / 1000) - EXPIRED_FOR_SEC;
  const { iss, ...claims } = parseWithoutVerifying(accessToken)?.payload ?? {};
  const result = await core.createJwt(
    {
      payload: { ...claims, iss: iss ?? '', iat: exp - 1, exp },
      useStaticSigningKey,
      algorithm: 'RS256',
      validity: 1,
      jwksDomain: '',
    },
    {},
  );
  if (result.status === 'OK') return result.jwt;
  throw new TypeError(`The core cannot sign an expired access token: ${result.status}`);
}
