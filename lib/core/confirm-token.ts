import { hasLivingParents } from '../util/delegation-claims.js';
import type { CoreClient } from './core-client.js';
import type { VerifySessionResult } from './core.types.js';

/**
 * Asks the core about the session of an access token, for a verifier that has no core. A token that a refresh has brought is
 * promoted by it; its holder keeps it, because the core goes on accepting a promoted token.
 */
export async function confirmToken(
  core: Pick<CoreClient, 'verifySession' | 'getSessionInformation'>,
  accessToken: string,
): Promise<{ readonly status: VerifySessionResult['status']; readonly hasExpired?: boolean }> {
  const question = { accessToken, antiCsrfToken: undefined, doAntiCsrfCheck: false, enableAntiCsrf: false };
  const verified = await core.verifySession({ ...question, checkDatabase: true }, {});
  if (verified.status === 'UNAUTHORISED' && verified.hasExpired === true)
    return { status: verified.status, hasExpired: true };
  const isOrphan =
    verified.status === 'OK' && !(await hasLivingParents(core, verified.session.userDataInJWT));
  return { status: isOrphan ? 'UNAUTHORISED' : verified.status };
}
