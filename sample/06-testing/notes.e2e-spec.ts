import type { Server } from 'node:http';
import type { INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import request from 'supertest';
import { overrideSessions, testSessions, type TestSessions } from 'nest-sessions/testing';
import { AppModule } from './app.module.js';
import { PlanClaim } from './billing.js';

describe('notes', () => {
  let app: INestApplication;
  let sessions: TestSessions;
  const server = (): Server => app.getHttpServer() as Server;

  beforeEach(async () => {
    const module = await overrideSessions(Test.createTestingModule({ imports: [AppModule] })).compile();
    app = await module.createNestApplication().init();
    sessions = testSessions(app);
  });
  afterEach(() => app.close());

  it('are refused without a session', async () => {
    const { status, body } = await request(server()).get('/notes');
    expect({ status, body }).toEqual({ status: 401, body: { message: 'unauthorised' } });
  });

  it('belong to their author', async () => {
    const ada = await sessions.createTestSession({ userId: 'ada', claims: [[PlanClaim, 'free']] });
    const grace = await sessions.createTestSession({ userId: 'grace', claims: [[PlanClaim, 'free']] });
    await request(server()).post('/notes').set(ada.headers).send({ text: 'tea' });
    expect((await request(server()).get('/notes').set(ada.headers)).body).toEqual(['tea']);
    expect((await request(server()).get('/notes').set(grace.headers)).body).toEqual([]);
  });

  it('are taken from a browser only with the anti-CSRF token', async () => {
    const { cookieHeaders } = await sessions.createTestSession({ claims: [[PlanClaim, 'free']] });
    const { cookie = '' } = cookieHeaders;
    const note = { text: 'tea' };
    expect((await request(server()).post('/notes').set(cookieHeaders).send(note)).status).toBe(201);
    expect((await request(server()).post('/notes').set({ cookie }).send(note)).status).toBe(401);
  });

  it('are exported for those who pay', async () => {
    const pro = await sessions.agent({ claims: [[PlanClaim, 'pro']] });
    expect((await pro.get('/notes/export')).status).toBe(200);

    const validator = PlanClaim.validators.hasValue('pro');
    const free = await sessions.agent(await sessions.claimFailingSession({ validator }));
    expect(await free.get('/notes/export')).toMatchObject({
      status: 403,
      body: { claimValidationErrors: [{ id: 'plan' }] },
    });
  });

  it('stay open through the day, while the access token is replaced every hour', async () => {
    const agent = await sessions.agent({ claims: [[PlanClaim, 'free']] });
    for (let hour = 0; hour < 8; hour++) {
      expect((await agent.get('/notes')).status).toBe(200);
      sessions.clock.advanceSeconds(3601);
    }
  });

  it('are available after the sign-in, which fetches the plan from the billing service', async () => {
    const billing = jest.spyOn(globalThis, 'fetch').mockResolvedValue(Response.json('pro'));
    const visitor = sessions.visitor();
    expect((await visitor.post('/sign-in', { name: 'ada', password: 'guessed' })).status).toBe(401);
    expect((await visitor.post('/sign-in', { name: 'ada', password: 'analytical engine' })).status).toBe(201);
    expect((await visitor.get('/notes/export')).status).toBe(200);
    expect(billing).toHaveBeenCalledWith('https://billing.example.com/plans/ada');
    billing.mockRestore();

    expect((await visitor.signOut()).status).toBe(200);
    expect((await visitor.get('/notes')).status).toBe(401);
  });

  it('tell a client whose access token has expired to refresh', async () => {
    const { headers } = await sessions.expiredSession({ claims: [[PlanClaim, 'free']] });
    const { status, body } = await request(server()).get('/notes').set(headers);
    expect({ status, body }).toEqual({ status: 401, body: { message: 'try refresh token' } });
  });

  it('are not lost by a session that was revoked elsewhere', async () => {
    const revoked = await sessions.revokedSession({ claims: [[PlanClaim, 'free']] });
    expect((await request(server()).delete('/notes').set(revoked.headers)).status).toBe(401);
  });

  it('are closed to a thief as soon as the owner is back', async () => {
    const stolen = await sessions.stolenSession({ claims: [[PlanClaim, 'free']] });
    const owner = await sessions.agent(stolen);
    expect((await owner.refresh()).body).toEqual({ message: 'token theft detected' });
    const thief = await sessions.agent(stolen.thief);
    expect((await thief.delete('/notes')).status).toBe(401);
  });
});
