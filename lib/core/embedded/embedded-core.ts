import { randomUUID } from 'node:crypto';
import { newRefreshTokenKey, refreshTokenHash1, refreshTokenHash2, RefreshTokens } from './refresh-token.js';
import { CoreBadInputError, CoreUnavailableError } from '../../errors/core.error.js';
import { findReservedClaim, type AccessTokenInfo } from '../../access-token/access-token.js';
import { eventSourceOf } from '../../observability/event-source.js';
import { shortHandle } from '../../observability/printable.js';
import { equalsInConstantTime } from '../../shared/constant-time.js';
import { jsonEquals, mergeTopLevel, parseJsonObject, type JsonObject } from '../../shared/json.js';
import { accessTokenExpiryMs, LIFETIME_CLAIMS, sessionExpiryMs } from '../../shared/lifetime-claims.js';
import type { UserContext } from '../../shared/user-context.js';
import type { VerificationKeys } from '../../shared/verification-keys.js';
import { CoreClient } from '../core-client.js';
import { CoreCalls } from '../core-calls.js';
import type { CoreContext } from '../core-provider.js';
import { KeyRotations } from '../key-rotations.js';
import type {
  CoreSession,
  CoreSessionInformation,
  CoreSessionTokens,
  CreateJwtInput,
  CreateJwtResult,
  CreateSessionInput,
  CreationLimit,
  JwksResult,
  LimitedCreationResult,
  RefreshSessionInput,
  RefreshSessionResult,
  RegenerateInput,
  RegenerateResult,
  TokenInfo,
  UserSessionsInput,
  VerifySessionInput,
  VerifySessionResult,
} from '../core.types.js';
import { AccessTokens } from './access-tokens.js';
import type { EmbeddedCoreConfig } from './embedded-core-config.js';
import { ExpirySweeper } from './expiry-sweeper.js';
import { KeyRefresher } from './key-refresher.js';
import { decideRefresh, decideVerify, type PresentedRefreshToken } from './refresh-rotation.js';
import { isTenantId, newSessionHandle, sessionKeyOf } from './session-handle.js';
import { StoreSetupError, type SessionKey, type SessionRow, type SessionStore } from './session-store.js';
import { SigningKeys } from './signing-keys.js';
import { StartUp } from './start-up.js';
import { StoreGate } from './store-gate.js';
import { withUnavailableErrors } from './unavailable-errors.js';

/** Version of the access tokens that are made for new pairs (CDI 4.0 and later). */
const ACCESS_TOKEN_VERSION = 5;
const MAX_USER_ID_LENGTH = 128;
/** Another instance can win a promotion a few times in a row, not for ever. */
const MAX_REFRESH_ATTEMPTS = 8;
/** Of writers that merge at once one gets through in each round, so this many can meet. */
const MAX_MERGE_ATTEMPTS = 1000;

/** A session whose payload has one of these ends sooner than the core's own validity says. */
const NAMES_OF_LIMITS = [LIFETIME_CLAIMS.expiry, LIFETIME_CLAIMS.idle];

/** A store that hangs keeps no process from ending. One that is only slow, or repeats what failed, is done by then. */
const CLOSING_PATIENCE_MS = 5000;

const SESSION_GONE = 'Session missing in db or has expired';

/**
 * The engine of a SuperTokens Core inside this process, with the semantics of CDI 5.4: a refresh writes nothing, the
 * new refresh token becomes current when it, or its access token, is first used.
 *
 * @see docs/protocol/core.md B
 */
export class EmbeddedCore extends CoreClient {
  private readonly store: SessionStore;
  private readonly keys: SigningKeys;
  private readonly accessTokens: AccessTokens;
  private readonly sweeper: ExpirySweeper;
  private readonly keyRefresher: KeyRefresher;
  private readonly startUp = new StartUp(async () => this.prepare());
  private readonly gate = new StoreGate();
  private closing: Promise<void> | undefined;
  private refreshTokens: Promise<RefreshTokens> | undefined;

