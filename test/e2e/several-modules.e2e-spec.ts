import {
  Body,
  Controller,
  Get,
  Module,
  Post,
  Req,
  Res,
  UseGuards,
  type DynamicModule,
  type Type,
} from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { PublicAccess, Session, SessionGuard, SessionService } from 'nest-sessions';
import { seededMemoryStore } from '../support/embedded.js';
import { storeWithOtherKeys } from '../fixtures/other-keys.js';
import { SessionClient } from '../support/session-client.js';
import { ADAPTERS, SHOP, sessionModule, TestApplication } from '../support/test-application.js';
import {
  BOTH_CLEARED,
  COOKIES_CLEARED,
  COOKIES_SET,
  refused,
  NOTHING,
  tokenTraffic,
  outcomeOf,
} from '../support/token-traffic.js';

const STAFF_NAMES = {
  accessCookie: 'staffAccess',
  refreshCookie: 'staffRefresh',
  accessHeader: 'staff-access',
  refreshHeader: 'staff-refresh',
};

/** A controller of its own for each module: sign in, ask who it is, fail. */
function controllerAt(path: string): Type {
  @Controller(path)
  @UseGuards(SessionGuard)
  class AreaController {
    constructor(private readonly sessions: SessionService) {}

    @Post('login')
    @PublicAccess()
    async login(
      @Req() req: unknown,
      @Res({ passthrough: true }) res: unknown,
      @Body() body: { userId: string },
    ): Promise<string> {
      return (await this.sessions.createNewSession(req, res, { userId: body.userId })).getHandle();
    }

    @Get('me')
    me(@Session('userId') userId: string): string {
      return userId;
    }

    @Post('refresh-by-hand')
    @PublicAccess()
    async refresh(@Req() req: unknown, @Res({ passthrough: true }) res: unknown): Promise<void> {
      await this.sessions.refreshSession(req, res);
    }
  }
  return AreaController;
}

function area(path: string, session: DynamicModule, hasGlobalGuard = false): DynamicModule {
  @Module({})
  class AreaModule {}
  return {
    module: AreaModule,
    imports: [session],
    controllers: [controllerAt(path)],
    providers: hasGlobalGuard ? [{ provide: APP_GUARD, useClass: SessionGuard }] : [],
  };
}

async function customers(): Promise<DynamicModule> {
  return sessionModule({ isGlobal: false });
}

async function staff(): Promise<DynamicModule> {
  return sessionModule({
    isGlobal: false,
    store: await storeWithOtherKeys(),
    options: {
      appInfo: { ...SHOP, apiBasePath: '/staff/auth' },
      sessionExpiredStatusCode: 440,
      antiCsrf: 'VIA_TOKEN',
      getCookieNameForTokenType: (_req, type) =>
        type === 'access' ? STAFF_NAMES.accessCookie : STAFF_NAMES.refreshCookie,
      getResponseHeaderNameForTokenType: (_req, type) =>
        type === 'access' ? STAFF_NAMES.accessHeader : STAFF_NAMES.refreshHeader,
    },
  });
}

