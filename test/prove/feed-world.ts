import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { EmbeddedCore } from '../../lib/core/embedded/embedded-core.js';
import { resolveEmbeddedCoreOptions } from '../../lib/core/embedded/embedded-core-options.js';
import { SessionEvents } from '../../lib/events/session-events.js';
import { RevocationFeed, type Revocation, type RevocationPage } from '../../lib/feed/revocation-feed.js';
import type { RevocationWatch } from '../../lib/feed/revocation-watch.js';
import { createExchange } from '../../lib/http/exchanges.js';
import { createSessionRequest } from '../../lib/http/exchanges.js';
import { resolveSessionOptions } from '../../lib/session.options.js';
import { createRecipeDependencies } from '../../lib/sessions/create-dependencies.js';
import type { RecipeDependencies } from '../../lib/sessions/recipe-dependencies.js';
import { SessionRecipe } from '../../lib/sessions/session-recipe.js';
import { MemoryStore } from '../../lib/stores/memory.store.js';
import type { SessionRow, SessionStore } from '../../lib/stores/session-store.js';
import { rowIn, SetClock, START_MS, storeWithKeys, USER } from './instance.js';

/** How often an instance of this model reads the feed, or should. */
export const POLL_MS = 1000;
const ACCESS_VALIDITY_SEC = 3600;
const API = 'http://localhost:3000';
const OPTIONS = resolveSessionOptions({
  appInfo: { appName: 'model', apiDomain: API, websiteDomain: API },
  revocationFeed: { pollMs: POLL_MS, whenStale: 'check-store' },
});

/** A call that waits for the explorer; the name says what and where. */
interface Parked {
  readonly name: string;
  go(): void;
}

/** One process: the whole recipe, with its remembered tokens and its knowledge of the feed. */
export interface FeedInstance {
  readonly core: EmbeddedCore;
  readonly dependencies: RecipeDependencies;
  readonly recipe: SessionRecipe;
  readonly watch: RevocationWatch;
}

/** A request: it is verified, then its handler works, then its response leaves. */
export interface Request {
  readonly instance: number;
  readonly token: 'first' | 'refreshed';
  status: 'verifying' | 'handling' | 'refused' | 'failed' | 'left';
  readonly response: ServerResponse;
}

/** The parts that all schedules share: engines, which keep nothing of sessions, and the session with its tokens. */
export class FeedBasis {
  readonly clock = new SetClock();
  readonly cores: EmbeddedCore[] = [];
  /** The world whose schedule runs now. */
  world: FeedWorld | undefined;
  row: SessionRow | undefined;
  tokens = { first: '', refreshed: '' };

  static async start(): Promise<FeedBasis> {
    const basis = new FeedBasis();
    const keys = await storeWithKeys();
    for (const index of [0, 1]) basis.cores.push(await basis.startCore(keys, index));
    await basis.signIn(keys);
    return basis;
  }

  private async startCore(keys: MemoryStore, index: number): Promise<EmbeddedCore> {
    const context = {
      clock: this.clock,
      events: new SessionEvents(),
      apiDomain: API,
      jwksRefreshIntervalSec: 60,
    };
    const { config } = resolveEmbeddedCoreOptions({
      accessTokenValiditySec: ACCESS_VALIDITY_SEC,
      accessTokenValidityJitter: 0,
      signingAlgorithm: 'ES256',
    });
    const core = new EmbeddedCore(this.routed(keys, index), config, { ...context, recordsRevocations: true });
    await core.reloadSigningKeys();
    return core;
  }

  /** Signs in, and refreshes once. */
  private async signIn(keys: MemoryStore): Promise<void> {
    const [core] = this.cores;
    if (core === undefined) throw new Error('There is no engine');
    const { session, accessToken, refreshToken } = await core.createSession({
      tenantId: 'public',
      recipeUserId: USER,
      userDataInJWT: {},
      userDataInDatabase: {},
      useDynamicSigningKey: true,
      enableAntiCsrf: false,
    });
    const input = { refreshToken: refreshToken.token, antiCsrfToken: undefined, enableAntiCsrf: false };
    const refreshed = await core.refreshSession({ ...input, useDynamicSigningKey: true });
    if (refreshed.status !== 'OK') throw new Error('The refresh failed');
    this.tokens = { first: accessToken.token, refreshed: refreshed.accessToken.token };
    this.row = await rowIn(keys, session.handle);
  }

  /** Leads calls about sessions to the present schedule. */
  private routed(keys: MemoryStore, index: number): SessionStore {
    return new Proxy(keys, {
      get: (target, name): unknown => {
        if (name === 'revocations') return this.world?.feeds[index] ?? target.revocations;
        const member: unknown = Reflect.get(target, name);
        if (typeof member !== 'function') return member;
        return async (...args: unknown[]) => {
          const { world } = this;
          if (world === undefined || !GATED.has(String(name)))
            return Reflect.apply(member, target, args) as unknown;
          await world.park(`${String(name)} ${index}`);
          return Reflect.apply(Reflect.get(world.store, name) as () => unknown, world.store, args) as unknown;
        };
      },
    });
  }
}