  constructor(
    store: SessionStore,
    private readonly config: EmbeddedCoreConfig,
    private readonly context: CoreContext,
  ) {
    super();
    this.store = withUnavailableErrors(store, new CoreCalls(context), this.gate);
    const rotations = new KeyRotations(context.events, context.clock);
    const keyOptions = {
      algorithm: config.signingAlgorithm,
      updateIntervalMs: config.accessTokenDynamicSigningKeyUpdateIntervalSec * 1000,
      accessTokenValidityMs: config.accessTokenValiditySec * 1000,
    };
    this.keys = new SigningKeys(this.store, context.clock, keyOptions, rotations);
    this.accessTokens = new AccessTokens(this.keys);
    this.sweeper = new ExpirySweeper(
      this.store,
      this.keys,
      context.clock,
      config.expirySweepIntervalSec * 1000,
    );
    this.keyRefresher = new KeyRefresher(this.keys, this.keyReloadIntervalMs);
  }

  override get verificationKeys(): VerificationKeys {
    return this.keys;
  }

  /**
   * Nobody is kept from starting by a store that does not answer yet: what needs it is refused as unavailable until it
   * does. A store that can never work as it is, and `startWithoutStore: false`, end the start. A core that was closed
   * serves again.
   */
  override async start(): Promise<void> {
    if (this.closing !== undefined) {
      await this.closing.catch(() => undefined);
      this.closing = undefined;
      this.gate.open();
    }
    this.sweeper.start();
    this.keyRefresher.start();
    try {
      await this.prepare();
    } catch (error) {
      const mayComeLater = this.config.startWithoutStore && this.closing === undefined;
      if (!mayComeLater || !(error instanceof CoreUnavailableError)) throw error;
      if (error.cause instanceof StoreSetupError) throw error.cause;
      this.startUp.tryAgainLater();
    }
  }

  /**
   * From now on nothing reaches the store: calls that need it fail. The ones under way, of requests and of timers, are
   * waited for, unless the store hangs. Closing again does nothing.
   */
  override async close(): Promise<void> {
    this.closing ??= this.shutDown();
    return this.closing;
  }

  private async shutDown(): Promise<void> {
    const ending = [this.gate.close(), this.startUp.stop(), this.keyRefresher.stop(), this.sweeper.stop()];
    await endOrTimeout(ending, CLOSING_PATIENCE_MS);
    await this.store.close();
  }

  override async createSession(input: CreateSessionInput): Promise<CoreSessionTokens> {
    const { row, tokens } = await this.newSession(input);
    await this.store.insertSession(row);
    return tokens;
  }

  override async createSessionWithinLimit(
    input: CreateSessionInput,
    limit: CreationLimit,
  ): Promise<LimitedCreationResult> {
    const { row, tokens } = await this.newSession(input);
    const { userIds, nowMs } = await this.sessionsOf({
      userId: input.recipeUserId,
      tenantId: input.tenantId,
      includeLinkedAccounts: true,
    });
    const inserted = await this.store.insertSessionWithinLimit(row, { ...limit, userIds, nowMs });
    return inserted.isInserted
      ? { status: 'OK', created: tokens, endedHandles: inserted.removedHandles }
      : { status: 'TOO_MANY_SESSIONS' };
  }

  /** Its tokens come first: when the insertion fails, nothing is left behind. */
  private async newSession(
    input: CreateSessionInput,
  ): Promise<{ row: SessionRow; tokens: CoreSessionTokens }> {
    assertUsableIds(input);
    assertNoReservedClaim(input.userDataInJWT, ACCESS_TOKEN_VERSION);
    const now = this.now();
    const content = {
      sessionHandle: newSessionHandle(input.tenantId),
      tenantId: input.tenantId,
      userId: input.recipeUserId,
      parentRefreshTokenHash1: undefined,
      antiCsrfToken: input.enableAntiCsrf ? randomUUID() : undefined,
    };
    const token = await (await this.refreshTokenSealer()).issue(content);
    const row: SessionRow = {
      tenantId: input.tenantId,
      sessionHandle: content.sessionHandle,
      userId: input.recipeUserId,
      refreshTokenHash2: refreshTokenHash2(token),
      sessionData: JSON.stringify(input.userDataInDatabase),
      accessTokenPayload: JSON.stringify(input.userDataInJWT),
      expiresAtMs: sessionExpiryMs(input.userDataInJWT, now, this.refreshTokenValidityMs),
      createdAtMs: now,
      useStaticKey: !input.useDynamicSigningKey,
      prevRefreshTokenHash2: undefined,
      rotatedAtMs: undefined,
    };
    return { row, tokens: await this.pairFor(row, token, content) };
  }

