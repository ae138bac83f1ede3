import type {
  CoreSession,
  CoreSessionInformation,
  CoreSessionTokens,
  JwksResult,
  RefreshSessionResult,
  RegenerateResult,
  TokenInfo,
  VerifySessionResult,
} from '../core.types.js';

/** An answer as it leaves: the body ends with a newline, as a Core's does. */
export interface CdiAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Success, and every outcome that is not the caller's mistake: status 200 and JSON. */
export function jsonAnswer(body: object, headers: Readonly<Record<string, string>> = {}): CdiAnswer {
  return {
    status: 200,
    headers: { 'Content-Type': 'application/json;charset=UTF-8', ...headers },
    body: `${JSON.stringify(body)}\n`,
  };
}

/** A refusal, or `/hello`: one line of text. */
export function textAnswer(status: number, text: string): CdiAnswer {
  return { status, headers: { 'Content-Type': 'text/html;charset=UTF-8' }, body: `${text}\n` };
}

/**
 * The store does not answer, and trying again may help. A Core says 500 to that, of which a client cannot know it; SDKs
 * take either for the same error.
 */
export function unavailableAnswer(retryAfterSec: number): CdiAnswer {
  const { headers, ...rest } = textAnswer(503, 'Service Unavailable');
  return { ...rest, headers: { ...headers, 'Retry-After': String(Math.ceil(retryAfterSec)) } };
}

/** What is said about a handle that leads to no live session. */
export function unknownSession(): CdiAnswer {
  return jsonAnswer({ status: 'UNAUTHORISED', message: 'Session does not exist.' });
}

/** A6.1 */
export function createdSession(tokens: CoreSessionTokens): CdiAnswer {
  return jsonAnswer({ status: 'OK', ...tokensBody(tokens) });
}

/** A6.2 */
export function sessionInformation(session: CoreSessionInformation | undefined): CdiAnswer {
  if (session === undefined) return unknownSession();
  return jsonAnswer({
    status: 'OK',
    sessionHandle: session.sessionHandle,
    userId: session.userId,
    recipeUserId: session.recipeUserId,
    tenantId: session.tenantId,
    userDataInDatabase: session.userDataInDatabase,
    userDataInJWT: session.userDataInJWT,
    expiry: session.expiry,
    timeCreated: session.timeCreated,
  });
}

/** A6.3 and A6.5: the access token is absent where nothing new was made. */
export function verifiedSession(result: VerifySessionResult | RegenerateResult): CdiAnswer {
  if (result.status !== 'OK') return jsonAnswer({ status: result.status, message: result.message });
  const { session, accessToken } = result;
  return jsonAnswer({
    status: 'OK',
    session: sessionBody(session),
    ...(accessToken && { accessToken: tokenBody(accessToken) }),
  });
}

/** A6.4 */
export function refreshedSession(result: RefreshSessionResult): CdiAnswer {
  if (result.status === 'OK') return jsonAnswer({ status: 'OK', ...tokensBody(result) });
  if (result.status === 'UNAUTHORISED') {
    return jsonAnswer({ status: result.status, message: result.message });
  }
  const { handle, userId, recipeUserId } = result.session;
  return jsonAnswer({ status: result.status, session: { handle, userId, recipeUserId } });
}

/** A6.8 and A6.9: whether there was a session to update. */
export function updatedSession(isUpdated: boolean): CdiAnswer {
  return isUpdated ? jsonAnswer({ status: 'OK' }) : unknownSession();
}

/** A6.12: the document may be cached until the next key appears. */
export function publishedKeys({ keys, validityInSeconds }: JwksResult): CdiAnswer {
  return jsonAnswer({ keys }, { 'Cache-Control': `max-age=${validityInSeconds}, must-revalidate` });
}

/** A6.15 */
export function unknownUser(): CdiAnswer {
  return jsonAnswer({ status: 'UNKNOWN_USER_ID_ERROR' });
}

/** A6.15: nothing but the id is known of the account; SDKs fail of a list that is missing. */
export function primaryUser(id: string): CdiAnswer {
  const user = {
    id,
    isPrimaryUser: true,
    tenantIds: [],
    emails: [],
    phoneNumbers: [],
    thirdParty: [],
    webauthn: { credentialIds: [] },
    loginMethods: [],
    timeJoined: 0,
  };
  return jsonAnswer({ status: 'OK', user });
}

function tokensBody({ session, accessToken, refreshToken, antiCsrfToken }: CoreSessionTokens): object {
  return {
    session: sessionBody(session),
    accessToken: tokenBody(accessToken),
    refreshToken: tokenBody(refreshToken),
    ...(antiCsrfToken !== undefined && { antiCsrfToken }),
  };
}

function sessionBody({ handle, userId, recipeUserId, userDataInJWT, tenantId }: CoreSession): object {
  return { handle, userId, recipeUserId, userDataInJWT, tenantId };
}

function tokenBody({ token, expiry, createdTime }: TokenInfo): TokenInfo {
  return { token, expiry, createdTime };
}
