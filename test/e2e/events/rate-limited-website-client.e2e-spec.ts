import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { RateLimitDecision } from 'nest-sessions';
import { TestApplication } from '../../support/test-application.js';
import { signInByWebsite, website } from '../../support/website-client.js';

const { fetch: ownFetch } = globalThis;

let decision: RateLimitDecision;

beforeEach(() => {
  decision = { allowed: true };
});
afterEach(() => {
  globalThis.fetch = ownFetch;
});

describe('a browser client whose refresh is refused with 429 (S101)', () => {
  it('does not sign out, and refreshes when it may again', async () => {
    const rateLimit = { limiter: () => decision };
    const { app, clock } = await TestApplication.on('express').with({ rateLimit }).start();
    const { origin, told } = await signInByWebsite(app, clock);
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