  override async verifySession(
    input: VerifySessionInput,
    userContext?: UserContext,
  ): Promise<VerifySessionResult> {
    const proof = await this.accessTokens.prove(input.accessToken);
    if (!proof.isProven) return tryRefresh(proof.message);
    const { info } = proof;
    if (info.expiryMs < this.now()) return tryRefresh('Access token expired');
    if (input.doAntiCsrfCheck && input.enableAntiCsrf) {
      if (info.antiCsrfToken === undefined) {
        return tryRefresh(
          'Access token does not contain all the information. Maybe the structure has changed?',
        );
      }
      if (!equalsInConstantTime(info.antiCsrfToken, input.antiCsrfToken)) {
        return tryRefresh('anti-csrf check failed');
      }
    }
    if (!input.checkDatabase && info.parentRefreshTokenHash1 === undefined) {
      return { status: 'OK', session: sessionFromToken(info) };
    }
    return this.verifyAgainstStore(info, input.checkDatabase, userContext);
  }

  override async readRefreshToken(
    refreshToken: string,
  ): Promise<{ sessionHandle: string; recipeUserId: string } | undefined> {
    const content = await (await this.refreshTokenSealer()).open(refreshToken);
    return content && { sessionHandle: content.sessionHandle, recipeUserId: content.userId };
  }

  override async refreshSession(
    input: RefreshSessionInput,
    userContext?: UserContext,
  ): Promise<RefreshSessionResult> {
    const sealer = await this.refreshTokenSealer();
    const content = await sealer.open(input.refreshToken);
    if (content === undefined) return unauthorised('The refresh token is not one of ours');
    const key = sessionKeyOf(content.sessionHandle);
    if (key === undefined || key.tenantId !== content.tenantId) return unauthorised(SESSION_GONE);
    if (
      input.enableAntiCsrf &&
      content.antiCsrfToken !== undefined &&
      !equalsInConstantTime(content.antiCsrfToken, input.antiCsrfToken)
    ) {
      return unauthorised('Anti CSRF token missing, or not matching');
    }

    const presentedHash1 = refreshTokenHash1(input.refreshToken);
    const presented = {
      hash2: refreshTokenHash1(presentedHash1),
      parentRefreshTokenHash1: content.parentRefreshTokenHash1,
    };
    const useStaticKey = !input.useDynamicSigningKey;
    let row = await this.findForRefresh(key, presented, { useStaticKey, userContext });
    for (let attempt = 0; attempt < MAX_REFRESH_ATTEMPTS; attempt++) {
      const decision = decideRefresh(row, presented, this.now(), this.gracePeriodMs);
      if (row === undefined || decision === 'UNKNOWN_SESSION') return unauthorised(SESSION_GONE);
      if (decision === 'THEFT') return this.theftOf(row);
      if (decision === 'PROMOTE') {
        const limits = storedObject(row.accessTokenPayload);
        row =
          (await this.promote(row, presented, { useStaticKey, limits, userContext })) ??
          (await this.store.findSession(key));
        continue;
      }
      const reserved = findReservedClaim(storedObject(row.accessTokenPayload), ACCESS_TOKEN_VERSION);
      if (reserved !== undefined) return unauthorised(protectedField(reserved));
      const child = await this.childOf(row, presentedHash1, input.enableAntiCsrf, sealer);
      // Within the grace period only the very successor that is in use may be handed out again.
      if (decision === 'REPEAT_CHILD' && refreshTokenHash2(child.token) !== row.refreshTokenHash2) {
        return this.theftOf(row);
      }
      if (row.useStaticKey !== useStaticKey) await this.store.setUseStaticKey(key, useStaticKey);
      const tokens = await this.pairFor({ ...row, useStaticKey }, child.token, child.content);
      if (decision === 'REPEAT_CHILD') await this.emit('session.grace-hit', row, userContext);
      return { status: 'OK', ...tokens };
    }
    throw new CoreUnavailableError(
      `Session ${shortHandle(key.sessionHandle)}: the refresh token changed under ${MAX_REFRESH_ATTEMPTS} attempts in a row`,
    );
  }