/** Two real instances on one memory store, whose calls wait until the explorer lets them go on. */
export class FeedWorld {
  readonly store = new MemoryStore();
  readonly feeds: readonly RevocationFeed[];
  readonly instances: FeedInstance[] = [];
  readonly parked: Parked[] = [];
  readonly requests: Request[] = [];
  /** Work that has begun and not ended: each piece waits in one parked call. */
  private active = 0;
  private isGated = false;

  private constructor(private readonly basis: FeedBasis) {
    this.feeds = basis.cores.map(
      (_, index) => new GatedFeed(this.store.revocations, async (name) => this.park(`${name} ${index}`)),
    );
  }

  static async start(basis: FeedBasis): Promise<FeedWorld> {
    const world = new FeedWorld(basis);
    basis.world = world;
    basis.clock.nowMs = START_MS;
    if (basis.row !== undefined) await world.store.insertSession(basis.row);
    for (const core of basis.cores) world.instances.push(await world.startInstance(core));
    await world.rememberFirst();
    world.isGated = true;
    return world;
  }

  get clock(): SetClock {
    return this.basis.clock;
  }

  private async startInstance(core: EmbeddedCore): Promise<FeedInstance> {
    const dependencies = await createRecipeDependencies(OPTIONS, core, this.clock, new SessionEvents());
    const watch = dependencies.revocations;
    if (watch === undefined) throw new Error('There is no feed');
    return { core, dependencies, recipe: new SessionRecipe(dependencies), watch };
  }

  /** Lets each instance read the feed and remember the first token. */
  private async rememberFirst(): Promise<void> {
    for (const { watch } of this.instances) await watch.read();
    for (const index of this.instances.keys()) this.request(index, 'first');
    await this.settle();
    if (this.requests.some(({ status }) => status !== 'handling'))
      throw new Error('The session does not begin');
    this.requests.length = 0;
  }

  request(index: number, token: Request['token']): void {
    const req = new IncomingMessage(new Socket());
    req.method = 'GET';
    req.url = '/guarded';
    req.headers = { authorization: `Bearer ${this.basis.tokens[token]}` };
    const response = new ServerResponse(req);
    const request: Request = { instance: index, token, status: 'verifying', response };
    this.requests.push(request);
    const { dependencies, recipe } = this.at(index);
    const exchange = createSessionRequest(createExchange(req, response), dependencies.prepareContext());
    this.follow(async () => recipe.verbs.verify.fromRequest(exchange, {}), {
      onEnd: () => (request.status = 'handling'),
      onError: (error) => (request.status = isRefusal(error) ? 'refused' : 'failed'),
    });
  }

  /** Ends the handler of a request. @returns whether its response carries a token */
  leave(request: Request): boolean {
    request.status = 'left';
    request.response.writeHead(200);
    return request.response.getHeader('st-access-token') !== undefined;
  }

  /** Revokes the session. @param onResponse called with the response */
  revoke(index: number, onResponse: () => void): void {
    const { recipe } = this.at(index);
    const input = { sessionHandle: this.basis.row?.sessionHandle ?? '', userContext: {} };
    this.follow(async () => recipe.revokeSession(input), { onEnd: onResponse, onError: () => undefined });
  }

  /** Reads the feed. @param onEnd called when that is done */
  read(index: number, onEnd: () => void): void {
    this.follow(async () => this.at(index).watch.read(), { onEnd, onError: () => undefined });
  }

  /** Waits until all work that has begun has ended or waits for a parked call. */
  async settle(): Promise<void> {
    for (let turns = 0; turns < 100_000; turns++) {
      await nextTurn();
      if (this.active === this.parked.length) return;
    }
    throw new Error(`Work neither ends nor waits: ${this.active} pieces, ${this.parked.length} parked`);
  }

  private follow<T>(
    work: () => Promise<T>,
    on: { onEnd(value: T): void; onError(error: unknown): void },
  ): void {
    this.active++;
    void work()
      .then(on.onEnd, on.onError)
      .finally(() => this.active--);
  }

  private at(index: number): FeedInstance {
    const instance = this.instances[index];
    if (instance === undefined) throw new Error(`There is no instance ${index}`);
    return instance;
  }

  async park(name: string): Promise<void> {
    if (!this.isGated) return;
    await new Promise<void>((go) => this.parked.push({ name, go }));
  }
}

const GATED = new Set(['findSession', 'update', 'deleteSessions']);

/** A feed whose reads wait twice: before they look, and before their reader gets what they saw. */
class GatedFeed extends RevocationFeed {
  constructor(
    private readonly inner: RevocationFeed,
    private readonly park: (name: string) => Promise<void>,
  ) {
    super();
  }

  override get isPushing(): boolean {
    return true;
  }

  override async publish(records: readonly Revocation[]): Promise<void> {
    await this.inner.publish(records);
  }

  override async read(after: string | undefined): Promise<RevocationPage> {
    await this.park('look at feed');
    const page = await this.inner.read(after);
    await this.park('page of feed');
    return page;
  }
}

function isRefusal(error: unknown): boolean {
  return error instanceof Error && Reflect.get(error, 'type') === 'UNAUTHORISED';
}
