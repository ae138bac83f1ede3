import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { overrideSessions, testSessions, type TestSessions } from 'nest-sessions/testing';
import { AppModule } from './app.module.js';
import { PlanClaim } from './billing.js';

describe('notes on Fastify', () => {
  let app: NestFastifyApplication;
  let sessions: TestSessions;

  beforeEach(async () => {
    const module = await overrideSessions(Test.createTestingModule({ imports: [AppModule] })).compile();
    app = module.createNestApplication<NestFastifyApplication>(new FastifyAdapter());
    await app.init();
    sessions = testSessions(app);
  });
  afterEach(() => app.close());

  it('belong to their author', async () => {
    const ada = await sessions.createTestSession({ userId: 'ada', claims: [[PlanClaim, 'free']] });
    const note = { method: 'POST', url: '/notes', payload: { text: 'tea' } } as const;
    expect((await app.inject({ ...note, headers: ada.headers })).json()).toEqual(['tea']);

    const grace = await sessions.createTestSession({ userId: 'grace', claims: [[PlanClaim, 'free']] });
    expect((await app.inject({ url: '/notes', headers: grace.headers })).json()).toEqual([]);
    expect((await app.inject({ url: '/notes' })).statusCode).toBe(401);
  });

  it('are read by a browser: cookies by name, or as headers with the anti-CSRF token', async () => {
    const { cookies, cookieHeaders } = await sessions.createTestSession({ claims: [[PlanClaim, 'free']] });
    expect((await app.inject({ url: '/notes', cookies })).statusCode).toBe(200);
    const note = { method: 'POST', url: '/notes', payload: { text: 'tea' } } as const;
    expect((await app.inject({ ...note, cookies })).statusCode).toBe(401);
    expect((await app.inject({ ...note, headers: cookieHeaders })).statusCode).toBe(201);
  });

  it('stay open when the access token has expired, for a client that refreshes', async () => {
    const agent = await sessions.agent({ claims: [[PlanClaim, 'free']] });
    sessions.clock.advanceSeconds(3601);
    expect(await agent.post('/notes', { text: 'tea' })).toMatchObject({ status: 201, body: ['tea'] });

    sessions.clock.advanceSeconds(3601);
    const response = await agent.sendWith('/notes', (headers) => app.inject({ url: '/notes', headers }));
    expect(response.json()).toEqual(['tea']);
  });
});
