import type { INestApplicationContext } from '@nestjs/common';
import type { SessionClaimValidator } from '../claims/claim-validator.js';
import type { SessionContainer } from '../sessions/session-container.js';
import type { SessionRuntime } from '../sessions/session-runtime.js';
import { SessionService } from '../session.service.js';
import type { CreateNewSessionInput } from '../sessions/session-functions.js';
import type { ResolvedSessionOptions } from '../session.options.js';
import { RESOLVED_SESSION_OPTIONS, SESSION_RUNTIME } from '../session.constants.js';
import { EmbeddedCore } from '../core/embedded/embedded-core.js';
import { Clock } from '../util/clock.js';
import { jsonEquals, type JsonObject } from '../util/json.js';
import { ApplicationConnection } from './application-connection.js';
import {
  createClaimsPayload,
  createStubContext,
  findRefusedPayload,
  refusesPayload,
  type StubClaims,
} from './test-claims.js';
import { createExpiredCopy } from './expired-copy.js';
import type { ProofKey } from './proof-key.js';
import { refuseProduction } from './refuse-production.js';
import { SessionWire, type SessionTokens } from './session-wire.js';
import { TestAgent, type TestAgentOptions } from './test-agent.js';
import { TestClock } from './test-clock.js';
import { StolenSession, TestSession } from './test-session.js';
import { isTestOptions } from './testing-options.js';

/**
 * The user and the content of a session for a test.
 *
 * @publicApi
 */
export interface TestSessionInput<Values extends readonly unknown[] = readonly unknown[]> extends Omit<
  CreateNewSessionInput,
  'userId' | 'userContext'
> {
  /** Default `user-1`. */
  userId?: string;
  /**
   * Claims with their values, which are not fetched. The application's other claims are fetched as at a sign-in. A route
   * whose validator demands a fresher value fetches it again, as always.
   */
  claims?: StubClaims<Values>;
}

/**
 * Options of {@link testSessions}.
 *
 * @publicApi
 */
export interface TestSessionsOptions {
  /** The `SessionService` of the module. Required when the application has several. */
  service?: SessionService;
  /**
   * Whether to create sessions in the core that the application configures, where they are as real as any other: for a
   * test against a staging database. Default false: an application without `overrideSessions` is refused.
   */
  useConfiguredCoreDangerously?: boolean;
}

/**
 * Creates valid and invalid sessions for tests of an application; see {@link testSessions}.
 *
 * @publicApi
 */
export class TestSessions {
  private readonly wire: SessionWire;
  /** One for all agents, because they share the port. */
  private connection: ApplicationConnection | undefined;

  /** @internal */
  constructor(
    private readonly app: INestApplicationContext,
    private readonly service: SessionService,
    private readonly runtime: SessionRuntime,
    private readonly appClock: Clock,
  ) {
    this.wire = new SessionWire(runtime.config, () => appClock.now());
  }

  /**
   * The clock of the application under test.
   *
   * @throws {TypeError} the application runs on the system's clock
   */
  get clock(): TestClock {
    if (this.appClock instanceof TestClock) return this.appClock;
    throw new TypeError(
      'This application runs on the system clock: pass the module builder to overrideSessions, or import SessionTestingModule',
    );
  }

  /**
   * Rotates the signing keys without moving the clock: tokens from now on are signed by a new key, and tokens of the keys
   * before it stay valid.
   *
   * @returns the id of the new key
   * @throws {TypeError} the sessions are in a core that is not embedded
   */
  async rotateKeys(): Promise<string> {
    const { core } = this.runtime;
    if (core instanceof EmbeddedCore) return core.rotateSigningKeys();
    throw new TypeError('rotateKeys needs an embedded core, as overrideSessions makes it');
  }

  /**
   * Creates a session without a request, as a login route would.
   *
   * @throws {TypeError} as `SessionService.createNewSession`
   */
  async createTestSession<const Values extends readonly unknown[] = []>(
    input: TestSessionInput<Values> = {},
  ): Promise<TestSession> {
    return this.toTestSession(await this.create(input));
  }

  /**
   * Creates a session whose access token expired two minutes ago: routes respond with "try refresh token", and a refresh works.
   * The clock is not moved.
   */
  async expiredSession<const Values extends readonly unknown[] = []>(
    input: TestSessionInput<Values> = {},
  ): Promise<TestSession> {
    return this.expireAccessToken(await this.createTestSession(input));
  }

