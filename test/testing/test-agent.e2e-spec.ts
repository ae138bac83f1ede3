import type { Server } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import request from 'supertest';
import { SessionEvents, type SessionEvent } from 'nest-sessions';
import { ADAPTERS } from '../support/adapters.js';
import { TRY_REFRESH, UNAUTHORISED } from './responses.js';
import { PlanClaim } from './shop.js';
import { startShop, type Shop } from './start-shop.js';

const PRO = { claims: [[PlanClaim, 'pro']] } as const;
const AN_HOUR_SEC = 3600;

describe.each(ADAPTERS)('a test agent on %s', (adapter) => {
  describe.each(['cookie', 'header'] as const)('with tokens by %s', (transferMethod) => {
    let shop: Shop;
    let refreshes = 0;
    const server = (): Server => shop.app.getHttpServer() as Server;

    beforeAll(async () => {
      shop = await startShop(adapter);
      shop.app.get(SessionEvents).stream.subscribe((event: SessionEvent) => {
        if (event.type === 'session.refreshed') refreshes++;
      });
    });
    beforeEach(() => {
      refreshes = 0;
    });
    afterAll(() => shop.app.close());

    it('is signed in from its first request on, and sends bodies and headers', async () => {
      const agent = await shop.sessions.agent({ userId: 'ada', transferMethod, ...PRO });
      expect(await agent.post('/orders', { item: 'tea' })).toMatchObject({
        status: 200,
        body: { userId: 'ada', body: { item: 'tea' } },
      });
      const response = await agent.send({ method: 'POST', path: '/orders?a=1', body: '{"item":"coffee"}', headers: { 'Content-Type': 'application/json' } }); // prettier-ignore
      expect(response.body).toEqual({ userId: 'ada', body: { item: 'coffee' } });
      expect((await agent.get('/nowhere')).status).toBe(404);
    });

    it('reads JSON where there is some, and says what is wrong with a path', async () => {
      const agent = await shop.sessions.agent({ transferMethod, ...PRO });
      expect(await agent.send({ method: 'HEAD', path: '/me' })).toMatchObject({
        status: 200,
        body: undefined,
      });
      await expect(agent.get('me')).rejects.toThrow('A path begins with a slash: /me');
    });

    it('refreshes by itself when its access token has expired, and stays the same session', async () => {
      const agent = await shop.sessions.agent({ userId: 'ada', transferMethod, ...PRO });
      for (let hour = 1; hour <= 3; hour++) {
        shop.sessions.clock.advanceSeconds(AN_HOUR_SEC + 1);
        expect(await agent.get('/me')).toMatchObject({ status: 200, body: { userId: 'ada' } });
        expect(refreshes).toBe(hour);
      }
    });

    it('shares one refresh among requests that run at once', async () => {
      const agent = await shop.sessions.agent({ transferMethod, ...PRO });
      shop.sessions.clock.advanceSeconds(AN_HOUR_SEC + 1);
      const responses = await Promise.all(['/me', '/checked', '/pro', '/me'].map((path) => agent.get(path)));
      expect(responses.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
      expect(refreshes).toBe(1);
    });

    it('hands on the 401 when its session is over, without a request for ever', async () => {
      const agent = await shop.sessions.agent(await shop.sessions.revokedSession(PRO), { transferMethod });
      shop.sessions.clock.advanceSeconds(AN_HOUR_SEC + 1);
      expect(await agent.get('/me')).toMatchObject({ status: 401, body: TRY_REFRESH });
      expect(agent.isSignedIn).toBe(false);
      expect((await agent.get('/me')).body).toEqual(UNAUTHORISED);
    });

    it('shows the bare 401 when it is told not to refresh', async () => {
      const agent = await shop.sessions.agent({ transferMethod, autoRefresh: false, ...PRO });
      shop.sessions.clock.advanceSeconds(AN_HOUR_SEC + 1);
      expect(await agent.get('/me')).toMatchObject({ status: 401, body: TRY_REFRESH });
      expect(refreshes).toBe(0);
    });

    it('signs in by the application’s own login route, and out by the session’s', async () => {
      const visitor = shop.sessions.visitor({ transferMethod });
      expect((await visitor.get('/me')).body).toEqual(UNAUTHORISED);
      expect((await visitor.post('/login', { userId: 'grace' })).status).toBe(201);
      expect((await visitor.get('/me')).body).toMatchObject({ userId: 'grace' });
      shop.sessions.clock.advanceSeconds(AN_HOUR_SEC + 1);
      expect((await visitor.get('/me')).body).toMatchObject({ userId: 'grace' });
      expect((await visitor.signOut()).status).toBe(200);
      expect(visitor.isSignedIn).toBe(false);
      expect((await visitor.get('/me')).body).toEqual(UNAUTHORISED);
    });

    it('wraps a request of supertest, which is sent again after a refresh', async () => {
      const agent = await shop.sessions.agent({ userId: 'ada', transferMethod, ...PRO });
      shop.sessions.clock.advanceSeconds(AN_HOUR_SEC + 1);
      const response = await agent.sendWith('/orders', (headers) =>
        request(server()).post('/orders').set(headers).send({ item: 'tea' }),
      );
      expect(response.status).toBe(200);
      expect(response.body).toEqual({ userId: 'ada', body: { item: 'tea' } });
      expect(refreshes).toBe(1);
      expect((await agent.get('/me')).status).toBe(200);
    });
  });

  it('talks to an application that listens already, and leaves it listening', async () => {
    const { app, sessions } = await startShop(adapter);
    try {
      await app.listen(0, '127.0.0.1');
      const url = await app.getUrl();
      const agent = await sessions.agent(PRO);
      expect((await agent.get('/me')).status).toBe(200);
      const response = await agent.sendWith('/me', (headers) => fetch(`${url}/me`, { headers }));
      expect(response.status).toBe(200);
      expect((app.getHttpServer() as Server).listening).toBe(true);
    } finally {
      await app.close();
    }
  });
});
