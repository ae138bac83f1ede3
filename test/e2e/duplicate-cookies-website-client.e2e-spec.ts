import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ProcessWarnings } from '../support/process-warnings.js';
import { TestApplication } from '../support/test-application.js';
import { signInByWebsite, website } from '../support/website-client.js';

const { fetch: ownFetch } = globalThis;

let warnings: ProcessWarnings;

beforeEach(() => {
  warnings = new ProcessWarnings();
});
afterEach(() => {
  warnings.restore();
  globalThis.fetch = ownFetch;
});

describe('a browser client whose refresh is refused for duplicate cookies (T150)', () => {
  it('neither signs out nor tries again, and refreshes when they are gone', async () => {
    const refreshes: string[] = [];
    let cookie = '';
    const preAPIHook = async (call: { action: string; requestInit: RequestInit; url: string }) => {
      refreshes.push(call.action);
      return { ...call, requestInit: { ...call.requestInit, headers: withCookie(call.requestInit, cookie) } };
    };
    const { app, clock } = await TestApplication.on('express').start();
    const { origin, told } = await signInByWebsite(app, clock, { preAPIHook });

    refreshes.length = 0; // it also asked before the login, when it could not know
    cookie = 'sAccessToken=a; sAccessToken=b';
    await expect(website.attemptRefreshingSession()).rejects.toMatchObject({ status: 400 });
    expect(refreshes).toEqual(['REFRESH_SESSION']);
    expect(await website.doesSessionExist()).toBe(true);
    expect((await fetch(`${origin}/me`)).status).toBe(200);
    expect(told).toEqual(['SESSION_CREATED']);

    cookie = '';
    expect(await website.attemptRefreshingSession()).toBe(true);
    expect(told).toContain('REFRESH_SESSION');
    expect(told).not.toContain('UNAUTHORISED');
    expect(told).not.toContain('SIGN_OUT');
  });
});

function withCookie({ headers }: RequestInit, cookie: string): Headers {
  const all = new Headers(headers);
  if (cookie !== '') all.set('cookie', cookie);
  return all;
}
