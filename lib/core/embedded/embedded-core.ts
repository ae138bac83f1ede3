import { CoreBadInputError, CoreUnavailableError } from '../../errors.js';
import { shortHandle } from '../../events/printable.js';
import { applyChange, mergeTopLevel, type JsonObject, type NamesChange } from '../../util/json.js';
import type { UserContext } from '../../util/user-context.js';
import type { VerificationKeys } from '../../util/verification-keys.js';
import { CoreClient } from '../core-client.js';
import { CoreCalls } from '../core-calls.js';
import type { CoreContext } from '../core-provider.js';
import { KeyRotations } from '../key-rotations.js';
import type {
  CoreSessionInformation,
  CoreSessionTokens,
  CoreJwtInput,
  CoreJwtResult,
  CreateSessionInput,
  CreationLimit,
  JwksResult,
  LimitedCreationResult,
  RefreshSessionInput,
  RefreshSessionResult,
  RegenerateInput,
  RegenerateResult,
  UserSessionsInput,
  VerifySessionInput,
  VerifySessionResult,
} from '../core.types.js';
import { AccessTokens } from './access-tokens.js';
import { inMs, type EmbeddedCoreConfig } from './embedded-core-config.js';
import { ExpirySweeper } from './expiry-sweeper.js';
import { KeyRefresher } from './key-refresher.js';
import { LifeCycle, unlessOver } from './life-cycle.js';
import { newRefreshTokenKey, RefreshTokens } from '../../tokens/refresh-token.js';
import { Rotation, unauthorised } from './rotation.js';
import { parseSessionHandle } from './session-handle.js';
import { ACCESS_TOKEN_VERSION, assertNoReservedClaim, SessionIssuer } from './session-issuer.js';
import {
  StoreSetupError,
  type SessionKey,
  type SessionRow,
  type SessionStore,
} from '../../stores/session-store.js';
import { SigningKeys } from './signing-keys.js';
import { StartUp } from './start-up.js';
import { StoreGate } from './store-gate.js';
import { storedObject } from './stored-session.js';
import { STORE_PATIENCE_MS, withUnavailableErrors } from './unavailable-errors.js';

/** Of writers that merge at once one gets through in each round, so this many can meet. */
const MAX_MERGE_ATTEMPTS = 1000;