  override async regenerateAccessToken(input: RegenerateInput): Promise<RegenerateResult> {
    const proof = await this.accessTokens.prove(input.accessToken);
    if (!proof.isProven) return unauthorised(proof.message);
    const { info } = proof;
    const key = sessionKeyOf(info.sessionHandle);
    if (key === undefined) return unauthorised('Session does not exist.');
    if (input.userDataInJWT !== undefined) assertNoReservedClaim(input.userDataInJWT, info.version);
    const now = this.now();
    const row =
      input.userDataInJWT === undefined
        ? await this.findLive(key, now)
        : await this.store.updateAccessTokenPayload(key, JSON.stringify(input.userDataInJWT), now);
    if (row === undefined) return unauthorised('Session does not exist.');
    const session = await this.sessionOf(row);
    if (info.expiryMs < now) return { status: 'OK', session };
    const accessToken = await this.reissue(info, row, session, {
      expiryMs: info.expiryMs,
      parentRefreshTokenHash1: info.parentRefreshTokenHash1,
    });
    return { status: 'OK', session, accessToken };
  }

  override async getSessionInformation(sessionHandle: string): Promise<CoreSessionInformation | undefined> {
    const key = sessionKeyOf(sessionHandle);
    const row = key && (await this.findLive(key, this.now()));
    if (row === undefined) return undefined;
    const session = await this.sessionOf(row);
    return {
      sessionHandle: row.sessionHandle,
      userId: session.userId,
      recipeUserId: session.recipeUserId,
      tenantId: row.tenantId,
      userDataInDatabase: storedObject(row.sessionData),
      userDataInJWT: session.userDataInJWT,
      expiry: row.expiresAtMs,
      timeCreated: row.createdAtMs,
    };
  }

  override async getSessionHandlesOfUser(input: UserSessionsInput): Promise<string[]> {
    return this.store.findSessionHandlesOfUsers(await this.sessionsOf(input));
  }

  override async revokeSessions(sessionHandles: readonly string[]): Promise<string[]> {
    const keys = [...new Set(sessionHandles)].map(sessionKeyOf).filter((key) => key !== undefined);
    return keys.length === 0 ? [] : this.store.deleteSessions(keys);
  }

  override async revokeSessionsOfUser(input: UserSessionsInput): Promise<string[]> {
    return this.store.deleteSessionsOfUsers(await this.sessionsOf(input));
  }

  override async updateSessionData(sessionHandle: string, data: JsonObject): Promise<boolean> {
    const key = sessionKeyOf(sessionHandle);
    return key !== undefined && this.store.updateSessionData(key, JSON.stringify(data), this.now());
  }

  override async mergeSessionData(sessionHandle: string, update: JsonObject): Promise<boolean> {
    const key = sessionKeyOf(sessionHandle);
    if (key === undefined) return false;
    for (let attempt = 0; attempt < MAX_MERGE_ATTEMPTS; attempt++) {
      const now = this.now();
      const row = await this.findLive(key, now);
      if (row === undefined) return false;
      const merged = JSON.stringify(mergeTopLevel(storedObject(row.sessionData), update));
      if (await this.store.replaceSessionData(key, { from: row.sessionData, to: merged }, now)) return true;
    }
    throw new CoreUnavailableError(
      `The data of session ${shortHandle(sessionHandle)} is written by too many at once`,
    );
  }

  override async updateAccessTokenPayload(sessionHandle: string, payload: JsonObject): Promise<boolean> {
    assertNoReservedClaim(payload, ACCESS_TOKEN_VERSION);
    const key = sessionKeyOf(sessionHandle);
    if (key === undefined) return false;
    return (
      (await this.store.updateAccessTokenPayload(key, JSON.stringify(payload), this.now())) !== undefined
    );
  }

  override async getPrimaryUserId(recipeUserId: string): Promise<string> {
    return this.config.accountLinking?.getPrimaryUserId(recipeUserId) ?? recipeUserId;
  }

  override async createJwt(input: CreateJwtInput): Promise<CreateJwtResult> {
    if (input.algorithm.toUpperCase() !== 'RS256') return { status: 'UNSUPPORTED_ALGORITHM_ERROR' };
    if (!(input.validity > 0 && Number.isFinite(input.validity)))
      throw new CoreBadInputError('validity must be greater than or equal to 0');
    const nowSec = Math.floor(this.now() / 1000);
    const claims = {
      iss: input.jwksDomain,
      iat: nowSec,
      exp: Math.floor(nowSec + input.validity),
      ...input.payload,
    };
    return { status: 'OK', jwt: await this.accessTokens.issueJwt(claims, input.useStaticSigningKey) };
  }

