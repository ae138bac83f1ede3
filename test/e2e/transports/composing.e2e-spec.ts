import { describe, expect, it } from '@jest/globals';
import {
  Controller,
  Get,
  Inject,
  Injectable,
  Post,
  Req,
  Res,
  UnauthorizedException,
  UseGuards,
  type CanActivate,
  type ExecutionContext,
} from '@nestjs/common';
import { Query, Resolver } from '@nestjs/graphql';
import {
  PublicAccess,
  RequireClaims,
  Session,
  SessionContainer,
  OptionalSession,
  SessionGuard,
  SessionService,
} from 'nest-sessions';
import { DemoController } from '../../support/demo.controller.js';
import { ADAPTERS, TestApplication } from '../../support/test-application.js';
import { DRIVERS, read, GraphqlApplication } from './graphql-application.js';

/** Stands for the application's table of keys. */
@Injectable()
class ApiKeys {
  ownerOf(key: string): string | undefined {
    return key === 'key-of-ci' ? 'ci' : undefined;
  }
}

interface RequestWithKey {
  readonly headers: Readonly<Record<string, string | undefined>>;
  caller?: string;
}

/** The guard of docs/guides/composing.md: an API key or a session. */
@Injectable()
class SessionOrApiKeyGuard extends SessionGuard {
  @Inject(ApiKeys) private readonly apiKeys!: ApiKeys;

  override canActivate(context: ExecutionContext): boolean | Promise<boolean> {
    const req = this.getRequestAndResponse(context).req as RequestWithKey;
    const key = req.headers['x-api-key'];
    if (key === undefined) return super.canActivate(context);
    const owner = this.apiKeys.ownerOf(key);
    if (owner === undefined) throw new UnauthorizedException('Unknown API key');
    req.caller = owner;
    return this.passWithoutSession(context);
  }
}

/** The other way of the guide: a guard that asks this one after a check of its own. */
@Injectable()
class OfficeHoursGuard implements CanActivate {
  constructor(private readonly sessions: SessionGuard) {}

  canActivate(context: ExecutionContext): boolean | Promise<boolean> {
    const { headers } = context.switchToHttp().getRequest<RequestWithKey>();
    return headers['x-hour'] === '9' && this.sessions.canActivate(context);
  }
}

@Controller()
@UseGuards(SessionOrApiKeyGuard)
class ReportsController {
  constructor(private readonly sessions: SessionService) {}

  @Post('login')
  @PublicAccess()
  async login(@Req() req: unknown, @Res({ passthrough: true }) res: unknown): Promise<void> {
    await this.sessions.createNewSession(req, res, { userId: 'ada' });
  }

  @Get('report')
  report(@Req() req: RequestWithKey, @Session() session?: SessionContainer): object {
    return { by: session === undefined ? `key of ${String(req.caller)}` : session.getUserId() };
  }

  @Get('users-only')
  @RequireClaims({ id: 'plan', validate: () => ({ isValid: false }) })
  usersOnly(): object {
    return {};
  }

  @Get('office')
  @UseGuards(OfficeHoursGuard)
  office(@Session('userId') userId: string): object {
    return { userId };
  }
}

describe.each(ADAPTERS)('a guard for a session or an API key on %s', (adapter) => {
  const starter = TestApplication.on(adapter).controllers(ReportsController).providers(ApiKeys);

  it('lets both through, and the handler sees which it was', async () => {
    const { signedIn, send } = await starter.start();
    const client = await signedIn('cookie');
    expect((await client.get('/report')).body).toEqual({ by: 'ada' });
    const byKey = await send({ path: '/report', headers: { 'x-api-key': 'key-of-ci' } });
    expect([byKey.status, byKey.body]).toEqual([200, { by: 'key of ci' }]);
  });

  it('refuses what has neither as the session guard does, and a wrong key whatever else there is', async () => {
    const { signedIn, send } = await starter.start();
    const neither = await send({ path: '/report' });
    expect([neither.status, neither.body]).toEqual([401, { message: 'unauthorised' }]);
    const client = await signedIn('cookie');
    const wrong = await client.get('/report', { 'x-api-key': 'guessed' });
    expect([wrong.status, wrong.body]).toMatchObject([401, { message: 'Unknown API key' }]);
  });

  it('keeps the rules of routes for sessions', async () => {
    const { signedIn, clock } = await starter.start();
    const client = await signedIn('header');
    expect((await client.get('/users-only')).status).toBe(403);
    clock.advanceSeconds(3601);
    expect((await client.get('/report')).body).toEqual({ message: 'try refresh token' });
  });

  it('can also be one that asks SessionGuard after a check of its own', async () => {
    const { signedIn } = await starter.start();
    const client = await signedIn('cookie');
    expect((await client.get('/office', { 'x-hour': '9' })).body).toEqual({ userId: 'ada' });
    expect((await client.get('/office', { 'x-hour': '22' })).status).toBe(403);
  });
});

/** Authorises every call by itself. */
class PassingGuard extends SessionGuard {
  override canActivate(context: ExecutionContext): boolean {
    return this.passWithoutSession(context);
  }
}

@Controller()
@UseGuards(SessionGuard, PassingGuard)
class TwiceGuardedController {
  @Get('twice')
  @OptionalSession()
  twice(@Session() session?: SessionContainer): object {
    return { session: session?.getUserId() ?? null };
  }
}

describe.each(ADAPTERS)('two guards of a route on %s', (adapter) => {
  it('do not share a session: the last one decides', async () => {
    const { signedIn } = await TestApplication.on(adapter)
      .controllers(DemoController, TwiceGuardedController)
      .start();
    expect((await (await signedIn()).get('/twice')).body).toEqual({ session: null });
  });
});

describe.each(DRIVERS)('the same guard in GraphQL: $name', (driver) => {
  @Resolver()
  @UseGuards(SessionOrApiKeyGuard)
  class ReportResolver {
    @Query(() => String)
    report(@Session() session?: SessionContainer): string {
      return session === undefined ? 'by key' : session.getUserId();
    }
  }

  it('lets both through', async () => {
    const starter = GraphqlApplication.via(driver).resolvers(ReportResolver).providers(ApiKeys);
    const { send, signedIn } = await starter.start();
    const body = { query: '{ report }' };
    const byKey = await send({
      method: 'POST',
      path: '/graphql',
      body,
      headers: { 'x-api-key': 'key-of-ci' },
    });
    expect(byKey.body).toEqual({ data: { report: 'by key' } });
    const bySession = await (await signedIn('header', 'ada')).post('/graphql', body);
    expect(read(bySession)).toEqual({ data: { report: 'ada' } });
  });
});
