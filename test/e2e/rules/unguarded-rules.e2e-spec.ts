import {
  Controller,
  Get,
  Injectable,
  Module,
  Scope,
  SetMetadata,
  UseGuards,
  type CanActivate,
  type ExecutionContext,
  type Provider,
  type Type,
} from '@nestjs/common';
import { APP_GUARD, ModuleRef } from '@nestjs/core';
import { ApolloDriver } from '@nestjs/apollo';
import { GraphQLModule, Query, ResolveField, Resolver } from '@nestjs/graphql';
import { Test } from '@nestjs/testing';
import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { describe, expect, it, jest } from '@jest/globals';
import {
  OptionalSession,
  PublicAccess,
  RequireClaims,
  SessionGuard,
  SessionModule,
  VerifySession,
  type SessionClaimValidator,
  type SessionModuleOptions,
} from 'nest-sessions';
import { ADAPTERS, newAdapter, TestApplication, SHOP, type Adapter } from '../../support/test-application.js';

const admin: SessionClaimValidator = { id: 'admin', validate: () => ({ isValid: false }) };

@Controller('open')
class OpenController {
  @Get('verified') @VerifySession({ checkDatabase: true }) verified() {} // prettier-ignore
  @Get('claims') @RequireClaims(admin) claims() {} // prettier-ignore
  @Get('optional') @OptionalSession() optional() {} // prettier-ignore
  @Get('public') @PublicAccess() public() {} // prettier-ignore
  @Get('plain') plain() {} // prettier-ignore
}

const logger = () => ({ log: jest.fn(), warn: jest.fn(), error: jest.fn() });

interface Part {
  readonly controllers?: Type[];
  readonly providers?: Provider[];
  readonly options?: Partial<SessionModuleOptions>;
}

/** Starts an application and returns the message of its refusal, or its warnings, or nothing. */
async function refusal(adapter: Adapter, { controllers = [], providers = [], options = {} }: Part) {
  const log = logger();
  const starter = TestApplication.on(adapter)
    .with(options)
    .controllers(...controllers)
    .providers(...providers)
    .logger(log);
  const failure = await starter.start().then(
    () => undefined,
    (error: Error) => error.message,
  );
  return { failure, warned: log.warn.mock.calls.map(([message]) => String(message)).join('\n') };
}

/** A handler in a class of its own, so that each case has its own guards. */
function controllerWith(...guards: Parameters<typeof UseGuards>): Type {
  @Controller('guarded')
  @UseGuards(...guards)
  class GuardedController {
    @Get() @VerifySession() handler() {} // prettier-ignore
  }
  return GuardedController;
}

@Injectable()
class OfficeHoursGuard implements CanActivate {
  canActivate(): boolean {
    return true;
  }
}

@Injectable()
class EitherGuard implements CanActivate {
  constructor(private readonly sessions: SessionGuard) {}

  canActivate(context: ExecutionContext) {
    return this.sessions.canActivate(context);
  }
}

@Injectable()
class DeclaredGuard implements CanActivate {
  static readonly wrapsSessionGuard = true;

  canActivate(): boolean {
    return true;
  }
}

@Injectable()
class LookingGuard implements CanActivate {
  constructor(private readonly modules: ModuleRef) {}

  canActivate(context: ExecutionContext) {
    return this.modules.get(SessionGuard, { strict: false }).canActivate(context);
  }
}

@Injectable()
class CustomSessionGuard extends SessionGuard {}

@Injectable({ scope: Scope.REQUEST })
class RequestScopedGuard extends SessionGuard {}

@UseGuards(SessionGuard)
abstract class ClosedBase {
  @Get('verified') @VerifySession() verified() {} // prettier-ignore
}

@Controller('overriding')
class OverridingController extends ClosedBase {
  @Get('verified') override verified() {} // prettier-ignore
}

/** As packages for configurations make them. */
function strictProxy(): object {
  return new Proxy(
    {},
    {
      get(_target, name) {
        throw new ReferenceError(`There is no ${String(name)}`);
      },
    },
  );
}

/** As deep mocks and typed clients of other services are made: every name has a truthy value. */
function valueForEveryName(response?: unknown): object {
  const proxy: object = new Proxy(() => undefined, {
    get: () => response ?? proxy,
    has: () => true,
    apply: () => proxy,
    getPrototypeOf: () => proxy,
    getOwnPropertyDescriptor: () => ({ value: response ?? proxy, configurable: true, writable: true }),
  });
  return proxy;
}

