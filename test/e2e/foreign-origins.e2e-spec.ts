import { describe, expect, it } from '@jest/globals';
import { ADAPTERS, SHOP, TestApplication } from '../support/test-application.js';
import { NOTHING, outcomeOf, refused, tokenTraffic } from '../support/token-traffic.js';

const OURS = { origin: SHOP.websiteDomain };
const FOREIGN: [what: string, headers: Record<string, string | undefined>][] = [
  ['another origin', { origin: 'https://elsewhere.io' }],
  ['the origin of a sandboxed frame', { origin: 'null' }],
  ['no origin, from a cross-site page', { origin: undefined, 'sec-fetch-site': 'cross-site' }],
];

const CONFIGURATIONS = ADAPTERS.flatMap((adapter) => [
  { adapter, how: 'allowedOrigins does not name', options: { allowedOrigins: [SHOP.websiteDomain] } },
  { adapter, how: 'Fetch Metadata and Origin call foreign', options: {} },
]);

describe.each(CONFIGURATIONS)('requests of pages that $how, on $adapter', ({ adapter, options }) => {
  const shop = TestApplication.on(adapter).with(options);

  it.each(FOREIGN)('cannot refresh by cookie, and take no tokens away: %s (S070)', async (_what, headers) => {
    const { signedIn } = await shop.start();
    const browser = await signedIn('cookie');
    expect(outcomeOf(await browser.refresh(headers))).toEqual(refused('unauthorised'));
    const own = await browser.refresh(OURS);
    expect([own.status, tokenTraffic(own).refreshCookie]).toEqual([200, 'set']);
  });

  it.each(FOREIGN)(
    'take no tokens away by a refresh to which the browser adds no cookies: %s (S070)',
    async (_what, headers) => {
      const { send } = await shop.start();
      const response = await send({ method: 'POST', path: '/auth/session/refresh', headers });
      expect(outcomeOf(response)).toEqual(refused('unauthorised'));
    },
  );

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

  it.each(FOREIGN)('cannot sign out, and take no tokens away: %s (S070)', async (_what, headers) => {
    const { signedIn } = await shop.start();
    const browser = await signedIn('cookie');
    expect(outcomeOf(await browser.signOut(headers))).toEqual(refused('unauthorised'));
    expect((await browser.signOut(OURS)).status).toBe(200);
    expect((await browser.post('/me', {}, OURS)).status).toBe(401);
  });

  it('are told from clients that are no browsers and send neither header: those sign in, refresh and sign out', async () => {
    const { client } = await shop.start();
    const app = client('cookie');
    expect((await app.login()).status).toBe(201);
    expect((await app.post('/me')).status).toBe(200);
    expect((await app.refresh()).status).toBe(200);
    expect((await app.signOut()).status).toBe(200);
  });

  it('do with tokens in headers what they like: no page can send those without knowing them', async () => {
    const { signedIn } = await shop.start();
    const script = await signedIn('header');
    expect((await script.post('/me', {}, { origin: 'https://elsewhere.io' })).status).toBe(200);
    expect((await script.refresh({ origin: 'https://elsewhere.io' })).status).toBe(200);
  });
});

describe.each(ADAPTERS)('the pages of one application on several sites, on %s', (adapter) => {
  const crossSite = (origin: string) => ({ origin, 'sec-fetch-site': 'cross-site' });

  it('is used by the website of appInfo although it is on another site', async () => {
    const { signedIn } = await TestApplication.on(adapter).start();
    const browser = await signedIn('cookie');
    expect((await browser.post('/me', {}, crossSite(SHOP.websiteDomain))).status).toBe(200);
    expect((await browser.refresh(crossSite(SHOP.websiteDomain))).status).toBe(200);
    expect((await browser.signOut(crossSite(SHOP.websiteDomain))).status).toBe(200);
    const signIn = await browser.post('/login', { userId: 'user-1' }, crossSite(SHOP.websiteDomain));
    expect(signIn.status).toBe(201);
  });

  it.each(['https://shop.io', 'https://second.example'])(
    'is used by the pages that allowedOrigins names, across sites as well: %s (S070)',
    async (origin) => {
      const allowedOrigins = ['https://shop.io', 'https://second.example'];
      const { client } = await TestApplication.on(adapter).with({ allowedOrigins }).start();
      const browser = client('cookie');
      const headers = crossSite(origin);
      expect((await browser.post('/login', { userId: 'user-1' }, headers)).status).toBe(201);
      expect((await browser.post('/me', {}, headers)).status).toBe(200);
      expect((await browser.refresh(headers)).status).toBe(200);
      expect((await browser.signOut(headers)).status).toBe(200);
    },
  );

  it('gets no Vary from that judgement, because no response to a GET depends on it', async () => {
    const { signedIn } = await TestApplication.on(adapter).start();
    const browser = await signedIn('cookie');
    const seen = await Promise.all(
      [{}, OURS, crossSite('https://second.example')].map((headers) => browser.get('/me', headers)),
    );
    expect(new Set(seen.map(({ status, text }) => `${status} ${text}`)).size).toBe(1);
    for (const response of seen) expect(response.header('vary') ?? '').not.toMatch(/origin|sec-fetch/i);
    const refused401 = await browser.post('/me', {}, crossSite('https://second.example'));
    expect([refused401.status, refused401.header('vary') ?? '']).toEqual([
      401,
      expect.not.stringMatching(/origin|sec-fetch/i),
    ]);
  });

  it("is used by others with crossSiteRequests: 'allow'", async () => {
    const { signedIn } = await TestApplication.on(adapter).with({ crossSiteRequests: 'allow' }).start();
    const browser = await signedIn('cookie');
    expect((await browser.post('/me', {}, crossSite('https://second.example'))).status).toBe(200);
    expect((await browser.refresh(crossSite('https://second.example'))).status).toBe(200);
  });

  it('is read by any page: a GET is not judged', async () => {
    const { signedIn } = await TestApplication.on(adapter).start();
    const browser = await signedIn('cookie');
    expect((await browser.get('/me', crossSite('https://second.example'))).status).toBe(200);
  });

  it('cannot be signed out of by a foreign page', async () => {
    const { signedIn } = await TestApplication.on(adapter).start();
    const browser = await signedIn('cookie');
    const forced = await browser.post('/auth/signout', {}, crossSite('https://evil.example'));
    expect([forced.status, tokenTraffic(forced)]).toEqual([401, NOTHING]);
    expect((await browser.post('/me', {}, OURS)).status).toBe(200);
  });
});
