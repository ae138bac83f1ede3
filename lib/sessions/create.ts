import type { CoreSession, CoreSessionTokens, CreateSessionInput } from '../core/core.types.js';
import type { SessionActor } from '../delegation/delegations.js';
import { TooManySessionsError } from '../errors.js';
import { channels, tracedSession } from '../events/channels.js';
import { assertOwnSignIn, isForeignRequest } from '../http/csrf.js';
import { assertNotSent, type SessionRequest } from '../http/session-request.js';
import { otherMethod } from '../http/token-transport.js';
import { isInsecureSameSiteNone } from '../options/cookie-policy.js';
import type { ProviderSignIn } from '../signals/provider-sessions.js';
import type { SessionLifetime } from '../options/feature-options.js';
import type { TokenTransferMethod } from '../options/wire-options.js';
import { lengthOfNewAccessToken, withoutProtectedClaims } from '../tokens/access-token-claims.js';
import { isDelegated } from '../util/delegation-claims.js';
import { toJsonObject, type JsonObject } from '../util/json.js';
import { endOfSessionMs } from '../util/lifetime-claims.js';
import type { UserContext } from '../util/user-context.js';
import { validityMs } from './call-checks.js';
import { bindToParent, endChildren, joinSibling } from './parent-sessions.js';
import type { LiveRecipeContext, RecipeInput } from './recipe.interface.js';
import { openSession, type SessionContainer } from './session-container.js';
import { stateFromTokens } from './session-state.js';
import { NOT_SENT, noteReplacedBy } from './sparing-new-session.js';

const CREATE = 'createNewSession';

type CreateNewSessionInput = RecipeInput<'createNewSession'>;

/** The user who signs in, and the content of the session. */
export interface NewSessionInput {
  readonly recipeUserId: string;
  /** The primary user as the caller knows it; undefined leaves it to the core. */
  readonly userId: string | undefined;
  readonly tenantId: string;
  readonly accessTokenPayload: object | undefined;
  readonly sessionDataInDatabase: object | undefined;
  readonly lifetime: SessionLifetime | undefined;
  readonly authenticatedAtMs: number | undefined;
  readonly accessTokenValiditySec: number | undefined;
  readonly actor: SessionActor | undefined;
  readonly provider: ProviderSignIn | undefined;
}

/** The content of a session that is about to begin. */
export type PreparedSession = Omit<
  CreateNewSessionInput,
  'userContext' | 'disableAntiCsrf' | 'keyConfirmation'
> & {
  readonly accessTokenPayload: JsonObject;
};

/**
 * Creates sessions.
 *
 * @see docs/protocol/sdk.md §5.1, whose step numbers stand beside the code
 */
export class SessionCreation {
  constructor(private readonly context: LiveRecipeContext) {}

  /**
   * Creates a session and writes its tokens to the response.
   *
   * @throws {ResponseSentError} the headers of the response have been sent; there is no new session then
   */
  async inRequest(request: SessionRequest, input: NewSessionInput): Promise<SessionContainer> {
    assertNotSent(request.response, CREATE);
    return this.openInRequest(request, await this.prepare(input, request.userContext)); // C1-C5
  }

  /**
   * Creates a session whose content is known, and writes its tokens to the response.
   *
   * @param beforeCreation runs when only the core can refuse the session any more
   */
  async openInRequest(
    request: SessionRequest,
    prepared: PreparedSession,
    beforeCreation?: () => Promise<void>,
  ): Promise<SessionContainer> {
    const { transport } = this.context;
    const { userContext, response } = request;
    const transferMethod = this.methodForCreation(request); // C6
    const { config } = this.context;
    if (transferMethod === 'cookie') {
      assertOwnSignIn(request, config); // S070
      this.assertBrowsersKeepCookies(request); // C7
    }
    const keyConfirmation = await this.context.binding?.keyOfNewSession(request, transferMethod);
    const limits = { ...prepared, keyConfirmation };
    const payload = this.context.lifetimes.payloadOfNewSession(prepared.accessTokenPayload, limits);
    const tokenLength = lengthOfNewAccessToken(prepared, payload);
    transport.assertAccessTokenFits(request, transferMethod, tokenLength);
    await beforeCreation?.();
    const session = await this.open({
      ...limits,
      disableAntiCsrf: transferMethod === 'header',
      userContext,
    }); // C8
    if (response.isSent) await this.withdraw(session, request);
    if (keyConfirmation !== undefined)
      this.context.reports.device('device.registered', session.toJSON(), userContext);
    if (!isForeignRequest(request, config)) await noteReplacedBy(session.getHandle(), this.context, request);
    const other = otherMethod(transferMethod);
    // C9: an access token cookie that is there but empty counts, and so does any bearer value.
    const hasOther = transport.readToken(request, 'access', other) !== undefined;
    // The page of another site can neither delete nor replace the session of a browser.
    if (hasOther && !isForeignRequest(request, config)) transport.clear(request, other);
    session.attach(request, transferMethod); // C10
    return session;
  }

