import {
  Catch,
  HttpException,
  type ArgumentsHost,
  type ExceptionFilter,
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
  StoreFullError,
  TokenTheftDetectedError,
  TooManySessionsError,
  TryRefreshTokenError,
  UnauthorisedError,
} from 'nest-sessions';
import type { OpenHandler } from '../../support/demo.controller.js';
import { ADAPTERS, TestApplication } from '../../support/test-application.js';

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

  it('reports nothing of them to an error tracker, but what is a fault of the server', () => {
    expect(REPORTED.filter((error) => !(error instanceof CoreBadInputError))).toEqual([]);
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
    expect(error).toMatchObject({ status, statusCode: status, errorCode, expose: false });
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
