import {
  Catch,
  Controller,
  Get,
  HttpException,
  Module,
  Scope,
  UseFilters,
  UseGuards,
  type ArgumentsHost,
  type CallHandler,
  type DynamicModule,
  type ExceptionFilter,
  type Type,
  type INestApplication,
} from '@nestjs/common';
import { APP_FILTER, BaseExceptionFilter, HttpAdapterHost } from '@nestjs/core';
import { describe, expect, it } from '@jest/globals';
import {
  CoreBadInputError,
  CoreError,
  CoreResponseError,
  CoreUnavailableError,
  DuplicateSessionCookiesError,
  InvalidClaimsError,
  RateLimitedError,
  SessionError,
  SessionGuard,
  SessionService,
  StoreFullError,
  TokenTheftDetectedError,
  TooManySessionsError,
  TryRefreshTokenError,
  UnauthorisedError,
} from 'nest-sessions';
import { tap } from 'rxjs';
import { DemoController, type OpenHandler } from '../../support/demo.controller.js';
import {
  ADAPTERS,
  sessionModule,
  SHOP,
  TestApplication,
  type ApplicationStarter,
} from '../../support/test-application.js';

const claims = new InvalidClaimsError([
  { id: 'role', reason: { message: 'wrong value', actualValue: 'user' } },
]);
const ERRORS: Record<string, readonly [make: () => Error, status: number, code: string]> = {
  unauthorised: [() => new UnauthorisedError('no'), 401, 'UNAUTHORISED'],
  'try-refresh': [() => new TryRefreshTokenError('no'), 401, 'TRY_REFRESH_TOKEN'],
  theft: [() => new TokenTheftDetectedError('handle', 'user-1'), 401, 'TOKEN_THEFT_DETECTED'],
  claims: [() => claims, 403, 'INVALID_CLAIMS'],
  unavailable: [() => new CoreUnavailableError('gone'), 503, 'SERVICE_UNAVAILABLE'],
  full: [() => new StoreFullError('full'), 503, 'SERVICE_UNAVAILABLE'],
  invalid: [() => new CoreResponseError('odd'), 502, 'BAD_GATEWAY'],
  'too-many': [() => new TooManySessionsError('ada', 'public', 5), 409, 'TOO_MANY_SESSIONS'],
  duplicates: [() => new DuplicateSessionCookiesError(), 400, 'DUPLICATE_SESSION_COOKIES'],
  limited: [() => new RateLimitedError(30), 429, 'TOO_MANY_REQUESTS'],
};

const reply = (host: ArgumentsHost, adapterHost: HttpAdapterHost, body: object, status: number): void => {
  adapterHost.httpAdapter.reply(host.switchToHttp().getResponse(), body, status);
};

/** As Nest's documentation has it. */
@Catch()
class DocumentedFilter implements ExceptionFilter {
  constructor(private readonly adapterHost: HttpAdapterHost) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const statusCode = error instanceof HttpException ? error.getStatus() : 500;
    reply(host, this.adapterHost, { statusCode }, statusCode);
  }
}

@Controller('plain')
class PlainController {
  @Get('refused')
  refused(): never {
    throw new UnauthorisedError('no');
  }
}

@Controller('filtered')
@UseFilters(DocumentedFilter)
class FilteredController extends PlainController {}

/** A module with a filter of the whole application: Nest asks that of the module which is imported last. */
function filterModule(filter: { useClass: Type<ExceptionFilter>; scope?: Scope }): Type {
  @Module({ providers: [{ provide: APP_FILTER, ...filter }] })
  class FilterModule {}
  return FilterModule;
}

/** A module whose one route lets nobody through but by its own guard, and refuses then. */
function areaOf(path: string, session: DynamicModule): DynamicModule {
  @Controller(path)
  @UseGuards(SessionGuard)
  class AreaController extends PlainController {}
  @Module({})
  class AreaModule {}
  return { module: AreaModule, imports: [session], controllers: [AreaController] };
}

