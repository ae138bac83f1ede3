import { inspect } from 'node:util';
import type { CoreSessionTokens, TokenInfo, VerifySessionResult } from '../core/core.types.js';
import { accessTokenInfo, parseWithoutVerifying, type AccessTokenInfo } from '../tokens/access-token.js';
import { buildFrontToken } from '../tokens/front-token.js';
import { deepFreeze, type JsonObject } from '../util/json.js';
import { readConfirmation } from '../util/key-confirmation.js';
import { safeEqual } from '../util/safe-equal.js';
import type { DefaultPayload } from '../util/session-types.js';
import type { UserContext } from '../util/user-context.js';
import type { RegeneratedAccessToken } from './stored-sessions.interface.js';
import type { SessionLifetimes } from './session-lifetimes.js';

/** The facts that a session container works with. */
export interface SessionState {
  readonly sessionHandle: string;
  /** Primary user id. */
  readonly userId: string;
  readonly recipeUserId: string;
  readonly tenantId: string;
  readonly accessToken: string;
  /** Milliseconds since the epoch. */
  readonly accessTokenExpiryMs: number;
  readonly accessTokenPayload: JsonObject;
  /** Known after creation and refresh only. */
  readonly refreshToken: { readonly token: string; readonly expiry: number } | undefined;
  readonly antiCsrfToken: string | undefined;
  /** Whether the client does not have this access token yet. */
  readonly accessAndFrontTokenUpdated: boolean;
  /** Whether `createNewSession` made the session for the container that has this state. */
  readonly isJustCreated?: boolean;
  /** The expiry of the token that the client presented, if the core has put another one in its place. */
  readonly presentedTokenExpiryMs?: number;
}

/** The response of a core that confirms a session. */
export type ConfirmedSession = Extract<VerifySessionResult, { status: 'OK' }>;

/**
 * All tokens of a session. Their holder is taken for the user: never log or store them.
 *
 * @publicApi
 */
export interface AllSessionTokens {
  readonly accessToken: string;
  /** Known right after creation and refresh only. */
  readonly refreshToken: string | undefined;
  readonly frontToken: string;
  readonly antiCsrfToken: string | undefined;
  /** Whether the client does not have the access and front token yet. */
  readonly accessAndFrontTokenUpdated: boolean;
}

/**
 * Returns the state of a session whose access token was verified.
 *
 * @param antiCsrfToken the request's; it is echoed to the client only if it is the session's own (Q3)
 */
export function stateFromToken(
  token: string,
  info: AccessTokenInfo,
  antiCsrfToken: string | undefined,
): SessionState {
  return {
    sessionHandle: info.sessionHandle,
    userId: info.userId,
    recipeUserId: info.recipeUserId,
    tenantId: info.tenantId,
    accessToken: token,
    accessTokenExpiryMs: info.expiryMs,
    accessTokenPayload: info.payload,
    refreshToken: undefined,
    antiCsrfToken:
      antiCsrfToken !== undefined && safeEqual(info.antiCsrfToken, antiCsrfToken) ? antiCsrfToken : undefined,
    accessAndFrontTokenUpdated: false,
  };
}

/** Returns the state of a session after the core has confirmed it, and maybe replaced the access token. */
export function stateAfterVerification(
  state: SessionState,
  info: AccessTokenInfo,
  { session, accessToken }: ConfirmedSession,
  lifetimes: SessionLifetimes,
): SessionState {
  const stored = deepFreeze({ ...session.userDataInJWT });
  // Only the first use of a refreshed token, which names its parent, gives time. A SuperTokens Core gives it to any token.
  const isUnearned =
    accessToken !== undefined && info.parentRefreshTokenHash1 === undefined && outlives(accessToken, info);
  if (isUnearned || lifetimes.isOlderProof(info.payload, stored)) {
    // Or the user has since proved who they are with another token. The holder of this one sees what is stored, but gets
    // no fresh token: that takes the refresh token.
    const payload = lifetimes.payloadWithoutNewerProof(info.payload, stored);
    return { ...state, accessTokenPayload: deepFreeze(payload) };
  }
  const { handle: sessionHandle, userId, recipeUserId, tenantId } = session;
  const owned = { ...state, sessionHandle, userId, recipeUserId, tenantId };
  const isLegacy = info.version <= 2;
  if (accessToken === undefined) {
    const payload = isLegacy ? stored : lifetimes.payloadBesideStored(info.payload, stored);
    return { ...owned, accessTokenPayload: payload };
  }
  return {
    ...owned,
    accessToken: accessToken.token,
    accessTokenExpiryMs: accessToken.expiry,
    accessTokenPayload: isLegacy ? stored : readTokenPayload(accessToken.token, stored),
    accessAndFrontTokenUpdated: true,
    presentedTokenExpiryMs: info.expiryMs,
  };
}

/** Returns whether a token that a core gave in exchange for another one expires later than that. */
export function outlives(reissued: TokenInfo, presented: AccessTokenInfo): boolean {
  const parsed = parseWithoutVerifying(reissued.token);
  const expiryMs = parsed === undefined ? reissued.expiry : accessTokenInfo(parsed).expiryMs;
  return expiryMs > presented.expiryMs;
}