  override async getJwks(): Promise<JwksResult> {
    return this.keys.jwks();
  }

  /** Removes what has expired now instead of at the next interval. */
  async sweepExpired(): Promise<void> {
    await this.sweeper.sweep();
  }

  override async reloadSigningKeys(): Promise<void> {
    await this.keys.renew(this.keyReloadIntervalMs);
  }

  /** What the first request needs. */
  private async prepare(): Promise<void> {
    await Promise.all([this.refreshTokenSealer(), this.keys.reload()]);
  }

  private async verifyAgainstStore(
    info: AccessTokenInfo,
    checkDatabase: boolean,
    userContext: UserContext | undefined,
  ): Promise<VerifySessionResult> {
    const key = sessionKeyOf(info.sessionHandle);
    if (key === undefined || key.tenantId !== info.tenantId) return unauthorised('Session missing in db');
    const { parentRefreshTokenHash1 } = info;
    // One statement on the happy path: the first use of a refreshed token is a promotion.
    const promoted =
      parentRefreshTokenHash1 === undefined
        ? undefined
        : await this.promote(
            { ...key, refreshTokenHash2: refreshTokenHash1(parentRefreshTokenHash1) },
            { hash2: refreshTokenHash1(info.refreshTokenHash1) },
            { useStaticKey: undefined, limits: info.payload, userContext },
          );
    const row = promoted ?? (await this.store.findSession(key));
    const isPayloadChanged =
      checkDatabase &&
      row !== undefined &&
      !jsonEquals(storedObject(row.accessTokenPayload), ownPayloadOf(info));
    const decision = promoted ? 'REPLACE_TOKEN' : decideVerify(row, info, this.now(), isPayloadChanged);
    if (row === undefined || decision === 'MISSING') {
      return unauthorised(
        checkDatabase ? 'Either the session has ended or has been blacklisted' : 'Session missing in db',
      );
    }
    if (decision === 'KEEP_TOKEN') return { status: 'OK', session: sessionFromToken(info) };
    if (decision === 'PROMOTE') {
      // Between the attempt and the look the parent became current: the next use promotes. The token stands.
      return { status: 'OK', session: sessionFromToken(info) };
    }
    const session = await this.sessionOf(row);
    const { accessTokenValiditySec } = this.config;
    const expiryMs = accessTokenExpiryMs(session.userDataInJWT, this.now(), accessTokenValiditySec * 1000);
    const accessToken = await this.reissue(info, row, session, {
      expiryMs: Math.min(expiryMs, row.expiresAtMs), // a changed payload is no refresh: the end stays where it is
      parentRefreshTokenHash1: undefined,
    });
    return { status: 'OK', session, accessToken };
  }

  /**
   * One statement for both kinds of refresh: the session of a current token, and that of an unused child, which becomes
   * current on the way.
   */
  private async findForRefresh(
    key: SessionKey,
    presented: PresentedRefreshToken,
    { useStaticKey, userContext }: { useStaticKey: boolean; userContext: UserContext | undefined },
  ): Promise<SessionRow | undefined> {
    const { parentRefreshTokenHash1 } = presented;
    if (parentRefreshTokenHash1 === undefined) return this.store.findSession(key);
    const nowMs = this.now();
    const { row, isPromoted } = await this.store.findAndPromote(
      {
        ...key,
        fromHash2: refreshTokenHash1(parentRefreshTokenHash1),
        toHash2: presented.hash2,
        expiresAtMs: nowMs + this.refreshTokenValidityMs,
        useStaticKey,
        nowMs,
      },
      NAMES_OF_LIMITS,
    );
    if (row !== undefined && isPromoted) await this.emit('session.promoted', row, userContext);
    return row;
  }

