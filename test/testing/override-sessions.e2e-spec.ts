import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Controller, Get, Module, UseGuards, type DynamicModule, type Type } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { describe, expect, it } from '@jest/globals';
import {
  AuthenticationTimeClaim,
  Clock,
  BooleanClaim,
  embeddedCore,
  memoryStore,
  PermissionClaim,
  PrimitiveArrayClaim,
  PrimitiveClaim,
  remoteCore,
  Session,
  SessionContainer,
  SessionGuard,
  SessionModule,
  SessionService,
  sqliteStore,
  UserRoleClaim,
  type JsonObject,
  type SessionModuleOptions,
  type UserRoleSource,
} from 'nest-sessions';
import { SessionCoreModule, type CoreProvider } from 'nest-sessions/core';
import {
  overrideSessions,
  SessionTestingModule,
  TestClock,
  TestSessions,
  testSessions,
  type SessionTestingOptions,
} from 'nest-sessions/testing';
import { ADAPTERS, newAdapter, type Adapter } from '../support/adapters.js';
import { seededMemoryStore, TEST_START_MS } from '../support/embedded.js';
import { TelemetrySdk } from '../support/telemetry-sdk.js';
import { SHOP } from '../support/test-application.js';
import { TRY_REFRESH } from './responses.js';

@Controller()
@UseGuards(SessionGuard)
class MeController {
  @Get('me')
  me(@Session() session: SessionContainer): object {
    return { userId: session.getUserId(), payload: session.getAccessTokenPayload() };
  }
}

/** A core that no test may have. */
const FORBIDDEN: CoreProvider = {
  problems: [],
  create: () => {
    throw new Error('The core of the application was made');
  },
};

function application(imports: (Type | DynamicModule)[]): Type {
  @Module({ imports, controllers: [MeController] })
  class AppModule {}
  return AppModule;
}

const withOptions = (options: Partial<SessionModuleOptions>): Type =>
  application([SessionModule.forRoot({ appInfo: SHOP, ...options })]);

async function withSessions(
  module: Type | DynamicModule,
  use: (sessions: TestSessions) => Promise<void>,
  { adapter = 'express', ...options }: SessionTestingOptions & { adapter?: Adapter } = {},
): Promise<void> {
  const builder = Test.createTestingModule({ imports: [module] }).setLogger(false as never);
  const compiled = await overrideSessions(builder, options).compile();
  const app = await compiled.createNestApplication(newAdapter(adapter), { logger: false }).init();
  try {
    await use(testSessions(app));
  } finally {
    await app.close();
  }
}

/** The controller's response to a signed-in user. */
async function statusOfMe(sessions: TestSessions): Promise<number> {
  const agent = await sessions.agent();
  return (await agent.get('/me')).status;
}

/** An expired token is a JWT signed by RSA, whose keys take long to make. */
async function withReadyKeys(): Promise<SessionTestingOptions> {
  const core = embeddedCore({ store: await seededMemoryStore(), accessTokenValidityJitter: 0 });
  return { core, clock: new TestClock(TEST_START_MS) };
}

