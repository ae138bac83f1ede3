import type { Server } from 'node:http';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import request from 'supertest';
import type { SessionModuleOptions } from 'nest-sessions';
import { SessionTestingModule, testSessions } from 'nest-sessions/testing';
import { ADAPTERS, newAdapter, type Adapter } from '../support/adapters.js';
import { ShopController } from './shop.js';

type DeviceBound = NonNullable<SessionModuleOptions['deviceBound']>;
type Dpop = Exclude<DeviceBound, false>['dpop'];

let application: INestApplication | undefined;
afterEach(async () => application?.close());

async function startShop(adapter: Adapter, dpop: Dpop = true, appInfo = {}) {
  const shop = {
    appName: 'Shop',
    apiDomain: 'https://api.shop.io',
    websiteDomain: 'https://shop.io',
    ...appInfo,
  };
  const module = await Test.createTestingModule({
    imports: [SessionTestingModule.forRoot({ appInfo: shop, deviceBound: { dpop: dpop ?? false } })],
    controllers: [ShopController],
  }).compile();
  const app = await module.createNestApplication(newAdapter(adapter), { logger: false }).init();
  application = app;
  if (adapter === 'fastify') await (app as NestFastifyApplication).getHttpAdapter().getInstance().ready();
  return { app, sessions: testSessions(app) };
}

describe.each(ADAPTERS)('a test agent with a key on %s', (adapter) => {
  it('has a session that is bound to it, and proves it with each request', async () => {
    const { sessions } = await startShop(adapter);
    const agent = await sessions.agent({ userId: 'ada', dpop: true });
    const cnf = { jkt: expect.stringMatching(/^[\w-]{43}$/), via: 'dpop' };
    expect(await agent.get('/me')).toMatchObject({ status: 200, body: { userId: 'ada', payload: { cnf } } });
    expect(await agent.post('/orders?page=1', { item: 'tea' })).toMatchObject({ status: 200 });
  });

  it('signs in by the login route, refreshes, and signs out', async () => {
    const { sessions } = await startShop(adapter);
    const agent = sessions.visitor({ dpop: true });
    expect((await agent.post('/login', { userId: 'ada' })).status).toBe(201);
    sessions.clock.advanceSeconds(3601);
    expect(await agent.get('/me')).toMatchObject({ body: { payload: { cnf: { via: 'dpop' } } } });
    expect((await agent.signOut()).status).toBe(200);
    expect(agent.isSignedIn).toBe(false);
  });

  it.each(['refresh', 'always'] as const)('sends the nonce that it is asked for: %s', async (nonce) => {
    const { sessions } = await startShop(adapter, { nonce });
    const agent = sessions.visitor({ dpop: true });
    expect((await agent.post('/login', { userId: 'ada' })).status).toBe(201);
    for (let minute = 0; minute < 20; minute++) {
      expect((await agent.get('/me')).status).toBe(200);
      sessions.clock.advanceSeconds(100);
    }
    sessions.clock.advanceSeconds(3601);
    expect((await agent.get('/me')).status).toBe(200);
  });

  it('signs the requests of another client, whose method it is told', async () => {
    const { app, sessions } = await startShop(adapter);
    const agent = await sessions.agent({ dpop: true });
    const server = app.getHttpServer() as Server;
    const response = await agent.sendWith(
      '/orders',
      (headers) => request(server).post('/orders').set(headers).send({ item: 'tea' }),
      'POST',
    );
    expect(response.status).toBe(200);
    const wrong = await agent.sendWith('/orders', (headers) => request(server).post('/orders').set(headers));
    expect(wrong.status).toBe(401);
  });

  it('sends the address as clients see it, behind a gateway', async () => {
    const { sessions } = await startShop(adapter, true, { apiGatewayPath: '/shop' });
    const agent = await sessions.agent({ dpop: true });
    expect((await agent.get('/me')).status).toBe(200);
    expect((await agent.refresh()).status).toBe(200);
  });

  it('is refused where the application cannot bind it', async () => {
    const { sessions } = await startShop(adapter, false);
    await expect(sessions.agent({ dpop: true })).rejects.toThrow('deviceBound.dpop');
    expect(() => sessions.visitor({ dpop: true })).toThrow('deviceBound.dpop');
    await expect(sessions.agent({ dpop: true, transferMethod: 'cookie' })).rejects.toThrow('by cookie');
    const session = await sessions.createTestSession();
    await expect(sessions.agent(session, { dpop: true })).rejects.toThrow('existing session');
  });
});
