import { Controller, Get, Post, Req, Res, UseGuards } from '@nestjs/common';
import { describe, expect, it } from '@jest/globals';
import { PublicAccess, SessionGuard, SessionService, type SessionModuleOptions } from 'nest-sessions';
import { DemoController, type Call, type Handlers } from '../support/demo.controller.js';
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
    const response = await send({
      path: '/callback',
      headers: { ...headers, 'sec-fetch-site': 'cross-site' },
    });
    expect([response.status, tokenTraffic(response)]).toEqual([401, NOTHING]);
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
      const response = await send({ method, path: '/callback', headers: headers });
      expect(tokenTraffic(response).refreshCookie).toBe('set');
    }
  });

  it.each([
    ['a provider that posts back', { 'sec-fetch-mode': 'navigate', origin: 'https://id.example' }],
    [
      "another website, which CORS lets in, with crossSiteRequests: 'allow'",
      { 'sec-fetch-mode': 'cors', 'st-auth-mode': 'cookie', origin: 'https://second.example' },
      { crossSiteRequests: 'allow' } as const,
    ],
  ])(
    'is told from %s, without allowedOrigins',
    async (_what, headers, options: Partial<SessionModuleOptions> = {}) => {
      const { send } = await start({ ...byCookie, ...options });
      const all = { ...headers, 'sec-fetch-site': 'cross-site' };
      expect(
        tokenTraffic(await send({ method: 'POST', path: '/callback', headers: all })).refreshCookie,
      ).toBe('set');
    },
  );

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

  describe('by attaching a session', () => {
    const attached = async (handlers: Handlers['open'], options = listed) =>
      TestApplication.on(adapter)
        .with(options)
        .handlers({ open: handlers ?? {} })
        .start();
    const handlesOf = async ({ sessions }: TestApplication, userId: string) =>
      sessions.getAllSessionHandlesForUser({ userId });
    const input = ({ req, res }: Call) => ({ req, res, transferMethod: 'cookie' as const });

    it.each([
      ['an origin that allowedOrigins does not name', listed, EVIL],
      ['what Fetch Metadata calls another site', {}, EVIL],
      ['a form without Origin', listed, { ...FORM, 'sec-fetch-site': 'cross-site' }],
    ])('leaves no row of it, and ends no other session: %s (S070)', async (_what, options, headers) => {
      const application = await attached(
        {
          attaching: async (call) => {
            const session = await call.sessions.createNewSessionWithoutRequestResponse({
              userId: 'attacker',
            });
            await session.mergeIntoAccessTokenPayload({ step: 2 });
            await session.attachToRequestResponse(input(call));
          },
        },
        options,
      );
      const victim = await application.signedIn('cookie', 'victim');
      await application.signedIn('header', 'attacker');
      const before = await handlesOf(application, 'attacker');
      const forced = await victim.copy().post('/open/attaching', undefined, headers);
      expect(outcomeOf(forced)).toEqual(refused('unauthorised'));
      expect(await handlesOf(application, 'attacker')).toEqual(before);
      expect((await victim.get('/checked')).status).toBe(200);
      const own = { origin: SHOP.websiteDomain, 'sec-fetch-site': 'same-site' };
      expect(tokenTraffic(await victim.copy().post('/open/attaching', undefined, own)).refreshCookie).toBe(
        'set',
      );
      expect(await handlesOf(application, 'attacker')).toHaveLength(2);
    });

    it('leaves no row of a session that does not fit into a cookie', async () => {
      const application = await attached({
        attaching: async (call) => {
          const made = { userId: 'ada', accessTokenPayload: { large: 'x'.repeat(5000) } };
          const session = await call.sessions.createNewSessionWithoutRequestResponse(made);
          await session.attachToRequestResponse(input(call));
        },
      });
      expect((await application.client('cookie').post('/open/attaching')).status).toBe(500);
      expect(await handlesOf(application, 'ada')).toEqual([]);
    });

    it('ends neither a session that was attached before nor one that was refreshed (S070)', async () => {
      let refreshToken = '';
      const application = await attached({
        twice: async (call) => {
          const made = { userId: 'ada' };
          const session = await call.sessions.createNewSessionWithoutRequestResponse(made);
          await session.attachToRequestResponse({ ...input(call), transferMethod: 'header' });
          await session.attachToRequestResponse(input(call));
        },
        refreshed: async (call) => {
          const session = await call.sessions.refreshSessionWithoutRequestResponse({
            refreshToken,
            disableAntiCsrf: true,
          });
          await session.attachToRequestResponse(input(call));
        },
      });
      const { sessions, client } = application;
      const made = await sessions.createNewSessionWithoutRequestResponse({ userId: 'bob' });
      refreshToken = made.getAllSessionTokensDangerously().refreshToken ?? '';
      for (const path of ['/open/twice', '/open/refreshed'])
        expect(outcomeOf(await client().post(path, undefined, EVIL))).toMatchObject({ status: 401 });
      expect(await handlesOf(application, 'ada')).toHaveLength(1);
      expect(await handlesOf(application, 'bob')).toEqual([made.getHandle()]);
    });
  });
});
