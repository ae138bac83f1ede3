import { assertTokenFits, clearTokens, writeTokens, type Attachment } from './attachment.js';
import type { SessionClaimValidator } from '../claims/claim-validator.js';
import type { SessionClaim } from '../claims/session-claim.js';
import { InvalidClaimsError, UnauthorisedError } from '../errors.js';
import { createExchange } from '../http/exchanges.js';
import type { SessionRequest } from '../http/session-request.js';
import { checkArguments } from '../options/call-arguments.js';
import { CONTAINER_CALLS } from './call-inputs.js';
import type { RevocationDetails } from '../feed/revocation-feed.js';
import type { TokenTransferMethod } from '../options/wire-options.js';
import { lengthOfNewAccessToken, withoutProtectedClaims } from '../tokens/access-token-claims.js';
import { recogniseCopies } from '../util/copies.js';
import type { JsonObject } from '../util/json.js';
import type { DataUpdate, DefaultData, DefaultPayload, NewData } from '../util/session-types.js';
import type { KeyConfirmation } from '../util/key-confirmation.js';
import { withRequest, type UserContext } from '../util/user-context.js';
import { changedNames, mergePayload, toPayloadUpdate } from './payload.js';
import type { RecipeContext } from './recipe-dependencies.js';
import type { RegeneratedAccessToken, SessionInformation } from './stored-sessions.interface.js';
import { endedByUser, revokeOtherSessions } from './revoke.js';
import {
  SessionFacts,
  stateAfterRegeneration,
  withoutUnshownKey,
  type SessionState,
} from './session-state.js';
import { beforeAttaching } from './sparing-new-session.js';

/**
 * The live session that a route works with. Attached to a request and its response, every change of the payload
 * writes the new tokens to the response at once; without them (the `…WithoutRequestResponse` functions) the
 * application sends the tokens itself or calls {@link attachToRequestResponse}.
 *
 * Methods that call the core throw `UnauthorisedError` when the session does not exist any more.
 *
 * @typeParam Payload shape of the access token payload, as the application knows it; it is not checked at run time
 * @publicApi
 */
export class SessionContainer<Payload extends object = DefaultPayload> extends SessionFacts<Payload> {
  static {
    recogniseCopies(this, 'SessionContainer');
  }

  private attachment: Attachment | undefined;

  /** @internal */
  constructor(
    state: SessionState,
    private readonly context: RecipeContext,
  ) {
    super(state);
  }

  /**
   * Ends the session, and takes the tokens away from the client if the session is attached and the headers of the response have
   * not been sent. No error if it had ended.
   *
   * @param details for events and records. Default: the reason `sign-out`, and the user as the initiator
   */
  @checkArguments(CONTAINER_CALLS.revokeSession)
  async revokeSession(userContext?: UserContext, details?: RevocationDetails): Promise<void> {
    const ctx = this.resolveContext(userContext);
    const { sessionHandle, userId, recipeUserId } = this.state;
    const { recipe } = this.context;
    const told = endedByUser('sign-out', this.state, details);
    await recipe.revokeSession({ sessionHandle, owner: { userId, recipeUserId }, userContext: ctx, ...told });
    clearTokens(this.attachment, sessionHandle, ctx);
  }

  /**
   * Ends all other sessions of the user, after a change of the password for example. Sign-ins that happen meanwhile stay.
   *
   * @param input `tenantId`: only those of this tenant. `includeLinkedAccounts`: default true; false leaves the sessions of
   *   the account's other login methods alone. `reason` and `initiator`: default `ended-by-user`, and the user
   * @returns the handles of the sessions that were ended
   */
  @checkArguments(CONTAINER_CALLS.revokeAllOtherSessions)
  async revokeAllOtherSessions(
    input: { tenantId?: string; includeLinkedAccounts?: boolean } & RevocationDetails = {},
    userContext?: UserContext,
  ): Promise<string[]> {
    const { tenantId, includeLinkedAccounts = true } = input;
    const { sessionHandle, userId: ownerId, recipeUserId } = this.state;
    const userId = includeLinkedAccounts ? ownerId : recipeUserId;
    const told = endedByUser('ended-by-user', this.state, input);
    const ending = { tenantId, includeLinkedAccounts, reason: told.reason, initiator: told.initiator };
    return revokeOtherSessions(
      this.context.recipe,
      { sessionHandle, userId, ownerId, mustExist: true, ...ending },
      this.resolveContext(userContext),
    );
  }