  /**
   * Creates a session and revokes it: a refresh fails with "unauthorised", and so do routes with `checkDatabase`. Other
   * routes accept its access token until that expires, as in production.
   */
  async revokedSession<const Values extends readonly unknown[] = []>(
    input: TestSessionInput<Values> = {},
  ): Promise<TestSession> {
    const session = await this.createTestSession(input);
    await this.service.revokeSession(session.sessionHandle);
    return session;
  }

  /**
   * Creates a session whose refresh token a thief has copied and exchanged, and whose new tokens the thief uses. The result
   * is the owner's side: its access token has expired, and its refresh reports "token theft detected" and ends the session
   * for both.
   */
  async stolenSession<const Values extends readonly unknown[] = []>(
    input: TestSessionInput<Values> = {},
  ): Promise<StolenSession> {
    const owner = await this.createTestSession(input);
    const second = await this.refreshSession(owner);
    const thief = await this.refreshSession(second); // using the new refresh token turns the old one into a sign of theft
    return new StolenSession(await this.expireAccessToken(owner), thief, this.wire);
  }

  /**
   * Creates a session that a claim validator refuses: routes with that validator respond with 403. The claim gets a value
   * that the validator neither accepts nor fetches again; `claims` can name one.
   *
   * @throws {TypeError} there is no such value, or the given one is accepted or would be fetched again
   */
  async claimFailingSession<const Values extends readonly unknown[] = []>({
    validator,
    ...input
  }: TestSessionInput<Values> & { validator: SessionClaimValidator }): Promise<TestSession> {
    const userContext = this.runtime.prepareContext();
    const refused = input.claims === undefined ? await findRefusedPayload(validator, userContext) : {};
    const session = await this.create(input, refused);
    const payload = session.getAccessTokenPayload() as JsonObject;
    if (await refusesPayload(validator, payload, this.runtime.prepareContext()))
      return this.toTestSession(session);
    throw new TypeError(
      `The validator ${JSON.stringify(validator.id)} accepts this session, or would fetch its claim again: ` +
        'give a value that it refuses, claims: [[YourClaim, value]]',
    );
  }

  /**
   * Creates a client of the application with a new session, or with an existing one, for example an expired one.
   *
   * @throws {TypeError} `testSessions` got a module instead of an application, or the application does not do what the options ask
   */
  async agent<const Values extends readonly unknown[] = []>(
    sessionOrInput: TestSession | (TestSessionInput<Values> & TestAgentOptions) = {},
    options: TestAgentOptions = {},
  ): Promise<TestAgent> {
    if (sessionOrInput instanceof TestSession) {
      if (options.dpop !== true) return this.createAgent(sessionOrInput, options);
      throw new TypeError('dpop: an existing session is bound to no key; give its input to agent() instead');
    }
    const { transferMethod, autoRefresh, dpop, ...input } = sessionOrInput;
    const given = Object.entries({ transferMethod, autoRefresh, dpop }).filter(
      ([, value]) => value !== undefined,
    );
    const all: TestAgentOptions = { ...Object.fromEntries(given), ...options };
    const key = this.newKey(all);
    const session = await this.create(input);
    if (key !== undefined) await session.bindToKey(key.confirmation);
    return this.createAgent(this.toTestSession(session), all, key);
  }

  /** Creates a client without a session, for tests of signing in. */
  visitor(options: TestAgentOptions = {}): TestAgent {
    return this.createAgent(undefined, options, this.newKey(options));
  }

  private newKey({ dpop = false, transferMethod = 'header' }: TestAgentOptions): ProofKey | undefined {
    if (!dpop) return undefined;
    if (transferMethod === 'cookie') throw new TypeError('dpop: a session by cookie is not bound by proofs');
    if (this.runtime.bindsByProof) return this.wire.newProofKey();
    throw new TypeError('dpop: this application does not have the option deviceBound.dpop');
  }

  private createAgent(
    session: TestSession | undefined,
    { transferMethod, autoRefresh = true }: TestAgentOptions,
    key?: ProofKey,
  ): TestAgent {
    const mode = transferMethod ?? (key === undefined ? 'cookie' : 'header');
    const tokens = this.wire.clientTokens(mode, session);
    this.connection ??= new ApplicationConnection(this.app);
    return new TestAgent(this.connection, { tokens, key }, this.wire, autoRefresh);
  }