  /** `limits`: a payload of the session; what it says of the session's limits never changes. */
  private async promote(
    from: SessionKey & Pick<SessionRow, 'refreshTokenHash2'>,
    to: { hash2: string },
    {
      useStaticKey,
      limits,
      userContext,
    }: {
      useStaticKey: boolean | undefined;
      limits: JsonObject;
      userContext: UserContext | undefined;
    },
  ): Promise<SessionRow | undefined> {
    const now = this.now();
    const row = await this.store.promote({
      tenantId: from.tenantId,
      sessionHandle: from.sessionHandle,
      fromHash2: from.refreshTokenHash2,
      toHash2: to.hash2,
      expiresAtMs: sessionExpiryMs(limits, now, this.refreshTokenValidityMs),
      useStaticKey,
      nowMs: now,
    });
    if (row) await this.emit('session.promoted', row, userContext);
    return row;
  }

  private async emit(
    type: 'session.promoted' | 'session.grace-hit',
    { sessionHandle, userId: recipeUserId, tenantId }: SessionRow,
    userContext: UserContext | undefined,
  ): Promise<void> {
    const timeMs = this.now();
    // It has happened, also when the application cannot say whose account that is: the request fails of it later on.
    const userId = await this.getPrimaryUserId(recipeUserId).catch(() => recipeUserId);
    const source = eventSourceOf(userContext);
    this.context.events.emit({ type, timeMs, sessionHandle, userId, recipeUserId, tenantId, ...source });
  }

  private async childOf(
    row: SessionRow,
    parentRefreshTokenHash1: string,
    enableAntiCsrf: boolean,
    sealer: RefreshTokens,
  ) {
    const content = {
      sessionHandle: row.sessionHandle,
      tenantId: row.tenantId,
      userId: row.userId,
      parentRefreshTokenHash1,
      antiCsrfToken: enableAntiCsrf ? sealer.successorAntiCsrfToken(parentRefreshTokenHash1) : undefined,
    };
    return { content, token: await sealer.issueSuccessor(content) };
  }

  private async pairFor(
    row: SessionRow,
    refreshToken: string,
    content: { parentRefreshTokenHash1: string | undefined; antiCsrfToken: string | undefined },
  ): Promise<CoreSessionTokens> {
    const now = this.now();
    const session = await this.sessionOf(row);
    const accessToken = await this.accessTokens.issue(
      {
        version: ACCESS_TOKEN_VERSION,
        userId: session.userId,
        recipeUserId: session.recipeUserId,
        tenantId: row.tenantId,
        sessionHandle: row.sessionHandle,
        refreshTokenHash1: refreshTokenHash1(refreshToken),
        parentRefreshTokenHash1: content.parentRefreshTokenHash1,
        antiCsrfToken: content.antiCsrfToken,
        expiryMs: accessTokenExpiryMs(
          session.userDataInJWT,
          now,
          this.config.accessTokenValiditySec *
            1000 *
            (1 - this.config.accessTokenValidityJitter * Math.random()),
        ),
        timeCreatedMs: now,
        userPayload: session.userDataInJWT,
      },
      row.useStaticKey,
    );
    return {
      session,
      accessToken,
      refreshToken: {
        token: refreshToken,
        expiry: sessionExpiryMs(session.userDataInJWT, now, this.refreshTokenValidityMs),
        createdTime: now,
      },
      antiCsrfToken: content.antiCsrfToken,
    };
  }

  /** A new access token of the same version and lineage as the presented one, with what is stored now. */
  private async reissue(
    info: AccessTokenInfo,
    row: SessionRow,
    session: CoreSession,
    change: { expiryMs: number; parentRefreshTokenHash1: string | undefined },
  ): Promise<TokenInfo> {
    const version = knownVersion(info.version);
    // Up to version 2 the payload is nested and can collide with nothing.
    if (version > 2) assertNoReservedClaim(session.userDataInJWT, version);
    return this.accessTokens.issue(
      {
        version,
        userId: session.userId,
        recipeUserId: session.recipeUserId,
        tenantId: row.tenantId,
        sessionHandle: row.sessionHandle,
        refreshTokenHash1: info.refreshTokenHash1,
        antiCsrfToken: info.antiCsrfToken,
        timeCreatedMs: this.now(),
        userPayload: session.userDataInJWT,
        ...change,
      },
      row.useStaticKey,
    );
  }

  private async sessionOf(row: SessionRow): Promise<CoreSession> {
    return {
      handle: row.sessionHandle,
      userId: await this.getPrimaryUserId(row.userId),
      recipeUserId: row.userId,
      tenantId: row.tenantId,
      userDataInJWT: storedObject(row.accessTokenPayload),
    };
  }

