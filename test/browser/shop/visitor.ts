import type { Browser, BrowserContext, Page } from 'playwright-core';

export type Mode = 'cookie' | 'header';

/** The response to a call of a page. */
export interface PageResponse {
  readonly status: number;
  readonly body: { readonly userId?: string; readonly sessionHandle?: string; readonly message?: string };
}

export interface VisitorInput {
  readonly mode: Mode;
  /** Origin of the page. Default the shop's website. */
  readonly site?: string;
  /** Whether the client's lock between tabs works. Default true. */
  readonly hasLock?: boolean;
  /** By how much the clock of the pages is wrong, in milliseconds. */
  readonly skewMs?: number;
}

export const API = 'https://api.shop.io';
export const SITE = 'https://shop.io';
export const REFRESH = 'POST /auth/session/refresh';

/** A person with a browser of his own: cookies, storage and tabs. */
export class Visitor {
  /** All responses of the API that his browser got, `200 POST /auth/session/refresh`; no preflights. */
  readonly responses: string[] = [];

  private constructor(
    readonly context: BrowserContext,
    private readonly input: VisitorInput,
  ) {
    context.on('response', (response) => {
      const { origin, pathname } = new URL(response.url());
      const method = response.request().method();
      if (origin === API && method !== 'OPTIONS')
        this.responses.push(`${response.status()} ${method} ${pathname}`);
    });
  }

  /**
   * @param hasValidTls false: certificates do not matter
   * @param chrome a private window is opened there; a context is the visitor's own, for good
   */
  static async arrives(
    chrome: Browser | BrowserContext,
    input: VisitorInput,
    hasValidTls = false,
  ): Promise<Visitor> {
    const context =
      'newContext' in chrome ? await chrome.newContext({ ignoreHTTPSErrors: !hasValidTls }) : chrome;
    if (input.skewMs !== undefined) await context.clock.install({ time: Date.now() + input.skewMs });
    return new Visitor(context, input);
  }

  async openTab(): Promise<Tab> {
    const page = await this.context.newPage();
    await page.goto(this.url);
    return new Tab(page);
  }

  async openTabs(count: number): Promise<Tab[]> {
    return Promise.all(Array.from({ length: count }, async () => this.openTab()));
  }

  /** A tab in which a user has signed in. That the client first tried to refresh, and failed, is forgotten. */
  async signIn(userId: string): Promise<Tab> {
    const tab = await this.openTab();
    const { status } = await tab.call('/login', 'POST', { userId });
    if (status !== 201) throw new Error(`The login responded with ${status}`);
    await tab.page.evaluate('window.tab.events().splice(0)');
    this.responses.splice(0);
    return tab;
  }

  /** Statuses of the refreshes so far. */
  get refreshes(): number[] {
    return this.responses
      .filter((response) => response.endsWith(REFRESH))
      .map((response) => Number.parseInt(response));
  }

  /** The tokens' cookies in his browser, those of the API and those that the client keeps for the page. */
  async tokenCookies(): Promise<string[]> {
    const cookies = await this.context.cookies();
    const tokens = ['sAccessToken', 'sRefreshToken', 'st-access-token', 'st-refresh-token'];
    return cookies.map(({ name }) => name).filter((name) => tokens.includes(name));
  }

  async leaves(): Promise<void> {
    await this.context.close();
  }

  private get url(): string {
    const { mode, site = SITE, hasLock = true } = this.input;
    return `${site}/?${new URLSearchParams({ api: API, mode, lock: hasLock ? 'on' : 'off' }).toString()}`;
  }
}

/** One page of a visitor. Its calls go through the browser client. */
export class Tab {
  constructor(readonly page: Page) {}

  async call(path: string, method = 'GET', body?: object): Promise<PageResponse> {
    return this.run<PageResponse>(`call(${JSON.stringify([path, method, body ?? null]).slice(1, -1)})`);
  }

  /** The status of a call of a guarded route; 0 when no response arrived. */
  async statusOf(path = '/me'): Promise<number> {
    return this.call(path).then(
      ({ status }) => status,
      () => 0,
    );
  }

  async refresh(): Promise<boolean> {
    return this.run('refresh()');
  }

  async signOut(): Promise<void> {
    return this.run('signOut()');
  }

  /** Whether the client believes that there is a session. */
  async hasSession(): Promise<boolean> {
    return this.run('exists()');
  }

  async payload(): Promise<Record<string, unknown>> {
    return this.run('payload()');
  }

  /** The events that the client has told the page so far. */
  async events(): Promise<string[]> {
    return this.run('events()');
  }

  async isFromCache(): Promise<boolean> {
    return this.run('isFromCache()');
  }

  private async run<T>(call: string): Promise<T> {
    await this.page.waitForFunction('window.tab !== undefined');
    return this.page.evaluate<T>(`window.tab.${call}`);
  }
}
