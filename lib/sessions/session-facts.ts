import { inspect } from 'node:util';
import type { DefaultPayload } from '../util/session-types.js';
import type { UserContext } from '../util/user-context.js';
import { allSessionTokens, type AllSessionTokens, type SessionState } from './session-state.js';

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