  /** The server-side JSON of the session, read from the store. */
  @checkArguments(CONTAINER_CALLS.withContext)
  async getSessionDataFromDatabase(userContext?: UserContext): Promise<DefaultData> {
    return (await this.information(userContext)).sessionDataInDatabase;
  }

  /** Replaces the server-side JSON of the session; null and undefined become `{}`. */
  @checkArguments(CONTAINER_CALLS.updateSessionDataInDatabase)
  async updateSessionDataInDatabase(
    newSessionData: NewData | null | undefined,
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
  @checkArguments(CONTAINER_CALLS.mergeSessionDataInDatabase)
  async mergeSessionDataInDatabase(sessionDataUpdate: DataUpdate, userContext?: UserContext): Promise<void> {
    const doesExist = await this.context.recipe.mergeSessionDataInDatabase({
      sessionHandle: this.state.sessionHandle,
      sessionDataUpdate: sessionDataUpdate as JsonObject,
      userContext: this.resolveContext(userContext),
    });
    if (!doesExist) throw sessionGone();
  }

  /** When the session was created, milliseconds since the epoch; read from the store. */
  @checkArguments(CONTAINER_CALLS.withContext)
  async getTimeCreated(userContext?: UserContext): Promise<number> {
    return (await this.information(userContext)).timeCreated;
  }

  /** When the session ends unless it is refreshed, milliseconds since the epoch; read from the store. */
  @checkArguments(CONTAINER_CALLS.withContext)
  async getExpiry(userContext?: UserContext): Promise<number> {
    return (await this.information(userContext)).expiry;
  }

  /**
   * Merges top-level keys into the stored payload and re-issues the access token with that and its old expiry. A key whose
   * value is null is removed. Changes by other writers since the token was issued, by handle for
   * example, stay and are in the payload afterwards.
   *
   * @throws {TypeError} the update sets a name that belongs to the session (`sub`, `exp`, …), or does not fit the option `schemas`
   */
  @checkArguments(CONTAINER_CALLS.mergeIntoAccessTokenPayload)
  async mergeIntoAccessTokenPayload(
    accessTokenPayloadUpdate: { [K in keyof Payload]?: Payload[K] | null },
    userContext?: UserContext,
  ): Promise<void> {
    const ctx = this.resolveContext(userContext);
    const { schemas } = this.context;
    const update = await schemas.payloadUpdate(accessTokenPayloadUpdate, () => this.storedPayload(ctx));
    await this.storePayloadUpdate(update, ctx);
  }

  /**
   * Runs validators against the payload, refetching stale claims first.
   *
   * @throws {InvalidClaimsError} at least one failed; lists all of them
   */
  @checkArguments(CONTAINER_CALLS.assertClaims)
  async assertClaims(
    claimValidators: readonly SessionClaimValidator[],
    userContext?: UserContext,
  ): Promise<void> {
    const ctx = this.resolveContext(userContext);
    const { userId, recipeUserId, accessTokenPayload } = this.state;
    const check = { userId, recipeUserId, accessTokenPayload, claimValidators, userContext: ctx };
    const result = await this.context.recipe.validateClaims(check);
    if (result.accessTokenPayloadUpdate !== undefined) {
      // Only the fetched values are stored: the rest of the token's payload may be older than the stored one.
      const fetched = changedNames(accessTokenPayload, result.accessTokenPayloadUpdate);
      await this.storePayloadUpdate(withoutProtectedClaims(fetched), ctx);
    }
    if (result.invalidClaims.length === 0) return;
    const failedClaimIds = result.invalidClaims.map((claim) => claim.id);
    this.context.reports.claimsRejected(this.state, failedClaimIds, ctx);
    this.context.lifetimes.noteFailed(claimValidators);
    throw new InvalidClaimsError(result.invalidClaims);
  }

  /**
   * Notes that the user has just proved who they are (with a password, a second factor, a passkey): `auth_time` becomes
   * now, and the access token is re-issued with its old expiry. Call it once the proof is complete. Tokens issued before
   * stay as old as they were; the absolute end of the session stays where it is.
   *
   * @throws {Error} the module does not record the time of authentication: put `AuthenticationTimeClaim` into the option `claims`
   */
  @checkArguments(CONTAINER_CALLS.withContext)
  async recordAuthentication(userContext?: UserContext): Promise<void> {
    const ctx = this.resolveContext(userContext);
    const { lifetimes, recipe } = this.context;
    lifetimes.assertRecorded();
    const currentAccessTokenPayload = await this.storedPayload(ctx);
    this.assertTokenFits(lifetimes.payloadAfterAuthentication(currentAccessTokenPayload), ctx);
    const result = await recipe.recordAuthentication({
      accessToken: this.state.accessToken,
      currentAccessTokenPayload,
      userContext: ctx,
    });
    this.adopt(withoutUnshownKey(result, this.state), ctx);
  }

  /** Fetches the claim's value again and puts it into the payload. */
  @checkArguments(CONTAINER_CALLS.withClaim)
  async fetchAndSetClaim<T>(claim: SessionClaim<T>, userContext?: UserContext): Promise<void> {
    const ctx = this.resolveContext(userContext);
    const { userId, recipeUserId, tenantId, accessTokenPayload } = this.state;
    const update = await claim.build(userId, recipeUserId, tenantId, accessTokenPayload, ctx);
    await this.storePayloadUpdate(update, ctx);
  }

  /** Puts a claim's value into the payload. */
  @checkArguments(CONTAINER_CALLS.setClaimValue)
  async setClaimValue<T>(
    claim: SessionClaim<T>,
    value: NoInfer<T>,
    userContext?: UserContext,
  ): Promise<void> {
    const ctx = this.resolveContext(userContext);
    await this.storePayloadUpdate(claim.addToPayload_internal({}, value, ctx), ctx);
  }

  /** The claim's value in the payload, or undefined when it is not there. */
  @checkArguments(CONTAINER_CALLS.withClaim)
  async getClaimValue<T>(claim: SessionClaim<T>, userContext?: UserContext): Promise<T | undefined> {
    return claim.getValueFromPayload(this.state.accessTokenPayload, this.resolveContext(userContext));
  }

  /** Removes a claim's value from the payload. */
  @checkArguments(CONTAINER_CALLS.withClaim)
  async removeClaim<T>(claim: SessionClaim<T>, userContext?: UserContext): Promise<void> {
    const ctx = this.resolveContext(userContext);
    await this.storePayloadUpdate(claim.removeFromPayloadByMerge_internal({}, ctx), ctx);
  }

  /**
   * Binds the session to a request and its response. Tokens that the client does not have yet are written at once.
   *
   * @param input `req` and `res` as Nest injects them; `transferMethod` decides between cookies and headers
   * @throws {UnauthorisedError | ResponseSentError} `createNewSession` would refuse it; a session that was just created is ended then
   */
  @checkArguments(CONTAINER_CALLS.attachToRequestResponse)
  async attachToRequestResponse(
    input: { req: unknown; res: unknown; transferMethod: TokenTransferMethod },
    userContext?: UserContext,
  ): Promise<void> {
    const { request, response } = createExchange(input.req, input.res);
    const exchange = { request, response, userContext: this.context.prepareContext(userContext) };
    if (userContext === undefined) withRequest(exchange.userContext, request);
    const attaching = { state: this.state, context: this.context, isFirst: this.attachment === undefined };
    await beforeAttaching(this, attaching, exchange, input.transferMethod);
    this.attach(exchange, input.transferMethod);
  }

  /** @internal As {@link attachToRequestResponse}, for callers that have a session request. */
  attach(
    request: SessionRequest,
    transferMethod: TokenTransferMethod,
    mark = this.context.transport.mark,
  ): void {
    this.attachment = { transport: this.context.transport, request, transferMethod, mark };
    const isRefresh = this.state.refreshToken !== undefined && this.state.isJustCreated !== true;
    this.context.noteUse?.(this.state, isRefresh, request.userContext);
    if (!this.state.accessAndFrontTokenUpdated) return;
    const { refreshToken, antiCsrfToken, sessionHandle, accessTokenPayload } = this.state;
    writeTokens(this.attachment, this.state, { refreshToken, antiCsrfToken });
    if (refreshToken !== undefined && transferMethod === 'cookie')
      this.context.binding?.offer(request, sessionHandle, accessTokenPayload);
  }

  /** @internal @throws {Error} the access token would not fit into its cookie with these names in the payload */
  async assertPayloadFits(further: JsonObject): Promise<void> {
    const userContext = this.resolveContext(undefined);
    this.assertTokenFits({ ...(await this.storedPayload(userContext)), ...further }, userContext);
  }

  /** @internal Binds the session to a key, unless it is bound already. @returns the key that it is bound to */
  async bindToKey(confirmation: KeyConfirmation): Promise<KeyConfirmation | undefined> {
    return this.context.keyBindings.bind(this, confirmation);
  }

  /** @internal Adopts a change of the stored payload: the new access token goes to the client. */
  async changeTokens(
    change: (accessToken: string) => Promise<RegeneratedAccessToken | undefined>,
  ): Promise<void> {
    this.adopt(await change(this.state.accessToken), this.resolveContext(undefined));
  }

  private async storePayloadUpdate(update: object, userContext: UserContext): Promise<void> {
    const { lifetimes, recipe } = this.context;
    const change = toPayloadUpdate(update, lifetimes.claimNames); // before the core is called
    const currentAccessTokenPayload = await this.storedPayload(userContext);
    const newAccessTokenPayload = mergePayload(currentAccessTokenPayload, change, lifetimes.claimNames);
    this.assertTokenFits(newAccessTokenPayload, userContext);
    const result = await recipe.regenerateAccessToken({
      accessToken: this.state.accessToken,
      newAccessTokenPayload,
      currentAccessTokenPayload,
      accessTokenPayloadUpdate: change,
      userContext,
    });
    this.adopt(withoutUnshownKey(result, this.state), userContext);
  }

  /** The stored payload: that of the token may be older. */
  private async storedPayload(userContext: UserContext): Promise<JsonObject> {
    return (await this.information(userContext)).customClaimsInAccessTokenPayload;
  }

  /** Called before anything is stored that could not be sent to the client. */
  private assertTokenFits(newAccessTokenPayload: JsonObject, userContext: UserContext): void {
    assertTokenFits(this.attachment, lengthOfNewAccessToken(this.state, newAccessTokenPayload), userContext);
  }

  private adopt(regenerated: RegeneratedAccessToken | undefined, userContext: UserContext): void {
    if (regenerated === undefined) throw sessionGone();
    this.state = stateAfterRegeneration(this.state, regenerated, this.context.lifetimes);
    if (regenerated.accessToken !== undefined) writeTokens(this.attachment, this.state, {}, userContext);
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
    const prepared = this.context.prepareContext(userContext);
    if (userContext !== undefined || this.attachment === undefined) return prepared;
    return withRequest(prepared, this.attachment.request.request);
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
