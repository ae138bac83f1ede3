// Compile-only, like public-types.ts: what the testing kit promises about types.
import type { INestApplication } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test, type TestingModuleBuilder } from '@nestjs/testing';
import request from 'supertest';
import { BooleanClaim, embeddedCore, PrimitiveArrayClaim, PrimitiveClaim } from 'nest-sessions';
import {
  overrideSessions,
  SessionTestingModule,
  TestClock,
  testSessions,
  type SessionTestingOptions,
  type TestAgentOptions,
  type TestSessionInput,
  type TestSessionsOptions,
} from 'nest-sessions/testing';

const PlanClaim = new PrimitiveClaim<'free' | 'pro'>({ key: 'plan', fetchValue: () => 'free' });
const VerifiedClaim = new BooleanClaim({ key: 'verified', fetchValue: () => true });
const ScopesClaim = new PrimitiveArrayClaim<string>({ key: 'scopes', fetchValue: () => [] });

export async function promises(app: INestApplication, fastify: NestFastifyApplication): Promise<void> {
  // The builder keeps Nest's type, so that its chain continues.
  const builder: TestingModuleBuilder = overrideSessions(Test.createTestingModule({}));
  await builder.overrideProvider('other').useValue(1).compile();
  SessionTestingModule.forRoot({
    isGlobal: false,
    antiCsrf: 'NONE',
    clock: new TestClock(),
    core: embeddedCore(),
  });

  // Claims by value are typed, one by one.
  const sessions = testSessions(app);
  const session = await sessions.createTestSession({
    userId: 'ada',
    claims: [
      [PlanClaim, 'pro'],
      [VerifiedClaim, true],
      [ScopesClaim, ['read']],
    ],
  });
  await sessions.createTestSession({
    // @ts-expect-error there is no such plan
    claims: [[PlanClaim, 'gold']],
  });
  await sessions.expiredSession({
    claims: [
      [PlanClaim, 'free'],
      // @ts-expect-error this claim is true or false
      [VerifiedClaim, 'yes'],
    ],
  });
  await sessions.agent({
    // @ts-expect-error a list of texts
    claims: [[ScopesClaim, 'read']],
  });
  await sessions.claimFailingSession({
    validator: PlanClaim.validators.hasValue('pro'),
    claims: [[PlanClaim, 'free']],
  });
  // @ts-expect-error a validator is needed
  await sessions.claimFailingSession({});
  // @ts-expect-error no such option
  await sessions.createTestSession({ user: 'ada' });

  // The headers go into supertest, inject and fetch.
  await request('').get('/').set(session.headers).set(session.cookieHeaders);
  await fastify.inject({ headers: session.cookieHeaders, cookies: session.cookies });
  await fetch('', { headers: session.headers });

  // The response of another client comes back unchanged.
  const agent = await sessions.agent(session, { transferMethod: 'header', autoRefresh: false });
  const bySupertest = await agent.sendWith('/', (headers) => request('').get('/').set(headers));
  bySupertest.notFound satisfies boolean;
  const byInject = await agent.sendWith('/', (headers) => fastify.inject({ headers }));
  byInject.json() satisfies object;
  const byFetch = await agent.sendWith('/', (headers) => fetch('', { headers }));
  byFetch.ok satisfies boolean;
}

// Each option by name: one that is added must be added here, and to a test.
export const options: Required<SessionTestingOptions> = {
  core: embeddedCore(),
  clock: new TestClock(),
  userRoles: { getRolesForUser: () => ['admin'] },
};
export const agentOptions: Required<TestAgentOptions> = {
  transferMethod: 'cookie',
  autoRefresh: true,
  dpop: false,
};
export const sessionsOptions: (keyof Required<TestSessionsOptions>)[] = [
  'service',
  'useConfiguredCoreDangerously',
];
export const input: TestSessionInput = {
  userId: 'ada',
  recipeUserId: 'login-1',
  tenantId: 'public',
  accessTokenPayload: {},
  sessionDataInDatabase: {},
  claims: [[PlanClaim, 'pro']],
};
