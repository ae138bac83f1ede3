import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { ClientResponse } from '../support/http-client.js';
import { jwt } from '../fixtures/made-tokens.js';
import type { SessionClient } from '../support/session-client.js';
import { ADAPTERS, TestApplication } from '../support/test-application.js';
import { NOTHING, tokenTraffic } from '../support/token-traffic.js';
import { allowedByHeader } from '../support/transfer-methods.js';

const FOREIGN_JWT = jwt({ alg: 'RS256', typ: 'JWT' }, { sub: 'somebody', exp: 4_000_000_000 });

/** The user whose session a response shows; of a refusal the message. */
function shownBy(response: ClientResponse): unknown {
  expect(tokenTraffic(response)).toEqual(NOTHING);
  const { session, userId, message } = response.body as { session?: null; userId?: string; message?: string };
  return session === null ? 'none' : (userId ?? message);
}

describe.each(ADAPTERS)('a token in the header, in the cookie, in both on %s', (adapter) => {
  let application: TestApplication;
  let browser: SessionClient;
  let mobile: SessionClient;

  beforeAll(async () => {
    application = await TestApplication.on(adapter).with({ getTokenTransferMethod: allowedByHeader }).start();
  });

  beforeEach(async () => {
    browser = await application.signedIn('cookie', 'by-cookie');
    mobile = await application.signedIn('header', 'by-header');
  });

  afterAll(() => application.close());

  /** §5.2: allowed, is a session required, is there a token in the header, in the cookie ⇒ whose session. */
  it.each([
    ['any', false, false, false, 'none'],
    ['header', false, false, false, 'none'],
    ['cookie', false, false, false, 'none'],
    ['cookie', false, true, false, 'none'],
    ['header', false, false, true, 'none'],
    ['any', true, false, false, 'unauthorised'],
    ['header', true, false, false, 'unauthorised'],
    ['cookie', true, false, false, 'unauthorised'],
    ['cookie', true, true, false, 'unauthorised'],
    ['header', true, false, true, 'unauthorised'],
    ['any', true, true, true, 'by-header'],
    ['header', true, true, true, 'by-header'],
    ['cookie', true, true, true, 'by-cookie'],
    ['any', true, true, false, 'by-header'],
    ['header', true, true, false, 'by-header'],
    ['any', true, false, true, 'by-cookie'],
    ['cookie', true, false, true, 'by-cookie'],
  ] as const)(
    'allowed %s, required %s, header %s, cookie %s: %s (T59, T60, T67, T68, S072)',
    async (allowed, required, inHeader, inCookie, outcome) => {
      const path = required ? '/me' : '/optional';
      const headers = {
        'x-allowed': allowed,
        authorization: inHeader ? `Bearer ${mobile.accessToken}` : undefined,
        cookie: inCookie ? `sAccessToken=${browser.cookie('sAccessToken')}` : undefined,
      };
      expect(shownBy(await application.send({ path, headers }))).toBe(outcome);
      application.clock.advanceSeconds(3600);
      const whenExpired = outcome.startsWith('by-') ? 'try refresh token' : outcome;
      expect(shownBy(await application.send({ path, headers }))).toBe(whenExpired);
    },
  );

  it.each([
    ['any', 'by-cookie', 'T69'],
    ['header', 'unauthorised', 'T70'],
  ])('a foreign JWT as bearer beside a good cookie, allowed %s: %s (%s)', async (allowed, outcome) => {
    const headers = { authorization: `Bearer ${FOREIGN_JWT}`, 'x-allowed': allowed };
    expect(shownBy(await browser.get('/me', headers))).toBe(outcome);
  });
});
