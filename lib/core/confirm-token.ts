import type { CoreClient } from './core-client.js';
import type { VerifySessionResult } from './core.types.js';

/**
 * Asks the core about the session of an access token, for a verifier that has no core. A token that a refresh has brought is
 * promoted by it; its holder keeps it, because the core goes on accepting a promoted token.
 */
export async function confirmToken(
  core: Pick<CoreClient, 'verifySession'>,
  accessToken: string,
): Promise<{ readonly status: VerifySessionResult['status'] }> {
  const question = { accessToken, antiCsrfToken: undefined, doAntiCsrfCheck: false, enableAntiCsrf: false };
  const { status } = await core.verifySession({ ...question, checkDatabase: true }, {});
  return { status };
}
