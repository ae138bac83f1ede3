import { applyChange, type JsonObject, mergeTopLevel, type NamesChange } from '../../util/json.js';
import type { SessionCountStep } from '../../util/session-cursor.js';
import type { UserContext } from '../../util/user-context.js';
import { RemoteFeed } from './remote-feed.js';
import { RemoteSearch } from './remote-search.js';
import { Repeat, shortenPause } from '../../util/repeat.js';
import { CoreClient } from '../core-client.js';
import { checkCoreCalls } from '../core-inputs.js';
import { CoreCalls } from '../core-calls.js';
import type { CoreContext, CoreProvider } from '../core-provider.js';
import { KeyRotations } from '../key-rotations.js';
import type {
  CoreJwtInput,
  CoreJwtResult,
  CoreSessionInformation,
  CoreSessionPage,
  CoreSessionSearch,
  CoreSessionTokens,
  CoreUserRoles,
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
import * as requests from './cdi-requests.js';
import * as responses from './cdi-responses.js';
import { handlesOfAll, orUnknown } from './core-call-errors.js';
import { CoreConnection } from './core-connection.js';
import type { Sleep } from './host-exchange.js';
import type { CoreHostHealth } from './host-pool.js';
import { HttpTransport } from './http-transport.js';
import { CoreKeys } from './core-keys.js';
import {
  type RemoteCoreConfig,
  type RemoteCoreOptions,
  resolveRemoteCoreOptions,
} from './remote-core-config.js';
import { TokenCalls } from './token-calls.js';

/** How long one host has to send its keys. */
const JWKS_TIMEOUT_MS = 5000;
/** A key that was removed at the core verifies no longer than this, whatever `jwksRefreshIntervalSec` says. */
const LONGEST_KEY_TRUST_SEC = 60;
/** The share by which a pause between two loads of the keys is shortened at random. */
const KEY_RENEWAL_JITTER = 0.25;

/** The parts that tests replace. */
export interface HttpCoreClientParts {
  /** Waits between repeats after status 429. */
  readonly sleep?: Sleep;
  /** How long one host has to send its keys, milliseconds. Default 5000. */
  readonly jwksTimeoutMs?: number;
}

/**
 * Client of a running SuperTokens Core, CDI 4.0 to 5.6.
 *
 * The core need not run at the start, because the first call agrees on a version. Theft is reported as the core
 * reports it. By the rules up to CDI 5.5 the session is still live then, so the caller revokes it.
 *
 * @see docs/protocol/core.md A
 */
export class HttpCoreClient extends CoreClient {
  static {
    checkCoreCalls(this);
  }

  private readonly calls: CoreCalls;
  private readonly connection: CoreConnection;
  private readonly tokens: TokenCalls;
  private readonly keyTransport: HttpTransport;
  override readonly verificationKeys: CoreKeys;
  private readonly keyRenewal: Repeat;
  private readonly feed: RemoteFeed;
  private readonly search: RemoteSearch;

  /** The core's own roles, for `UserRoleClaim` and `PermissionClaim`. */
  override readonly userRoles: CoreUserRoles = {
    getRolesForUser: async ({ userId, tenantId, userContext }) =>
      this.connection.call(requests.rolesOfUserRequest(tenantId, userId), responses.parseRoles, userContext),
    getPermissionsForRole: async ({ role, userContext }) =>
      this.connection.call(requests.permissionsOfRoleRequest(role), responses.parsePermissions, userContext),
  };

  constructor(
    config: RemoteCoreConfig,
    context: CoreContext,
    { sleep, jwksTimeoutMs = JWKS_TIMEOUT_MS }: HttpCoreClientParts = {},
  ) {
    super();
    const { clock, events, apiDomain, jwksRefreshIntervalSec } = context;
    this.calls = new CoreCalls(context);
    const rotations = new KeyRotations(events, clock);
    const parts = { clock, apiDomain, sleep, calls: this.calls };
    this.connection = new CoreConnection(config, parts);
    this.tokens = new TokenCalls(this.connection);
    this.feed = new RemoteFeed(config, parts);
    this.search = new RemoteSearch(config, parts);
    // It has connections of its own, so that a core with slow responses does not delay the loading of keys.
    this.keyTransport = new HttpTransport({ ...config, timeoutMs: jwksTimeoutMs });
    const maxAgeMs = Math.min(jwksRefreshIntervalSec, LONGEST_KEY_TRUST_SEC) * 1000;
    const keys = new CoreKeys(clock, this.keyTransport, {
      hosts: config.hosts,
      maxAgeMs,
      onLoaded: (kids) => rotations.note(kids),
    });
    this.verificationKeys = keys;
    // So early that no request finds keys that are too old, unless the process was suspended or the core is away.
    this.keyRenewal = new Repeat(async () => keys.renewIfUsed(), {
      pauseMs: () => shortenPause(maxAgeMs * 0.75, KEY_RENEWAL_JITTER),
    });
  }

  override get description(): string {
    return `remote, at ${this.hostHealth.map(({ host }) => host).join(', ')}`;
  }

  override get isResponding(): boolean | undefined {
    return this.calls.isResponding;
  }

  override async ping(): Promise<void> {
    await this.getJwks({});
  }

  override get revocationFeed(): RemoteFeed {
    return this.feed;
  }

  /** The state of each host, in the order of `connectionURI`. */
  get hostHealth(): CoreHostHealth[] {
    return this.connection.health;
  }

  /** Begins to load the published keys again at an interval, once they have been needed. The core is not called here. */
  override async start(): Promise<void> {
    this.keyRenewal.start();
  }

  override async reloadSigningKeys(): Promise<void> {
    await this.verificationKeys.reload();
  }

  override async close(): Promise<void> {
    void this.keyRenewal.stop();
    this.connection.close();
    this.feed.close();
    this.search.close();
    this.keyTransport.close();
  }

  override async createSession(
    input: CreateSessionInput,
    userContext: UserContext,
  ): Promise<CoreSessionTokens> {
    return this.tokens.create(input, userContext);
  }

  /** Sessions end to make room only if the core can make the new one as it is wanted. */
  override async createSessionWithinLimit(
    input: CreateSessionInput,
    limit: CreationLimit,
    userContext: UserContext,
  ): Promise<LimitedCreationResult> {
    await this.tokens.assertTakes(input, userContext);
    return super.createSessionWithinLimit(input, limit, userContext);
  }

  override async verifySession(
    input: VerifySessionInput,
    userContext: UserContext,
  ): Promise<VerifySessionResult> {
    return this.tokens.verify(input, userContext);
  }

  override async refreshSession(
    input: RefreshSessionInput,
    userContext: UserContext,
  ): Promise<RefreshSessionResult> {
    return this.tokens.refresh(input, userContext);
  }

  override async regenerateAccessToken(
    input: RegenerateInput,
    userContext: UserContext,
  ): Promise<RegenerateResult> {
    const { change, ...call } = input;
    const regenerate = async (userDataInJWT: JsonObject | undefined): Promise<RegenerateResult> =>
      this.connection.call(
        requests.regenerateRequest({ ...call, userDataInJWT }),
        responses.parseRegenerated,
        userContext,
      );
    if (change === undefined) return regenerate(call.userDataInJWT);
    const gone: RegenerateResult = { status: 'UNAUTHORISED', message: 'Session does not exist.' };
    return this.changePayload(change.sessionHandle, change, gone, regenerate, userContext);
  }

  override async getSessionInformation(
    sessionHandle: string,
    userContext: UserContext,
  ): Promise<CoreSessionInformation | undefined> {
    return this.fetchInformation(sessionHandle, userContext, { isFresh: false });
  }

  override async getSessionHandlesOfUser(
    input: UserSessionsInput,
    userContext: UserContext,
  ): Promise<string[]> {
    const request = requests.sessionsOfUserRequest(input);
    return this.connection.call(request, responses.parseSessionHandles, userContext);
  }

  override async searchSessions(search: CoreSessionSearch, context: UserContext): Promise<CoreSessionPage> {
    return this.search.page(search, context);
  }

  override async countSessions(search: CoreSessionSearch, context: UserContext): Promise<SessionCountStep> {
    return this.search.count(search, context);
  }

  /**
   * One call for each tenant, because a core that refuses a tenant has removed the sessions of those before it and does not
   * name them. If the response to a first attempt was lost, the second one names only the sessions that were left.
   *
   * @throws what the first failed call throws, once all have ended; `endedHandles` names the sessions of other tenants that ended
   */
  override async revokeSessions(
    sessionHandles: readonly string[],
    userContext: UserContext,
  ): Promise<string[]> {
    const calls = requests
      .groupByTenant(sessionHandles)
      .map(async (handles) =>
        orUnknown(handles[0] ?? '', [], async () =>
          this.connection.call(
            requests.removeSessionsRequest(handles),
            responses.parseRevokedHandles,
            userContext,
          ),
        ),
      );
    return handlesOfAll(calls);
  }

  override async revokeSessionsOfUser(input: UserSessionsInput, userContext: UserContext): Promise<string[]> {
    const request = requests.removeSessionsOfUserRequest(input);
    return this.connection.call(request, responses.parseRevokedHandles, userContext);
  }

  override async updateSessionData(
    sessionHandle: string,
    data: JsonObject,
    userContext: UserContext,
  ): Promise<boolean> {
    const request = requests.updateSessionDataRequest(sessionHandle, data);
    return orUnknown(sessionHandle, false, async () =>
      this.connection.call(request, responses.parseUpdated, userContext),
    );
  }

  /**
   * Reads, merges and writes. The CDI has no other way, so one of two writers at the same moment can overwrite all
   * keys.
   */
  override async mergeSessionData(
    sessionHandle: string,
    update: JsonObject,
    userContext: UserContext,
  ): Promise<boolean> {
    const known = await this.fetchInformation(sessionHandle, userContext, { isFresh: true });
    if (known === undefined) return false;
    return this.updateSessionData(
      sessionHandle,
      mergeTopLevel(known.userDataInDatabase, update),
      userContext,
    );
  }

  override async updateAccessTokenPayload(
    sessionHandle: string,
    payload: JsonObject,
    userContext: UserContext,
  ): Promise<boolean> {
    const request = requests.updateAccessTokenPayloadRequest(sessionHandle, payload);
    return orUnknown(sessionHandle, false, async () =>
      this.connection.call(request, responses.parseUpdated, userContext),
    );
  }

  /**
   * Reads, changes and writes. The CDI has no other way, so a write of another process between the two calls is lost.
   */
  private async changePayload<T>(
    sessionHandle: string,
    change: NamesChange,
    gone: T,
    write: (payload: JsonObject) => Promise<T>,
    userContext: UserContext,
  ): Promise<T> {
    const known = await this.fetchInformation(sessionHandle, userContext, { isFresh: true });
    return known === undefined ? gone : write(applyChange(known.userDataInJWT, change));
  }

  override async getPrimaryUserId(recipeUserId: string, userContext: UserContext): Promise<string> {
    const request = requests.userIdRequest(recipeUserId);
    return (await this.connection.call(request, responses.parsePrimaryUserId, userContext)) ?? recipeUserId;
  }

  override async createJwt(input: CoreJwtInput, userContext: UserContext): Promise<CoreJwtResult> {
    return this.connection.call(requests.createJwtRequest(input), responses.parseCreatedJwt, userContext);
  }

  /** Calls the core, and leaves {@link verificationKeys} alone. */
  override async getJwks(userContext: UserContext): Promise<JwksResult> {
    return this.connection.call(requests.jwksRequest(), responses.parseJwks, userContext);
  }

  private async fetchInformation(
    sessionHandle: string,
    userContext: UserContext,
    options: { isFresh: boolean },
  ): Promise<CoreSessionInformation | undefined> {
    const request = requests.sessionInformationRequest(sessionHandle);
    return orUnknown(sessionHandle, undefined, async () =>
      this.connection.call(request, responses.parseSessionInformation, userContext, options),
    );
  }
}

/**
 * Sessions issued by a SuperTokens Core service (CDI 4.0 to 5.6) instead of inside this process. The application starts while
 * the core is down: it is first asked when it is first needed.
 *
 * @example
 * SessionModule.forRoot({ appInfo, core: remoteCore({ connectionURI: 'https://core.example.com', apiKey }) })
 * @publicApi
 */
export function remoteCore(options: RemoteCoreOptions): CoreProvider {
  const { config, problems } = resolveRemoteCoreOptions(options);
  return { problems, create: (context) => new HttpCoreClient(config, context) };
}
