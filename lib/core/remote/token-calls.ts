import { CoreBadInputError } from '../../errors.js';
import type { UserContext } from '../../util/user-context.js';
import type {
  CoreSessionTokens,
  CreateSessionInput,
  RefreshSessionInput,
  RefreshSessionResult,
  VerifySessionInput,
  VerifySessionResult,
} from '../core.types.js';
import * as requests from './cdi-requests.js';
import * as responses from './cdi-responses.js';
import { assertTakesValidity, rotatesAtOnce } from './cdi-version.js';
import type { CoreConnection } from './core-connection.js';

/**
 * The calls that CDI 5.6 handles by other rules than the versions before it, made such that applications need not know the
 * version.
 *
 * @see docs/protocol/core.md B9
 */
export class TokenCalls {
  /** By the whole input, because another anti-CSRF token may not share its result. */
  private readonly refreshes = new Map<string, Promise<RefreshSessionResult>>();

  constructor(private readonly connection: CoreConnection) {}

  async create(input: CreateSessionInput, userContext: UserContext): Promise<CoreSessionTokens> {
    // A database stores a question mark instead, so the session would belong to another user.
    if (/\p{Surrogate}/u.test(input.recipeUserId)) {
      throw new CoreBadInputError('The user id must have no half surrogate pairs');
    }
    const request = requests.createSessionRequest(input);
    return this.connection.call(request, responses.parseCreated, userContext);
  }

  /**
   * Verifies with the core. Where the stored payload differs from the token's, up to CDI 5.5 the core returns a new token that
   * has it. From 5.6 on it only says so, and the token is re-issued here, which keeps its expiry.
   */
  async verify(input: VerifySessionInput, userContext: UserContext): Promise<VerifySessionResult> {
    const request = requests.verifySessionRequest(input);
    const verified = await this.connection.call(request, responses.parseVerified, userContext);
    if (verified.status !== 'OK' || verified.payloadUpdateAvailable !== true) return verified;
    const { accessToken } = input;
    const reissue = requests.regenerateRequest({ accessToken, userDataInJWT: undefined });
    const result = await this.connection.call(reissue, responses.parseRegenerated, userContext);
    if (result.status !== 'OK' || result.accessToken !== undefined) return result;
    return { status: 'TRY_REFRESH_TOKEN', message: 'Access token expired' };
  }

  /**
   * Refreshes. From CDI 5.6 on the second of two refreshes of one token kills the successor that the first one got, and the client
   * may end up with that. So callers that come while a refresh works share its tokens. A refusal is not shared: the session of a
   * stolen token is reported once.
   */
  async refresh(input: RefreshSessionInput, userContext: UserContext): Promise<RefreshSessionResult> {
    const { best } = await this.connection.agreedVersions(userContext);
    if (input.rotation === 'at-first-use' || !rotatesAtOnce(best))
      return this.refreshAlone(input, userContext);
    const { refreshToken, antiCsrfToken, enableAntiCsrf, useDynamicSigningKey, accessTokenValidityMs } =
      input;
    const key = JSON.stringify([
      refreshToken,
      antiCsrfToken,
      enableAntiCsrf,
      useDynamicSigningKey,
      accessTokenValidityMs,
    ]);
    const running = this.refreshes.get(key);
    if (running !== undefined) {
      const shared = await running;
      return shared.status === 'OK' ? shared : this.refreshAlone(input, userContext);
    }
    const refresh = this.refreshAlone(input, userContext);
    this.refreshes.set(key, refresh);
    try {
      return await refresh;
    } finally {
      this.refreshes.delete(key);
    }
  }

  /** @throws {CoreBadInputError} the core cannot make an access token of the wanted validity */
  async assertTakes({ accessTokenValidityMs }: CreateSessionInput, userContext: UserContext): Promise<void> {
    if (accessTokenValidityMs === undefined) return;
    const { best } = await this.connection.agreedVersions(userContext);
    assertTakesValidity(best, accessTokenValidityMs);
  }

  private async refreshAlone(
    input: RefreshSessionInput,
    userContext: UserContext,
  ): Promise<RefreshSessionResult> {
    const request = requests.refreshSessionRequest(input);
    return this.connection.call(request, responses.parseRefreshed, userContext);
  }
}