/** A store that hangs keeps no process from ending. One that is only slow, or repeats what failed, is done by then. */
const CLOSING_PATIENCE_MS = 5000;
/** Nor from starting, where the start does not need it. */
const STARTING_PATIENCE_MS = 30_000;

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
  private readonly issuer: SessionIssuer;
  private readonly rotation: Rotation;
  private readonly sweeper: ExpirySweeper;
  private readonly keyRefresher: KeyRefresher;
  private readonly lifeCycle = new LifeCycle();
  private readonly startUp = new StartUp(async () => this.prepare());
  private readonly gate = new StoreGate();
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
      updateIntervalMs: inMs(config.accessTokenDynamicSigningKeyUpdateIntervalSec),
      accessTokenValidityMs: inMs(config.accessTokenValiditySec),
      reloadIntervalMs: inMs(config.signingKeyReloadIntervalSec),
    };
    this.keys = new SigningKeys(this.store, context.clock, keyOptions, rotations);
    this.accessTokens = new AccessTokens(this.keys);
    const { clock, events } = context;
    const parts = {
      config,
      clock,
      accessTokens: this.accessTokens,
      refreshTokens: async () => this.refreshTokenSealer(),
      primaryUserIdOf: async (recipeUserId: string) => this.getPrimaryUserId(recipeUserId),
    };
    this.issuer = new SessionIssuer(parts);
    this.rotation = new Rotation({ ...parts, store: this.store, events }, this.issuer);
    this.sweeper = new ExpirySweeper(
      this.store,
      this.keys,
      context.clock,
      inMs(config.expirySweepIntervalSec),
    );
    this.keyRefresher = new KeyRefresher(this.keys, keyOptions.reloadIntervalMs);
  }

  override get verificationKeys(): VerificationKeys {
    return this.keys;
  }

  /**
   * Nobody is kept from starting by a store that does not answer yet: what needs it is refused as unavailable until it
   * does. A store that can never work as it is, `startWithoutStore: false`, and a close meanwhile end the start. A core
   * that was closed serves again.
   */
  override async start(): Promise<void> {
    return this.lifeCycle.start(async (life) => {
      this.gate.open();
      this.sweeper.start();
      this.keyRefresher.start();
      try {
        await this.prepareInTime(life);
      } catch (error) {
        const mayComeLater = this.config.startWithoutStore && !life.aborted;
        if (!mayComeLater || !(error instanceof CoreUnavailableError)) throw error;
        if (error.cause instanceof StoreSetupError) throw error.cause;
        this.startUp.tryAgainLater();
      }
    });
  }

  /**
   * From now on nothing reaches the store: calls that need it fail. The ones under way, of requests and of timers, are
   * waited for, and the store's own closing after them, each no longer than five seconds: a store that hangs is left as
   * it is. Closing again does nothing.
   */
  override async close(): Promise<void> {
    return this.lifeCycle.close(async () => this.shutDown());
  }

  private async shutDown(): Promise<void> {
    const ending = [this.gate.close(), this.startUp.stop(), this.keyRefresher.stop(), this.sweeper.stop()];
    await endOrTimeout(ending, CLOSING_PATIENCE_MS);
    await endOrTimeout([this.store.close()], CLOSING_PATIENCE_MS);
  }

  override async createSession(input: CreateSessionInput): Promise<CoreSessionTokens> {
    const { row, tokens } = await this.issuer.newSession(input);
    await this.store.insertSession(row);
    return tokens;
  }

  override async createSessionWithinLimit(
    input: CreateSessionInput,
    limit: CreationLimit,
  ): Promise<LimitedCreationResult> {
    const { row, tokens } = await this.issuer.newSession(input);
    const { userIds, nowMs } = await this.selectUserSessions({
      userId: input.recipeUserId,
      tenantId: input.tenantId,
      includeLinkedAccounts: true,
    });
    const inserted = await this.store.insertSessionWithinLimit(row, { ...limit, userIds, nowMs });
    return inserted.isInserted
      ? { status: 'OK', created: tokens, endedHandles: inserted.removedHandles }
      : { status: 'TOO_MANY_SESSIONS' };
  }

  override async verifySession(
    input: VerifySessionInput,
    userContext?: UserContext,
  ): Promise<VerifySessionResult> {
    return this.rotation.verify(input, userContext);
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
    return this.rotation.refresh(input, userContext);
  }

  override async regenerateAccessToken(input: RegenerateInput): Promise<RegenerateResult> {
    const proof = await this.accessTokens.prove(input.accessToken);
    if (!proof.isProven) return unauthorised(proof.message);
    const { info } = proof;
    const key = parseSessionHandle(info.sessionHandle);
    if (key === undefined) return unauthorised('Session does not exist.');
    assertNoReservedClaim({ ...input.userDataInJWT, ...input.change?.set }, info.version);
    const now = this.now();
    const row = await this.rowWithPayload(key, input, now);
    if (row === undefined) return unauthorised('Session does not exist.');
    const session = await this.issuer.toCoreSession(row);
    if (info.expiryMs < now) return { status: 'OK', session };
    const accessToken = await this.issuer.reissue(info, row, session, {
      expiryMs: info.expiryMs,
      parentRefreshTokenHash1: info.parentRefreshTokenHash1,
    });
    return { status: 'OK', session, accessToken };
  }

  override async getSessionInformation(sessionHandle: string): Promise<CoreSessionInformation | undefined> {
    const key = parseSessionHandle(sessionHandle);
    const row = key && (await this.findLive(key, this.now()));
    if (row === undefined) return undefined;
    const session = await this.issuer.toCoreSession(row);
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
    return this.store.findSessionHandlesOfUsers(await this.selectUserSessions(input));
  }

  override async revokeSessions(sessionHandles: readonly string[]): Promise<string[]> {
    const keys = [...new Set(sessionHandles)].map(parseSessionHandle).filter((key) => key !== undefined);
    return keys.length === 0 ? [] : this.store.deleteSessions(keys);
  }

  override async revokeSessionsOfUser(input: UserSessionsInput): Promise<string[]> {
    return this.store.deleteSessionsOfUsers(await this.selectUserSessions(input));
  }

  override async updateSessionData(sessionHandle: string, data: JsonObject): Promise<boolean> {
    const key = parseSessionHandle(sessionHandle);
    return key !== undefined && this.store.updateSessionData(key, JSON.stringify(data), this.now());
  }

  override async mergeSessionData(sessionHandle: string, update: JsonObject): Promise<boolean> {
    const key = parseSessionHandle(sessionHandle);
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
    const key = parseSessionHandle(sessionHandle);
    if (key === undefined) return false;
    const row = await this.store.updateAccessTokenPayload(key, JSON.stringify(payload), this.now());
    return row !== undefined;
  }

  override async changeAccessTokenPayload(sessionHandle: string, change: NamesChange): Promise<boolean> {
    assertNoReservedClaim(change.set, ACCESS_TOKEN_VERSION);
    const key = parseSessionHandle(sessionHandle);
    return key !== undefined && (await this.changePayload(key, change)) !== undefined;
  }

  /** @returns the row after it, or undefined when the session is unknown or has expired */
  private async rowWithPayload(
    key: SessionKey,
    { userDataInJWT, change }: RegenerateInput,
    nowMs: number,
  ): Promise<SessionRow | undefined> {
    if (change !== undefined) return this.changePayload(key, change);
    if (userDataInJWT === undefined) return this.findLive(key, nowMs);
    return this.store.updateAccessTokenPayload(key, JSON.stringify(userDataInJWT), nowMs);
  }

  /** @returns as above */
  private async changePayload(key: SessionKey, change: NamesChange): Promise<SessionRow | undefined> {
    for (let attempt = 0; attempt < MAX_MERGE_ATTEMPTS; attempt++) {
      const now = this.now();
      const known = await this.findLive(key, now);
      if (known === undefined) return undefined;
      const from = known.accessTokenPayload;
      const changed = applyChange(storedObject(from), change);
      const row = await this.store.replaceAccessTokenPayload(key, { from, to: JSON.stringify(changed) }, now);
      if (row !== undefined) return row;
    }
    throw new CoreUnavailableError(
      `The payload of session ${shortHandle(key.sessionHandle)} is written by too many at once`,
    );
  }

  override async getPrimaryUserId(recipeUserId: string): Promise<string> {
    return this.config.accountLinking?.getPrimaryUserId(recipeUserId) ?? recipeUserId;
  }

  override async createJwt(input: CoreJwtInput): Promise<CoreJwtResult> {
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
    await this.keys.renew();
  }

  /** What the first request needs. */
  private async prepare(): Promise<void> {
    await Promise.all([this.refreshTokenSealer(), this.keys.reload()]);
  }

  /** What is late goes on: it may be there for the first request. */
  private async prepareInTime(life: AbortSignal): Promise<void> {
    const patienceMs = this.config.startWithoutStore ? STARTING_PATIENCE_MS : STORE_PATIENCE_MS;
    const isPrepared = await endOrTimeout([unlessOver(this.prepare(), life)], patienceMs);
    if (!isPrepared) {
      throw new CoreUnavailableError(
        `The session store has not answered within ${patienceMs / 1000} s of the start`,
      );
    }
  }

  private async findLive(key: SessionKey, nowMs: number): Promise<SessionRow | undefined> {
    const row = await this.store.findSession(key);
    return row !== undefined && row.expiresAtMs > nowMs ? row : undefined;
  }

  private async selectUserSessions({ userId, tenantId, includeLinkedAccounts }: UserSessionsInput) {
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
}

/** @returns whether all of it ended in time; what is late goes on, unobserved */
async function endOrTimeout(work: readonly Promise<void>[], timeoutMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<false>((resolve) => {
    timer = setTimeout(resolve, timeoutMs, false);
  });
  try {
    return await Promise.race([Promise.all(work).then(() => true), timeout]);
  } finally {
    clearTimeout(timer);
  }
}
