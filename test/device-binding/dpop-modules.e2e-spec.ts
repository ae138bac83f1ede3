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
import { describe, expect, it } from '@jest/globals';
import { PublicAccess, Session, SessionGuard, SessionService } from 'nest-sessions';
import { storeWithOtherKeys } from '../fixtures/other-keys.js';
import { deviceBound } from '../support/device-bound.js';
import { DpopClient } from '../support/dpop-client.js';
import { seededMemoryStore } from '../support/embedded.js';
import { ADAPTERS, sessionModule, SHOP, TestApplication } from '../support/test-application.js';

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
      @Body() { userId }: { userId: string },
    ): Promise<string> {
      return (await this.sessions.createNewSession(req, res, { userId })).getHandle();
    }

    @Get('me')
    me(@Session('userId') userId: string): string {
      return userId;
    }
  }
  return AreaController;
}

function area(name: string, sessions: DynamicModule): DynamicModule {
  @Module({})
  class Area {}
  return { module: Area, imports: [sessions], controllers: [controllerAt(name)] };
}

async function startBoth(adapter: (typeof ADAPTERS)[number], staffOptions: object) {
  const shop = await sessionModule({
    isGlobal: false,
    store: await seededMemoryStore(),
    options: deviceBound({ dpop: true }),
  });
  const staff = await sessionModule({
    isGlobal: false,
    store: await storeWithOtherKeys(),
    options: { appInfo: { ...SHOP, apiBasePath: '/staff-auth' }, ...staffOptions },
  });
  const application = await TestApplication.on(adapter)
    .modules(area('shop', shop), area('staff', staff))
    .controllers()
    .start();
  const signIn = async (place: string) => {
    const client = new DpopClient(application.http, application.clock);
    expect((await client.post(`/${place}/login`, { userId: `${place}-user` })).status).toBe(201);
    return client;
  };
  return { signIn };
}

describe.each(ADAPTERS)('two session modules on %s', (adapter) => {
  it('bind their sessions each by itself', async () => {
    const { signIn } = await startBoth(adapter, deviceBound({ dpop: { nonce: 'always' } }));
    const [customer, employee] = [await signIn('shop'), await signIn('staff')];
    expect((await customer.get('/shop/me')).text).toBe('shop-user');
    expect((await employee.get('/staff/me')).text).toBe('staff-user');
    expect((await customer.get('/staff/me')).status).toBe(401);
    expect((await employee.get('/shop/me')).status).toBe(401);
    const nonce = { claims: { nonce: undefined } };
    expect((await customer.get('/shop/me', { dpop: customer.proof('GET', '/shop/me', nonce) })).status).toBe(
      200,
    );
    const asked = await employee.copy().get('/staff/me', {
      authorization: `DPoP ${employee.accessToken ?? ''}`,
      dpop: employee.proof('GET', '/staff/me', nonce),
    });
    expect(asked.header('www-authenticate')).toBe('DPoP error="use_dpop_nonce", algs="ES256 EdDSA"');
  });

  it('need not both do so', async () => {
    const { signIn } = await startBoth(adapter, {});
    const [customer, employee] = [await signIn('shop'), await signIn('staff')];
    expect((await customer.get('/shop/me')).text).toBe('shop-user');
    const authorization = `Bearer ${employee.accessToken ?? ''}`;
    expect((await employee.get('/staff/me', { authorization, dpop: undefined })).text).toBe('staff-user');
    const stolen = `Bearer ${customer.accessToken ?? ''}`;
    expect((await customer.get('/shop/me', { authorization: stolen })).status).toBe(401);
  });
});