/** By the members of an error. */
@Catch()
class MembersFilter implements ExceptionFilter {
  constructor(private readonly adapterHost: HttpAdapterHost) {}

  catch(error: { statusCode?: number; status?: number }, host: ArgumentsHost): void {
    reply(host, this.adapterHost, {}, error.statusCode ?? error.status ?? 500);
  }
}

/** Logs and leaves the rest to Nest. */
@Catch()
class LoggingFilter extends BaseExceptionFilter {}

/** The rule by which `SentryGlobalFilter` of `@sentry/nestjs` 10 passes over an error: what has the methods of Nest's exceptions. */
const REPORTED: unknown[] = [];
@Catch()
class TrackingFilter extends BaseExceptionFilter {
  override catch(error: unknown, host: ArgumentsHost): void {
    const members = error as Record<string, unknown>;
    const isExpected = ['getStatus', 'getResponse', 'initMessage'].every(
      (name) => typeof members[name] === 'function',
    );
    if (!isExpected) REPORTED.push(error);
    // oxlint-disable-next-line promise/valid-params, promise/no-promise-in-callback -- not the one of promises
    super.catch(error, host);
  }
}

/** Nest's own filter takes the adapter, where Nest does not make it. */
function newFilter(filter: (typeof FILTERS)[number], app: INestApplication): ExceptionFilter {
  return filter === LoggingFilter || filter === TrackingFilter
    ? new filter(app.getHttpAdapter())
    : new (filter as typeof DocumentedFilter)(app.get(HttpAdapterHost));
}

const FILTERS = [DocumentedFilter, MembersFilter, LoggingFilter, TrackingFilter];

const throwing =
  (make: () => Error): OpenHandler =>
  () => {
    throw make();
  };
const handlers = {
  open: {
    ...Object.fromEntries(Object.entries(ERRORS).map(([name, [make]]) => [name, throwing(make)])),
    'bad-input': throwing(() => new CoreBadInputError('too long')),
  },
};