describe.each(ADAPTERS)('two session modules in one application on %s', (adapter) => {
  let application: TestApplication;
  let browser: SessionClient;

  beforeAll(async () => {
    const imports = [area('shop', await customers()), area('staff', await staff())];
    application = await TestApplication.on(adapter)
      .modules(...imports)
      .controllers()
      .start();
  });

  beforeEach(() => {
    browser = application.client('cookie');
  });

  afterAll(() => application.close());

  it('keep two sessions in one browser, each with its own cookies and routes (S080)', async () => {
    const customer = await browser.post('/shop/login', { userId: 'customer' });
    const employee = await browser.post('/staff/login', { userId: 'employee' });
    expect(tokenTraffic(customer)).toEqual(COOKIES_SET);
    expect(tokenTraffic(employee, STAFF_NAMES)).toEqual({ ...COOKIES_SET, antiCsrf: 'set' });
    expect(tokenTraffic(employee)).toMatchObject({ accessCookie: 'untouched', refreshCookie: 'untouched' });
    expect(employee.setCookie('staffRefresh')?.path).toBe('/staff/auth/session/refresh');
    expect((await browser.get('/shop/me')).text).toBe('customer');
    expect((await browser.get('/staff/me')).text).toBe('employee');

    const refreshed = await browser.post('/staff/auth/session/refresh');
    expect(tokenTraffic(refreshed, STAFF_NAMES)).toEqual({ ...COOKIES_SET, antiCsrf: 'set' });
    const signedOut = await browser.post('/auth/signout');
    expect(tokenTraffic(signedOut)).toEqual(COOKIES_CLEARED);
    expect((await browser.get('/shop/me')).status).toBe(401);
    expect((await browser.get('/staff/me')).text).toBe('employee');
  });

  it('do not know the tokens of each other (S080)', async () => {
    await browser.post('/shop/login', { userId: 'customer' });
    const stranger = { cookie: `staffAccess=${browser.cookie('sAccessToken')}` };
    const response = await application.send({ path: '/staff/me', headers: stranger });
    expect([response.status, response.text]).toEqual([440, '{"message":"try refresh token"}']);
    const refresh = await application.send({
      method: 'POST',
      path: '/staff/auth/session/refresh',
      headers: { cookie: `staffRefresh=${browser.cookie('sRefreshToken')}` },
    });
    expect([refresh.status, refresh.text]).toEqual([440, '{"message":"unauthorised"}']);
    expect((await browser.refresh()).status).toBe(200);
  });

  it.each(['/staff/auth/session/refresh', '/staff/refresh-by-hand'])(
    'respond to their own errors: %s clears the cookies of the staff (S080)',
    async (path) => {
      const response = await application.send({ method: 'POST', path });
      expect([response.status, response.text]).toEqual([440, '{"message":"unauthorised"}']);
      expect(tokenTraffic(response, STAFF_NAMES)).toEqual(BOTH_CLEARED);
      expect(tokenTraffic(response)).toEqual({ ...NOTHING, frontToken: 'removed' });
    },
  );

  it('respond to their own errors also when the guard of the other is the global one (S080)', async () => {
    const imports = [area('shop', await customers(), true), area('staff', await staff())];
    const { send, client } = await TestApplication.on(adapter)
      .modules(...imports)
      .controllers()
      .start();
    for (const path of ['/staff/auth/session/refresh', '/staff/refresh-by-hand']) {
      const response = await send({ method: 'POST', path });
      expect([response.status, response.text]).toEqual([440, '{"message":"unauthorised"}']);
      expect(tokenTraffic(response, STAFF_NAMES)).toEqual(BOTH_CLEARED);
    }
    const employee = client('cookie');
    await employee.post('/staff/login', { userId: 'employee' });
    expect((await employee.post('/staff/auth/signout')).status).toBe(200);
  });
});

describe.each(ADAPTERS)('two applications in one process on %s', (adapter) => {
  it('share nothing: keys, sessions, clock and shutdown are their own (S080)', async () => {
    const first = await TestApplication.on(adapter)
      .store(await seededMemoryStore())
      .start();
    const second = await TestApplication.on(adapter)
      .store(await storeWithOtherKeys())
      .start();
    const customer = await first.signedIn('header', 'customer');
    const other = new SessionClient(second.http, 'header');
    other.accessToken = customer.accessToken;
    other.refreshToken = customer.refreshToken;
    expect(outcomeOf(await other.get('/me'))).toEqual(refused('try refresh token'));
    expect((await other.refresh()).text).toBe('{"message":"unauthorised"}');
    expect(second.events).toEqual([]);
    first.clock.advanceSeconds(3600);
    expect((await (await second.signedIn('cookie')).get('/me')).status).toBe(200);
    await first.close();
    expect((await (await second.signedIn('cookie')).get('/checked')).status).toBe(200);
    await second.close();
  });
});
