import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import type { INestApplication } from '@nestjs/common';
import { expect } from '@jest/globals';
import type { TestClock } from 'nest-sessions/testing';
import { CookieJar, formatCookieHeader, parseSetCookie } from '../../lib/http/set-cookie.js';

/** The part of the browser client that we use; the client itself is typed for browsers. */
export interface WebsiteClient {
  init(options: object): void;
  doesSessionExist(): Promise<boolean>;
  attemptRefreshingSession(): Promise<boolean>;
}

/** The client that browsers run. It is one per process, and `init` replaces `fetch`. */
export const { default: website } = createRequire(import.meta.url)('supertokens-website') as {
  default: WebsiteClient;
};

/** A browser as far as the client needs one: a place, a cookie jar for its own cookies, no second tab. */
export function browserAt(origin: string): object {
  const jar = new CookieJar();
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
      getCookie: async () => formatCookieHeader(jar.list()),
      setCookie: async (line: string) => {
        const cookie = parseSetCookie(line, new URL(origin), Date.now());
        if (cookie !== undefined) jar.set(cookie);
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

/**
 * Signs `user-1` in with the browser client, which from then on stands behind `fetch`.
 *
 * @param options more for the client
 * @returns the application's origin, and what the client has told since
 */
export async function signInByWebsite(
  app: INestApplication,
  clock: TestClock,
  options: object = {},
): Promise<{ origin: string; told: string[] }> {
  const { port } = (app.getHttpServer() as { address(): AddressInfo }).address();
  const origin = `http://127.0.0.1:${port}`;
  const told: string[] = [];
  clock.set(Date.now()); // the client compares with its own clock
  website.init({
    apiDomain: origin,
    tokenTransferMethod: 'header',
    ...options,
    ...browserAt(origin),
    onHandleEvent: ({ action }: { action: string }) => told.push(action),
  });
  const login = await fetch(`${origin}/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ userId: 'user-1' }),
  });
  expect(login.status).toBe(201);
  return { origin, told };
}
