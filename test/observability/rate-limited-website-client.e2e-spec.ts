import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { RateLimitDecision } from 'nest-sessions';
import { withApplication } from '../support/test-application.js';
import { browserAt, website } from '../support/website-client.js';

const { fetch: ownFetch } = globalThis;

let decision: RateLimitDecision;

beforeEach(() => {
  decision = { allowed: true };
});
afterEach(() => {
  globalThis.fetch = ownFetch;
});

describe('S101 a browser client whose refresh is refused with 429', () => {
  it('does not sign out, and refreshes when it may again', async () => {
    const told: string[] = [];
    const rateLimit = { limiter: () => decision };
    await withApplication({ adapter: 'express', options: { rateLimit } }, async ({ app, clock }) => {
      const { port } = (app.getHttpServer() as { address(): AddressInfo }).address();
      const origin = `http://127.0.0.1:${port}`;
      clock.set(Date.now()); // the client compares with its own clock
      website.init({
        apiDomain: origin,
        tokenTransferMethod: 'header',
        ...browserAt(origin),
        onHandleEvent: ({ action }: { action: string }) => told.push(action),
      });
      const login = await fetch(`${origin}/login`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ userId: 'user-1' }),
      });
      expect(login.status).toBe(201);
      expect(await website.doesSessionExist()).toBe(true);

      decision = { allowed: false, retryAfterSec: 5 };
      await expect(website.attemptRefreshingSession()).rejects.toMatchObject({ status: 429 });
      expect(await website.doesSessionExist()).toBe(true);
      expect((await fetch(`${origin}/me`)).status).toBe(200);
      expect(told).toEqual(['SESSION_CREATED']);

      decision = { allowed: true };
      expect(await website.attemptRefreshingSession()).toBe(true);
      expect(told).toContain('REFRESH_SESSION');
      expect(told).not.toContain('UNAUTHORISED');
      expect(told).not.toContain('SIGN_OUT');
    });
  });
});
