import { Controller, Get, Post, Req, Res, UseGuards } from '@nestjs/common';
import { describe, expect, it } from '@jest/globals';
import { PublicAccess, SessionGuard, SessionService, type SessionModuleOptions } from 'nest-sessions';
import { DemoController } from '../support/demo.controller.js';
import { ADAPTERS, SHOP, TestApplication } from '../support/test-application.js';
import { NOTHING, outcomeOf, refused, tokenTraffic } from '../support/token-traffic.js';

type Headers = Readonly<Record<string, string | undefined>>;

const FORM: Headers = {
  'content-type': 'application/x-www-form-urlencoded',
  'st-auth-mode': undefined,
  rid: undefined,
  'fdi-version': undefined,
};
const EVIL: Headers = { ...FORM, origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' };
const listed: Partial<SessionModuleOptions> = { allowedOrigins: [SHOP.websiteDomain] };

/** Signs in on GET as the callback of an identity provider does, and on POST. */
@Controller()
@UseGuards(SessionGuard)
class CallbackController {
  constructor(private readonly sessions: SessionService) {}

  @Get('callback')
  @PublicAccess()
  async get(@Req() req: unknown, @Res({ passthrough: true }) res: unknown): Promise<object> {
    await this.sessions.createNewSession(req, res, { userId: 'attacker' });
    return {};
  }

  @Post('callback')
  @PublicAccess()
  async post(@Req() req: unknown, @Res({ passthrough: true }) res: unknown): Promise<object> {
    return this.get(req, res);
  }
}

describe.each(ADAPTERS)('a sign-in that the page of another site forces on %s', (adapter) => {
  const start = async (options: Partial<SessionModuleOptions>) =>
    TestApplication.on(adapter).with(options).controllers(DemoController, CallbackController).start();
  const byCookie: Partial<SessionModuleOptions> = { getTokenTransferMethod: () => 'cookie' };
  const byHeader: Partial<SessionModuleOptions> = {
    getTokenTransferMethod: ({ forCreateNewSession }) => (forCreateNewSession ? 'header' : 'any'),
  };

  it.each([
    ['an origin that allowedOrigins does not name', listed, EVIL],
    ['a sandboxed frame', listed, { ...FORM, origin: 'null' }],
    ['a form without Origin', listed, { ...FORM, 'sec-fetch-site': 'cross-site' }],
    ['a neighbour', listed, { ...FORM, 'sec-fetch-site': 'same-site' }],
    ['what Fetch Metadata calls another site', {}, EVIL],
    [
      'another website, which CORS lets in',
      {},
      { ...EVIL, 'sec-fetch-mode': 'cors', 'st-auth-mode': 'cookie' },
    ],
    ['a browser without Fetch Metadata', {}, { ...FORM, origin: 'https://evil.example' }],
    ['a request without CORS', {}, { ...EVIL, 'content-type': 'text/plain', 'sec-fetch-mode': 'no-cors' }],
  ])('plants no cookies and deletes none: %s (S070)', async (_what, options, headers) => {
    const cookies = await start({ ...options, ...byCookie });
    const planted = await cookies.send({ method: 'POST', path: '/callback', headers: headers });
    expect(outcomeOf(planted)).toEqual(refused('unauthorised'));

    const both = await start({ ...options, ...byHeader });
    const victim = both.client('cookie');
    victim.take(await both.testSessions.createTestSession());
    const forced = await victim.post('/callback', undefined, headers);
    expect(tokenTraffic(forced)).toMatchObject({ accessCookie: 'untouched', refreshCookie: 'untouched' });
  });

  it.each([
    ['an image', { 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'image' }],
    ['a frame', { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'iframe' }],
  ])('plants nothing by GET from %s, with allowedOrigins (S070)', async (_what, headers) => {
    const { send } = await start({ ...listed, ...byCookie });
    const answer = await send({ path: '/callback', headers: { ...headers, 'sec-fetch-site': 'cross-site' } });
    expect([answer.status, tokenTraffic(answer)]).toEqual([401, NOTHING]);
  });

  it.each([
    [
      'the callback of an identity provider',
      'GET',
      { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' },
    ],
    ['such a callback to a browser without modes', 'GET', { 'sec-fetch-site': 'cross-site' }],
    ['the website', 'POST', { origin: SHOP.websiteDomain, 'sec-fetch-site': 'same-site' }],
    ['a client that sends neither header', 'POST', {}],
  ])('is told from %s, which signs in (S070)', async (_what, method, headers) => {
    for (const options of [listed, {}]) {
      const { send } = await start({ ...options, ...byCookie });
      const answer = await send({ method, path: '/callback', headers: headers });
      expect(tokenTraffic(answer).refreshCookie).toBe('set');
    }
  });

  it.each([
    ['a provider that posts back', { 'sec-fetch-mode': 'navigate', origin: 'https://id.example' }],
    [
      "another website, which CORS lets in, with crossSiteRequests: 'allow'",
      { 'sec-fetch-mode': 'cors', 'st-auth-mode': 'cookie', origin: 'https://second.example' },
      { crossSiteRequests: 'allow' } as const,
    ],
  ])('is told from %s, without allowedOrigins', async (_what, headers, options: Partial<SessionModuleOptions> = {}) => {
    const { send } = await start({ ...byCookie, ...options });
    const all = { ...headers, 'sec-fetch-site': 'cross-site' };
    expect(tokenTraffic(await send({ method: 'POST', path: '/callback', headers: all })).refreshCookie).toBe(
      'set',
    );
  });

  it.each([listed, {}])(
    'ends no session by a refresh without token or rid header either (S070): %j',
    async (options) => {
      const { send, signedIn } = await start({ ...options, antiCsrf: 'VIA_CUSTOM_HEADER' });
      const navigation = { ...EVIL, 'sec-fetch-mode': 'navigate' };
      const withoutCookies = await send({
        method: 'POST',
        path: '/auth/session/refresh',
        headers: navigation,
      });
      expect(outcomeOf(withoutCookies)).toEqual(refused('unauthorised'));
      const victim = await signedIn('cookie');
      expect(outcomeOf(await victim.refresh({ ...navigation, rid: undefined }))).toEqual(
        refused('unauthorised'),
      );
    },
  );
});
