import { Catch, HttpException, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import { describe, expect, it } from '@jest/globals';
import {
  ClearDuplicateSessionCookiesError,
  DuplicateSessionCookiesError,
  CoreResponseError,
  CoreUnavailableError,
  InvalidClaimsError,
  SessionError,
  TokenTheftDetectedError,
  TryRefreshTokenError,
  UnauthorisedError,
  type SessionErrorHandlers,
  type SessionModuleOptions,
} from 'nest-sessions';
import type { HttpResponse } from 'nest-sessions/core';
import type { OpenHandler } from '../support/demo.controller.js';
import type { ClientResponse } from '../support/http-client.js';
import { ADAPTERS, type Adapter, TestApplication } from '../support/test-application.js';
import { BOTH_CLEARED, COOKIES_SET, NOTHING, tokenTraffic } from '../support/token-traffic.js';

class UnknownSessionError extends SessionError {
  override readonly type = 'SOMETHING_NEW' as never;
}

const TOKEN = 'secret-token';
const ERRORS = {
  unauthorised: () => new UnauthorisedError(TOKEN),
  'unauthorised-kept': () => new UnauthorisedError(TOKEN, { clearTokens: false }),
  'unauthorised-open': () => new UnauthorisedError(TOKEN, {}),
  'try-refresh': () => new TryRefreshTokenError(TOKEN),
  theft: () => new TokenTheftDetectedError('handle', 'user-1'),
  claims: () => new InvalidClaimsError([{ id: 'role', reason: 'no' }]),
  duplicates: () => new ClearDuplicateSessionCookiesError('please retry'),
  'two-cookies': () => new DuplicateSessionCookiesError(),
  unavailable: () => new CoreUnavailableError(TOKEN, { retryAfterSec: 6.2 }),
  nonsense: () => new CoreResponseError(TOKEN),
  unknown: () => new UnknownSessionError(TOKEN),
  own: () => new Error(TOKEN),
  http: () => new HttpException({ mine: true }, 409),
} as const;
type ErrorName = keyof typeof ERRORS;

const open: Record<string, OpenHandler> = {
  ...Object.fromEntries(
    Object.entries(ERRORS).map(([name, make]) => [
      name,
      () => {
        throw make();
      },
    ]),
  ),
  'after-sign-in': async ({ sessions, req, res }) => {
    await sessions.createNewSession(req, res, { userId: 'user-1' });
    throw new UnauthorisedError(TOKEN);
  },
  'signed-in-but': async ({ sessions, req, res }) => {
    await sessions.createNewSession(req, res, { userId: 'user-1' });
    throw new UnauthorisedError(TOKEN, { clearTokens: false });
  },
};

/** The response of a route that throws; asked for twice, because the first must not hurt the second. */
async function responseTo(
  adapter: Adapter,
  name: ErrorName | 'after-sign-in' | 'signed-in-but',
  options: Partial<SessionModuleOptions> = {},
): Promise<ClientResponse> {
  let response: ClientResponse | undefined;
  await TestApplication.on(adapter)
    .with(options)
    .handlers({ open })
    .run(async ({ send }) => {
      const headers = { 'st-auth-mode': 'cookie' };
      await send({ path: `/open/${name}`, headers });
      response = await send({ path: `/open/${name}`, headers });
    });
  if (response === undefined) throw new Error('There was no response');
  return response;
}

describe.each(ADAPTERS)('errors from a handler on %s', (adapter) => {
  it.each([
    ['unauthorised', 401, '{"message":"unauthorised"}', BOTH_CLEARED, 'T236'],
    ['unauthorised-kept', 401, '{"message":"unauthorised"}', NOTHING, 'T237'],
    ['unauthorised-open', 401, '{"message":"unauthorised"}', BOTH_CLEARED, 'T237'],
    ['try-refresh', 401, '{"message":"try refresh token"}', NOTHING, ''],
    ['theft', 401, '{"message":"token theft detected"}', BOTH_CLEARED, ''],
    [
      'claims',
      403,
      '{"message":"invalid claim","claimValidationErrors":[{"id":"role","reason":"no"}]}',
      NOTHING,
      '',
    ],
    ['duplicates', 200, '{"message":"please retry"}', NOTHING, 'T238'],
    ['unavailable', 503, '{"message":"service unavailable"}', NOTHING, 'S030'],
    ['nonsense', 502, '{"message":"bad gateway"}', NOTHING, ''],
    ['unknown', 500, '{"statusCode":500,"message":"Internal server error"}', NOTHING, 'T239'],
    ['own', 500, '{"statusCode":500,"message":"Internal server error"}', NOTHING, ''],
    ['http', 409, '{"mine":true}', NOTHING, ''],
  ] as const)(
    '%s gets a response with %i and these bytes (S085) %#',
    async (name, status, text, traffic, _facts) => {
      const response = await responseTo(adapter, name);
      expect([response.status, response.text]).toEqual([status, text]);
      expect(tokenTraffic(response)).toEqual(traffic);
      expect(response.header('content-type')).toBe('application/json; charset=utf-8');
      expect(response.header('retry-after')).toBe(name === 'unavailable' ? '7' : undefined);
    },
  );

  it('takes back what the handler had written, unless told not to (T236, T237)', async () => {
    expect(tokenTraffic(await responseTo(adapter, 'after-sign-in'))).toEqual(BOTH_CLEARED);
    expect(tokenTraffic(await responseTo(adapter, 'signed-in-but'))).toEqual(COOKIES_SET);
  });

  it('uses the configured status codes (T244, T245)', async () => {
    const options = { sessionExpiredStatusCode: 440, invalidClaimStatusCode: 499 };
    const statuses = { unauthorised: 440, 'try-refresh': 440, theft: 440, claims: 499 } as const;
    for (const [name, status] of Object.entries(statuses)) {
      expect((await responseTo(adapter, name as ErrorName, options)).status).toBe(status);
    }
  });
});

describe.each(ADAPTERS)('replaced error handlers on %s', (adapter) => {
  const respond = (response: HttpResponse, body: unknown): void => {
    response.setStatusCode(418);
    response.sendJSONResponse(body);
  };
  const handlers: Required<SessionErrorHandlers> = {
    onUnauthorised: (message, request, response) =>
      respond(response, ['unauthorised', message, request.getMethod()]),
    onTryRefreshToken: (message, _request, response) => respond(response, ['try refresh', message]),
    onClearDuplicateSessionCookies: (message, _request, response) =>
      respond(response, ['duplicates', message]),
    onDuplicateSessionCookies: (message, _request, response) => respond(response, ['two cookies', message]),
    onTokenTheftDetected: (handle, userId, recipeUserId, _request, response) =>
      respond(response, ['theft', handle, userId, recipeUserId]),
    onInvalidClaim: async (errors, _request, response) => {
      await Promise.resolve();
      respond(response, ['claims', errors]);
    },
  };

  it.each([
    ['unauthorised', ['unauthorised', TOKEN, 'get'], BOTH_CLEARED],
    ['try-refresh', ['try refresh', TOKEN], NOTHING],
    ['duplicates', ['duplicates', 'please retry'], NOTHING],
    ['two-cookies', ['two cookies', expect.stringMatching(/set olderCookieDomain/)], NOTHING],
    ['theft', ['theft', 'handle', 'user-1', 'user-1'], BOTH_CLEARED],
    ['claims', ['claims', [{ id: 'role', reason: 'no' }]], NOTHING],
  ] as const)('respond to %s in their own way (T241)', async (name, body, traffic) => {
    const received = await responseTo(adapter, name, { errorHandlers: handlers });
    expect([received.status, received.body]).toEqual([418, body]);
    expect(tokenTraffic(received)).toEqual(traffic);
  });

  it('run after the tokens have been cleared (T242)', async () => {
    const onUnauthorised: SessionErrorHandlers['onUnauthorised'] = (_message, _request, response) =>
      respond(response, response.getHeaderValues('front-token'));
    const received = await responseTo(adapter, 'unauthorised', { errorHandlers: { onUnauthorised } });
    expect(received.body).toEqual(['remove']);
  });

  it.each([
    ['an Error', () => new Error(TOKEN), 500, '{"statusCode":500,"message":"Internal server error"}'],
    ['an HttpException', () => new HttpException({ mine: true }, 409), 409, '{"mine":true}'],
  ])(
    'that throw %s leave the response to Nest, and the process runs on (T243)',
    async (_case, make, status, text) => {
      for (const onUnauthorised of [
        () => {
          throw make();
        },
        async () => Promise.reject(make()),
      ]) {
        const received = await responseTo(adapter, 'unauthorised', { errorHandlers: { onUnauthorised } });
        expect([received.status, received.text]).toEqual([status, text]);
      }
    },
  );

  it('hand what is no session error to the application unchanged (T246)', async () => {
    const thrown = { plain: 'object' };
    const caught: unknown[] = [];
    @Catch()
    class CatchAll implements ExceptionFilter {
      catch(exception: unknown, host: ArgumentsHost): void {
        caught.push(exception);
        host
          .switchToHttp()
          .getResponse<{ status(code: number): { send(body: string): void } }>()
          .status(400)
          .send('caught');
      }
    }
    const options: Partial<SessionModuleOptions> = {
      override: {
        functions: (original) => ({
          ...original,
          refreshSession: async () => Promise.reject(thrown),
        }),
      },
    };
    const providers = [{ provide: APP_FILTER, useClass: CatchAll }];
    const { signedIn } = await TestApplication.on(adapter)
      .with(options)
      .providers(...providers)
      .start();
    const client = await signedIn('cookie');
    const received = await client.refresh();
    expect([received.status, received.text]).toEqual([400, 'caught']);
    expect(caught).toEqual([thrown]);
    expect(caught[0]).toBe(thrown);
  });
});