  /** Ends a session whose client cannot get its tokens, because the headers of the response left meanwhile. */
  private async withdraw(
    session: SessionContainer,
    { response, userContext }: SessionRequest,
  ): Promise<void> {
    await session.revokeSession(userContext, NOT_SENT);
    assertNotSent(response, CREATE);
  }

  /** Creates a session without a request, and writes nothing (§6.2). */
  async withoutRequest(
    input: NewSessionInput & { readonly disableAntiCsrf: boolean },
    userContext: UserContext,
  ): Promise<SessionContainer> {
    const prepared = await this.prepare(input, userContext);
    const { disableAntiCsrf } = input;
    return this.open({ ...prepared, disableAntiCsrf, userContext });
  }

  /** Creates a session whose content is known. */
  async open(input: CreateNewSessionInput): Promise<SessionContainer> {
    const { recipe, events } = this.context;
    return tracedSession(channels.sessionCreate, events, async () => recipe.createNewSession(input));
  }

  /** The recipe's own `createNewSession`. */
  async createNewSession(input: CreateNewSessionInput): Promise<SessionContainer> {
    const { config, lifetimes, devices } = this.context;
    const payload = lifetimes.payloadOfNewSession(
      toJsonObject(input.accessTokenPayload ?? {}, 'accessTokenPayload'),
      input,
    );
    this.assertAcceptedHere(payload);
    this.assertProviderKnown(input.provider);
    const created = await this.createWithinLimit(
      {
        tenantId: input.tenantId,
        recipeUserId: input.recipeUserId,
        userDataInJWT: payload,
        userDataInDatabase: devices.dataOfNewSession(
          toJsonObject(input.sessionDataInDatabase ?? {}, 'sessionDataInDatabase'),
          input.userContext,
        ),
        useDynamicSigningKey: config.useDynamicAccessTokenSigningKey,
        enableAntiCsrf: input.disableAntiCsrf !== true && config.antiCsrf === 'VIA_TOKEN',
        accessTokenValidityMs: validityMs(CREATE, input.accessTokenValiditySec),
      },
      input,
    );
    await this.noteBelonging(created, input);
    devices.remember(created.session.handle);
    this.context.reports.note('session.created', created.session, input.userContext);
    const state = stateFromTokens(created, input.tenantId, lifetimes);
    return openSession({ ...state, isJustCreated: true }, this.context);
  }

  /** @throws {TypeError} the option `backChannelLogout` does not have the provider */
  private assertProviderKnown(provider: ProviderSignIn | undefined): void {
    if (provider === undefined) return;
    const { backChannelLogout } = this.context;
    if (backChannelLogout === undefined)
      throw new TypeError('createNewSession: provider needs the option backChannelLogout');
    backChannelLogout.assertKnown(provider);
  }

  /** Notes with which others a session ends. One that they could not end does not stay. */
  private async noteBelonging(created: CoreSessionTokens, input: CreateNewSessionInput): Promise<void> {
    const { delegation, provider, userContext } = input;
    const { handle } = created.session;
    try {
      if (delegation !== undefined) await bindToParent(this.context, created, userContext);
      if (provider !== undefined) await this.assignToProvider(created.session, provider, input);
      if (delegation?.siblingHandle !== undefined)
        await joinSibling(this.context, handle, delegation.siblingHandle);
    } catch (error) {
      await this.context.core.revokeSessions([handle], userContext).catch(() => undefined); // the first error counts
      throw error;
    }
  }

  private async assignToProvider(
    { handle, userDataInJWT }: CoreSession,
    provider: ProviderSignIn,
    { authenticatedAtMs }: CreateNewSessionInput,
  ): Promise<void> {
    const { backChannelLogout, clock } = this.context;
    await backChannelLogout?.assign(provider, {
      sessionHandle: handle,
      untilMs: endOfSessionMs(userDataInJWT) ?? clock.now(),
      authenticatedAtMs,
    });
  }

