import { SessionError, UnauthorisedError } from '../errors.js';
import type { RevocationDetails } from '../feed/revocation-feed.js';
import { assertOwnSignIn, isForeignRequest } from '../http/csrf.js';
import { assertNotSent, type SessionRequest } from '../http/session-request.js';
import type { TransportMark } from '../http/token-transport.js';
import type { TokenTransferMethod } from '../options/wire-options.js';
import { accessTokenInfo } from '../tokens/access-token.js';
import type { UserContext } from '../util/user-context.js';
import type { RecipeContext } from './recipe-dependencies.js';
import type { SessionState } from './session-state.js';

/**
 * Returns an error that leaves the client's tokens alone where the given one might take those of a newer session: while the
 * request was worked on, its session was ended, or its client signed in anew. A client that still has the tokens of an ended
 * session loses them with its next request. The response to a theft is looked at when it leaves. The request's own token names the session, proven or not, because the
 * decision is about the response to this request only.
 */
export function sparingNewSession(
  error: unknown,
  { transport, verifier, lifetimes }: RecipeContext,
  request: SessionRequest,
  mark: TransportMark,
): unknown {
  if (!SessionError.isSessionError(error)) return error;
  if (error.type === 'TOKEN_THEFT_DETECTED')
    transport.noteOwner(error, { sessionHandle: error.payload.sessionHandle, mark });
  if (error.type !== 'UNAUTHORISED' || !error.payload.clearTokens) return error;
  if (!transport.hasChangedSince(mark) || lifetimes.isEnd(error)) return error;
  const named = (['header', 'cookie'] as const).flatMap((method) => {
    const token = transport.readToken(request, 'access', method);
    const parsed = token === undefined ? undefined : verifier.read(token);
    return parsed === undefined ? [] : [accessTokenInfo(parsed)];
  });
  // A refresh by header names no session. Any that ended meanwhile may be its own.
  const isLate =
    named.length === 0 ||
    // One that is over was ended by this very request.
    named.some(
      ({ sessionHandle, payload }) =>
        transport.isLateFor({ sessionHandle, mark }) && !lifetimes.isOver(payload),
    );
  return isLate ? new UnauthorisedError(error.message, { clearTokens: false, cause: error }) : error;
}

const ATTACH = 'attachToRequestResponse';

/** The reason of the end of a session that its client never got. */
export const NOT_SENT: RevocationDetails = { reason: 'not-sent' };

/** A session that is about to be attached. */
interface Attaching {
  readonly state: SessionState;
  readonly context: RecipeContext;
  /** Whether it was never attached before. */
  readonly isFirst: boolean;
}

/**
 * Prepares a request for the tokens of a session. If it cannot have them, a session that was made for it is ended, because its
 * client never gets the tokens; every other session lives on.
 *
 * @throws {UnauthorisedError | ResponseSentError | Error} the page of another site would plant the session in a browser, the
 *   headers of the response have been sent, or the token does not fit into a cookie
 */
export async function beforeAttaching(
  session: { revokeSession(userContext: UserContext, details: RevocationDetails): Promise<void> },
  { state, context, isFirst }: Attaching,
  request: SessionRequest,
  transferMethod: TokenTransferMethod,
): Promise<void> {
  try {
    if (state.accessAndFrontTokenUpdated) assertNotSent(request.response, ATTACH);
    if (state.refreshToken === undefined) return;
    context.transport.assertAccessTokenFits(request, transferMethod, state.accessToken.length);
    if (transferMethod === 'cookie') assertOwnSignIn(request, context.config); // S070
    if (!isForeignRequest(request, context.config))
      await noteReplacedBy(state.sessionHandle, context, request);
    assertNotSent(request.response, ATTACH);
  } catch (error) {
    if (state.isJustCreated === true && isFirst) await session.revokeSession(request.userContext, NOT_SENT);
    throw error;
  }
}

/** The client's older session stays on the server, but its tokens must not come back with a late response. */
export async function noteReplacedBy(
  sessionHandle: string,
  { transport, verifier }: RecipeContext,
  request: SessionRequest,
): Promise<void> {
  for (const method of ['header', 'cookie'] as const) {
    const token = transport.readToken(request, 'access', method);
    const older = token === undefined ? undefined : await verifier.findOtherSession(token, sessionHandle);
    if (older !== undefined) transport.noteReplaced(older);
  }
}
