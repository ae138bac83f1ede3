import type { Server } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import request from 'supertest';
import {
  SessionEvents,
  SessionService,
  type ClaimValidationResult,
  type JsonObject,
  type SessionClaimValidator,
  type SessionEvent,
} from 'nest-sessions';
import { ADAPTERS } from '../support/adapters.js';
import { TRY_REFRESH, UNAUTHORISED } from './responses.js';
import { outside, PlanClaim, VerifiedClaim, type Plan } from './shop.js';
import { startShop, type Shop } from './start-shop.js';

describe.each(ADAPTERS)('test sessions on %s', (adapter) => {
  let shop: Shop;
  const events: SessionEvent[] = [];
  const server = (): Server => shop.app.getHttpServer() as Server;

  beforeAll(async () => {
    shop = await startShop(adapter);
    shop.app.get(SessionEvents).stream.subscribe((event) => events.push(event));
  });
  beforeEach(() => {
    outside.calls.splice(0);
    events.splice(0);
  });
  afterAll(() => shop.app.close());

  describe('that are good', () => {
    it('sign a user in for supertest by headers, without a login', async () => {
      const session = await shop.sessions.createTestSession({ userId: 'ada' });
      const { body } = await request(server()).get('/me').set(session.headers).expect(200);
      expect(body).toMatchObject({
        userId: 'ada',
        tenantId: 'public',
        sessionHandle: session.sessionHandle,
      });
      await request(server()).post('/orders').set(session.headers).send({ item: 'tea' }).expect(200);
    });

    it('sign a user in by cookies, with the anti-CSRF token and the origin that the application asks for', async () => {
      const { cookieHeaders } = await shop.sessions.createTestSession({ userId: 'ada' });
      const response = await request(server()).post('/orders').set(cookieHeaders).send({ item: 'tea' });
      expect(response).toMatchObject({ status: 200, body: { userId: 'ada', body: { item: 'tea' } } });

      const { 'anti-csrf': _antiCsrf, ...withoutAntiCsrf } = cookieHeaders;
      await request(server()).post('/orders').set(withoutAntiCsrf).send({}).expect(401, TRY_REFRESH);
      const { origin: _origin, ...withoutOrigin } = cookieHeaders;
      const otherOrigin = { ...withoutOrigin, origin: 'https://evil.example' };
      await request(server()).post('/orders').set(otherOrigin).send({}).expect(401, UNAUTHORISED);
    });

    it('stay good when the keys rotate, and those that begin then have the new key', async () => {
      const kidOf = (token: string): unknown =>
        (JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()) as { kid?: string }).kid;
      const before = await shop.sessions.createTestSession({ userId: 'ada' });
      const kids = [await shop.sessions.rotateKeys(), await shop.sessions.rotateKeys()];
      const after = await shop.sessions.createTestSession({ userId: 'ada' });
      expect(kidOf(before.accessToken)).not.toBe(kids[0]);
      expect(kidOf(after.accessToken)).toBe(kids[1]);
      for (const { headers } of [before, after]) await request(server()).get('/me').set(headers).expect(200);
      const { body } = await request(server()).get('/auth/jwt/jwks.json').expect(200);
      const published = (body as { keys: { kid: string }[] }).keys.map(({ kid }) => kid);
      expect(published).toEqual(expect.arrayContaining([kidOf(before.accessToken), ...kids]));
    });

    it('carry what a login would give them: tenant, payload and data on the server', async () => {
      const session = await shop.sessions.createTestSession({
        tenantId: 'acme',
        accessTokenPayload: { theme: 'dark' },
        sessionDataInDatabase: { cart: 3 },
      });
      expect(session.tenantId).toBe('acme');
      const agent = await shop.sessions.agent(session);
      expect((await agent.get('/me')).body).toMatchObject({
        userId: 'user-1',
        tenantId: 'acme',
        payload: { theme: 'dark' },
      });
      const stored = await shop.app.get(SessionService).getSessionInformation(session.sessionHandle);
      expect(stored?.sessionDataInDatabase).toEqual({ cart: 3 });
    });

    it('have claims by value, and fetch nothing for them', async () => {
      const agent = await shop.sessions.agent({
        claims: [
          [PlanClaim, 'pro'],
          [VerifiedClaim, false],
        ],
      });
      expect(await agent.get('/pro')).toMatchObject({ status: 200, text: 'for paying customers' });
      expect((await agent.get('/me')).body).toMatchObject({
        payload: { plan: { v: 'pro' }, verified: { v: false } },
      });
      expect(outside.calls).toEqual([]);
    });

    it('fetch the other claims of the application, as a login does', async () => {
      const session = await shop.sessions.createTestSession({ claims: [[PlanClaim, 'free']] });
      const agent = await shop.sessions.agent(session);
      expect((await agent.get('/me')).body).toMatchObject({ payload: { verified: { v: true } } });
    });

    it('never reach the database that the application configures', async () => {
      const agent = await shop.sessions.agent({ claims: [[PlanClaim, 'pro']] });
      await agent.get('/checked');
      await agent.refresh();
      await agent.signOut();
      expect(outside.calls).toEqual([]);
    });
  });

  describe.each(['cookie', 'header'] as const)('that are bad, by %s', (transferMethod) => {
    const raw = { transferMethod, autoRefresh: false };

    it('have expired, and can be refreshed', async () => {
      const before = shop.sessions.clock.now();
      const session = await shop.sessions.expiredSession({ userId: 'ada', claims: [[PlanClaim, 'pro']] });
      const agent = await shop.sessions.agent(session, raw);
      expect(await agent.get('/me')).toMatchObject({ status: 401, body: TRY_REFRESH });
      expect((await agent.refresh()).status).toBe(200);
      expect(await agent.get('/me')).toMatchObject({
        status: 200,
        body: {
          userId: 'ada',
          sessionHandle: session.sessionHandle,
          payload: { plan: { v: 'pro' } },
        },
      });
      expect(shop.sessions.clock.now()).toBe(before);
    });

    it('were revoked: refused where the database is asked and at a refresh, and nowhere else', async () => {
      const session = await shop.sessions.revokedSession({ claims: [[PlanClaim, 'pro']] });
      const agent = await shop.sessions.agent(session, raw);
      expect((await agent.get('/me')).status).toBe(200);
      expect(await agent.get('/checked')).toMatchObject({ status: 401, body: UNAUTHORISED });
      const another = await shop.sessions.agent(session, raw);
      expect(await another.refresh()).toMatchObject({ status: 401, body: UNAUTHORISED });
      expect(another.isSignedIn).toBe(false);
    });

    it('were stolen: the thief is in, until the owner comes back', async () => {
      const session = await shop.sessions.stolenSession({ userId: 'ada', claims: [[PlanClaim, 'pro']] });
      const owner = await shop.sessions.agent(session, raw);
      const thief = await shop.sessions.agent(session.thief, raw);
      expect(await thief.get('/checked')).toMatchObject({ status: 200, text: 'ada' });
      expect(await owner.get('/me')).toMatchObject({ status: 401, body: TRY_REFRESH });
      expect(await owner.refresh()).toMatchObject({
        status: 401,
        body: { message: 'token theft detected' },
      });
      expect(events).toContainEqual(
        expect.objectContaining({ type: 'session.theft-detected', sessionHandle: session.sessionHandle }),
      );
      expect(await thief.get('/checked')).toMatchObject({ status: 401, body: UNAUTHORISED });
      expect(owner.isSignedIn).toBe(false);
    });

    it('were stolen, whether or not the thief does anything more', async () => {
      const session = await shop.sessions.stolenSession({ claims: [[PlanClaim, 'pro']] });
      const owner = await shop.sessions.agent(session, raw);
      expect((await owner.refresh()).body).toEqual({ message: 'token theft detected' });
    });

    it('fail a claim, with a value that is found by itself', async () => {
      const session = await shop.sessions.claimFailingSession({
        validator: PlanClaim.validators.hasValue('pro'),
      });
      const agent = await shop.sessions.agent(session, raw);
      expect(await agent.get('/pro')).toMatchObject({
        status: 403,
        body: { message: 'invalid claim', claimValidationErrors: [{ id: 'plan' }] },
      });
      expect(outside.calls).toEqual([]);
    });
  });

  it('that are to fail a claim can be given the value', async () => {
    const validator = PlanClaim.validators.hasValue('pro');
    const session = await shop.sessions.claimFailingSession({ validator, claims: [[PlanClaim, 'free']] });
    const response = await request(server()).get('/pro').set(session.headers);
    expect(response).toMatchObject({
      status: 403,
      body: {
        claimValidationErrors: [{ id: 'plan', reason: { message: 'wrong value' } }],
      },
    });
  });

  it('that are to fail a claim can have a validator that is a class of its own', async () => {
    class MinimumPlan implements SessionClaimValidator {
      readonly id = 'minimum-plan';
      readonly claim = PlanClaim;
      private readonly wanted: Plan = 'pro';

      shouldRefetch(): boolean {
        return this.wanted === 'free';
      }

      validate(payload: JsonObject): ClaimValidationResult {
        return PlanClaim.getValueFromPayload(payload, {}) === this.wanted
          ? { isValid: true }
          : { isValid: false, reason: 'too little' };
      }
    }
    const session = await shop.sessions.claimFailingSession({ validator: new MinimumPlan() });
    expect((await request(server()).get('/pro').set(session.headers)).status).toBe(403);
  });

  it('that are to fail a claim tell when they would pass', async () => {
    const validator = PlanClaim.validators.hasValue('pro');
    await expect(
      shop.sessions.claimFailingSession({ validator, claims: [[PlanClaim, 'pro']] }),
    ).rejects.toThrow(/The validator "plan" accepts this session/);
  });
});