  private async theftOf(row: SessionRow): Promise<RefreshSessionResult> {
    const { handle, userId, recipeUserId } = await this.sessionOf(row);
    return { status: 'TOKEN_THEFT_DETECTED', session: { handle, userId, recipeUserId } };
  }

  private async findLive(key: SessionKey, nowMs: number): Promise<SessionRow | undefined> {
    const row = await this.store.findSession(key);
    return row !== undefined && row.expiresAtMs > nowMs ? row : undefined;
  }

  private async sessionsOf({ userId, tenantId, includeLinkedAccounts }: UserSessionsInput) {
    const { accountLinking } = this.config;
    const linked = includeLinkedAccounts ? await accountLinking?.getLinkedRecipeUserIds(userId) : undefined;
    return { userIds: [...new Set([userId, ...(linked ?? [])])], tenantId, nowMs: this.now() };
  }

  /** One for the life of the process; asked again only if the store failed. */
  private refreshTokenSealer(): Promise<RefreshTokens> {
    this.refreshTokens ??= this.store
      .getOrSetRefreshTokenKey(newRefreshTokenKey(), this.now())
      .then((key) => new RefreshTokens(key))
      .catch((error: unknown) => {
        this.refreshTokens = undefined;
        throw error;
      });
    return this.refreshTokens;
  }

  private now(): number {
    return this.context.clock.now();
  }

  private get refreshTokenValidityMs(): number {
    return this.config.refreshTokenValiditySec * 1000;
  }

  private get keyReloadIntervalMs(): number {
    return this.config.signingKeyReloadIntervalSec * 1000;
  }

  private get gracePeriodMs(): number {
    return this.config.refreshTokenRotationGracePeriodSec * 1000;
  }
}

async function endOrTimeout(work: readonly Promise<void>[], timeoutMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, timeoutMs);
  });
  await Promise.race([Promise.all(work), timeout]);
  clearTimeout(timer);
}

function unauthorised(message: string): { status: 'UNAUTHORISED'; message: string } {
  return { status: 'UNAUTHORISED', message };
}

function tryRefresh(message: string): { status: 'TRY_REFRESH_TOKEN'; message: string } {
  return { status: 'TRY_REFRESH_TOKEN', message };
}

function assertUsableIds({ tenantId, recipeUserId }: CreateSessionInput): void {
  if (!isTenantId(tenantId)) {
    throw new CoreBadInputError('The tenant id must be 1 to 64 characters of a-z, 0-9 and "-"');
  }
  if (
    recipeUserId === '' ||
    recipeUserId.length > MAX_USER_ID_LENGTH ||
    /[\0\p{Surrogate}]/u.test(recipeUserId)
  ) {
    throw new CoreBadInputError(
      `The user id must be 1 to ${MAX_USER_ID_LENGTH} characters without NUL or half surrogate pairs`,
    );
  }
}

function assertNoReservedClaim(payload: JsonObject, version: number): void {
  const name = findReservedClaim(payload, version);
  if (name !== undefined) throw new CoreBadInputError(protectedField(name));
}

function protectedField(name: string): string {
  return `The user payload contains protected field: "${name}" belongs to the session itself`;
}

function sessionFromToken(info: AccessTokenInfo): CoreSession {
  return {
    handle: info.sessionHandle,
    userId: info.userId,
    recipeUserId: info.recipeUserId,
    tenantId: info.tenantId,
    userDataInJWT: ownPayloadOf(info),
  };
}

/** The application's part of a token's payload. */
function ownPayloadOf({ version, payload }: AccessTokenInfo): JsonObject {
  return Object.fromEntries(
    Object.entries(payload).filter(
      ([name]) => version <= 2 || findReservedClaim({ [name]: null }, version) === undefined,
    ),
  );
}

function storedObject(text: string): JsonObject {
  const value = parseJsonObject(text);
  if (value === undefined) throw new Error('The store returned a payload that is no JSON object');
  return value;
}

/** Later versions are read like 5, and written as 5. */
function knownVersion(version: number): 2 | 3 | 4 | 5 {
  return version === 2 || version === 3 || version === 4 ? version : ACCESS_TOKEN_VERSION;
}
