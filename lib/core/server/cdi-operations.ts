import type { JsonObject } from '../../util/json.js';
import { writeCursor } from '../../util/session-cursor.js';
import type { CoreClient } from '../core-client.js';
import { MAX_COUNTED_AT_ONCE, MAX_PAGE } from '../core-inputs.js';
import {
  createJwtInput,
  createSessionInput,
  listSessionsInput,
  refreshSessionInput,
  regenerateInput,
  removeInput,
  requiredParameter,
  searchInput,
  updateInput,
  verifySessionInput,
} from './cdi-input.js';
import type { CdiOperation } from './cdi-router.js';
import type {
  CoreSession,
  CoreSessionInformation,
  CoreSessionTokens,
  JwksResult,
  RefreshSessionResult,
  RegenerateResult,
  TokenInfo,
  TokenRotation,
  VerifySessionResult,
} from '../core.types.js';

/** How the reuse of a refresh token is reported that was current, or the sibling of the current one, just before. */
export type RecentTokenReuseBehaviour = 'TOKEN_THEFT' | 'UNAUTHORISED';

/** The rules of the version that a call asks for. */
export interface CdiSemantics {
  readonly rotation: TokenRotation;
  readonly recentTokenReuseBehaviour: RecentTokenReuseBehaviour;
}

/** A call that has passed all checks but that of its own input. */
export interface CdiCall {
  readonly core: CoreClient;
  readonly semantics: CdiSemantics;
  /** As in the path; undefined when it names none. */
  readonly tenantId: string | undefined;
  readonly query: URLSearchParams;
  /** Reads the body when it is wanted, once. */
  body(): Promise<JsonObject>;
  /** Called when the call has ended sessions. */
  onRevoked(): void;
}

const RECENT_TOKEN_REUSED = 'A refresh token was used after it had been replaced';

const NOT_STORED = { 'Cache-Control': 'no-store' };

type Run = (call: CdiCall) => Promise<CdiResponse>;

/**
 * Each operation: check the input, call the core, build the response. The server itself handles `hello` and
 * `listVersions`.
 *
 * @see docs/protocol/core.md A6
 */
export const CDI_OPERATIONS: Readonly<
  Record<Exclude<CdiOperation, 'hello' | 'listVersions' | 'readRevocations'>, Run>
> = {
  getJwks: async ({ core }) => publishedKeys(await core.getJwks({})),
  getJwksWithStatus: async ({ core }) => {
    const { keys } = await core.getJwks({});
    return jsonResponse({ status: 'OK', keys });
  },
  // The SDK calls this on every creation of a session. No users are stored here, only the account of a login.
  getUserById: async ({ core, query }) => {
    const userId = requiredParameter(query, 'userId');
    const primaryUserId = await core.getPrimaryUserId(userId, {});
    return primaryUserId === userId ? unknownUser() : primaryUser(primaryUserId);
  },
  createSession: async ({ core, tenantId, semantics, body }) =>
    createdSession(
      await core.createSession(createSessionInput(await body(), tenantId, semantics.rotation), {}),
    ),
  getSession: async (call) => sessionInformation(await findSession(call)),
  verifySession: async ({ core, semantics, body }) =>
    verifiedSession(await core.verifySession(verifySessionInput(await body(), semantics.rotation), {})),
  refreshSession: async ({ core, semantics, body, onRevoked }) => {
    const result = await core.refreshSession(refreshSessionInput(await body(), semantics.rotation), {});
    if (result.status !== 'OK' && result.recentTokenReuseSubtype !== undefined) onRevoked();
    return refreshedSession(result, semantics.recentTokenReuseBehaviour);
  },
  regenerateSession: async ({ core, body }) =>
    verifiedSession(await core.regenerateAccessToken(regenerateInput(await body()), {})),
  removeSessions: async ({ core, tenantId, body, onRevoked }) => {
    const input = removeInput(await body(), tenantId);
    const sessionHandlesRevoked =
      input.by === 'handles'
        ? await core.revokeSessions(input.sessionHandles, {})
        : await core.revokeSessionsOfUser(input.sessions, {});
    onRevoked();
    return jsonResponse({ status: 'OK', sessionHandlesRevoked });
  },
  listSessionsOfUser: async ({ core, tenantId, query }) => {
    const sessionHandles = await core.getSessionHandlesOfUser(listSessionsInput(query, tenantId), {});
    return jsonResponse({ status: 'OK', sessionHandles });
  },
  getSessionData: async (call) => {
    const session = await findSession(call);
    if (session === undefined) return unknownSession();
    return jsonResponse({ status: 'OK', userDataInDatabase: session.userDataInDatabase });
  },
  updateSessionData: async ({ core, body }) => {
    const { sessionHandle, data } = updateInput(await body(), 'userDataInDatabase');
    return updatedSession(await core.updateSessionData(sessionHandle, data, {}));
  },
  getAccessTokenPayload: async (call) => {
    const session = await findSession(call);
    if (session === undefined) return unknownSession();
    return jsonResponse({ status: 'OK', userDataInJWT: session.userDataInJWT });
  },
  updateAccessTokenPayload: async ({ core, body }) => {
    const { sessionHandle, data } = updateInput(await body(), 'userDataInJWT');
    return updatedSession(await core.updateAccessTokenPayload(sessionHandle, data, {}));
  },
  searchSessions: async ({ core, query }) => {
    const { sessions, next } = await core.searchSessions(searchInput(query, MAX_PAGE), {});
    return jsonResponse({ status: 'OK', sessions, next: next && writeCursor(next) }, NOT_STORED);
  },
  countSessions: async ({ core, query }) => {
    const { count, next } = await core.countSessions(searchInput(query, MAX_COUNTED_AT_ONCE), {});
    return jsonResponse({ status: 'OK', count, next: next && writeCursor(next) }, NOT_STORED);
  },
  createJwt: async ({ core, body }) => jsonResponse(await core.createJwt(createJwtInput(await body()), {})),
};