describe('overrideSessions', () => {
  it.each(ADAPTERS)('does not make the core that the application configures, on %s', async (adapter) => {
    const module = withOptions({ core: FORBIDDEN });
    await withSessions(module, async (sessions) => expect(await statusOfMe(sessions)).toBe(200), { adapter });
    const asItIs = Test.createTestingModule({ imports: [module] }).setLogger(false as never);
    await expect(asItIs.compile()).rejects.toThrow('The core of the application was made');
  });

  it('works with a core whose options a test has no values for', async () => {
    const core = remoteCore({ connectionURI: '' });
    expect(core.problems).not.toEqual([]);
    await withSessions(withOptions({ core }), async (sessions) => {
      expect(await statusOfMe(sessions)).toBe(200);
    });
  });

  it('lets a sign-in count as fresh, as the application does', async () => {
    const freshWithin = AuthenticationTimeClaim.validators.freshWithin(300);
    const module = withOptions({ claims: [AuthenticationTimeClaim], globalClaimValidators: [freshWithin] });
    await withSessions(module, async (sessions) => {
      expect(await statusOfMe(sessions)).toBe(200);
      const agent = await sessions.agent();
      sessions.clock.advanceSeconds(301);
      expect((await agent.get('/me')).status).toBe(403);
    });
  });

  it('lets claims age with the clock that the test moves, those of a login and those that were given', async () => {
    const SecondFactorClaim = new BooleanClaim({ key: '2fa', fetchValue: () => undefined });
    const RolesClaim = new PrimitiveArrayClaim<string>({ key: 'roles', fetchValue: () => ['admin'] });
    const fresh = SecondFactorClaim.validators.hasFreshValue(true, 300);
    const module = withOptions({ claims: [SecondFactorClaim, RolesClaim], globalClaimValidators: [fresh] });
    await withSessions(module, async (sessions) => {
      sessions.clock.advanceSeconds(3000); // values that are given later are as old as that moment
      const agent = await sessions.agent({ claims: [[SecondFactorClaim, true]], autoRefresh: false });
      sessions.clock.advanceSeconds(300);
      const { status, body } = await agent.get('/me');
      const { payload } = body as { payload: JsonObject };
      expect(status).toBe(200);
      expect(RolesClaim.getLastRefetchTime(payload, {})).toBe(sessions.clock.now() - 300_000);
      sessions.clock.advanceSeconds(1);
      expect(await agent.get('/me')).toMatchObject({
        status: 403,
        body: { claimValidationErrors: [{ id: '2fa', reason: { message: 'expired', ageInSeconds: 301 } }] },
      });
    });
  });

  describe('roles that come from a core, which is not asked in a test', () => {
    const admin = UserRoleClaim.validators.includes('admin', 300);
    const module = withOptions({
      core: remoteCore({ connectionURI: 'https://core.internal:3567' }),
      claims: [UserRoleClaim, PermissionClaim],
      globalClaimValidators: [admin],
    });

    it('no user has a role that was not given', async () => {
      await withSessions(module, async (sessions) => {
        expect(await statusOfMe(sessions)).toBe(403);
        const signedIn = await sessions.agent({ claims: [[UserRoleClaim, ['admin']]] });
        expect((await signedIn.get('/me')).status).toBe(200);
        const failing = await sessions.claimFailingSession({ validator: admin });
        expect((await (await sessions.agent(failing)).get('/me')).status).toBe(403);
      });
    });

    it('a test can say who has which', async () => {
      const userRoles: UserRoleSource = {
        getRolesForUser: ({ userId }) => (userId === 'ada' ? ['admin'] : []),
        getPermissionsForRole: ({ role }) => [`all of ${role}`],
      };
      await withSessions(
        module,
        async (sessions) => {
          const agent = await sessions.agent({ userId: 'ada' });
          sessions.clock.advanceSeconds(301); // fetched again
          expect(await agent.get('/me')).toMatchObject({
            status: 200,
            body: { payload: { 'st-role': { v: ['admin'] }, 'st-perm': { v: ['all of admin'] } } },
          });
          expect((await (await sessions.agent({ userId: 'bob' })).get('/me')).status).toBe(403);
        },
        { userRoles },
      );
    });

    it('the roles of an application that keeps them itself are used, and missed where it forgot to', async () => {
      const claims = [UserRoleClaim];
      const userRoles: UserRoleSource = { getRolesForUser: () => ['admin'] };
      const core = remoteCore({ connectionURI: 'https://core.internal:3567' });
      const own = withOptions({ core, claims, userRoles, globalClaimValidators: [admin] });
      await withSessions(own, async (sessions) => expect(await statusOfMe(sessions)).toBe(200));
      await withSessions(withOptions({ claims }), async (sessions) => {
        await expect(sessions.createTestSession()).rejects.toThrow('set the option userRoles');
      });
    });
  });

  it('still refuses other options that are wrong', async () => {
    const module = withOptions({ invalidClaimStatusCode: 7 });
    await expect(withSessions(module, async () => {})).rejects.toThrow('invalidClaimStatusCode');
  });

  it('replaces the core that the application serves to others, too', async () => {
    const module = application([
      SessionModule.forRoot({ appInfo: SHOP, core: FORBIDDEN }),
      SessionCoreModule.forRoot({ core: FORBIDDEN, basePath: '/core' }),
    ]);
    await withSessions(module, async (sessions) => expect(await statusOfMe(sessions)).toBe(200));
  });

  it('reaches a module that is made asynchronously by a class', async () => {
    class Options {
      createSessionOptions(): SessionModuleOptions {
        return { appInfo: SHOP, core: FORBIDDEN };
      }
    }
    const module = application([SessionModule.forRootAsync({ useClass: Options })]);
    await withSessions(module, async (sessions) => expect(await statusOfMe(sessions)).toBe(200));
  });

  it('takes lifetimes and a clock from the test', async () => {
    const clock = new TestClock(1_760_000_000_000);
    const core = embeddedCore({ accessTokenValiditySec: 60, accessTokenValidityJitter: 0 });
    await withSessions(
      withOptions({}),
      async (sessions) => {
        expect(sessions.clock).toBe(clock);
        const agent = await sessions.agent({ autoRefresh: false });
        clock.advanceSeconds(59);
        expect((await agent.get('/me')).status).toBe(200);
        clock.advanceSeconds(2);
        expect(await agent.get('/me')).toMatchObject({ status: 401, body: TRY_REFRESH });
      },
      { core, clock },
    );
  });

  it('keeps the settings of an embedded core: its lifetimes hold in the test, to the second', async () => {
    const store = memoryStore();
    const core = embeddedCore({ store, accessTokenValiditySec: 900, refreshTokenValiditySec: 1800 });
    await withSessions(withOptions({ core }), async (sessions) => {
      const agent = await sessions.agent();
      const raw = await sessions.agent({ autoRefresh: false });
      sessions.clock.advanceSeconds(899);
      expect((await raw.get('/me')).status).toBe(200);
      sessions.clock.advanceSeconds(2);
      expect(await raw.get('/me')).toMatchObject({ status: 401, body: TRY_REFRESH });
      expect((await agent.get('/me')).status).toBe(200);
      sessions.clock.advanceSeconds(1801);
      expect((await agent.get('/me')).status).toBe(401);
      expect(agent.isSignedIn).toBe(false);
    });
    expect(await store.findDynamicKeys(0)).toEqual([]); // whoever makes a session makes a key
  });

  it('has the default lifetimes where those of the application are not valid', async () => {
    const core = embeddedCore({ accessTokenValiditySec: Number(undefined) });
    await withSessions(withOptions({ core }), async (sessions) => {
      expect(await statusOfMe(sessions)).toBe(200);
    });
  });

  it('leaves spans of the core where the application has OpenTelemetry', async () => {
    const sdk = new TelemetrySdk();
    const spansWith = async (telemetry: boolean): Promise<string[]> => {
      await withSessions(withOptions({ telemetry }), async (sessions) => {
        await sessions.agent();
      });
      return sdk.takeSpans().map(({ name }) => name);
    };
    try {
      expect(await spansWith(true)).toContain('store.insertSession');
      expect(await spansWith(false)).toEqual([]);
    } finally {
      await sdk.close();
    }
  });

  it('opens no file of a store', async () => {
    const file = join(tmpdir(), `nest-sessions-never-made-${process.pid}`, 'sessions.db');
    const core = embeddedCore({ store: sqliteStore(file) });
    await withSessions(withOptions({ core }), async (sessions) => {
      expect(await statusOfMe(sessions)).toBe(200);
    });
    expect(existsSync(dirname(file))).toBe(false);
  });

  it('lets two applications in one process share nothing', async () => {
    const module = withOptions({});
    await withSessions(module, async (first) => {
      await withSessions(module, async (second) => {
        const agent = await second.agent(await first.createTestSession(), { autoRefresh: false });
        expect(await agent.get('/me')).toMatchObject({ status: 401 });
      });
    });
  });
});

