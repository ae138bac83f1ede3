import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core';
import { openDashboard } from '../dashboard/open-dashboard.js';
import type { SessionModuleOptions } from 'nest-sessions';
import type { SessionStore } from 'nest-sessions/core';
import { TestClock } from 'nest-sessions/testing';
import { closeAfterTest } from '../support/close-after-test.js';
import type { SessionClient } from '../support/session-client.js';
import type { Adapter, TestApplication } from '../support/test-application.js';
import { CHROME, FIREFOX, SAFARI } from '../support/user-agents.js';

export const PAST_MS = 75 * 60_000;
export const AGENTS = [FIREFOX, SAFARI, CHROME] as const;

interface DeskOptions {
  readonly isAudited?: boolean;
  readonly store?: SessionStore;
  readonly clock?: TestClock;
  readonly module?: Partial<SessionModuleOptions>;
}

/** The administrators' desk: an application with the dashboard, and a browser in which `admin` is signed in. */
export class DashboardDesk {
  private constructor(
    readonly application: TestApplication,
    readonly context: BrowserContext,
    readonly page: Page,
    readonly errors: readonly string[],
  ) {}

  static async open(
    chrome: Browser,
    adapter: Adapter,
    options: BrowserContextOptions = {},
    { isAudited = true, store, clock, module }: DeskOptions = {},
  ): Promise<DashboardDesk> {
    const appInfo = { appName: 'Shop', apiDomain: 'http://localhost', websiteDomain: 'http://localhost' };
    const application = await openDashboard(
      adapter,
      { appInfo, ...(isAudited ? { audit: {}, revocationFeed: {} } : {}), ...module },
      undefined,
      // So that what happens before the browser looks is not in its future.
      { clock: clock ?? new TestClock(Date.now() - PAST_MS), ...(store && { store }) },
    );
    const context = await chrome.newContext({ viewport: { width: 1280, height: 860 }, ...options });
    closeAfterTest(async () => context.close()); // before the application, which waits for open connections
    const page = await context.newPage();
    const errors: string[] = [];
    page.on('pageerror', (error) => errors.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error') errors.push(message.text());
    });
    const desk = new DashboardDesk(application, context, page, errors);
    await desk.signIn('admin');
    return desk;
  }

  get origin(): string {
    return `http://localhost:${this.application.port}`;
  }

  /** Signs the browser in. */
  async signIn(userId: string): Promise<void> {
    await this.context.request.post(`${this.origin}/login`, {
      data: { userId },
      headers: { 'st-auth-mode': 'cookie' },
    });
  }

  async show(view = ''): Promise<void> {
    await this.page.goto(`about:blank`);
    await this.page.goto(`${this.origin}/admin/sessions${view}`);
  }

  /** A client of a user, with a browser of its own. @returns it, and the handle of its session */
  async user(userId: string, agent: string = FIREFOX, tenantId = 'public') {
    const client = this.application.client();
    const response = await client.post('/login', { userId, tenantId }, { 'user-agent': agent });
    return { client, sessionHandle: (response.body as { sessionHandle: string }).sessionHandle };
  }

  /** A session whose refresh token was copied. @returns its handle; the thief comes with Chrome */
  async theft(userId: string): Promise<string> {
    const { client, sessionHandle } = await this.user(userId);
    const thief: SessionClient = client.copy();
    this.application.clock.advanceSeconds(1800);
    await client.refresh({ 'user-agent': FIREFOX });
    await client.get('/me', { 'user-agent': FIREFOX });
    this.application.clock.advanceSeconds(420);
    await thief.refresh({ 'user-agent': CHROME });
    return sessionHandle;
  }

  /** A few users, what they do, and some who are refused. */
  async busyDay(): Promise<void> {
    const { clock, client } = this.application;
    for (let round = 0; round < 12; round++) {
      const users = await Promise.all(
        ['ada', 'bob', 'carla']
          .slice(0, 1 + (round % 3))
          .map(async (userId, index) =>
            this.user(userId, AGENTS[index], round % 4 === 0 ? 'acme' : 'public'),
          ),
      );
      for (const { client: each } of users) await each.refresh();
      for (let refused = 0; refused < round % 5; refused++) await client().get('/me');
      if (round % 3 === 0) await client().get('/me', { authorization: 'Bearer e30.e30.x' });
      clock.advanceSeconds(180);
    }
  }
}
