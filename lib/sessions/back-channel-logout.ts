import type { CoreClient } from '../core/core-client.js';
import { UnauthorisedError } from '../errors.js';
import { SessionConfigError } from '../options/config-error.js';
import { errorReason } from '../events/printable.js';
import { FORM_TYPE } from '../http/body-errors.js';
import type { SessionRequest } from '../http/session-request.js';
import type { BackChannelLogoutSettings } from '../options/back-channel-logout-options.js';
import { LogoutTokenRefusedError, LogoutTokens, type LogoutToken } from '../signals/logout-token.js';
import { ProviderSessions, type ProviderSignIn, type SignedInSession } from '../signals/provider-sessions.js';
import type { Clock } from '../util/clock.js';
import type { HttpRequest } from '../util/http-exchange.js';
import { readMember } from '../util/json.js';
import { OccasionalWarning } from '../util/occasional-warning.js';
import type { UserContext } from '../util/user-context.js';
import type { StoredSessionFunctions } from './stored-sessions.interface.js';

/** Why a session ended, in events and records. */
const REASON = 'provider logout';
/** Initiators are at most as long as those of an application. */
const MAX_INITIATOR_LENGTH = 256;
const RETRY_AFTER_SEC = 5;
const NO_VALUES =
  'needs a core that keeps which sessions belong to which sign-in: embeddedCore() with a store of this library';

/** The response to a provider. */
export interface LogoutResponse {
  readonly status: 200 | 400 | 503;
  readonly body: object;
}

/** Ends sessions when an OpenID provider says that their user has signed out there. */
export class BackChannelLogout {
  constructor(
    private readonly tokens: LogoutTokens,
    private readonly sessions: ProviderSessions,
    private readonly warning: OccasionalWarning,
  ) {}

  /** @throws {TypeError} the provider is none of the option */
  assertKnown({ issuer }: ProviderSignIn): void {
    const { issuers } = this.tokens;
    if (issuers.includes(issuer)) return;
    throw new TypeError(
      `createNewSession: provider.issuer: one of backChannelLogout.providers is expected: ${issuers.join(', ')}`,
    );
  }

  /** Notes to which sign-in a new session belongs. @throws {UnauthorisedError} the sign-in has ended meanwhile */
  async assign(signIn: ProviderSignIn, session: SignedInSession): Promise<void> {
    if (await this.sessions.add(signIn, session)) return;
    throw new UnauthorisedError('The user has signed out at the provider meanwhile', { clearTokens: false });
  }

  /**
   * Notes that a new session goes on from another one, so that it ends with the sign-in of that one, if it has one.
   *
   * @returns false if the sign-in has ended since
   */
  async assignSibling(newHandle: string, siblingHandle: string): Promise<boolean> {
    return this.sessions.addSibling(newHandle, siblingHandle);
  }

  /**
   * Responds to a provider. A token counts as used only when the sessions have ended, so that a delivery that failed can be repeated.
   *
   * @see OpenID Connect Back-Channel Logout 1.0, 2.8
   */
  async respond(
    { request, response, userContext }: SessionRequest,
    recipe: StoredSessionFunctions,
  ): Promise<LogoutResponse> {
    response.setHeader('Cache-Control', 'no-store');
    try {
      const token = await this.tokens.verify(readLogoutToken(request));
      await this.endSessions(token, recipe, userContext);
      return { status: 200, body: {} };
    } catch (failure) {
      if (failure instanceof LogoutTokenRefusedError)
        return { status: 400, body: { error: 'invalid_request', error_description: failure.message } };
      this.warning.warn('A logout token got a 503, so its sessions have not ended', errorReason(failure));
      response.setHeader('Retry-After', String(RETRY_AFTER_SEC));
      return { status: 503, body: { error: 'temporarily_unavailable' } };
    }
  }

  private async endSessions(
    token: LogoutToken,
    recipe: StoredSessionFunctions,
    userContext: UserContext,
  ): Promise<void> {
    if (await this.sessions.isUsed(token)) throw usedToken();
    const sessionHandles = await this.sessions.end(token);
    const initiator = token.issuer.slice(0, MAX_INITIATOR_LENGTH);
    if (sessionHandles.length > 0)
      await recipe.revokeMultipleSessions({ sessionHandles, reason: REASON, initiator, userContext });
    if (!(await this.sessions.use(token, token.issuedAtMs + this.tokens.acceptedForMs))) throw usedToken();
  }
}

function usedToken(): LogoutTokenRefusedError {
  return new LogoutTokenRefusedError('the token has been used');
}

/** Reads the one field of the form, which a parser has read. */
function readLogoutToken(request: HttpRequest): string {
  const token = readMember(readMember(request.original, 'body'), 'logout_token');
  if (typeof token === 'string' && FORM_TYPE.test(request.getHeaderValue('content-type') ?? '')) return token;
  throw new LogoutTokenRefusedError(
    'one logout_token is expected, in a body of the type application/x-www-form-urlencoded',
  );
}

/** @throws {SessionConfigError} the core cannot keep which sessions belong to a sign-in */
export function createBackChannelLogout(
  settings: BackChannelLogoutSettings | undefined,
  core: CoreClient,
  clock: Clock,
): BackChannelLogout | undefined {
  if (settings === undefined) return undefined;
  const { sharedValues: values } = core;
  if (values === undefined) throw new SessionConfigError([{ path: 'backChannelLogout', message: NO_VALUES }]);
  const isLive = async (sessionHandle: string): Promise<boolean> =>
    (await core.getSessionInformation(sessionHandle, {})) !== undefined;
  const sessions = new ProviderSessions(values, clock, isLive);
  return new BackChannelLogout(new LogoutTokens(settings, clock), sessions, new OccasionalWarning(clock));
}
