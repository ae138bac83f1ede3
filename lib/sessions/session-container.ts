import { inspect } from 'node:util';
import type { SessionClaimValidator } from '../claims/claim-validator.js';
import type { SessionClaim } from '../claims/session-claim.js';
import { InvalidClaimsError, UnauthorisedError } from '../errors.js';
import { createExchange } from '../http/create-exchange.js';
import type { SessionRequest } from '../http/session-request.js';
import type { TokenTransferMethod } from '../options/wire-options.js';
import { lengthOfNewAccessToken, withoutProtectedClaims } from '../tokens/access-token-claims.js';
import { buildFrontToken } from '../tokens/front-token.js';
import type { JsonObject } from '../util/json.js';
import { withRequest, type UserContext } from '../util/user-context.js';
import { changedNames, mergePayload, toPayloadUpdate } from './payload.js';
import type { RecipeContext } from './recipe-dependencies.js';
import type { RegeneratedAccessToken, SessionInformation } from './stored-sessions.interface.js';
import { revokeOtherSessions } from './revoke.js';
import { stateAfterRegeneration, type AllSessionTokens, type SessionState } from './session-state.js';
import { recogniseCopies } from '../util/recognise-copies.js';

interface Attachment {
  readonly request: SessionRequest;
  readonly transferMethod: TokenTransferMethod;
}

/**
 * The live session that a route works with. Attached to a request and its response, every change of the payload
 * writes the new tokens to the response at once; without them (the `…WithoutRequestResponse` functions) the
 * application sends the tokens itself or calls {@link attachToRequestResponse}.
 *
 * Methods that ask the core throw `UnauthorisedError` when the session does not exist any more.
 *
 * @typeParam Payload shape of the access token payload, as the application knows it; nothing checks it at run time
 * @publicApi
 */
export class SessionContainer<Payload extends object = JsonObject> {
  static {
    recogniseCopies(this, 'SessionContainer');
  }

  private attachment: Attachment | undefined;

  /** @internal */
  constructor(
    private state: SessionState,
    private readonly context: RecipeContext,
  ) {}

  /** The stable id of the session. No credential: it may be logged. */
  getHandle(): string {
    return this.state.sessionHandle;
  }

  /** Primary user id. */
  getUserId(): string {
    return this.state.userId;
  }

  /** The login method the session was created with; equals the user id unless accounts are linked. */
  getRecipeUserId(): string {
    return this.state.recipeUserId;
  }

  getTenantId(): string {
    return this.state.tenantId;
  }

  /** The access token itself: a credential. */
  getAccessToken(): string {
    return this.state.accessToken;
  }

  /** The access token payload, frozen; change it with {@link mergeIntoAccessTokenPayload}. */
  getAccessTokenPayload(): Readonly<Payload> {
    return this.state.accessTokenPayload as Readonly<Payload>;
  }

  getAllSessionTokensDangerously(): AllSessionTokens {
    const { accessToken, refreshToken, antiCsrfToken, accessAndFrontTokenUpdated } = this.state;
    return {
      accessToken,
      refreshToken: refreshToken?.token,
      frontToken: this.frontToken(),
      antiCsrfToken,
      accessAndFrontTokenUpdated,
    };
  }

  /** Ends the session, and takes the tokens away from the client if the session is attached. No error if it had ended. */
  async revokeSession(userContext?: UserContext): Promise<void> {
    const ctx = this.resolveContext(userContext);
    const { sessionHandle, userId, recipeUserId } = this.state;
    const owner = { userId, recipeUserId };
    await this.context.recipe.revokeSession({ sessionHandle, owner, userContext: ctx });
    if (this.attachment) {
      const { request, transferMethod } = this.attachment;
      this.context.transport.clear({ ...request, userContext: ctx }, transferMethod);
    }
  }

  /**
   * Ends all other sessions of the user, after a change of the password for example. Sign-ins that happen meanwhile stay.
   *
   * @param input `tenantId`: only those of this tenant. `includeLinkedAccounts`: default true; false leaves the sessions of
   *   the account's other login methods alone
   * @returns the handles of the sessions that were ended
   */
  async revokeAllOtherSessions(
    { tenantId, includeLinkedAccounts = true }: { tenantId?: string; includeLinkedAccounts?: boolean } = {},
    userContext?: UserContext,
  ): Promise<string[]> {
    const { sessionHandle, recipeUserId } = this.state;
    const userId = includeLinkedAccounts ? this.state.userId : recipeUserId;
    return revokeOtherSessions(
      this.context.recipe,
      { sessionHandle, userId, ownerId: this.state.userId, tenantId, includeLinkedAccounts, mustExist: true },
      this.resolveContext(userContext),
    );
  }

  /** The server-side JSON of the session, read from the store. */
  async getSessionDataFromDatabase(userContext?: UserContext): Promise<JsonObject> {
    return (await this.information(userContext)).sessionDataInDatabase;
  }

