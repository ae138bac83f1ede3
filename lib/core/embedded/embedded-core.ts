import type { ReplayStore } from '../../options/replay-store.js';
import { mergeTopLevel, type JsonObject, type NamesChange } from '../../util/json.js';
import { Repeat, shortenPause } from '../../util/repeat.js';
import type { UserContext } from '../../util/user-context.js';
import type { VerificationKeys } from '../../util/verification-keys.js';
import { CoreClient } from '../core-client.js';
import { checkCoreCalls } from '../core-inputs.js';
import { CoreCalls } from '../core-calls.js';
import type { CoreContext } from '../core-provider.js';
import { KeyRotations } from '../key-rotations.js';
import type { RevocationDetails, RevocationFeed } from '../../feed/revocation-feed.js';
import type {
  BulkRevocationInput,
  BulkRevocationResult,
  CoreSessionInformation,
  CoreSessionPage,
  CoreSessionSearch,
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
  UserSessionsInput,
  VerifySessionInput,
  VerifySessionResult,
} from '../core.types.js';
import { AuditNotes } from './audit-notes.js';
import {
  refuseAudit,
  type AuditPage,
  type AuditSearchByAccount,
  type AuditTrail,
} from '../../audit/audit-trail.js';
import { AccessTokens } from './access-tokens.js';
import { inMs, signingKeysOptions, type EmbeddedCoreConfig } from './embedded-core-config.js';
import { ExpirySweeper } from './expiry-sweeper.js';
import { GuardedStore } from './guarded-store.js';
import { KeyVault } from './key-vault.js';
import { LifeCycle } from './life-cycle.js';
import { Regeneration } from './regeneration.js';
import { Revocations } from './revocations.js';
import { Rotation } from './rotation.js';
import { SessionColumns } from './session-columns.js';
import { parseSessionHandle } from './session-handle.js';
import { SessionIssuer } from './session-issuer.js';
import type { SessionCountStep, SessionStore } from '../../stores/session-store.js';
import { SigningKeys } from './signing-keys.js';

/** The share by which a pause between two reads of the signing keys is shortened at random. */
const KEY_RELOAD_JITTER = 0.25;

/**
 * The engine of a SuperTokens Core inside this process, with the semantics of CDI 5.0 to 5.5: a refresh writes no row, and the
 * new refresh token becomes current when it, or its access token, is first used. With `rotation: 'at-once'` those of CDI 5.6.
 *
 * @see docs/protocol/core.md B
 */
export class EmbeddedCore extends CoreClient {
  static {
    checkCoreCalls(this);
  }

  private readonly store: GuardedStore;
  private readonly vault: KeyVault;
  private readonly keys: SigningKeys;
  private readonly accessTokens: AccessTokens;
  private readonly issuer: SessionIssuer;
  private readonly rotation: Rotation;
  private readonly columns: SessionColumns;
  private readonly regeneration: Regeneration;
  private readonly revocations: Revocations;
  private readonly audit: AuditNotes;
  private readonly sweeper: ExpirySweeper;
  private readonly lifeCycle: LifeCycle;

