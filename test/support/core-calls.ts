import type { CoreClient } from '../../lib/core/core-client.js';
import type {
  CoreSessionTokens,
  CreateSessionInput,
  RefreshSessionInput,
  RefreshSessionResult,
  VerifySessionInput,
  VerifySessionResult,
} from '../../lib/core/core.types.js';
import { isJsonObject, type JsonObject } from '../../lib/util/json.js';

/** The input for a session of `user-1` without payload, data and anti-CSRF. */
export const CREATION: CreateSessionInput = {
  tenantId: 'public',
  recipeUserId: 'user-1',
  userDataInJWT: {},
  userDataInDatabase: {},
  useDynamicSigningKey: true,
  enableAntiCsrf: false,
};

/** Creates a session of `user-1` without payload, data and anti-CSRF, unless told otherwise. */
export function create(
  core: CoreClient,
  changes: Partial<CreateSessionInput> = {},
): Promise<CoreSessionTokens> {
  return core.createSession({ ...CREATION, ...changes }, {});
}

/** Presents a refresh token, without anti-CSRF unless told otherwise. */
export function refresh(
  core: CoreClient,
  refreshToken: string,
  changes: Partial<RefreshSessionInput> = {},
): Promise<RefreshSessionResult> {
  return core.refreshSession(
    { refreshToken, antiCsrfToken: undefined, enableAntiCsrf: false, useDynamicSigningKey: true, ...changes },
    {},
  );
}

/** The tokens of a refresh that must work. */
export async function refreshed(
  core: CoreClient,
  refreshToken: string,
  changes: Partial<RefreshSessionInput> = {},
): Promise<CoreSessionTokens> {
  const result = await refresh(core, refreshToken, changes);
  if (result.status !== 'OK') throw new Error(`The refresh returned ${JSON.stringify(result)}`);
  return result;
}

/** Presents an access token, without anti-CSRF and database check unless told otherwise. */
export function verify(
  core: CoreClient,
  accessToken: string,
  changes: Partial<VerifySessionInput> = {},
): Promise<VerifySessionResult> {
  return core.verifySession(
    {
      accessToken,
      antiCsrfToken: undefined,
      doAntiCsrfCheck: false,
      enableAntiCsrf: false,
      checkDatabase: false,
      ...changes,
    },
    {},
  );
}

/** The new access token of a verification that must hand one out. */
export async function replacementOf(
  core: CoreClient,
  accessToken: string,
  changes: Partial<VerifySessionInput> = {},
): Promise<string> {
  const result = await verify(core, accessToken, changes);
  if (result.status !== 'OK' || result.accessToken === undefined) {
    throw new Error(`The verification returned ${JSON.stringify(result)}`);
  }
  return result.accessToken.token;
}

/** Key id in the header of a token. */
export function kidOf(token: string): string {
  const { kid } = decoded(token).header;
  if (typeof kid !== 'string') throw new Error('The token names no key');
  return kid;
}

/** Header and payload of a token, read without any check. */
export function decoded(token: string): { header: JsonObject; payload: JsonObject } {
  const [header, payload] = token
    .split('.', 2)
    .map((part): unknown => JSON.parse(Buffer.from(part, 'base64').toString('utf8')));
  if (!isJsonObject(header) || !isJsonObject(payload)) throw new Error('not a JWT');
  return { header, payload };
}
