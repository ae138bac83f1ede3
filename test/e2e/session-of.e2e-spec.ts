import {
  Catch,
  Controller,
  ForbiddenException,
  Get,
  Inject,
  Injectable,
  Module,
  Req,
  UseFilters,
  UseGuards,
  UseInterceptors,
  type ArgumentsHost,
  type CallHandler,
  type CanActivate,
  type ExceptionFilter,
  type ExecutionContext,
  type INestApplication,
  type MiddlewareConsumer,
  type NestInterceptor,
  type NestModule,
} from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { describe, expect, it, jest } from '@jest/globals';
import expressSession from 'express-session';
import { map, type Observable } from 'rxjs';
import { OptionalSession, PublicAccess, SessionConfigError, SessionGuard, sessionOf } from 'nest-sessions';
import { ADAPTERS, TestApplication } from '../support/test-application.js';

interface Reply {
  readonly user: string | null;
}
const who = (source: object): Reply => ({ user: sessionOf(source)?.getUserId() ?? null });

/** Each part says whom it sees: the guard after ours, the interceptor, and the filter. */
@Injectable()
class SecondGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<{ seen?: unknown }>();
    request.seen = [who(context), who(request)];
    return true;
  }
}

@Injectable()
class SeenInterceptor implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<object> {
    const { seen } = context.switchToHttp().getRequest<{ seen?: unknown[] }>();
    return next.handle().pipe(map((handler) => ({ guard: seen, interceptor: who(context), handler })));
  }
}

@Catch(ForbiddenException)
class SeenFilter implements ExceptionFilter {
  constructor(@Inject(HttpAdapterHost) private readonly host: HttpAdapterHost) {}

  catch(_error: unknown, host: ArgumentsHost): void {
    this.host.httpAdapter.reply(host.switchToHttp().getResponse(), { filter: who(host) }, 403);
  }
}

@Controller()
@UseGuards(SessionGuard, SecondGuard)
@UseInterceptors(SeenInterceptor)
class SeenController {
  @Get('closed') closed(@Req() request: object) { return who(request); } // prettier-ignore
  @Get('optional') @OptionalSession() optional(@Req() request: object) { return who(request); } // prettier-ignore
  @Get('public') @PublicAccess() public(@Req() request: object) { return who(request); } // prettier-ignore
  @Get('thrown') @UseFilters(SeenFilter) thrown() { throw new ForbiddenException(); } // prettier-ignore
}

@Controller()
class UnguardedController {
  @Get('unguarded') unguarded(@Req() request: object) { return who(request); } // prettier-ignore
}

const ADA = { user: 'ada' };
const NOBODY = { user: null };

describe.each(ADAPTERS)('sessionOf on %s', (adapter) => {
  async function started() {
    const application = await TestApplication.on(adapter)
      .controllers(SeenController, UnguardedController)
      .start();
    const session = await application.testSessions.createTestSession({ userId: 'ada' });
    return { browser: application.clientOf(session), stranger: application.client() };
  }

  it('finds the session by request and by context, in guards, interceptors, handlers and filters', async () => {
    const { browser } = await started();
    const seen = { guard: [ADA, ADA], interceptor: ADA, handler: ADA };
    expect((await browser.get('/closed')).body).toEqual(seen);
    expect((await browser.get('/optional')).body).toEqual(seen);
    expect((await browser.get('/thrown')).body).toEqual({ filter: ADA });
  });

  it('finds none on public routes, without a guard and for strangers', async () => {
    const { browser, stranger } = await started();
    const seen = { guard: [NOBODY, NOBODY], interceptor: NOBODY, handler: NOBODY };
    expect((await browser.get('/public')).body).toEqual(seen);
    expect((await stranger.get('/optional')).body).toEqual(seen);
    expect((await browser.get('/unguarded')).body).toEqual(NOBODY);
  });

  it('refuses what is neither a request nor a context', () => {
    for (const wrong of [undefined, null, 'request', 7])
      expect(() => sessionOf(wrong as never)).toThrow(/^sessionOf takes the request .* or the context/);
    expect(sessionOf({})).toBeUndefined();
  });
});

