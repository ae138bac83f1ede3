import { EmbeddedCore } from '../../lib/core/embedded/embedded-core.js';
import { resolveEmbeddedCoreOptions } from '../../lib/core/embedded/embedded-core-options.js';
import { SessionError, CoreUnavailableError } from '../../lib/errors.js';
import { SessionEvents } from '../../lib/events/session-events.js';
import { resolveSessionOptions } from '../../lib/session.options.js';
import { createRecipeDependencies } from '../../lib/sessions/create-dependencies.js';
import type { RecipeDependencies } from '../../lib/sessions/recipe-dependencies.js';
import type { SessionContainer } from '../../lib/sessions/session-container.js';
import { SessionRecipe } from '../../lib/sessions/session-recipe.js';
import { MemoryStore } from '../../lib/stores/memory.store.js';
import type { SessionRow } from '../../lib/stores/session-store.js';
import { newStoredKeyPair } from '../../lib/tokens/key-pairs.js';
import { Clock } from '../../lib/util/clock.js';
import type { JsonObject } from '../../lib/util/json.js';
import type { OperationResponse, Operation } from './operations.js';
import { ParkedStore, type Park } from './parked-store.js';

/** Life of an access token in the model; times are whole seconds, as in tokens. */
export const ACCESS_VALIDITY_MS = 60_000;
/** Life of a session after its last promotion. */
export const REFRESH_VALIDITY_MS = 100_000;
export const START_MS = 1_760_000_000_000;
export const USER = 'user-1';

/** How the instances of a model are set up. */
export interface EngineRules {
  readonly gracePeriodSec: number;
  /** Absolute end of the session, seconds after its creation; undefined: none. */
  readonly endsAfterSec?: number | undefined;
  /** The option `antiCsrf` of each instance, which differ during a rolling deployment. */
  readonly antiCsrf: readonly ('VIA_TOKEN' | 'NONE')[];
}

/** A clock that the explorer sets. */
export class SetClock extends Clock {
  nowMs = START_MS;

  override now(): number {
    return this.nowMs;
  }
}

/** One process of the application: the real engine, and the real recipe above it. */
export class Instance {
  private constructor(
    private readonly core: EmbeddedCore,
    private readonly dependencies: RecipeDependencies,
    private readonly antiCsrf: 'VIA_TOKEN' | 'NONE',
    private readonly fresh: () => EmbeddedCore,
  ) {}

  static async start(
    keys: MemoryStore,
    rules: EngineRules,
    antiCsrf: 'VIA_TOKEN' | 'NONE',
    { clock, park }: { readonly clock: Clock; readonly park: Park },
  ): Promise<Instance> {
    const events = new SessionEvents();
    const context = { clock, events, apiDomain: 'http://localhost:3000', jwksRefreshIntervalSec: 60 };
    const { config } = resolveEmbeddedCoreOptions({
      accessTokenValiditySec: ACCESS_VALIDITY_MS / 1000,
      refreshTokenValiditySec: REFRESH_VALIDITY_MS / 1000,
      accessTokenValidityJitter: 0,
      refreshTokenRotationGracePeriodSec: rules.gracePeriodSec,
      signingAlgorithm: 'ES256',
    });
    const core = new EmbeddedCore(new ParkedStore(keys, park), config, context);
    const options = resolveSessionOptions({
      appInfo: {
        appName: 'model',
        apiDomain: 'http://localhost:3000',
        websiteDomain: 'http://localhost:3000',
      },
      antiCsrf,
      maxCachedTokens: 0,
    });
    const dependencies = await createRecipeDependencies(options, core, clock, events);
    const fresh = (): EmbeddedCore => new EmbeddedCore(new ParkedStore(keys, park), config, context);
    return new Instance(core, dependencies, antiCsrf, fresh);
  }

  /** Signs the user in. */
  async signIn(payload: JsonObject): Promise<{ accessToken: string; refreshToken: string; handle: string }> {
    const { session, accessToken, refreshToken } = await this.core.createSession({
      tenantId: 'public',
      recipeUserId: USER,
      userDataInJWT: payload,
      userDataInDatabase: {},
      useDynamicSigningKey: true,
      enableAntiCsrf: false,
    });
    return { accessToken: accessToken.token, refreshToken: refreshToken.token, handle: session.handle };
  }

