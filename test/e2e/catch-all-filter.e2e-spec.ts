import { Catch, HttpException, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import { APP_FILTER, HttpAdapterHost } from '@nestjs/core';
import { describe, expect, it } from '@jest/globals';
import {
  CoreBadInputError,
  CoreResponseError,
  CoreUnavailableError,
  DuplicateSessionCookiesError,
  InvalidClaimsError,
  RateLimitedError,
  SessionExceptionFilter,
  TokenTheftDetectedError,
  TooManySessionsError,
  TryRefreshTokenError,
  UnauthorisedError,
} from 'nest-sessions';
import type { OpenHandler } from '../support/demo.controller.js';
import { ADAPTERS, TestApplication, type ApplicationStarter } from '../support/test-application.js';

const ANSWERED = {
  unauthorised: [() => new UnauthorisedError('no'), 401, 'unauthorised'],
  'try-refresh': [() => new TryRefreshTokenError('no'), 401, 'try refresh token'],
  theft: [() => new TokenTheftDetectedError('handle', 'user-1'), 401, 'token theft detected'],
  claims: [() => new InvalidClaimsError([{ id: 'role' }]), 403, 'invalid claim'],
  unavailable: [() => new CoreUnavailableError('gone'), 503, 'service unavailable'],
  nonsense: [() => new CoreResponseError('what?'), 502, 'bad gateway'],
  'too-many': [() => new TooManySessionsError('ada', 'public', 5), 409, 'too many sessions'],
  duplicates: [() => new DuplicateSessionCookiesError(), 400, 'duplicate session cookies'],
  limited: [() => new RateLimitedError(30), 429, 'too many requests'],
} as const;

const ITS_OWN = {
  mine: [() => new Error('mine'), 500],
  http: [() => new HttpException('mine', 418), 418],
  'bad-input': [() => new CoreBadInputError('a userId of 129 characters'), 500],
} as const;

/** As README has it. */
@Catch()
class EverythingFilter implements ExceptionFilter {
  constructor(
    private readonly sessionFilter: SessionExceptionFilter,
    private readonly adapterHost: HttpAdapterHost,
  ) {}

  catch(error: unknown, host: ArgumentsHost): unknown {
    // oxlint-disable-next-line promise/valid-params -- not the one of promises
    if (SessionExceptionFilter.answers(error)) return this.sessionFilter.catch(error, host);
    const status = error instanceof HttpException ? error.getStatus() : 500;
    const response: unknown = host.switchToHttp().getResponse();
    this.adapterHost.httpAdapter.reply(response, { by: 'the application' }, status);
    return undefined;
  }
}

const BINDINGS: Record<string, (starter: ApplicationStarter) => ApplicationStarter> = {
  'bound by useGlobalFilters': (starter) =>
    starter.configure((app) =>
      app.useGlobalFilters(new EverythingFilter(app.get(SessionExceptionFilter), app.get(HttpAdapterHost))),
    ),
  'provided as APP_FILTER': (starter) =>
    starter.providers({ provide: APP_FILTER, useClass: EverythingFilter }),
};

function thrower(make: () => Error): OpenHandler {
  return () => {
    throw make();
  };
}

const handlers = {
  open: Object.fromEntries(
    Object.entries({ ...ANSWERED, ...ITS_OWN }).map(([name, [make]]) => [name, thrower(make)]),
  ),
};

describe.each(ADAPTERS)('a catch-all filter of the application on %s', (adapter) => {
  it.each(Object.entries(BINDINGS))(
    '%s leaves to ours what is ours, and nothing else (S085)',
    async (_how, bind) => {
      const { send } = await bind(TestApplication.on(adapter).handlers(handlers)).start();
      for (const [name, [, status, message]] of Object.entries(ANSWERED)) {
        const response = await send({ path: `/open/${name}` });
        expect([name, response.status, response.body]).toEqual([
          name,
          status,
          expect.objectContaining({ message }),
        ]);
      }
      for (const [name, [, status]] of Object.entries(ITS_OWN)) {
        const response = await send({ path: `/open/${name}` });
        expect([name, response.status, response.body]).toEqual([name, status, { by: 'the application' }]);
      }
      const refused = await send({ path: '/me' });
      expect([refused.status, refused.body]).toEqual([401, { message: 'unauthorised' }]);
    },
  );
});
