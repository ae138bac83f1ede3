import { describe, expect, it } from '@jest/globals';
import { ADAPTERS, SHOP, TestApplication } from '../support/test-application.js';
import { NOTHING, outcomeOf, refused, tokenTraffic } from '../support/token-traffic.js';

const OURS = { origin: SHOP.websiteDomain };
const FOREIGN: [what: string, headers: Record<string, string | undefined>][] = [
  ['another origin', { origin: 'https://elsewhere.io' }],
  ['the origin of a sandboxed frame', { origin: 'null' }],
  ['no origin, from a cross-site page', { origin: undefined, 'sec-fetch-site': 'cross-site' }],
];

describe.each(ADAPTERS)('requests of pages that allowedOrigins does not name, on %s', (adapter) => {
  const shop = TestApplication.on(adapter).with({ allowedOrigins: [SHOP.websiteDomain] });

  it.each(FOREIGN)('cannot refresh by cookie, and take no tokens away: %s (S070)', async (_what, headers) => {
    const { signedIn } = await shop.start();
    const browser = await signedIn('cookie');
    expect(outcomeOf(await browser.refresh(headers))).toEqual(refused('unauthorised'));
    const own = await browser.refresh(OURS);
    expect([own.status, tokenTraffic(own).refreshCookie]).toEqual([200, 'set']);
  });

  it.each(FOREIGN)(
    'cannot use a session by cookie, and take no tokens away: %s (S070)',
    async (_what, headers) => {
      const { signedIn } = await shop.start();
      const browser = await signedIn('cookie');
      const refusal = await browser.post('/me', {}, headers);
      expect([refusal.status, refusal.text, tokenTraffic(refusal)]).toEqual([
        401,
        '{"message":"unauthorised"}',
        NOTHING,
      ]);
      expect((await browser.post('/me', {}, OURS)).status).toBe(200);
    },
  );

  it('do with tokens in headers what they like: no page can send those without knowing them', async () => {
    const { signedIn } = await shop.start();
    const script = await signedIn('header');
    expect((await script.post('/me', {}, { origin: 'https://elsewhere.io' })).status).toBe(200);
    expect((await script.refresh({ origin: 'https://elsewhere.io' })).status).toBe(200);
  });
});