@Controller()
@UseGuards(SessionGuard)
class PropertyController {
  @Get('closed')
  closed(@Req() request: { session?: { getUserId(): string } }) {
    return { user: request.session?.getUserId() ?? null, isOwn: Object.hasOwn(request, 'session') };
  }

  @Get('public')
  @PublicAccess()
  public(@Req() request: { session?: unknown }) {
    return { has: request.session !== undefined };
  }
}

describe.each(ADAPTERS)('the option requestProperty on %s', (adapter) => {
  const starter = TestApplication.on(adapter).controllers(PropertyController);

  it('gives requests the session that the guard found, and stores nothing on them', async () => {
    const { clientOf, testSessions } = await starter.with({ requestProperty: 'session' }).start();
    const browser = clientOf(await testSessions.createTestSession({ userId: 'ada' }));
    expect((await browser.get('/closed')).body).toEqual({ user: 'ada', isOwn: false });
    expect((await browser.get('/public')).body).toEqual({ has: false });
  });

  it('is off by default', async () => {
    const { clientOf, testSessions } = await starter.start();
    const browser = clientOf(await testSessions.createTestSession({ userId: 'ada' }));
    expect((await browser.get('/closed')).body).toEqual({ user: null, isOwn: false });
  });

  it.each(['headers', 'body', 'raw', 'my session', ''])('refuses %j as a name', async (name) => {
    const start = starter.with({ requestProperty: name }).start();
    await expect(start).rejects.toThrow(SessionConfigError);
    await expect(start).rejects.toThrow(
      /requestProperty: .* a name that requests do not have yet is expected/,
    );
  });
});

const SECRET = { secret: 'of-express-session', resave: false, saveUninitialized: false };

describe('express-session beside requestProperty', () => {
  it('stops the start where main.ts uses it', async () => {
    const start = TestApplication.on('express')
      .controllers(PropertyController)
      .with({ requestProperty: 'session' })
      .configure((app: INestApplication) => app.use(expressSession(SECRET)))
      .start();
    await expect(start).rejects.toThrow(
      /- requestProperty: requests cannot have the session as "session", because the middleware "session" keeps a session of its own there: choose another requestProperty/,
    );
  });

  it('is told in the log where a module applies it, and the request fails', async () => {
    @Module({})
    class OlderModule implements NestModule {
      configure(consumer: MiddlewareConsumer): void {
        consumer.apply(expressSession(SECRET)).forRoutes('{*path}');
      }
    }
    const log = { log: jest.fn(), warn: jest.fn(), error: jest.fn() };
    const { client } = await TestApplication.on('express')
      .controllers(PropertyController)
      .with({ requestProperty: 'session' })
      .imports(OlderModule)
      .logger(log)
      .start();
    expect((await client().get('/public')).status).toBe(500);
    expect(log.error.mock.calls.flat().join('\n')).toMatch(
      /requests cannot have the session as "session", because other code assigns request\.session, as express-session does/,
    );
  });

  it('goes on beside another name', async () => {
    const { client } = await TestApplication.on('express')
      .controllers(PropertyController)
      .with({ requestProperty: 'userSession' })
      .configure((app: INestApplication) => app.use(expressSession(SECRET)))
      .start();
    expect((await client().get('/public')).body).toEqual({ has: true });
  });
});

describe('a plugin of Fastify beside requestProperty', () => {
  it('stops the start where it has taken the name', async () => {
    const start = TestApplication.on('fastify')
      .controllers(PropertyController)
      .with({ requestProperty: 'session' })
      .configure((app: INestApplication) => {
        const instance = app.getHttpAdapter().getInstance() as {
          decorateRequest(name: string, value: unknown): void;
        };
        instance.decorateRequest('session', null);
      })
      .start();
    await expect(start).rejects.toThrow(/"session", because it belongs to Fastify, or a plugin has added it/);
  });
});
