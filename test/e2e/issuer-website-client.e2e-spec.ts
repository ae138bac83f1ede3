import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { RateLimitedAttempt, SessionModuleOptions } from 'nest-sessions';
import { seededMemoryStore } from '../support/embedded.js';
import { SHOP, TestApplication } from '../support/test-application.js';
import { browserAt, website } from '../support/website-client.js';

const ONLY_OURS = {
  accessTokenIssuers: ['https://api.shop.io/auth'],
} satisfies Partial<SessionModuleOptions>;

describe('sessions of another issuer', () => {
  describe('in a browser client', () => {
    const { fetch: ownFetch } = globalThis;
    afterEach(() => {
      globalThis.fetch = ownFetch;
    });

    it('end after one try to refresh, so that the user can sign in (S009)', async () => {
      const store = await seededMemoryStore();
      const elsewhere = { appInfo: { ...SHOP, apiDomain: 'https://old.shop.io' } };
      const told: string[] = [];
      const attempts: RateLimitedAttempt['kind'][] = [];
      const rateLimit: SessionModuleOptions['rateLimit'] = {
        limiter: ({ kind }) => {
          attempts.push(kind);
          return { allowed: true };
        },
      };
      const other = await TestApplication.on('express').store(store).with(elsewhere).start();
      other.clock.set(Date.now()); // the client compares with its own clock
      const session = await other.sessions.createNewSessionWithoutRequestResponse({ userId: 'ada' });
      const open = {
        before: async ({ req, res }: { req: unknown; res: unknown }) =>
          session.attachToRequestResponse({ req, res, transferMethod: 'header' }),
      };
      const options = { ...ONLY_OURS, rateLimit };
      const { clock } = other;
      const { app } = await TestApplication.on('express')
        .store(store)
        .with(options)
        .handlers({ open })
        .clock(clock)
        .start();
      const { port } = (app.getHttpServer() as { address(): AddressInfo }).address();
      const origin = `http://127.0.0.1:${port}`;
      website.init({
        apiDomain: origin,
        tokenTransferMethod: 'header',
        ...browserAt(origin),
        onHandleEvent: ({ action }: { action: string }) => told.push(action),
      });
      await fetch(`${origin}/open/before`);
      expect(await website.doesSessionExist()).toBe(true);

      expect((await fetch(`${origin}/me`)).status).toBe(401);
      expect(attempts).toEqual(['failed-verify', 'refresh']);
      expect(await website.doesSessionExist()).toBe(false);
      expect(told).toEqual(['SESSION_CREATED', 'UNAUTHORISED']);

      const login = await fetch(`${origin}/login`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ userId: 'ada' }),
      });
      expect(login.status).toBe(201);
      expect((await fetch(`${origin}/me`)).status).toBe(200);
    });
  });
});
