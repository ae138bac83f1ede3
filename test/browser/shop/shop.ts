import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { env } from 'node:process';
import { sessionCorsOptions, type EmbeddedCoreOptions, type SessionModuleOptions } from 'nest-sessions';
import { chromium, type Browser, type BrowserContext } from 'playwright-core';
import { TestClock } from '../../../lib/testing/test-clock.js';
import type { Adapter } from '../../support/adapters.js';
import { closeAfterTest } from '../../support/close-after-test.js';
import type { Handlers } from '../../support/demo.controller.js';
import { TestApplication } from '../../support/test-application.js';
import { bindingFlags, CHROMIUM_FLAGS } from '../chromium.js';
import { Network } from './network.js';
import { API, SITE, Visitor, type VisitorInput } from './visitor.js';
import { SHOP_SPKI_HASH } from './shop-tls.js';
import { startWebsite } from './website.js';

/** So that the ready-made key of the test store, which is from 2025, goes on signing. */
const TEN_YEARS_SEC = 315_360_000;

export interface BrowserInput {
  /**
   * How the browser treats cookies of third parties. `blocked`: visitors come in private windows, one each. `taken`: the only
   * visitor comes in a window with a profile.
   */
  readonly thirdPartyCookies?: 'blocked' | 'taken';
  /** Binds sessions to devices, with keys in software; takes the certificate for valid. */
  readonly bindsSessions?: boolean;
  /** Flags that playwright would set by itself. */
  readonly withoutFlags?: string[];
}

export interface ApiInput {
  readonly adapter: Adapter;
  readonly options?: Partial<SessionModuleOptions>;
  readonly coreOptions?: Omit<EmbeddedCoreOptions, 'store'>;
  readonly handlers?: Handlers;
  /** By how much the server's clock is wrong, in milliseconds. */
  readonly skewMs?: number;
  /** Origin of the website that calls the API. Default the shop's own. */
  readonly website?: string;
  /** Origins of further pages that CORS allows. */
  readonly pages?: readonly string[];
}

/** A folder for Chromium in which cookies of third parties are switched on. */
async function profileThatTakesCookies(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'nest-sessions-chromium-'));
  await mkdir(join(folder, 'Default'));
  const preferences = { profile: { cookie_controls_mode: 0, block_third_party_cookies: false } };
  await writeFile(join(folder, 'Default/Preferences'), JSON.stringify(preferences));
  return folder;
}

/** A website and a Chromium that finds it and the API by their names; the API is the one that was opened last. */
export class Shop {
  private readonly visitors: Visitor[] = [];

  private constructor(
    readonly network: Network,
    readonly chrome: Browser | BrowserContext,
    private readonly website: Server,
    private readonly profile: string | undefined,
    private readonly bindsSessions: boolean,
  ) {}

  static async open({
    thirdPartyCookies = 'blocked',
    withoutFlags = [],
    bindsSessions = false,
  }: BrowserInput = {}): Promise<Shop> {
    const [network, website] = await Promise.all([Network.start(), startWebsite()]);
    const { port } = website.address() as AddressInfo;
    for (const host of ['shop.io', 'elsewhere.org']) network.lead(host, port);
    const settings = {
      executablePath: env['CHROMIUM_PATH'] ?? '/usr/bin/chromium',
      args: [
        ...CHROMIUM_FLAGS,
        `--host-resolver-rules=MAP * 127.0.0.1:${network.port}`,
        ...(bindsSessions ? bindingFlags(SHOP_SPKI_HASH) : []),
      ],
      ignoreDefaultArgs: withoutFlags,
      ignoreHTTPSErrors: !bindsSessions,
    };
    if (thirdPartyCookies === 'blocked')
      return new Shop(network, await chromium.launch(settings), website, undefined, bindsSessions);
    const profile = await profileThatTakesCookies();
    const context = await chromium.launchPersistentContext(profile, settings);
    return new Shop(network, context, website, profile, bindsSessions);
  }

  /**
   * Starts the API at its name: https, another host than the website's. After the test all visitors leave, and then it closes,
   * because a server that closes waits for connections that browsers have opened.
   */
  async openApi({
    adapter,
    options,
    coreOptions,
    handlers = {},
    skewMs = 0,
    website = SITE,
    pages = [],
  }: ApiInput): Promise<TestApplication> {
    const api = await TestApplication.on(adapter)
      .with({ appInfo: { appName: 'Shop', apiDomain: API, websiteDomain: website }, ...options })
      .engine({ accessTokenDynamicSigningKeyUpdateIntervalSec: TEN_YEARS_SEC, ...coreOptions })
      .handlers(handlers)
      .clock(new TestClock(Date.now() + skewMs))
      .configure((app) => app.enableCors(sessionCorsOptions({ origins: [website, ...pages] })))
      .start();
    closeAfterTest(async () => this.clear()); // before the API, because the last closes first
    this.network.lead('api.shop.io', (api.app.getHttpServer() as { address(): AddressInfo }).address().port);
    return api;
  }

  async visitor(input: VisitorInput): Promise<Visitor> {
    const visitor = await Visitor.arrives(this.chrome, input, this.bindsSessions);
    this.visitors.push(visitor);
    // Chromium does this now and then. Here it is always so, and every test that closes the API before its visitors leave hangs.
    visitor.context.on('close', this.network.openUnused('api.shop.io'));
    return visitor;
  }

  async close(): Promise<void> {
    await this.clear();
    await this.chrome.close();
    await this.network.stop();
    await once(this.website.close(), 'close');
    if (this.profile !== undefined) await rm(this.profile, { recursive: true, force: true });
  }

  /** All visitors leave; the APIs, the website and the browser stay. */
  private async clear(): Promise<void> {
    this.network.fateOf = () => 'arrives';
    await Promise.all(this.visitors.splice(0).map((visitor) => visitor.leaves()));
  }
}