  /** @throws {TypeError} this application itself would refuse the session at its first use */
  private assertAcceptedHere(payload: JsonObject): void {
    const claim = this.context.verifier.findForeignClaim(payload);
    if (claim === undefined) return;
    throw new TypeError(
      claim === 'iss'
        ? "createNewSession: accessTokenIssuers does not name this application's own issuer, so the session would be refused here"
        : 'createNewSession: the session would be refused here: put accessTokenAudience into accessTokenPayload as aud',
    );
  }

  /** @throws {TooManySessionsError} the user has reached `maxSessionsPerUser`, and no session is to be ended for it */
  private async createWithinLimit(
    session: CreateSessionInput,
    { userId, tenantId, userContext }: CreateNewSessionInput,
  ): Promise<CoreSessionTokens> {
    const { core, features } = this.context;
    const { maxSessionsPerUser: limit } = features;
    // A session that somebody else holds must not sign the user out.
    if (limit === undefined || isDelegated(session.userDataInJWT))
      return core.createSession(session, userContext);
    const result = await core.createSessionWithinLimit(session, limit, userContext);
    if (result.status === 'TOO_MANY_SESSIONS') throw new TooManySessionsError(userId, tenantId, limit.max);
    const reason = 'session-limit';
    this.context.reports.revoked(result.endedHandles, { userId }, { userContext, reason });
    await this.context.revocations?.publishSessions(result.endedHandles, { reason });
    await endChildren(this.context, result.endedHandles, userContext);
    if (result.status === 'CREATION_FAILED') throw result.failure;
    return result.created;
  }

  /** C1-C5: finds the primary user, and builds the payload. */
  private async prepare(input: NewSessionInput, userContext: UserContext): Promise<PreparedSession> {
    const { core, recipe, claims, schemas } = this.context;
    const { recipeUserId, tenantId, lifetime, authenticatedAtMs, accessTokenValiditySec, actor, provider } =
      input;
    const delegation = actor && (await this.context.delegations.forActor(actor));
    const userId = await core.getPrimaryUserId(recipeUserId, userContext);
    if (input.userId !== undefined && input.userId !== userId) {
      throw new TypeError(
        'createNewSession: recipeUserId is no login method of userId, as far as the core knows',
      );
    }
    const { issuer } = await recipe.getOpenIdDiscoveryConfiguration({ userContext });
    const payload = await schemas.whole('accessTokenPayload', input.accessTokenPayload ?? {});
    const data = await schemas.whole('sessionDataInDatabase', input.sessionDataInDatabase ?? {});
    const given = toJsonObject(payload, 'accessTokenPayload');
    let accessTokenPayload: JsonObject = withoutProtectedClaims({ ...given, iss: issuer });
    for (const claim of claims) {
      const built = await claim.build(userId, recipeUserId, tenantId, accessTokenPayload, userContext);
      accessTokenPayload = { ...accessTokenPayload, ...built };
    }
    const sessionDataInDatabase = toJsonObject(data, 'sessionDataInDatabase');
    return {
      userId,
      recipeUserId,
      tenantId,
      accessTokenPayload,
      sessionDataInDatabase,
      lifetime,
      authenticatedAtMs,
      accessTokenValiditySec,
      delegation,
      provider,
    };
  }

  private methodForCreation(request: SessionRequest): TokenTransferMethod {
    const { config, transport } = this.context;
    const allowed = config.getTokenTransferMethod({
      req: request.request,
      forCreateNewSession: true,
      userContext: request.userContext,
    });
    if (allowed !== 'any') return allowed;
    return transport.readAuthMode(request) === 'cookie' ? 'cookie' : 'header';
  }

  private assertBrowsersKeepCookies(request: SessionRequest): void {
    const { config } = this.context;
    const isDropped = isInsecureSameSiteNone({
      cookieSameSite: config.cookieSameSite(request),
      cookieSecure: config.cookieSecure,
      apiSite: config.appInfo.apiSite,
      websiteSite: config.appInfo.websiteSite(request),
    });
    if (isDropped) {
      throw new Error(
        'API and website are different sites, so the cookies need SameSite=None, which browsers accept only with Secure: ' +
          'serve the API over https, or set cookieSecure',
      );
    }
  }
}