  private async create<Values extends readonly unknown[]>(
    { userId = 'user-1', claims, accessTokenPayload, ...rest }: TestSessionInput<Values>,
    refused: JsonObject = {},
  ): Promise<SessionContainer> {
    const given = { ...refused, ...createClaimsPayload(claims, this.runtime.prepareContext()) };
    const session = await this.service.createNewSessionWithoutRequestResponse({
      userId,
      ...rest,
      accessTokenPayload: { ...accessTokenPayload, ...given },
      userContext: createStubContext(Object.keys(given)),
    });
    // Without overrideSessions the application has fetched its own claims: replace their values in the payload.
    const payload = session.getAccessTokenPayload();
    if (Object.entries(given).some(([key, value]) => !jsonEquals(payload[key], value))) {
      await session.mergeIntoAccessTokenPayload(given);
    }
    return session;
  }

  private toTestSession(session: SessionContainer): TestSession {
    const who = {
      userId: session.getUserId(),
      sessionHandle: session.getHandle(),
      tenantId: session.getTenantId(),
    };
    return new TestSession(who, toSessionTokens(session), this.wire);
  }

  private async refreshSession({ refreshToken, antiCsrfToken }: TestSession): Promise<TestSession> {
    const session = await this.service.refreshSessionWithoutRequestResponse({
      refreshToken,
      ...(antiCsrfToken === undefined ? { disableAntiCsrf: true } : { antiCsrfToken }),
    });
    return this.toTestSession(session);
  }

  private async expireAccessToken(session: TestSession): Promise<TestSession> {
    const { core, config } = this.runtime;
    const accessToken = await createExpiredCopy(session.accessToken, {
      core,
      nowMs: this.appClock.now(),
      useStaticSigningKey: !config.useDynamicAccessTokenSigningKey,
    });
    const { refreshToken, antiCsrfToken } = session;
    return new TestSession(session, { accessToken, refreshToken, antiCsrfToken }, this.wire);
  }
}

function toSessionTokens(session: SessionContainer): SessionTokens {
  const { accessToken, refreshToken, antiCsrfToken } = session.getAllSessionTokensDangerously();
  if (refreshToken === undefined) {
    throw new TypeError('createNewSession is overridden, and the session that it gives has no refresh token');
  }
  return { accessToken, refreshToken, antiCsrfToken };
}

/**
 * Creates sessions for tests of an application: signed-in clients without its login route, and sessions that have expired,
 * were revoked, were stolen or fail a claim, in one call each.
 *
 * @param app the application, initialised; a compiled `TestingModule` is enough without agents
 * @throws {Error} `NODE_ENV` is `production`
 * @throws {TypeError} the application has no session module, or several and none is named, or it has its own core
 *
 * @example
 * const module = await overrideSessions(Test.createTestingModule({ imports: [AppModule] })).compile();
 * const app = await module.createNestApplication().init();
 * const sessions = testSessions(app);
 *
 * const { headers } = await sessions.createTestSession({ userId: 'user-1' });
 * await request(app.getHttpServer()).get('/orders').set(headers).expect(200);
 * @publicApi
 */
export function testSessions(
  app: INestApplicationContext,
  { service, useConfiguredCoreDangerously = false }: TestSessionsOptions = {},
): TestSessions {
  refuseProduction('testSessions');
  const services = findAll<SessionService>(app, SessionService);
  const index = service === undefined ? 0 : services.indexOf(service);
  const runtime = findAll<SessionRuntime>(app, SESSION_RUNTIME)[index];
  const options = findAll<ResolvedSessionOptions>(app, RESOLVED_SESSION_OPTIONS)[index];
  const clock = findAll<Clock>(app, Clock)[0];
  const chosen = services[index];
  if (chosen === undefined || runtime === undefined || options === undefined || clock === undefined) {
    throw new TypeError('This application has no SessionModule, or not the one of the given service');
  }
  if (service === undefined && services.length > 1) {
    throw new TypeError(
      `This application has ${services.length} session modules: testSessions(app, { service }) says which one is meant`,
    );
  }
  if (!useConfiguredCoreDangerously && !isTestOptions(options)) {
    throw new TypeError(
      'This application keeps its sessions in the core that it configures, and testSessions would sign in there: pass the ' +
        'module builder to overrideSessions. If that is what you want, testSessions(app, { useConfiguredCoreDangerously: true })',
    );
  }
  return new TestSessions(app, chosen, runtime, clock);
}

function findAll<T>(
  app: INestApplicationContext,
  token: string | symbol | typeof Clock | typeof SessionService,
): T[] {
  try {
    return app.get<unknown, T>(token, { strict: false, each: true });
  } catch {
    return []; // Nest throws when there is none
  }
}