describe('test sessions of an application with options of its own', () => {
  const OWN: readonly [string, Partial<SessionModuleOptions>][] = [
    [
      'a gateway in front',
      { appInfo: { ...SHOP, apiGatewayPath: '/gateway', apiBasePath: '/sessions' }, accessTokenPath: '/' },
    ],
    [
      'its own names of cookies and headers',
      {
        getCookieNameForTokenType: (_request, tokenType) => `shop_${tokenType}`,
        getResponseHeaderNameForTokenType: (_request, tokenType) => `shop-${tokenType}`,
      },
    ],
    ['its own status codes', { sessionExpiredStatusCode: 440, invalidClaimStatusCode: 403 }],
    ['the static signing key', { useDynamicAccessTokenSigningKey: false }],
    ['a tolerance between clocks', { clockToleranceSec: 60 }],
    ['anti-CSRF by a custom header', { antiCsrf: 'VIA_CUSTOM_HEADER' }],
    ['prefixed cookies', { cookieNamePrefixes: true }],
  ];

  describe.each(['cookie', 'header'] as const)('by %s', (transferMethod) => {
    it.each(OWN)('respect %s', async (_name, options) => {
      await withSessions(
        withOptions(options),
        async (sessions) => {
          const expired = await sessions.expiredSession();
          const { sessionExpiredStatusCode = 401 } = options;
          const raw = await sessions.agent(expired, { transferMethod, autoRefresh: false });
          expect(await raw.get('/me')).toMatchObject({ status: sessionExpiredStatusCode, body: TRY_REFRESH });
          const agent = await sessions.agent(expired, { transferMethod });
          expect((await agent.get('/me')).status).toBe(200);
          sessions.clock.advanceSeconds(3601);
          expect((await agent.get('/me')).status).toBe(200);
          expect((await agent.signOut()).status).toBe(200);
          expect(agent.isSignedIn).toBe(false);
        },
        await withReadyKeys(),
      );
    });
  });
});