  /** Replaces the server-side JSON of the session; null and undefined become `{}`. */
  async updateSessionDataInDatabase(
    newSessionData: object | null | undefined,
    userContext?: UserContext,
  ): Promise<void> {
    const doesExist = await this.context.recipe.updateSessionDataInDatabase({
      sessionHandle: this.state.sessionHandle,
      newSessionData: newSessionData as JsonObject | null | undefined,
      userContext: this.resolveContext(userContext),
    });
    if (!doesExist) throw sessionGone();
  }

  /** Merges top-level keys into the server-side JSON; null removes a key. Parallel writers keep each other's keys; with `remoteCore` those of one process do. */
  async mergeSessionDataInDatabase(sessionDataUpdate: object, userContext?: UserContext): Promise<void> {
    const doesExist = await this.context.recipe.mergeSessionDataInDatabase({
      sessionHandle: this.state.sessionHandle,
      sessionDataUpdate: sessionDataUpdate as JsonObject,
      userContext: this.resolveContext(userContext),
    });
    if (!doesExist) throw sessionGone();
  }

  /** When the session was created, milliseconds since the epoch; read from the store. */
  async getTimeCreated(userContext?: UserContext): Promise<number> {
    return (await this.information(userContext)).timeCreated;
  }

  /** When the session ends unless it is refreshed, milliseconds since the epoch; read from the store. */
  async getExpiry(userContext?: UserContext): Promise<number> {
    return (await this.information(userContext)).expiry;
  }

  /**
   * Merges top-level keys into the stored payload and re-issues the access token with that and its old expiry. A key whose
   * value is null is removed. What others have changed since the token was made, by handle for example, stays, and is in
   * the payload afterwards.
   *
   * @throws {TypeError} the update sets a name that belongs to the session (`sub`, `exp`, …)
   */
  async mergeIntoAccessTokenPayload(
    accessTokenPayloadUpdate: { [K in keyof Payload]?: Payload[K] | null },
    userContext?: UserContext,
  ): Promise<void> {
    await this.storePayloadUpdate(accessTokenPayloadUpdate, this.resolveContext(userContext));
  }

  /**
   * Runs validators against the payload, refetching stale claims first.
   *
   * @throws {InvalidClaimsError} at least one failed; lists all of them
   */
  async assertClaims(
    claimValidators: readonly SessionClaimValidator[],
    userContext?: UserContext,
  ): Promise<void> {
    const ctx = this.resolveContext(userContext);
    const { userId, recipeUserId, accessTokenPayload } = this.state;
    const result = await this.context.recipe.validateClaims({
      userId,
      recipeUserId,
      accessTokenPayload,
      claimValidators,
      userContext: ctx,
    });
    if (result.accessTokenPayloadUpdate !== undefined) {
      // Only the fetched values are stored: the rest of the token's payload may be older than the stored one.
      const fetched = changedNames(accessTokenPayload, result.accessTokenPayloadUpdate);
      await this.storePayloadUpdate(withoutProtectedClaims(fetched), ctx);
    }
    if (result.invalidClaims.length === 0) return;
    const failedClaimIds = result.invalidClaims.map((claim) => claim.id);
    this.context.reports.claimsRejected(this.state, failedClaimIds, ctx);
    throw new InvalidClaimsError(result.invalidClaims);
  }

  /**
   * Notes that the user has just proved who they are (with a password, a second factor, a passkey): `auth_time` becomes
   * now, and the access token is re-issued with its old expiry. Call it once the proof is complete. Tokens issued before
   * stay as old as they were; the absolute end of the session stays where it is.
   *
   * @throws {Error} nothing asks for the time of authentication: put `AuthenticationTimeClaim` into the option `claims`
   */
  async recordAuthentication(userContext?: UserContext): Promise<void> {
    const ctx = this.resolveContext(userContext);
    const { lifetimes, recipe } = this.context;
    lifetimes.assertRecorded();
    const currentAccessTokenPayload = await this.storedPayload(ctx);
    this.assertTokenFits(lifetimes.payloadAfterAuthentication(currentAccessTokenPayload), ctx);
    const { accessToken } = this.state;
    this.adopt(
      await recipe.recordAuthentication({ accessToken, currentAccessTokenPayload, userContext: ctx }),
      ctx,
    );
  }

  /** Fetches the claim's value anew and puts it into the payload. */
  async fetchAndSetClaim<T>(claim: SessionClaim<T>, userContext?: UserContext): Promise<void> {
    const ctx = this.resolveContext(userContext);
    const { userId, recipeUserId, tenantId, accessTokenPayload } = this.state;
    const update = await claim.build(userId, recipeUserId, tenantId, accessTokenPayload, ctx);
    await this.storePayloadUpdate(update, ctx);
  }

  async setClaimValue<T>(
    claim: SessionClaim<T>,
    value: NoInfer<T>,
    userContext?: UserContext,
  ): Promise<void> {
    const ctx = this.resolveContext(userContext);
    await this.storePayloadUpdate(claim.addToPayload_internal({}, value, ctx), ctx);
  }

