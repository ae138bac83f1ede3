import { Body, Controller, Get, Post, Req, Res, UseGuards } from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { TestClock } from 'nest-sessions/testing';
import {
  PublicAccess,
  Session,
  SessionGuard,
  SessionService,
  type SessionModuleOptions,
} from 'nest-sessions';
import {
  CookieJar,
  formatCookieHeader,
  matchesCookiePath,
  parseSetCookie,
} from '../../lib/http/set-cookie.js';
import { TEST_START_MS } from '../support/embedded.js';
import type { ClientResponse, HttpClient } from '../support/http-client.js';
import { ADAPTERS, SHOP, TestApplication } from '../support/test-application.js';
import { ProcessWarnings } from '../support/process-warnings.js';
import { BOTH_CLEARED, tokenTraffic } from '../support/token-traffic.js';
import { watchedStore } from '../support/watched-store.js';

/** Signs in at `/api/login` and at `/login`, and shows the user at two paths. */
@Controller()
@UseGuards(SessionGuard)
class AccountController {
  constructor(private readonly sessions: SessionService) {}

  @Post(['login', 'api/login', 'api/v2/login'])
  @PublicAccess()
  async login(
    @Req() req: unknown,
    @Res({ passthrough: true }) res: unknown,
    @Body() { userId }: { userId: string },
  ): Promise<object> {
    await this.sessions.createNewSession(req, res, { userId });
    return {};
  }

  @Get(['me', 'api/me', 'api/v2/me', 'other/me'])
  me(@Session('userId') userId: string): object {
    return { userId };
  }
}

/** A browser: keeps cookies by name, domain, path and partition, sends the longest path first, and refreshes on 401. */
class Browser {
  private readonly jar = new CookieJar();

  constructor(
    private http: HttpClient,
    private refreshPath: string,
  ) {}

  moveTo(http: HttpClient, refreshPath = this.refreshPath): void {
    this.http = http;
    this.refreshPath = refreshPath;
  }

  async send(method: string, path: string, body?: object): Promise<ClientResponse> {
    const cookies = this.jar
      .list()
      .filter((cookie) => matchesCookiePath(cookie.path, path))
      .toSorted((a, b) => b.path.length - a.path.length);
    const response = await this.http.send({
      method,
      path,
      body,
      headers: {
        'st-auth-mode': 'cookie',
        rid: 'session',
        ...(cookies.length === 0 ? {} : { cookie: formatCookieHeader(cookies) }),
      },
    });
    const url = new URL(path, SHOP.apiDomain);
    for (const line of response.lines('set-cookie')) {
      const cookie = parseSetCookie(line, url, TEST_START_MS);
      if (cookie !== undefined) this.jar.set(cookie);
    }
    return response;
  }

  async signIn(path: string, userId: string): Promise<void> {
    const { status } = await this.send('POST', path, { userId });
    if (status !== 201) throw new Error(`The login responded with ${status}`);
  }

  /** The user whom a page shows, as the client asks: a 401 is followed by a refresh, at most twice. */
  async userAt(path: string, refreshes = 2): Promise<unknown> {
    const response = await this.send('GET', path);
    if (response.status === 200) return (response.body as { userId: string }).userId;
    if (refreshes === 0) return response.status;
    await this.send('POST', this.refreshPath);
    return this.userAt(path, refreshes - 1);
  }
}

type Options = Partial<SessionModuleOptions>;
const apiInfo: Options = { appInfo: { ...SHOP, apiBasePath: '/api/auth' } };

const CHANGES: [what: string, before: Options, after: Options, older: Options][] = [
  ['a narrower path', apiInfo, { ...apiInfo, accessTokenPath: '/api' }, {}],
  ['a narrower path, named', apiInfo, { ...apiInfo, accessTokenPath: '/api' }, { olderAccessTokenPath: '/' }],
  ['a wider path', { accessTokenPath: '/api' }, {}, { olderAccessTokenPath: '/api' }],
  ['no domain any more', { cookieDomain: '.shop.io' }, {}, { olderCookieDomain: '.shop.io' }],
  ['a domain', {}, { cookieDomain: '.shop.io' }, { olderCookieDomain: '' }],
  [
    'another path',
    { accessTokenPath: '/api' },
    { accessTokenPath: '/other' },
    { olderAccessTokenPath: '/api' },
  ],
  ['another base path', {}, apiInfo, { olderApiBasePath: '/auth' }],
  ['a gateway path', {}, { appInfo: { ...SHOP, apiGatewayPath: '/api' } }, { olderApiBasePath: '/auth' }],
  ['cookies with partitions', {}, { cookiePartitioned: true }, { olderCookiePartitioned: false }],
  ['cookies without partitions', { cookiePartitioned: true }, {}, { olderCookiePartitioned: true }],
  ['names with prefixes', {}, { cookieNamePrefixes: true }, { olderCookieNamePrefixes: false }],
  ['names without prefixes', { cookieNamePrefixes: true }, {}, { olderCookieNamePrefixes: true }],
];