describe('testSessions', () => {
  it('asks which module is meant where there are several, and takes their services', async () => {
    @Module({
      imports: [SessionModule.forRoot({ appInfo: SHOP, isGlobal: false })],
      controllers: [MeController],
    })
    class ShopModule {
      constructor(readonly sessions: SessionService) {}
    }
    const staffInfo = { ...SHOP, apiBasePath: '/staff' };
    @Module({ imports: [SessionModule.forRoot({ appInfo: staffInfo, isGlobal: false })] })
    class StaffModule {
      constructor(readonly sessions: SessionService) {}
    }
    const builder = Test.createTestingModule({ imports: [ShopModule, StaffModule] });
    const app = await (await overrideSessions(builder).compile()).createNestApplication().init();
    try {
      expect(() => testSessions(app)).toThrow(/2 session modules/);
      const shop = testSessions(app, { service: app.get(ShopModule).sessions });
      expect(await statusOfMe(shop)).toBe(200);
      const staff = testSessions(app, { service: app.get(StaffModule).sessions });
      const agent = await staff.agent({ autoRefresh: false });
      expect((await agent.get('/me')).status).toBe(401);
      expect((await agent.refresh()).status).toBe(200);
    } finally {
      await app.close();
    }
  });

  it('says so where there is no session module, and where there is no application for an agent', async () => {
    const bare = await Test.createTestingModule({}).compile();
    expect(() => testSessions(bare)).toThrow(/no SessionModule/);
    const module = await Test.createTestingModule({ imports: [SessionTestingModule.forRoot()] }).compile();
    await module.init();
    expect((await testSessions(module).createTestSession()).userId).toBe('user-1');
    await expect(testSessions(module).agent()).rejects.toThrow(/An agent needs the application/);
    await module.close();
  });

  it('signs nobody in on the core of an application that was not overridden, unless it is told to', async () => {
    const compiled = await Test.createTestingModule({ imports: [withOptions({})] })
      .overrideProvider(Clock)
      .useValue(new TestClock()) // a clock alone does not change where sessions are kept
      .compile();
    try {
      expect(() => testSessions(compiled)).toThrow(/pass the module builder to overrideSessions/);
      expect(testSessions(compiled, { useConfiguredCoreDangerously: true })).toBeInstanceOf(TestSessions);
    } finally {
      await compiled.close();
    }
  });

  it('has no clock to move in an application as it is, and says how to get one', async () => {
    const compiled = await Test.createTestingModule({ imports: [withOptions({})] }).compile();
    try {
      const sessions = testSessions(compiled, { useConfiguredCoreDangerously: true });
      expect(() => sessions.clock).toThrow(/overrideSessions/);
    } finally {
      await compiled.close();
    }
  });

  it('gives claims their values also in an application as it is', async () => {
    const PlanClaim = new PrimitiveClaim<string>({ key: 'plan', fetchValue: () => 'free' });
    const module = withOptions({ claims: [PlanClaim] });
    const compiled = await Test.createTestingModule({ imports: [module] }).compile();
    const app = await compiled.createNestApplication().init();
    try {
      const sessions = testSessions(app, { useConfiguredCoreDangerously: true });
      const agent = await sessions.agent({ claims: [[PlanClaim, 'pro']] });
      expect((await agent.get('/me')).body).toMatchObject({ payload: { plan: { v: 'pro' } } });
    } finally {
      await app.close();
    }
  });
});