  /** The claim's value in the payload, or undefined when it is not there. */
  async getClaimValue<T>(claim: SessionClaim<T>, userContext?: UserContext): Promise<T | undefined> {
    return claim.getValueFromPayload(this.state.accessTokenPayload, this.resolveContext(userContext));
  }

  async removeClaim<T>(claim: SessionClaim<T>, userContext?: UserContext): Promise<void> {
    const ctx = this.resolveContext(userContext);
    await this.storePayloadUpdate(claim.removeFromPayloadByMerge_internal({}, ctx), ctx);
  }

  /**
   * Binds the session to a request and its response. Tokens that the client does not have yet are written at once.
   *
   * @param input `req` and `res` as Nest injects them; `transferMethod` decides between cookies and headers
   */
  async attachToRequestResponse(
    input: { req: unknown; res: unknown; transferMethod: TokenTransferMethod },
    userContext?: UserContext,
  ): Promise<void> {
    const { request, response } = createExchange(input.req, input.res);
    const ctx = this.context.prepareContext(userContext);
    if (userContext === undefined) withRequest(ctx, request);
    this.attach({ request, response, userContext: ctx }, input.transferMethod);
  }

  /** @internal As {@link attachToRequestResponse}, for callers that have a session request. */
  attach(request: SessionRequest, transferMethod: TokenTransferMethod): void {
    this.attachment = { request, transferMethod };
    this.context.noteUse?.(this.state.sessionHandle, request.userContext);
    if (!this.state.accessAndFrontTokenUpdated) return;
    const { accessToken, refreshToken, antiCsrfToken } = this.state;
    this.context.transport.writeTokens(request, transferMethod, {
      accessToken,
      frontToken: this.frontToken(),
      refreshToken,
      antiCsrfToken,
    });
  }

  private async storePayloadUpdate(update: object, userContext: UserContext): Promise<void> {
    const { lifetimes, recipe } = this.context;
    const change = toPayloadUpdate(update, lifetimes.claimNames); // before the core is asked
    const currentAccessTokenPayload = await this.storedPayload(userContext);
    const newAccessTokenPayload = mergePayload(currentAccessTokenPayload, change, lifetimes.claimNames);
    this.assertTokenFits(newAccessTokenPayload, userContext);
    const { accessToken } = this.state;
    this.adopt(
      await recipe.regenerateAccessToken({
        accessToken,
        newAccessTokenPayload,
        currentAccessTokenPayload,
        accessTokenPayloadUpdate: change,
        userContext,
      }),
      userContext,
    );
  }

  /** The stored payload: that of the token may be older. */
  private async storedPayload(userContext: UserContext): Promise<JsonObject> {
    return (await this.information(userContext)).customClaimsInAccessTokenPayload;
  }

  /** Called before anything is stored that could not be sent to the client. */
  private assertTokenFits(newAccessTokenPayload: JsonObject, userContext: UserContext): void {
    if (this.attachment === undefined) return;
    const { request, transferMethod } = this.attachment;
    const tokenLength = lengthOfNewAccessToken(this.state, newAccessTokenPayload);
    this.context.transport.assertAccessTokenFits({ ...request, userContext }, transferMethod, tokenLength);
  }

  private adopt(regenerated: RegeneratedAccessToken | undefined, userContext: UserContext): void {
    if (regenerated === undefined) throw sessionGone();
    this.state = stateAfterRegeneration(this.state, regenerated, this.context.lifetimes);
    if (regenerated.accessToken === undefined || this.attachment === undefined) return;
    const { request, transferMethod } = this.attachment;
    const tokens = { accessToken: this.state.accessToken, frontToken: this.frontToken() };
    this.context.transport.writeTokens({ ...request, userContext }, transferMethod, tokens);
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

  private frontToken(): string {
    const { userId, accessTokenExpiryMs, accessTokenPayload } = this.state;
    return buildFrontToken({ userId, accessTokenExpiryMs, payload: accessTokenPayload });
  }

  private async information(userContext: UserContext | undefined): Promise<SessionInformation> {
    const information = await this.context.recipe.getSessionInformation({
      sessionHandle: this.state.sessionHandle,
      userContext: this.resolveContext(userContext),
    });
    if (information === undefined) throw sessionGone();
    return information;
  }

  private resolveContext(userContext: UserContext | undefined): UserContext {
    const { prepareContext } = this.context;
    if (userContext !== undefined) return prepareContext(userContext);
    const fresh = prepareContext();
    return this.attachment ? withRequest(fresh, this.attachment.request.request) : fresh;
  }
}

/**
 * Returns the live session of a state. Every way to a session leads through here, so that none of them misses its end.
 *
 * @throws {UnauthorisedError} the session has reached its absolute end
 */
export function openSession(state: SessionState, context: RecipeContext): SessionContainer {
  context.lifetimes.assertNotOver(state.accessTokenPayload);
  return new SessionContainer(state, context);
}

function sessionGone(): UnauthorisedError {
  return new UnauthorisedError('Session does not exist anymore');
}
