import {
  Catch,
  ClassSerializerInterceptor,
  Injectable,
  ParseIntPipe,
  RequestTimeoutException,
  Scope,
  type ArgumentsHost,
  type CallHandler,
  type ExceptionFilter,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import { APP_FILTER, APP_INTERCEPTOR, APP_PIPE, HttpAdapterHost } from '@nestjs/core';
import { describe, expect, it } from '@jest/globals';
import { EMPTY, map, of, tap, throwError, type Observable } from 'rxjs';
import { ADAPTERS, TestApplication } from '../support/test-application.js';

/** Keeps what GET routes return by URL, for everybody. */
@Injectable()
class CacheByUrl implements NestInterceptor {
  private readonly kept = new Map<string, unknown>();

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const { method, url } = context.switchToHttp().getRequest<{ method: string; url: string }>();
    if (method !== 'GET') return next.handle();
    return this.kept.has(url)
      ? of(this.kept.get(url))
      : next.handle().pipe(tap((body) => this.kept.set(url, body)));
  }
}

@Injectable()
class WrappingInterceptor implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(map((data: unknown) => ({ data })));
  }
}

@Injectable()
class ImpatientInterceptor implements NestInterceptor {
  intercept(): Observable<unknown> {
    return throwError(() => new RequestTimeoutException());
  }
}

@Injectable()
class SilentInterceptor implements NestInterceptor {
  intercept(): Observable<unknown> {
    return EMPTY;
  }
}

/** Makes a 500 of everything. */
@Catch()
class CatchAll implements ExceptionFilter {
  constructor(private readonly host: HttpAdapterHost) {}

  catch(_error: unknown, host: ArgumentsHost): void {
    this.host.httpAdapter.reply(host.switchToHttp().getResponse(), { error: 'oops' }, 500);
  }
}

const JWKS = '/auth/jwt/jwks.json';
const DISCOVERY = '/auth/.well-known/openid-configuration';
const withLists = { userSessionRoutes: true } as const;

describe.each(ADAPTERS)('the routes of the module among global enhancers on %s', (adapter) => {
  it('show the sessions of a user to that user alone, whatever an interceptor keeps', async () => {
    const { signedIn, send } = await TestApplication.on(adapter)
      .with(withLists)
      .providers({ provide: APP_INTERCEPTOR, useClass: CacheByUrl })
      .start();
    const ada = await signedIn('cookie', 'ada');
    const bob = await signedIn('cookie', 'bob');
    const listOfAda = (await ada.get('/auth/sessions')).text;
    expect((await bob.get('/auth/sessions')).text).not.toBe(listOfAda);
    expect((await send({ path: '/auth/sessions' })).status).toBe(401);
    await ada.signOut();
    expect((await ada.get('/auth/sessions')).status).toBe(401);
  });

  it.each([
    ['wraps every body', { provide: APP_INTERCEPTOR, useClass: WrappingInterceptor }],
    [
      'is made for each request',
      { provide: APP_INTERCEPTOR, useClass: WrappingInterceptor, scope: Scope.REQUEST },
    ],
    ['serialises classes', { provide: APP_INTERCEPTOR, useClass: ClassSerializerInterceptor }],
    ['never responds', { provide: APP_INTERCEPTOR, useClass: SilentInterceptor }],
    ['gives up at once', { provide: APP_INTERCEPTOR, useClass: ImpatientInterceptor }],
    ['is a pipe', { provide: APP_PIPE, useClass: ParseIntPipe }],
  ])('respond the same beside one that %s', async (_case, provider) => {
    const plain = await TestApplication.on(adapter).with(withLists).start();
    const enhanced = await TestApplication.on(adapter).with(withLists).providers(provider).start();
    for (const path of [JWKS, DISCOVERY, '/auth/sessions']) {
      const [expected, response] = [await plain.send({ path }), await enhanced.send({ path })];
      expect([response.status, response.text, response.lines('etag')]).toEqual([
        expected.status,
        expected.text,
        [],
      ]);
    }
    const client = enhanced.clientOf(await enhanced.testSessions.createTestSession(), 'cookie');
    expect((await client.refresh()).text).toBe('{}');
    expect((await client.signOut()).text).toBe('{"status":"OK"}');
  });

  it('say 401 where a filter of the application makes a 500 of every error', async () => {
    const { app, client } = await TestApplication.on(adapter)
      .with(withLists)
      .configure((each) => each.useGlobalFilters(new CatchAll(each.get(HttpAdapterHost))))
      .providers({ provide: APP_FILTER, useClass: CatchAll })
      .start();
    expect(app.getHttpAdapter().getType()).toBe(adapter);
    const stranger = client('cookie');
    expect((await stranger.refresh()).body).toEqual({ message: 'unauthorised' });
    expect((await stranger.signOut()).status).toBe(401);
    expect((await stranger.get('/auth/sessions')).status).toBe(401);
  });
});

describe('the routes of the module and the settings of Express', () => {
  it('are the same bytes, whatever `json spaces`, ETags and middleware around res.json would do', async () => {
    const plain = await TestApplication.on('fastify').start();
    const { send } = await TestApplication.on('express')
      .configure((app) => {
        (app.getHttpAdapter().getInstance() as { set(name: string, value: unknown): void }).set(
          'json spaces',
          2,
        );
        app.use((_req: unknown, res: { json(body: unknown): unknown }, next: () => void) => {
          const original = res.json.bind(res);
          res.json = (body) => original({ wrapped: body });
          next();
        });
      })
      .start();
    for (const path of [JWKS, DISCOVERY]) {
      const response = await send({ path, headers: { 'if-none-match': '*' } });
      expect([response.status, response.text]).toEqual([200, (await plain.send({ path })).text]);
      expect(response.header('content-type')).toBe('application/json; charset=utf-8');
    }
  });
});