describe('SessionTestingModule', () => {
  it('gives one controller its sessions, in memory and on a clock to move, and needs no options', async () => {
    const compiled = await Test.createTestingModule({
      imports: [SessionTestingModule.forRoot()],
      controllers: [MeController],
    }).compile();
    const app = await compiled.createNestApplication().init();
    try {
      const sessions = testSessions(app);
      const agent = await sessions.agent({ userId: 'ada', autoRefresh: false });
      expect((await agent.get('/me')).body).toMatchObject({ userId: 'ada' });
      sessions.clock.advanceSeconds(3601);
      expect(await agent.get('/me')).toMatchObject({ status: 401, body: TRY_REFRESH });
    } finally {
      await app.close();
    }
  });

  it('knows no roles, so that a route which asks for one can be tested', async () => {
    const admin = UserRoleClaim.validators.includes('admin');
    const compiled = await Test.createTestingModule({
      imports: [SessionTestingModule.forRoot({ globalClaimValidators: [admin] })],
      controllers: [MeController],
    }).compile();
    const app = await compiled.createNestApplication().init();
    try {
      const sessions = testSessions(app);
      expect(await statusOfMe(sessions)).toBe(403);
      const agent = await sessions.agent({ claims: [[UserRoleClaim, ['admin']]] });
      expect((await agent.get('/me')).status).toBe(200);
    } finally {
      await app.close();
    }
  });

  it('takes every option of SessionModule, claims by value included', async () => {
    const PlanClaim = new PrimitiveClaim<string>({
      key: 'plan',
      fetchValue: () => {
        throw new Error('nothing is fetched');
      },
    });
    const compiled = await Test.createTestingModule({
      imports: [
        SessionTestingModule.forRoot({
          claims: [PlanClaim],
          globalClaimValidators: [PlanClaim.validators.hasValue('pro')],
          clock: new TestClock(1000),
        }),
      ],
      controllers: [MeController],
    }).compile();
    const app = await compiled.createNestApplication().init();
    try {
      const sessions = testSessions(app);
      expect(sessions.clock.now()).toBe(1000);
      const good = await sessions.agent({ claims: [[PlanClaim, 'pro']] });
      expect((await good.get('/me')).status).toBe(200);
      const bad = await sessions.agent({ claims: [[PlanClaim, 'free']] });
      expect((await bad.get('/me')).status).toBe(403);
    } finally {
      await app.close();
    }
  });
});