/** Returns the state of a session whose tokens the core has just issued, by creation or refresh. */
export function stateFromTokens(
  { session, accessToken, refreshToken, antiCsrfToken }: CoreSessionTokens,
  tenantId: string,
  lifetimes: SessionLifetimes,
): SessionState {
  return {
    sessionHandle: session.handle,
    userId: session.userId,
    recipeUserId: session.recipeUserId,
    tenantId,
    accessToken: accessToken.token,
    accessTokenExpiryMs: accessToken.expiry,
    accessTokenPayload: readTokenPayload(accessToken.token, session.userDataInJWT),
    refreshToken: {
      token: refreshToken.token,
      expiry: lifetimes.refreshTokenExpiryMs(session.userDataInJWT, refreshToken.expiry),
    },
    antiCsrfToken,
    accessAndFrontTokenUpdated: true,
  };
}

/** Returns the state of a session after its access token was re-issued. */
export function stateAfterRegeneration(
  state: SessionState,
  { accessToken, session }: RegeneratedAccessToken,
  lifetimes: SessionLifetimes,
): SessionState {
  if (accessToken === undefined) {
    // The token expired during this request, or is older than a proof of who the user is. The stored payload counts, and
    // the client gets it with its next refresh.
    const payload = lifetimes.payloadWithoutNewerProof(state.accessTokenPayload, session.userDataInJWT);
    return { ...state, accessTokenPayload: deepFreeze(payload) };
  }
  return {
    ...state,
    accessToken: accessToken.token,
    accessTokenExpiryMs: accessToken.expiry,
    accessTokenPayload: readTokenPayload(accessToken.token, session.userDataInJWT),
    accessAndFrontTokenUpdated: true,
  };
}

/**
 * Returns the payload of a token that the core has just issued, as the application sees it: frozen.
 *
 * @param customClaims the application's part of the payload, for a token in an unknown format
 */
export function readTokenPayload(accessToken: string, customClaims: JsonObject): JsonObject {
  const parsed = parseWithoutVerifying(accessToken);
  return deepFreeze(parsed === undefined ? { ...customClaims } : accessTokenInfo(parsed).payload);
}

/** Returns all tokens of a session. */
export function allSessionTokens(state: SessionState): AllSessionTokens {
  const { accessToken, refreshToken, antiCsrfToken, accessAndFrontTokenUpdated } = state;
  return {
    accessToken,
    refreshToken: refreshToken?.token,
    frontToken: frontToken(state),
    antiCsrfToken,
    accessAndFrontTokenUpdated,
  };
}

/** Returns the front token that belongs to the access token of a session. */
export function frontToken({ userId, accessTokenExpiryMs, accessTokenPayload }: SessionState): string {
  return buildFrontToken({ userId, accessTokenExpiryMs, payload: accessTokenPayload });
}

/**
 * Returns a result without its token if that names a key which the present token does not: the client may not have the key. It gets the
 * change with its next refresh.
 */
export function withoutUnshownKey(
  result: RegeneratedAccessToken | undefined,
  { accessTokenPayload }: SessionState,
): RegeneratedAccessToken | undefined {
  if (result?.accessToken === undefined) return result;
  const key = readConfirmation(result.session.userDataInJWT)?.jkt;
  if (key === undefined || key === readConfirmation(accessTokenPayload)?.jkt) return result;
  const { accessToken: _withheld, ...rest } = result;
  return rest;
}

/**
 * The part of {@link SessionContainer} that is at hand: it asks neither the core nor the store.
 *
 * @typeParam Payload shape of the access token payload, as the application knows it; it is not checked at run time
 */
export abstract class SessionFacts<Payload extends object = DefaultPayload> {
  /** @internal */
  protected constructor(protected state: SessionState) {}

  /** The stable id of the session. It is no credential and may be logged. */
  getHandle(_userContext?: UserContext): string {
    return this.state.sessionHandle;
  }

  /** Primary user id. */
  getUserId(_userContext?: UserContext): string {
    return this.state.userId;
  }

  /** The login method the session was created with; equals the user id unless accounts are linked. */
  getRecipeUserId(_userContext?: UserContext): string {
    return this.state.recipeUserId;
  }

  getTenantId(_userContext?: UserContext): string {
    return this.state.tenantId;
  }

  /** The access token itself: a credential. */
  getAccessToken(_userContext?: UserContext): string {
    return this.state.accessToken;
  }

  /** @internal The expiry of the token that the client presented, in milliseconds since the epoch. */
  getPresentedTokenExpiry(): number {
    return this.state.presentedTokenExpiryMs ?? this.state.accessTokenExpiryMs;
  }

  /** The access token payload, frozen; change it with `mergeIntoAccessTokenPayload`. */
  getAccessTokenPayload(_userContext?: UserContext): Readonly<Payload> {
    return this.state.accessTokenPayload as Readonly<Payload>;
  }

  /** Returns the tokens of the session, which are credentials. */
  getAllSessionTokensDangerously(): AllSessionTokens {
    return allSessionTokens(this.state);
  }

  /** The facts of a session that may be logged and sent: never its tokens. */
  toJSON(): { sessionHandle: string; userId: string; recipeUserId: string; tenantId: string } {
    const { sessionHandle, userId, recipeUserId, tenantId } = this.state;
    return { sessionHandle, userId, recipeUserId, tenantId };
  }

  /** @internal The same for `console.log` and `util.inspect`. */
  [inspect.custom](): object {
    return this.toJSON();
  }
}