  /**
   * Runs one operation. Each has a recipe of its own, so that operations share the engine alone: what requests of one process share
   * above it, such as the queue of merges, only makes fewer orders possible.
   */
  async run(operation: Operation, sessionHandle: string): Promise<OperationResponse> {
    try {
      return await this.perform(operation, new SessionRecipe(this.dependencies), sessionHandle);
    } catch (error) {
      return responseOf(error);
    }
  }

  private async perform(
    operation: Operation,
    recipe: SessionRecipe,
    sessionHandle: string,
  ): Promise<OperationResponse> {
    const userContext = {};
    switch (operation.kind) {
      case 'refresh':
        // As the route does it for a client by header, which proves no anti-CSRF token.
        return this.tokensOf(
          await recipe.verbs.refresh.withToken(
            {
              refreshToken: operation.token,
              antiCsrfToken: undefined,
              disableAntiCsrf: this.antiCsrf === 'NONE',
            },
            userContext,
          ),
        );
      case 'verify': {
        const options = { checkDatabase: operation.checkDatabase, antiCsrfCheck: false };
        const presented = { accessToken: operation.token, antiCsrfToken: undefined };
        const session = await recipe.verbs.verify.fromToken(presented, options, userContext);
        return session === undefined ? { status: 'UNAUTHORISED' } : this.tokensOf(session);
      }
      case 'regenerate': {
        const change = { sessionHandle, set: { [operation.claim]: 1 }, remove: [] };
        const result = await this.core.regenerateAccessToken({
          accessToken: operation.token,
          userDataInJWT: undefined,
          change,
        });
        if (result.status !== 'OK') return { status: 'UNAUTHORISED' };
        const token = result.accessToken?.token;
        return { status: 'OK', ...(token === undefined ? {} : { accessToken: token }) };
      }
      case 'merge': {
        const sessionDataUpdate = { [operation.name]: 1 };
        return done(
          await recipe.mergeSessionDataInDatabase({ sessionHandle, sessionDataUpdate, userContext }),
        );
      }
      case 'claim': {
        const accessTokenPayloadUpdate = { [operation.name]: 1 };
        return done(
          await recipe.mergeIntoAccessTokenPayload({ sessionHandle, accessTokenPayloadUpdate, userContext }),
        );
      }
      case 'revoke':
        return done(await recipe.revokeSession({ sessionHandle, userContext }));
      case 'revoke-user': {
        const input = { userId: USER, tenantId: 'public', revokeAcrossAllTenants: true, userContext };
        const linked = { revokeSessionsForLinkedAccounts: true };
        return done((await recipe.revokeAllSessionsForUser({ ...input, ...linked })).length > 0);
      }
      case 'sweep':
        // Sweeps of one engine join each other, so each has an engine of its own.
        await this.fresh().sweepExpired();
        return { status: 'OK' };
    }
  }

  private tokensOf(session: SessionContainer): OperationResponse {
    const { accessToken, refreshToken, accessAndFrontTokenUpdated } =
      session.getAllSessionTokensDangerously();
    return {
      status: 'OK',
      ...(accessAndFrontTokenUpdated ? { accessToken } : {}),
      ...(refreshToken === undefined ? {} : { refreshToken }),
    };
  }
}

function done(hasHappened: boolean): OperationResponse {
  return { status: hasHappened ? 'OK' : 'GONE' };
}

function responseOf(error: unknown): OperationResponse {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof CoreUnavailableError) return { status: 'UNAVAILABLE', message };
  if (SessionError.isSessionError(error)) {
    if (error.type === 'TOKEN_THEFT_DETECTED') return { status: 'THEFT' };
    if (error.type === 'UNAUTHORISED') return { status: 'UNAUTHORISED', message };
    if (error.type === 'TRY_REFRESH_TOKEN') return { status: 'TRY_REFRESH', message };
  }
  return { status: 'FAILED', message };
}

/** A store with the keys that all instances share. ES256, because its signatures cost a tenth. */
export async function storeWithKeys(): Promise<MemoryStore> {
  const store = new MemoryStore();
  const createdAtMs = START_MS - 86_400_000;
  await store.addDynamicKey({ createdAtMs, value: await newStoredKeyPair('ES256'), algorithm: 'ES256' }, 0);
  return store;
}

/** The row of the one session of a model. */
export async function rowIn(store: MemoryStore, sessionHandle: string): Promise<SessionRow> {
  const row = await store.findSession({ tenantId: 'public', sessionHandle });
  if (row === undefined) throw new Error('The session was not stored');
  return row;
}