async function findSession({ core, query }: CdiCall): ReturnType<CoreClient['getSessionInformation']> {
  return core.getSessionInformation(requiredParameter(query, 'sessionHandle'), {});
}

/** A complete response. The body ends with a newline, as a Core's does. */
export interface CdiResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/**
 * Returns the response for success and for every outcome that is not the caller's mistake: status 200 and JSON.
 */
export function jsonResponse(body: object, headers: Readonly<Record<string, string>> = {}): CdiResponse {
  return {
    status: 200,
    headers: { 'Content-Type': 'application/json;charset=UTF-8', ...headers },
    body: `${JSON.stringify(body)}\n`,
  };
}

/** Returns the response for a refusal, or for `/hello`: one line of text. */
export function textResponse(status: number, text: string): CdiResponse {
  return { status, headers: { 'Content-Type': 'text/html;charset=UTF-8' }, body: `${text}\n` };
}

/**
 * Returns the response for a store that is unavailable, when trying again may help. A Core sends 500, which does not
 * show that; SDKs treat both as the same error.
 */
export function unavailableResponse(retryAfterSec: number): CdiResponse {
  const { headers, ...rest } = textResponse(503, 'Service Unavailable');
  return { ...rest, headers: { ...headers, 'Retry-After': String(Math.ceil(retryAfterSec)) } };
}

/** Returns the response for a handle without a live session. */
export function unknownSession(): CdiResponse {
  return jsonResponse({ status: 'UNAUTHORISED', message: 'Session does not exist.' });
}

/** Returns the response to a creation (A6.1). */
export function createdSession(tokens: CoreSessionTokens): CdiResponse {
  return jsonResponse({ status: 'OK', ...tokensBody(tokens) });
}

/** Returns the response about one session (A6.2). */
export function sessionInformation(session: CoreSessionInformation | undefined): CdiResponse {
  if (session === undefined) return unknownSession();
  return jsonResponse({
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

/**
 * Returns the response to a verification or regeneration (A6.3, A6.5): without an access token if no new one was
 * made.
 */
export function verifiedSession(result: VerifySessionResult | RegenerateResult): CdiResponse {
  if (result.status !== 'OK') return jsonResponse({ status: result.status, message: result.message });
  const { session, accessToken } = result;
  const payloadUpdateAvailable =
    'payloadUpdateAvailable' in result ? result.payloadUpdateAvailable : undefined;
  return jsonResponse({
    status: 'OK',
    session: sessionBody(session),
    ...(accessToken && { accessToken: tokenBody(accessToken) }),
    ...(payloadUpdateAvailable !== undefined && { payloadUpdateAvailable }),
  });
}

/** Returns the response to a refresh (A6.4). @param reuseBehaviour concerns reuse that has a subtype, as in CDI 5.6 */
export function refreshedSession(
  result: RefreshSessionResult,
  reuseBehaviour: RecentTokenReuseBehaviour = 'TOKEN_THEFT',
): CdiResponse {
  if (result.status === 'OK') return jsonResponse({ status: 'OK', ...tokensBody(result) });
  const { recentTokenReuseSubtype } = result;
  const subtype = recentTokenReuseSubtype && { recentTokenReuseSubtype };
  if (result.status === 'UNAUTHORISED') {
    return jsonResponse({ status: result.status, message: result.message, ...subtype });
  }
  if (subtype && recentTokenReuseSubtype !== 'STALE_LINEAGE' && reuseBehaviour === 'UNAUTHORISED') {
    return jsonResponse({ status: 'UNAUTHORISED', message: RECENT_TOKEN_REUSED, ...subtype });
  }
  const { handle, userId, recipeUserId } = result.session;
  return jsonResponse({ status: result.status, session: { handle, userId, recipeUserId }, ...subtype });
}

/** Returns the response to an update (A6.8, A6.9). */
export function updatedSession(isUpdated: boolean): CdiResponse {
  return isUpdated ? jsonResponse({ status: 'OK' }) : unknownSession();
}

/** Returns the JWKS (A6.12), which may be cached until the next key appears. */
export function publishedKeys({ keys, validityInSeconds }: JwksResult): CdiResponse {
  return jsonResponse({ keys }, { 'Cache-Control': `max-age=${validityInSeconds}, must-revalidate` });
}

/** Returns the response about an unknown user (A6.15). */
export function unknownUser(): CdiResponse {
  return jsonResponse({ status: 'UNKNOWN_USER_ID_ERROR' });
}

/**
 * Returns an account (A6.15). Only its id is known; the lists are empty, because SDKs fail if one is missing.
 */
export function primaryUser(id: string): CdiResponse {
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
  return jsonResponse({ status: 'OK', user });
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