  constructor(
    store: SessionStore,
    private readonly config: EmbeddedCoreConfig,
    private readonly context: CoreContext,
  ) {
    super();
    const { clock, events } = context;
    this.store = new GuardedStore(store, new CoreCalls(context));
    const [keyOptions, encryption] = [signingKeysOptions(config), config.keyEncryption];
    this.vault = new KeyVault({ store: this.store, clock, encryption, calls: new CoreCalls(context) });
    this.keys = new SigningKeys(this.store, clock, keyOptions, new KeyRotations(events, clock), this.vault);
    this.accessTokens = new AccessTokens(this.keys);
    const parts = {
      config,
      clock,
      accessTokens: this.accessTokens,
      refreshTokens: async () => this.vault.refreshTokens(),
      primaryUserIdOf: async (recipeUserId: string) => this.getPrimaryUserId(recipeUserId),
    };
    this.issuer = new SessionIssuer(parts, store.tagsHandles);
    const { store: guarded } = this;
    const audit = (this.audit = new AuditNotes(context, guarded.audit));
    this.columns = new SessionColumns(guarded, clock, audit);
    this.regeneration = new Regeneration({ ...parts, columns: this.columns }, this.issuer);
    const revocations = (this.revocations = new Revocations({ config, context, store: guarded, audit }));
    this.rotation = new Rotation({ ...parts, store: guarded, events, revocations, audit }, this.issuer);
    this.sweeper = new ExpirySweeper(guarded, this.keys, clock, inMs(config.expirySweepIntervalSec), audit);
    // A key that was removed from the store stops verifying within this interval, and a rotating key has a successor early
    // enough, also where no user signs in for days.
    const keyReload = new Repeat(async () => this.keys.renew(), {
      // Sooner than the interval, so that no request finds keys that are too old unless the process was suspended.
      pauseMs: () => shortenPause(keyOptions.reloadIntervalMs * 0.75, KEY_RELOAD_JITTER),
    });
    this.lifeCycle = new LifeCycle({
      store: this.store,
      background: [this.sweeper, keyReload],
      startWithoutStore: config.startWithoutStore,
      prepare: async () => this.prepare(),
    });
  }

  override get description(): string {
    return `embedded, with ${this.store.description}${this.vault.description}`;
  }

  override get isResponding(): boolean | undefined {
    return this.store.isResponding;
  }

  override get canRotateAtOnce(): boolean {
    return true;
  }

  override async ping(): Promise<void> {
    await this.store.findStaticKeys();
  }

  override get verificationKeys(): VerificationKeys {
    return this.keys;
  }

  /**
   * Starts the core, also while its store does not respond: calls that need it are refused as unavailable until it does. A
   * store that can never work as it is, `startWithoutStore: false`, and a close meanwhile end the start with an error. A
   * core that was closed may be started again.
   */
  override async start(): Promise<void> {
    return this.lifeCycle.start();
  }

  /**
   * Closes the core: calls that need the store fail from now on. Those under way, of requests and of timers, are waited
   * for, and then the store's own closing, each for at most five seconds; a store that hangs is left as it is. A second
   * call has no effect.
   */
  override async close(): Promise<void> {
    return this.lifeCycle.close();
  }

  override async createSession(
    input: CreateSessionInput,
    userContext?: UserContext,
  ): Promise<CoreSessionTokens> {
    const { row, tokens } = await this.issuer.newSession(input);
    await this.store.insertSession(row, this.audit.created(row, tokens.session.userId, userContext));
    return tokens;
  }

  override async createSessionWithinLimit(
    input: CreateSessionInput,
    limit: CreationLimit,
    userContext?: UserContext,
  ): Promise<LimitedCreationResult> {
    const { row, tokens } = await this.issuer.newSession(input);
    const { userIds, nowMs } = await this.revocations.select({
      userId: input.recipeUserId,
      tenantId: input.tenantId,
      includeLinkedAccounts: true,
    });
    const ending = { reason: 'session-limit' };
    const note = this.revocations.note(ending);
    const audit = this.audit.limited(row, tokens.session.userId, { ending, userContext });
    const inserted = await this.store.insertSessionWithinLimit(row, {
      ...limit,
      userIds,
      nowMs,
      note,
      audit,
    });
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
    const content = await (await this.vault.refreshTokens()).open(refreshToken);
    return content && { sessionHandle: content.sessionHandle, recipeUserId: content.userId };
  }

  override async refreshSession(
    input: RefreshSessionInput,
    userContext?: UserContext,
  ): Promise<RefreshSessionResult> {
    return this.rotation.refresh(input, userContext);
  }

  override async regenerateAccessToken(input: RegenerateInput, userContext?: UserContext) {
    return this.regeneration.run(input, userContext);
  }

  override async getSessionInformation(sessionHandle: string): Promise<CoreSessionInformation | undefined> {
    const key = parseSessionHandle(sessionHandle);
    const row = key && (await this.columns.findLive(key));
    return row && this.issuer.toInformation(row);
  }

  override async getSessionHandlesOfUser(input: UserSessionsInput): Promise<string[]> {
    return this.store.findSessionHandlesOfUsers(await this.revocations.select(input));
  }