/** A path of the application to which browsers send the access token. */
function homeOf({ accessTokenPath = '/' }: Options): string {
  return `${accessTokenPath === '/' ? '/api' : accessTokenPath}/me`;
}

const PATHS = ['/me', '/api/me', '/api/v2/me', '/other/me'];
const atPath = (accessTokenPath: string): Options => ({ accessTokenPath });
/** Changes one after another, of which no option tells. */
const UNNAMED: [what: string, configurations: Options[]][] = [
  ['a path narrowed twice', [{}, atPath('/api'), atPath('/api/v2')]],
  ['a path narrowed at once', [{}, atPath('/api/v2')]],
  ['a path below /api narrowed', [atPath('/api'), atPath('/api/v2')]],
  ['a path widened', [atPath('/api/v2'), atPath('/api')]],
  ['a path widened twice', [atPath('/api/v2'), atPath('/api'), {}]],
  ['a path widened and narrowed', [atPath('/api'), {}, atPath('/api/v2')]],
  ['another path', [atPath('/api'), atPath('/other')]],
  ['another base path', [{}, apiInfo]],
  ['a gateway path', [{}, { appInfo: { ...SHOP, apiGatewayPath: '/api' } }]],
];

describe.each(ADAPTERS)('cookies of an earlier configuration that no option names, on %s', (adapter) => {
  let warnings: ProcessWarnings;
  beforeEach(() => void (warnings = new ProcessWarnings()));
  afterEach(() => warnings.restore());

  describe.each(UNNAMED)('after %s', (_what, configurations) => {
    const last = configurations.at(-1) ?? {};
    const refreshPathOf = ({ appInfo }: Options): string =>
      `${appInfo?.apiGatewayPath ?? ''}${appInfo?.apiBasePath ?? '/auth'}/session/refresh`;

    async function startEach(): Promise<(options: Options, browser?: Browser) => Promise<Browser>> {
      const { store } = await watchedStore();
      const clock = new TestClock(TEST_START_MS);
      const starter = TestApplication.on(adapter).store(store).controllers(AccountController).clock(clock);
      return async (options, browser) => {
        const { http } = await starter.with(options).start();
        const path = refreshPathOf(options);
        if (browser === undefined) return new Browser(http, path);
        browser.moveTo(http, path);
        return browser;
      };
    }

    it.each(['/login', '/api/v2/login'])(
      'the next user, who signs in at %s, is never taken for the former, also when it is taken back',
      async (login) => {
        const start = await startEach();
        let browser = await start(configurations[0] ?? {});
        await browser.signIn(login, 'alice');
        for (const options of configurations.slice(1)) browser = await start(options, browser);
        await browser.signIn(login, 'bob');
        for (const path of PATHS) expect([path, await browser.userAt(path)]).not.toContain('alice');
        expect(await browser.userAt(homeOf(last))).toBe('bob');
        for (const options of configurations.toReversed().slice(1)) {
          browser = await start(options, browser);
          for (const path of PATHS) expect([path, await browser.userAt(path)]).not.toContain('alice');
        }
      },
    );

    it('a user who used each of them goes on, or signs in again, and is in', async () => {
      const start = await startEach();
      let browser = await start(configurations[0] ?? {});
      await browser.signIn('/login', 'alice');
      for (const options of configurations.slice(1)) {
        browser = await start(options, browser);
        if ((await browser.userAt(homeOf(options))) !== 'alice') await browser.signIn('/login', 'alice');
        expect(await browser.userAt(homeOf(options))).toBe('alice');
        expect((await browser.send('GET', homeOf(options))).status).toBe(200);
      }
    });
  });

  it.each([true, false])(
    'of another kind of partition serve nobody as the former user: %p before',
    async (partitioned) => {
      const { store } = await watchedStore();
      const starter = TestApplication.on(adapter).store(store).controllers(AccountController);
      const path = '/auth/session/refresh';
      const browser = new Browser(
        (await starter.with({ cookiePartitioned: partitioned }).start()).http,
        path,
      );
      await browser.signIn('/login', 'alice');
      browser.moveTo((await starter.with({ cookiePartitioned: !partitioned }).start()).http);
      await browser.signIn('/login', 'bob');
      for (const _each of [1, 2]) expect(await browser.userAt('/me')).not.toBe('alice');
      expect(warnings.take()).toContainEqual(expect.stringContaining('olderCookiePartitioned'));
    },
  );

  it('names the option that is missing, once', async () => {
    const { store } = await watchedStore();
    const { send, signedIn } = await TestApplication.on(adapter).store(store).with(atPath('/me')).start();
    const token = (await signedIn('cookie')).cookie('sAccessToken') ?? '';
    const cookie = `sAccessToken=${token}; sAccessToken=${token}`;
    for (const _each of [1, 2]) {
      const response = await send({ path: '/me', headers: { cookie } });
      expect(response.status).toBe(401);
      expect(response.lines('set-cookie')).toEqual([
        expect.stringMatching(/^sAccessToken=; Path=\/; Expires=Thu, 01 Jan 1970.*Lax$/),
        expect.stringMatching(/^sAccessToken=; Path=\/; Expires=Thu, 01 Jan 1970.*Partitioned$/),
        expect.stringMatching(/^sAccessToken=; Path=\/me; Expires=Thu, 01 Jan 1970.*Lax$/),
        expect.stringMatching(/^sAccessToken=; Path=\/me; Expires=Thu, 01 Jan 1970.*Partitioned$/),
      ]);
    }
    expect(warnings.take()).toEqual([expect.stringContaining('Set olderAccessTokenPath')]);
  });

  it('refuses a refresh with the cookies of two users, and names the option that is missing', async () => {
    const { store } = await watchedStore();
    const { signedIn, events } = await TestApplication.on(adapter).store(store).start();
    const [alice, bob] = [await signedIn('cookie', 'alice'), await signedIn('cookie', 'bob')];
    const headers = {
      ...alice.requestHeaders('/auth/session/refresh'),
      cookie: `sAccessToken=${bob.cookie('sAccessToken') ?? ''}; sRefreshToken=${alice.cookie('sRefreshToken') ?? ''}`,
    };
    const response = await bob.send({ method: 'POST', path: '/auth/session/refresh', headers });
    expect([response.status, response.body]).toEqual([401, { message: 'unauthorised' }]);
    expect(tokenTraffic(response)).toEqual(BOTH_CLEARED);
    expect(warnings.take()).toEqual([
      'A refresh was refused: its cookies are of two sessions, as after a change of apiBasePath. Set olderApiBasePath to the ' +
        'former value for as long as old refresh tokens live',
    ]);
    expect(events.map(({ type }) => type)).not.toContain('session.refreshed');
    expect((await alice.refresh()).status).toBe(200);
  });
});

