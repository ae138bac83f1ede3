import { Body, Controller, Get, Post, Req, Res, UseGuards } from '@nestjs/common';
import { describe, expect, it } from '@jest/globals';
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
import type { Answer, HttpClient } from '../support/http-client.js';
import { ADAPTERS, SHOP, TestApplication } from '../support/test-application.js';
import { watchedStore } from '../support/watched-store.js';

/** Signs in at `/api/login` and at `/login`, and shows the user at two paths. */
@Controller()
@UseGuards(SessionGuard)
class AccountController {
  constructor(private readonly sessions: SessionService) {}

  @Post(['login', 'api/login'])
  @PublicAccess()
  async login(
    @Req() req: unknown,
    @Res({ passthrough: true }) res: unknown,
    @Body() { userId }: { userId: string },
  ): Promise<object> {
    await this.sessions.createNewSession(req, res, { userId });
    return {};
  }

  @Get(['me', 'api/me'])
  me(@Session('userId') userId: string): object {
    return { userId };
  }
}

/** A browser: keeps cookies by name, domain and path, sends the longest path first, and refreshes on 401. */
class Browser {
  private readonly jar = new CookieJar();

  constructor(
    private http: HttpClient,
    private readonly refreshPath: string,
  ) {}

  moveTo(http: HttpClient): void {
    this.http = http;
  }

  async send(method: string, path: string, body?: object): Promise<Answer> {
    const cookies = this.jar
      .list()
      .filter((cookie) => matchesCookiePath(cookie.path, path))
      .toSorted((a, b) => b.path.length - a.path.length);
    const answer = await this.http.send({
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
    for (const line of answer.lines('set-cookie')) {
      const cookie = parseSetCookie(line, url, TEST_START_MS);
      if (cookie !== undefined) this.jar.set(cookie);
    }
    return answer;
  }

  async signIn(path: string, userId: string): Promise<void> {
    const { status } = await this.send('POST', path, { userId });
    if (status !== 201) throw new Error(`The login answered ${status}`);
  }

  /** The user whom a page shows, as the client asks: a 401 is followed by a refresh, at most twice. */
  async userAt(path: string, refreshes = 2): Promise<unknown> {
    const answer = await this.send('GET', path);
    if (answer.status === 200) return (answer.body as { userId: string }).userId;
    if (refreshes === 0) return answer.status;
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
  ['names with prefixes', {}, { cookieNamePrefixes: true }, { olderCookieNamePrefixes: false }],
  ['names without prefixes', { cookieNamePrefixes: true }, {}, { olderCookieNamePrefixes: true }],
];

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
        expect(await browser.userAt('/api/me')).toBe('bob');
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
      if ((await browser.userAt('/api/me')) !== 'alice') await browser.signIn('/login', 'alice');
      expect(await browser.userAt('/api/me')).toBe('alice');
    },
  );

  it('never deletes the present cookie, though olderCookieDomain names its place', async () => {
    const { send } = await TestApplication.on(adapter).with({ olderCookieDomain: '' }).start();
    const cookie = 'sRefreshToken=a; sRefreshToken=b';
    const answer = await send({ method: 'POST', path: '/auth/session/refresh', headers: { cookie } });
    expect([answer.status, answer.lines('set-cookie')]).toEqual([400, []]);
  });
});
