import type { SessionRequest } from '../http/session-request.js';
import type { TokensToWrite } from '../http/token-cookies.js';
import type { TokenOwner, TokenTransport } from '../http/token-transport.js';
import type { TokenTransferMethod } from '../options/wire-options.js';
import type { UserContext } from '../util/user-context.js';
import { frontToken, type SessionState } from './session-state.js';

/**
 * The request that a session is attached to, and the way in which its response takes tokens. The functions below do nothing
 * for a session that is attached to none.
 */
export interface Attachment {
  readonly transport: TokenTransport;
  readonly request: SessionRequest;
  readonly transferMethod: TokenTransferMethod;
  /** When the work for the request began, as `TokenOwner` says. */
  readonly mark: TokenOwner['mark'];
}

/** Writes the access token with its front token, and further tokens where there are some. */
export function writeTokens(
  attachment: Attachment | undefined,
  state: SessionState,
  further: Omit<TokensToWrite, 'accessToken' | 'frontToken'>,
  userContext?: UserContext,
): void {
  if (attachment === undefined) return;
  const { transport, request, transferMethod, mark } = attachment;
  const { accessToken, sessionHandle } = state;
  const tokens = { accessToken, frontToken: frontToken(state), ...further };
  const owner = { sessionHandle, mark, subject: state };
  const written = { ...request, userContext: userContext ?? request.userContext };
  transport.writeTokens(written, transferMethod, tokens, owner);
}

/** Takes the tokens of the session away from the client, unless the headers of the response have been sent. */
export function clearTokens(
  attachment: Attachment | undefined,
  sessionHandle: string,
  userContext: UserContext,
): void {
  if (attachment === undefined) return;
  const { transport, request, transferMethod, mark } = attachment;
  transport.clear({ ...request, userContext }, transferMethod, { sessionHandle, mark });
}

/** @throws {Error} an access token of this length would not fit into its cookie */
export function assertTokenFits(
  attachment: Attachment | undefined,
  tokenLength: number,
  userContext: UserContext,
): void {
  if (attachment === undefined) return;
  const { transport, request, transferMethod } = attachment;
  transport.assertAccessTokenFits({ ...request, userContext }, transferMethod, tokenLength);
}
