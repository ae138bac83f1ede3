import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { RateLimitDecision } from 'nest-sessions';
import { withApplication } from '../support/test-application.js';

/** What we use of the browser client, which is typed for browsers. */
interface WebsiteClient {
  init(options: object): void;
  doesSessionExist(): Promise<boolean>;
  attemptRefreshingSession(): Promise<boolean>;
}

const { default: website } = createRequire(import.meta.url)('supertokens-website') as {
  default: WebsiteClient;
};
const { fetch: ownFetch } = globalThis;

/** A browser as far as the client needs one: a place, a cookie jar for its own cookies, no second tab. */
function browserAt(origin: string): object {
  const cookies = new Map<string, string>();
  const stored = new Map<string, string>();
  const localStorage = {
    getItem: async (key: string) => stored.get(key) ?? null,
    setItem: async (key: string, value: string) => void stored.set(key, value),
    removeItem: async (key: string) => void stored.delete(key),
  };
  const { host, hostname } = new URL(origin);
  const location = {
    getHref: () => origin,
    getOrigin: () => origin,
    getHost: () => host,
    getHostName: () => hostname,
  };
  return {
    windowHandler: (original: object) => ({
      ...original,
      location,
      localStorage,
      getWindowUnsafe: () => globalThis,
    }),
    cookieHandler: () => ({
      getCookie: async () => [...cookies].map(([name, value]) => `${name}=${value}`).join('; '),
      setCookie: async (line: string) => {
        const [pair = '', ...attributes] = line.split(';');
        const name = pair.slice(0, pair.indexOf('='));
        const value = pair.slice(name.length + 1);
        if (attributes.some((attribute) => attribute.includes('1970'))) cookies.delete(name);
        else cookies.set(name, value);
      },
    }),
    override: {
      functions: (original: object) => ({ ...original, addXMLHttpRequestInterceptor: () => undefined }),
    },
    dateProvider: () => ({
      now: () => Date.now(),
      getThresholdInSeconds: () => 7,
      getClientClockSkewInMillis: () => 0,
      setClientClockSkewInMillis: () => undefined,
    }),
    lockFactory: async () => ({ acquireLock: async () => true, releaseLock: async () => undefined }),
  };
}

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
