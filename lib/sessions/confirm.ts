import type { VerifySessionResult } from '../core/core.types.js';
import { assertNever, TryRefreshTokenError, UnauthorisedError } from '../errors.js';
import type { AccessTokenInfo } from '../tokens/access-token.js';
import { hasLivingParents } from '../util/delegation-claims.js';
import { SharedRuns } from '../util/shared-runs.js';
import type { LiveRecipeContext, RecipeInput } from './recipe.interface.js';
import { openSession, type SessionContainer } from './session-container.js';
import { stateAfterVerification, stateFromToken, type ConfirmedSession } from './session-state.js';

/** Opens the sessions that only the core can confirm: the first use of a refreshed token, and what a route or a doubt asks for. */
export class SessionConfirmation {
  private readonly confirmations = new SharedRuns<VerifySessionResult>();

  constructor(private readonly context: LiveRecipeContext) {}

  /** Asks the core about the session of a proven token. @throws {SessionError} it does not go on */
  async open(
    accessToken: string,
    info: AccessTokenInfo,
    { antiCsrfToken, options, userContext }: RecipeInput<'getSession'>,
  ): Promise<SessionContainer> {
    const { core, config, revocations } = this.context;
    const noteState = revocations?.beforeAsking(info);
    const question = {
      accessToken,
      antiCsrfToken,
      doAntiCsrfCheck: options?.antiCsrfCheck !== false,
      enableAntiCsrf: config.antiCsrf === 'VIA_TOKEN',
      // A token at its first use is compared with the stored session anyway.
      checkDatabase: options?.checkDatabase === true || revocations?.judge(info) === 'ask',
      // Only a token that names its parent can be at its first use. By CDI 5.6 a core would say so for each of its requests.
      ...(info.parentRefreshTokenHash1 !== undefined && { rotation: 'at-first-use' as const }),
    };
    // The fields of a document and the sockets of a client ask the same at the same time, as often as they like.
    const verified = await this.confirmations.run(JSON.stringify(question), async () =>
      core.verifySession(question, userContext),
    );
    switch (verified.status) {
      case 'OK':
        if (question.checkDatabase) await this.assertParents(verified, noteState);
        return this.openConfirmed(verified, { accessToken, info, antiCsrfToken });
      case 'UNAUTHORISED':
        if (verified.hasExpired !== true) noteState?.(false);
        throw new UnauthorisedError(verified.message);
      case 'TRY_REFRESH_TOKEN':
        throw new TryRefreshTokenError(verified.message);
      default:
        return assertNever(verified);
    }
  }

  /** A process may have ended the parent of a session, and then have stopped before the session itself. */
  private async assertParents(
    { session }: ConfirmedSession,
    noteState: ((isLive: boolean) => void) | undefined,
  ): Promise<void> {
    const isLive = await hasLivingParents(this.context.core, session.userDataInJWT);
    noteState?.(isLive);
    if (!isLive) throw new UnauthorisedError('The session has ended with the one that it belongs to');
  }

  private openConfirmed(
    verified: ConfirmedSession,
    presented: { accessToken: string; info: AccessTokenInfo; antiCsrfToken: string | undefined },
  ): SessionContainer {
    const state = stateFromToken(presented.accessToken, presented.info, presented.antiCsrfToken);
    const { lifetimes } = this.context;
    return openSession(stateAfterVerification(state, presented.info, verified, lifetimes), this.context);
  }
}