describe.each(ADAPTERS)('a filter of the application that catches everything, on %s', (adapter) => {
  describe.each(FILTERS.map((filter) => [filter.name, filter] as const))('%s', (_name, filter) => {
    const bound = {
      'by useGlobalFilters': () =>
        TestApplication.on(adapter).configure((app: INestApplication) =>
          app.useGlobalFilters(newFilter(filter, app)),
        ),
      'as APP_FILTER': () => TestApplication.on(adapter).providers({ provide: APP_FILTER, useClass: filter }),
      'as APP_FILTER of a module after ours': () =>
        TestApplication.on(adapter).imports(filterModule({ useClass: filter })),
    };

    it.each(Object.entries(bound))(
      '%s responds with the status of each error (S085)',
      async (_how, starter) => {
        const { send } = await starter().handlers(handlers).start();
        const statuses = await Promise.all(
          Object.keys(ERRORS).map(async (name) => [name, (await send({ path: `/open/${name}` })).status]),
        );
        expect(statuses).toEqual(Object.entries(ERRORS).map(([name, [, status]]) => [name, status]));
        expect((await send({ path: '/me' })).status).toBe(401);
        expect((await send({ path: '/open/bad-input' })).status).toBe(500);
      },
    );
  });

  it('gets the configured status codes of what the guard refuses', async () => {
    const options = { sessionExpiredStatusCode: 440, invalidClaimStatusCode: 418 };
    const starter = TestApplication.on(adapter).providers({
      provide: APP_FILTER,
      useClass: DocumentedFilter,
    });
    const denied = { id: 'never', validate: () => ({ isValid: false }) };
    const { send, signedIn } = await starter.with({ ...options, globalClaimValidators: [denied] }).start();
    expect((await send({ path: '/me' })).status).toBe(440);
    expect((await (await signedIn()).get('/me')).status).toBe(418);
  });

  const CODES = { sessionExpiredStatusCode: 440, invalidClaimStatusCode: 418 };
  const refuse = (): never => {
    throw new UnauthorisedError('no');
  };
  /** Places that run around handlers, for what each throws. */
  const PLACES: Record<string, (starter: ApplicationStarter) => ApplicationStarter> = {
    'a handler': (starter) => starter.handlers({ open: { place: refuse } }),
    'a handler without a guard': (starter) => starter.controllers(DemoController, PlainController),
    'a guard': (starter) => starter.configure((app) => app.useGlobalGuards({ canActivate: refuse })),
    'an interceptor': (starter) =>
      starter.configure((app) => app.useGlobalInterceptors({ intercept: refuse })),
    'a pipe': (starter) => starter.configure((app) => app.useGlobalPipes({ transform: refuse })),
    middleware: (starter) =>
      starter.configure((app) =>
        app.use((_req: unknown, _res: unknown, next: (error: unknown) => void) =>
          next(new UnauthorisedError('no')),
        ),
      ),
  };

  it.each(Object.entries(PLACES))(
    'gets the configured status codes of what %s throws',
    async (place, set) => {
      const starter = set(TestApplication.on(adapter).imports(filterModule({ useClass: DocumentedFilter })));
      // Another application of the process has other codes.
      const other = await starter.with({ sessionExpiredStatusCode: 499 }).start();
      const { send } = await starter.with(CODES).start();
      const path = place === 'a handler without a guard' ? '/plain/refused' : '/open/place';
      const response = await send({ path });
      expect([response.status, response.body]).toEqual([440, { statusCode: 440 }]);
      expect((await other.send({ path })).status).toBe(499);
    },
  );

  it.each([Scope.DEFAULT, Scope.REQUEST])(
    'gets the configured status codes where it is bound to a class or made per request (scope %s)',
    async (scope) => {
      const { send } = await TestApplication.on(adapter)
        .with(CODES)
        .imports(filterModule({ useClass: DocumentedFilter, scope }))
        .providers(DocumentedFilter)
        .controllers(DemoController, FilteredController)
        .handlers({ open: { claims: throwing(() => new InvalidClaimsError([{ id: 'role' }])) } })
        .start();
      expect((await send({ path: '/open/claims' })).status).toBe(418);
      expect((await send({ path: '/filtered/refused' })).status).toBe(440);
    },
  );

  it('shows them to interceptors, while one configuration runs in the process', async () => {
    const seen: unknown[] = [];
    const { send } = await TestApplication.on(adapter)
      .with(CODES)
      .handlers({ open: { refused: refuse } })
      .configure((app) =>
        app.useGlobalInterceptors({
          intercept: (_context: unknown, next: CallHandler) =>
            next.handle().pipe(tap({ error: (error: HttpException) => seen.push(error.getStatus()) })),
        }),
      )
      .start();
    await send({ path: '/open/refused' });
    expect(seen).toEqual([440]);
  });

  it('gets those of the module whose guard let the request in', async () => {
    const customers = await sessionModule({ isGlobal: false, options: CODES });
    const staff = await sessionModule({
      isGlobal: false,
      options: { sessionExpiredStatusCode: 499, appInfo: { ...SHOP, apiBasePath: '/staff/auth' } },
    });
    const { send, app } = await TestApplication.on(adapter)
      .modules(areaOf('customers', customers), areaOf('staff', staff))
      .imports(filterModule({ useClass: DocumentedFilter }))
      .controllers()
      .start();
    for (const [path, module, status] of [
      ['customers', customers, 440],
      ['staff', staff, 499],
    ] as const) {
      const sessions = app.select(module).get(SessionService, { strict: true });
      const session = await sessions.createNewSessionWithoutRequestResponse({ userId: 'ada' });
      const headers = { authorization: `Bearer ${session.getAccessToken()}` };
      expect([path, (await send({ path: `/${path}/refused`, headers })).status]).toEqual([path, status]);
    }
  });

  it('leaves the status that a class of the application has', async () => {
    class Gone extends UnauthorisedError {
      readonly status = 410;
    }
    const { send } = await TestApplication.on(adapter)
      .with(CODES)
      .imports(filterModule({ useClass: DocumentedFilter }))
      .handlers({ open: { gone: throwing(() => new Gone('no')) } })
      .start();
    const response = await send({ path: '/open/gone' });
    expect([response.status, response.body]).toEqual([410, { statusCode: 410 }]);
  });

  it('reports nothing of them to an error tracker, but what is a fault of the server', () => {
    expect(REPORTED.filter((error) => !(error instanceof CoreBadInputError))).toEqual([]);
  });
});

