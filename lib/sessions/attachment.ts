import type { SessionRequest } from '../http/session-request.js';
import type { TokensToWrite } from '../http/token-cookies.js';
import type { TokenOwner, TokenTransport } from '../http/token-transport.js';
import type { TokenTransferMethod } from '../options/wire-options.js';
import type { UserContext } from '../util/user-context.js';
import { frontToken, type SessionState } from './session-state.js';

/** The request that a session is attached to, and the way in which its response takes tokens. */
export class Attachment {
  /** @param mark when the work for the request began, as `TokenOwner` says */
  constructor(
    private readonly transport: TokenTransport,
    readonly request: SessionRequest,
    private readonly transferMethod: TokenTransferMethod,
    private readonly mark: TokenOwner['mark'],
  ) {}

  /** Writes the access token with its front token, and further tokens where there are some. */
  write(
    state: SessionState,
    further: Omit<TokensToWrite, 'accessToken' | 'frontToken'>,
    userContext: UserContext = this.request.userContext,
  ): void {
    const { accessToken, sessionHandle } = state;
    const tokens = { accessToken, frontToken: frontToken(state), ...further };
    const owner = { sessionHandle, mark: this.mark, subject: state };
    this.transport.writeTokens({ ...this.request, userContext }, this.transferMethod, tokens, owner);
  }

  /** Takes the tokens of the session away from the client, unless the headers of the response have been sent. */
  clear(sessionHandle: string, userContext: UserContext): void {
    const { request, transferMethod, mark } = this;
    this.transport.clear({ ...request, userContext }, transferMethod, { sessionHandle, mark });
  }

  /** @throws {Error} an access token of this length would not fit into its cookie */
  assertFits(tokenLength: number, userContext: UserContext): void {
    const request = { ...this.request, userContext };
    this.transport.assertAccessTokenFits(request, this.transferMethod, tokenLength);
  }
}