  override async searchSessions(search: CoreSessionSearch): Promise<CoreSessionPage> {
    const { rows, next } = await this.store.searchSessions(await this.revocations.selectAll(search));
    return { sessions: await Promise.all(rows.map((row) => this.issuer.toInformation(row))), next };
  }

  override async countSessions(search: CoreSessionSearch): Promise<SessionCountStep> {
    return this.store.countSessions(await this.revocations.selectAll(search));
  }

  override get revocationFeed(): RevocationFeed | undefined {
    return this.store.revocations;
  }

  override get sharedValues() {
    return this.store.sharedValues;
  }

  override get replays(): ReplayStore | undefined {
    return this.store.replays;
  }

  override async revokeSessions(
    sessionHandles: readonly string[],
    userContext?: UserContext,
    details?: RevocationDetails,
  ): Promise<string[]> {
    return this.revocations.byHandles(sessionHandles, details, userContext);
  }

  override async revokeSessionsOfUser(
    input: UserSessionsInput,
    userContext?: UserContext,
    details?: RevocationDetails,
  ): Promise<string[]> {
    return this.revocations.ofUser(input, details, userContext);
  }

  override async revokeInBulk(
    input: BulkRevocationInput,
    userContext?: UserContext,
  ): Promise<BulkRevocationResult> {
    const result = await this.revocations.inBulk(input, userContext);
    if (result.sessionHandles === undefined) void this.sweeper.sweepSoon();
    return result;
  }

  override get auditTrail(): AuditTrail | undefined {
    return this.audit.isOn ? this.store.audit : undefined;
  }

  override async readAudit({ userId, ...search }: AuditSearchByAccount): Promise<AuditPage> {
    const trail = this.auditTrail ?? refuseAudit();
    if (userId === undefined) return trail.read(search);
    const { tenantId } = search;
    const { userIds } = await this.revocations.select({ userId, tenantId, includeLinkedAccounts: true });
    return trail.read({ ...search, userIds });
  }

  override async updateSessionData(handle: string, data: JsonObject, context?: UserContext) {
    return this.columns.setData(handle, data, context);
  }

  override async mergeSessionData(handle: string, update: JsonObject, context?: UserContext) {
    return this.columns.changeData(handle, (stored) => mergeTopLevel(stored, update), context);
  }

  override async changeSessionData(
    handle: string,
    change: (stored: JsonObject) => JsonObject | undefined,
    context?: UserContext,
  ): Promise<boolean> {
    return this.columns.changeData(handle, change, context);
  }

  override async updateAccessTokenPayload(handle: string, payload: JsonObject, context?: UserContext) {
    return this.columns.setPayload(handle, payload, context);
  }

  override async changeAccessTokenPayload(handle: string, change: NamesChange, context?: UserContext) {
    return this.columns.changePayloadByHandle(handle, change, context);
  }

  override async getPrimaryUserId(recipeUserId: string): Promise<string> {
    return this.config.accountLinking?.getPrimaryUserId(recipeUserId) ?? recipeUserId;
  }

  override async createJwt(input: CoreJwtInput): Promise<CoreJwtResult> {
    return this.accessTokens.createJwt(input, this.context.clock.now());
  }

  override async getJwks(): Promise<JwksResult> {
    return this.keys.jwks();
  }

  /** Removes expired sessions now instead of at the next interval. */
  async sweepExpired(): Promise<void> {
    return this.sweeper.sweep();
  }

  /** @internal See {@link SigningKeys.rotate}. */
  async rotateSigningKeys(): Promise<string> {
    return this.keys.rotate();
  }

  override async reloadSigningKeys(): Promise<void> {
    await this.keys.renew();
  }

  override async deriveSecret(purpose: string): Promise<string> {
    return (await this.vault.refreshTokens()).deriveSecret(purpose);
  }

  /** Loads the keys that the first request needs. */
  private async prepare(): Promise<void> {
    await this.vault.refreshTokens();
    await this.keys.loadAndOpen();
    await this.vault.convertStored();
  }
}