/** As packages for tracing wrap what they are given. */
const traced = <T extends object>(guard: T): T => new Proxy(guard, {});

function guardHolding(...held: unknown[]): CanActivate {
  class HoldingGuard implements CanActivate {
    readonly held = held;
    readonly first = held[0];

    canActivate(): boolean {
      return true;
    }
  }
  return new HoldingGuard();
}

describe.each(ADAPTERS)('session decorators on handlers that no guard runs for, on %s', (adapter) => {
  it('stop the start, with class, method and remedy of each (S077)', async () => {
    const { failure, warned } = await refusal(adapter, { controllers: [OpenController] });
    const lines = failure?.split('\n') ?? [];
    expect(lines.filter((line) => line.startsWith('  - '))).toEqual([
      expect.stringMatching(/OpenController\.verified \(@VerifySession\): .*@UseGuards\(SessionGuard\)/),
      expect.stringContaining('OpenController.claims (@RequireClaims): '),
      expect.stringContaining('OpenController.optional (@OptionalSession): '),
    ]);
    expect(warned).toBe('');
  });

  it('are a warning with unguardedRules: warn', async () => {
    const options = { unguardedRules: 'warn' } as const;
    const { failure, warned } = await refusal(adapter, { controllers: [OpenController], options });
    expect([failure, warned]).toEqual([undefined, expect.stringContaining('OpenController.claims')]);
  });

  it('stop the start where they stand on the class', async () => {
    @Controller('closed')
    @RequireClaims(admin)
    class ClosedController {
      @Get() list() {} // prettier-ignore
      helper() {} // prettier-ignore
    }
    const { failure } = await refusal(adapter, { controllers: [ClosedController] });
    expect(failure).toContain('ClosedController.list (@RequireClaims)');
    expect(failure).not.toContain('helper');
  });

  /** The handlers that the refusal names. */
  const named = (failure: string | undefined) =>
    [...(failure ?? '').matchAll(/ {2}- ([\w.]+) \(/g)].map(([, name]) => name);

  abstract class Base {
    @Get('verified') @UseGuards(SessionGuard) @VerifySession() verified() {} // prettier-ignore
    @Get('checked') @UseGuards(SessionGuard) @VerifySession({ checkDatabase: true }) checked() {} // prettier-ignore
    @Get('claims') @UseGuards(SessionGuard) @RequireClaims(admin) claims() {} // prettier-ignore
    @Get('optional') @UseGuards(SessionGuard) @OptionalSession() optional() {} // prettier-ignore
    @Get('public') @PublicAccess() public() {} // prettier-ignore
    @Get('plain') plain() {} // prettier-ignore
  }

  /** As a generic controller is made for each entity. */
  function controllerOver(Parent: typeof Base) {
    class Made extends Parent {
      @Get('verified') override verified() {} // prettier-ignore
    }
    return Made;
  }

  it('stop the start where a subclass inherits or overrides the handler', async () => {
    @Controller('sub')
    class SubController extends Base {
      @Get('verified') override verified() {} // prettier-ignore
      @Get('checked') @UseGuards(OfficeHoursGuard) override checked() {} // prettier-ignore
      @Get('claims') override claims() {} // prettier-ignore
      @Get('optional') override optional() {} // prettier-ignore
      @Get('public') override public() {} // prettier-ignore
      @Get('plain') override plain() {} // prettier-ignore
    }
    @Controller('mixin')
    class MixinController extends controllerOver(Base) {}
    @Controller('grandchild')
    class GrandchildController extends SubController {
      @Get('verified') @UseGuards(SessionGuard) override verified() {} // prettier-ignore
      @Get('checked') @PublicAccess() override checked() {} // prettier-ignore
      @Get('claims') override claims() {} // prettier-ignore
      @Get('optional') @UseGuards(SessionGuard) override optional() {} // prettier-ignore
    }
    const controllers = [SubController, MixinController, GrandchildController];
    const { failure } = await refusal(adapter, { controllers });
    expect(named(failure)).toEqual([
      'SubController.verified',
      'SubController.checked',
      'SubController.claims',
      'SubController.optional',
      'MixinController.verified',
      'GrandchildController.claims',
    ]);
    expect(failure).toMatch(
      /SubController\.verified \(@VerifySession of the method that it overrides\): .*@UseGuards\(SessionGuard\).*@PublicAccess\(\)/,
    );
  });

  it('are a warning where an override loses the guard of a method that has no other decorator of ours', async () => {
    abstract class Guarded {
      @Get('list') @UseGuards(SessionGuard) list() {} // prettier-ignore
      @Get('kept') @UseGuards(SessionGuard) kept() {} // prettier-ignore
      @Get('opened') @UseGuards(SessionGuard) opened() {} // prettier-ignore
      @Get('gone') @UseGuards(SessionGuard) gone() {} // prettier-ignore
    }
    @Controller('orders')
    class OrdersController extends Guarded {
      @Get('list') override list() {} // prettier-ignore
      @Get('kept') @UseGuards(SessionGuard) override kept() {} // prettier-ignore
      @Get('opened') @PublicAccess() override opened() {} // prettier-ignore
      override gone() {}
    }
    const { failure, warned } = await refusal(adapter, { controllers: [OrdersController] });
    expect(failure).toBeUndefined();
    expect(warned).toMatch(
      /OrdersController\.list \(@UseGuards\(SessionGuard\) of the method that it overrides\): /,
    );
    expect(named(warned)).toEqual(['OrdersController.list']);
  });

  it.each<[string, Part]>([
    ['stands on the class', { controllers: [controllerWith(SessionGuard)] }],
    ['is a subclass', { controllers: [controllerWith(CustomSessionGuard)] }],
    ['is scoped to the request', { controllers: [controllerWith(RequestScopedGuard)] }],
    ['stands beside another', { controllers: [controllerWith(OfficeHoursGuard, SessionGuard)] }],
    ['is injected into another guard', { controllers: [controllerWith(EitherGuard)] }],
    ['is asked by a guard that declares it', { controllers: [controllerWith(DeclaredGuard)] }],
    ['is global', { providers: [{ provide: APP_GUARD, useClass: SessionGuard }] }],
    ['is global, made elsewhere', { providers: [{ provide: APP_GUARD, useExisting: SessionGuard }] }],
    ['is a global subclass', { providers: [{ provide: APP_GUARD, useClass: CustomSessionGuard }] }],
    ['is global for each request', { providers: [{ provide: APP_GUARD, useClass: RequestScopedGuard }] }],
    ['is part of a global guard', { providers: [{ provide: APP_GUARD, useClass: EitherGuard }] }],
    [
      'is given to a factory',
      {
        providers: [
          {
            provide: APP_GUARD,
            inject: [SessionGuard],
            useFactory: (guard: SessionGuard) => ({ canActivate: guard.canActivate.bind(guard) }),
          },
        ],
      },
    ],
    [
      'is given to a factory that names it as optional',
      {
        providers: [
          {
            provide: APP_GUARD,
            inject: [{ token: SessionGuard, optional: true }],
            useFactory: (guard: SessionGuard) => ({ canActivate: guard.canActivate.bind(guard) }),
          },
        ],
      },
    ],
    [
      'stands beside a global one that holds a strict proxy',
      {
        controllers: [controllerWith(SessionGuard)],
        providers: [{ provide: APP_GUARD, useValue: { env: strictProxy(), canActivate: () => true } }],
      },
    ],
    ['stands on the class that a class with overrides extends', { controllers: [OverridingController] }],
  ])('are in force where SessionGuard %s', async (_where, { controllers = [OpenController], providers }) => {
    const found = await refusal(adapter, { controllers, providers: providers ?? [] });
    expect(found).toEqual({ failure: undefined, warned: '' });
  });

  it('are in force where SessionGuard is global by useGlobalGuards', async () => {
    const starter = TestApplication.on(adapter).controllers(OpenController);
    const { send } = await starter.configure((app) => app.useGlobalGuards(app.get(SessionGuard))).start();
    expect((await send({ path: '/open/claims' })).status).toBe(401);
  });

  it('are in force where a test replaces the guard', async () => {
    const module = await Test.createTestingModule({
      imports: [SessionModule.forRoot({ appInfo: SHOP, guard: 'global' })],
      controllers: [OpenController, controllerWith(SessionGuard)],
    })
      .overrideGuard(SessionGuard)
      .useValue({ canActivate: () => true })
      .compile();
    const app = module.createNestApplication(newAdapter(adapter), { logger: false });
    await expect(app.init()).resolves.toBeDefined();
    await app.close();
  });

  it('stop the start where the only guards have nothing to do with sessions', async () => {
    const { failure } = await refusal(adapter, { controllers: [controllerWith(OfficeHoursGuard)] });
    expect(failure).toContain('GuardedController.handler');
  });

  it.each<[string, unknown]>([
    ['returns itself for every name', valueForEveryName()],
    ['returns true for every name', valueForEveryName(true)],
    ['is a strict proxy', strictProxy()],
    ['is an object with null as its prototype', Object.create(null)],
    ['has a getter that throws', { get canActivate() { throw new Error('not yet'); } }], // prettier-ignore
    ['only has the name of a mark', { wrapsSessionGuard: 'yes', SessionGuard: true }],
  ])('stop the start where a guard holds something that %s', async (_what, held) => {
    const controllers = [controllerWith(guardHolding(held))];
    const { failure } = await refusal(adapter, { controllers });
    expect(failure).toContain('GuardedController.handler');
  });

  it('are a warning where the guard is a proxy of something that is not visible', async () => {
    const guard = traced({ canActivate: () => true });
    const open: Part = {
      controllers: [OpenController],
      providers: [{ provide: APP_GUARD, useValue: guard }],
    };
    const bound: Part[] = [guard, traced(OfficeHoursGuard)].map((each) => ({
      controllers: [controllerWith(each)],
    }));
    for (const part of [open, ...bound]) {
      const { failure, warned } = await refusal(adapter, part);
      expect([failure, warned]).toEqual([undefined, expect.stringContaining('wrapsSessionGuard = true')]);
    }
  });

  it('are in force where a proxy stands around a guard that asks SessionGuard', async () => {
    const guard = new SessionGuard(undefined as never, undefined as never);
    for (const each of [
      traced(guard),
      guardHolding(traced(guard)),
      guardHolding(traced(new EitherGuard(guard))),
    ]) {
      const found = await refusal(adapter, { controllers: [controllerWith(each)] });
      expect(found).toEqual({ failure: undefined, warned: '' });
    }
  });

  it('are a warning where a guard could ask SessionGuard by ModuleRef, which is not visible', async () => {
    const { failure, warned } = await refusal(adapter, { controllers: [controllerWith(LookingGuard)] });
    expect([failure, warned]).toEqual([undefined, expect.stringContaining('wrapsSessionGuard = true')]);
  });

  it('are a warning on a method that is no handler', async () => {
    @Injectable()
    class Salaries {
      @RequireClaims(admin) all() {} // prettier-ignore
    }
    const { failure, warned } = await refusal(adapter, { providers: [Salaries] });
    expect([failure, warned]).toEqual([undefined, expect.stringContaining('Salaries.all (@RequireClaims)')]);
  });

  it('stop the start in gateways, where not every version of Nest runs global guards, and in hooks that have none', async () => {
    @WebSocketGateway()
    class OpenGateway {
      @SubscribeMessage('read') @VerifySession() read() {} // prettier-ignore
    }
    @WebSocketGateway()
    @UseGuards(SessionGuard)
    class HookGateway {
      @VerifySession() handleConnection() {} // prettier-ignore
    }
    const { failure } = await refusal(adapter, { providers: [OpenGateway, HookGateway] });
    expect(failure).toContain('OpenGateway.read (@VerifySession)');
    expect(failure).toMatch(/HookGateway\.handleConnection .*SessionSockets\.admit/);
  });

  it('stop the start on jobs and listeners of events, for which Nest runs no guard, whatever is bound to them', async () => {
    @Injectable()
    @UseGuards(SessionGuard)
    class Jobs {
      @SetMetadata('SCHEDULE_CRON_OPTIONS', {}) @VerifySession() nightly() {} // prettier-ignore
      @SetMetadata('EVENT_LISTENER_METADATA', []) @RequireClaims(admin) onOrder() {} // prettier-ignore
      @SetMetadata('bull:module_queue_process', {}) @UseGuards(SessionGuard) @VerifySession() legacy() {} // prettier-ignore
      @SetMetadata('SCHEDULE_INTERVAL_OPTIONS', {}) @PublicAccess() hourly() {} // prettier-ignore
      @SetMetadata('SCHEDULE_TIMEOUT_OPTIONS', {}) once() {} // prettier-ignore
    }
    @Injectable()
    @SetMetadata('bullmq:processor_metadata', {})
    class MailProcessor {
      @VerifySession() process() {} // prettier-ignore
    }
    for (const guard of [[], [{ provide: APP_GUARD, useExisting: SessionGuard }]]) {
      const { failure } = await refusal(adapter, { providers: [Jobs, MailProcessor, ...guard] });
      expect(named(failure)).toEqual([
        'Jobs.nightly',
        'Jobs.onOrder',
        'Jobs.legacy',
        'MailProcessor.process',
      ]);
      expect(failure).toContain('Nest runs no guards for jobs');
    }
  });

  it('say nothing in a context that serves nothing, as scripts use it', async () => {
    const log = logger();
    @Module({
      imports: [SessionModule.forRoot({ appInfo: SHOP })],
      controllers: [OpenController],
    })
    class AppModule {}
    const module = await Test.createTestingModule({ imports: [AppModule] })
      .setLogger(log)
      .compile();
    await module.init();
    await module.close();
    expect(log.warn.mock.calls.flat().join()).not.toContain('OpenController');
  });
});

describe('session decorators on fields of objects in GraphQL', () => {
  @Resolver('User')
  @UseGuards(SessionGuard)
  class UserResolver {
    @Query('user') @PublicAccess() user() { return { name: 'ada' }; } // prettier-ignore
    @ResolveField('salary') @RequireClaims(admin) salary() { return 'SALARY'; } // prettier-ignore
  }

  const graphql = (fieldResolverEnhancers?: ['guards']) =>
    GraphQLModule.forRoot({
      driver: ApolloDriver,
      typeDefs: 'type User { name: String salary: String } type Query { user: User }',
      ...(fieldResolverEnhancers === undefined ? {} : { fieldResolverEnhancers }),
    });
  const starter = TestApplication.on('express').providers(UserResolver);

  it('stop the start unless Nest runs guards for fields (S081)', async () => {
    await expect(starter.imports(graphql()).start()).rejects.toThrow(
      /UserResolver\.salary \(@RequireClaims\): .*fieldResolverEnhancers: \['guards'\]/,
    );
  });

  it('are in force with fieldResolverEnhancers (S081)', async () => {
    const { send } = await starter.imports(graphql(['guards'])).start();
    const response = await send({
      method: 'POST',
      path: '/graphql',
      body: { query: '{ user { name salary } }' },
    });
    expect(response.body).toMatchObject({
      data: { user: { name: 'ada', salary: null } },
      errors: [{ message: 'unauthorised' }],
    });
  });
});

describe.each(ADAPTERS)("SessionModule.forRoot({ guard: 'global' }) on %s", (adapter) => {
  const start = async () => {
    const module = SessionModule.forRoot({ appInfo: SHOP, guard: 'global' });
    return TestApplication.on(adapter).modules(module).controllers(OpenController).start();
  };

  it('closes every route that is not declared public, and leaves those of the module open (S077)', async () => {
    const { send } = await start();
    const status = async (path: string, method = 'GET') => (await send({ method, path })).status;
    expect(await status('/open/plain')).toBe(401);
    expect(await status('/open/claims')).toBe(401);
    expect(await status('/open/optional')).toBe(200);
    expect(await status('/open/public')).toBe(200);
    expect(await status('/auth/jwt/jwks.json')).toBe(200);
    expect(await status('/auth/signout', 'POST')).toBe(401);
  });

  it('is refused with a value that it does not know', () => {
    expect(() => SessionModule.forRoot({ appInfo: SHOP, guard: 'everywhere' as never })).toThrow(
      /guard: "everywhere" does not work: 'global' is accepted/,
    );
  });

  it('works with options that come later', async () => {
    const module = SessionModule.forRootAsync({ guard: 'global', useFactory: () => ({ appInfo: SHOP }) });
    const { send } = await TestApplication.on(adapter).modules(module).controllers(OpenController).start();
    expect((await send({ path: '/open/plain' })).status).toBe(401);
  });
});