describe.each(ADAPTERS)('cookies of an earlier configuration on %s', (adapter) => {
  it.each(CHANGES)(
    'after %s the next user is never taken for the former',
    async (_what, before, after, older) => {
      const { store } = await watchedStore();
      const starter = TestApplication.on(adapter).store(store).controllers(AccountController);
      for (const signsOut of [true, false]) {
        const refreshPath = `${after.appInfo?.apiBasePath ?? '/auth'}/session/refresh`;
        const first = await starter.with(before).start();
        const browser = new Browser(first.http, refreshPath);
        await browser.signIn('/api/login', 'alice');
        const second = await starter.with({ ...after, ...older }).start();
        browser.moveTo(second.http);
        if (signsOut) await browser.send('POST', refreshPath.replace('session/refresh', 'signout'));
        await browser.signIn('/api/login', 'bob');
        expect([await browser.userAt('/api/me'), await browser.userAt('/me')]).not.toContain('alice');
        expect(await browser.userAt(homeOf(after))).toBe('bob');
        // and back again
        const third = await starter.with(before).start();
        browser.moveTo(third.http);
        expect(await browser.userAt('/api/me')).not.toBe('alice');
        expect(await browser.userAt('/me')).not.toBe('alice');
      }
    },
  );

  it.each(CHANGES)(
    'after %s the same user goes on or signs in again',
    async (_what, before, after, older) => {
      const { store } = await watchedStore();
      const starter = TestApplication.on(adapter).store(store).controllers(AccountController);
      const refreshPath = `${after.appInfo?.apiBasePath ?? '/auth'}/session/refresh`;
      const browser = new Browser((await starter.with(before).start()).http, refreshPath);
      await browser.signIn('/login', 'alice');
      browser.moveTo((await starter.with({ ...after, ...older }).start()).http);
      await browser.send('POST', refreshPath);
      if ((await browser.userAt(homeOf(after))) !== 'alice') await browser.signIn('/login', 'alice');
      expect(await browser.userAt(homeOf(after))).toBe('alice');
    },
  );

  it('never deletes the present cookie, though olderCookieDomain names its place', async () => {
    const { store } = await watchedStore();
    const { send } = await TestApplication.on(adapter).store(store).with({ olderCookieDomain: '' }).start();
    const cookie = 'sRefreshToken=a; sRefreshToken=b';
    const response = await send({ method: 'POST', path: '/auth/session/refresh', headers: { cookie } });
    expect([response.status, response.lines('set-cookie')]).toEqual([400, []]);
  });
});