describe.each(ADAPTERS)('an error of ours in middleware, on %s', (adapter) => {
  it('gets the response of our filter', async () => {
    const { send } = await TestApplication.on(adapter)
      .with({ sessionExpiredStatusCode: 440 })
      .configure((app) =>
        app.use((_req: unknown, _res: unknown, next: (error: unknown) => void) =>
          next(new UnauthorisedError('no')),
        ),
      )
      .start();
    const response = await send({ path: '/me' });
    expect([response.status, response.body]).toEqual([440, { message: 'unauthorised' }]);
    expect(response.lines('set-cookie')).toHaveLength(2);
  });
});

describe.each(ADAPTERS)('a filter of the application for HttpException, on %s', (adapter) => {
  @Catch(HttpException)
  class HttpFilter implements ExceptionFilter {
    constructor(private readonly adapterHost: HttpAdapterHost) {}

    catch(error: HttpException, host: ArgumentsHost): void {
      reply(host, this.adapterHost, { by: 'the application' }, error.getStatus());
    }
  }

  it('leaves our errors to our filter, which clears tokens and calls errorHandlers', async () => {
    const { send } = await TestApplication.on(adapter)
      .handlers(handlers)
      .configure((app) => app.useGlobalFilters(new HttpFilter(app.get(HttpAdapterHost))))
      .start();
    expect((await send({ path: '/me' })).body).toEqual({ message: 'unauthorised' });
    const missing = await send({ path: '/missing' });
    expect([missing.status, missing.body]).toEqual([404, { by: 'the application' }]);
  });
});

describe('an error of ours, for code that looks at it', () => {
  it.each(Object.entries(ERRORS))('%s is an HttpException to Nest', (_name, [make, status, errorCode]) => {
    const error = make();
    expect(error).toBeInstanceOf(HttpException);
    expect((error as unknown as HttpException).getStatus()).toBe(status);
    expect(error).toMatchObject({ status, statusCode: status, errorCode });
    expect((error as unknown as HttpException).getResponse()).toMatchObject({ message: expect.any(String) });
  });

  it('says no value of a claim in its response, and stays what it is', () => {
    expect((claims as unknown as HttpException).getResponse()).toEqual({
      message: 'invalid claim',
      claimValidationErrors: [{ id: 'role', reason: { message: 'wrong value' } }],
    });
    expect(new StoreFullError('full')).toBeInstanceOf(CoreUnavailableError);
    expect(new StoreFullError('full')).toBeInstanceOf(CoreError);
    expect(new CoreBadInputError('long')).toBeInstanceOf(CoreError);
    expect(new CoreBadInputError('long')).not.toBeInstanceOf(HttpException);
    expect(claims).toBeInstanceOf(SessionError);
    expect(claims).not.toBeInstanceOf(UnauthorisedError);
    class OwnError extends UnauthorisedError {}
    expect(new UnauthorisedError('no')).not.toBeInstanceOf(OwnError);
    expect(new OwnError('no')).toBeInstanceOf(UnauthorisedError);
    expect(Object.keys(new UnauthorisedError('no'))).toEqual(
      Object.keys(new UnauthorisedError('no')).filter((name) => name !== 'status'),
    );
  });
});
