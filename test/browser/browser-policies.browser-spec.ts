import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ADAPTERS, type Adapter } from '../support/adapters.js';
import { ACCESS_VALIDITY_SEC } from '../support/embedded.js';
import { type TestApplication } from '../support/test-application.js';
import { Shop, type BrowserInput } from './shop/shop.js';
import { REFRESH, type Mode, type Visitor } from './shop/visitor.js';

const ELSEWHERE = 'https://elsewhere.org';

function openShop(input: BrowserInput): () => Shop {
  let shop: Shop | undefined;
  beforeAll(async () => {
    shop = await Shop.open(input);
  });
  afterAll(async () => shop?.close());
  return () => {
    if (shop === undefined) throw new Error('The shop is not open yet');
    return shop;
  };
}

describe('a page that comes back from the back/forward cache', () => {
  const shop = openShop({ withoutFlags: ['--disable-back-forward-cache'] });

  it.each<[Adapter, Mode]>([
    ['express', 'cookie'],
    ['fastify', 'header'],
  ])(
    'goes on with the session that another tab has refreshed twice: %s, %s (S118)',
    async (adapter, mode) => {
      const api = await shop().openApi({ adapter, options: { antiCsrf: 'VIA_TOKEN' } });
      const visitor = await shop().visitor({ mode });
      const tab = await visitor.signIn('ada');
      await tab.page.goto('https://shop.io/elsewhere');
      const other = await visitor.openTab();
      for (let generation = 1; generation <= 2; generation++) {
        api.clock.advanceSeconds(ACCESS_VALIDITY_SEC + 1);
        expect(await other.statusOf('/checked')).toBe(200);
      }

      await tab.page.goBack({ waitUntil: 'commit' });

      expect(await tab.isFromCache()).toBe(true);
      expect(await tab.statusOf('/checked')).toBe(200);
      expect(new Set(visitor.refreshes)).toEqual(new Set([200]));
    },
  );
});

/** A visitor signs in at the website of another site, works, works on when the access token has run out, and signs out. */
async function workFromElsewhere(api: TestApplication, visitor: Visitor): Promise<object> {
  const tab = await visitor.signIn('ada');
  const statuses = [await tab.statusOf('/checked')];
  api.clock.advanceSeconds(ACCESS_VALIDITY_SEC + 1);
  statuses.push(await tab.statusOf('/checked'));
  const refreshes = visitor.refreshes;
  await tab.signOut();
  expect(await tab.hasSession()).toBe(false);
  expect(await api.sessions.getAllSessionHandlesForUser({ userId: 'ada' })).toEqual([]);
  return { statuses, refreshes };
}

/** The session is there and has been refreshed once. */
const REFRESHED_ONCE = { statuses: [200, 200], refreshes: [200] };

describe('a website of another site, whose cookies for the API the browser takes', () => {
  it.each(ADAPTERS)('works with plain cookies, on %s (S118, S068)', async (adapter) => {
    const shop = await Shop.open({ thirdPartyCookies: 'taken' });
    try {
      const api = await shop.openApi({ adapter, website: ELSEWHERE });
      const visitor = await shop.visitor({ mode: 'cookie', site: ELSEWHERE });
      expect(await workFromElsewhere(api, visitor)).toEqual(REFRESHED_ONCE);
    } finally {
      await shop.close();
    }
  });
});

describe('a website of another site, whose cookies for the API the browser blocks', () => {
  const shop = openShop({ thirdPartyCookies: 'blocked' });

  it.each(ADAPTERS)('works with tokens in headers, on %s (S118)', async (adapter) => {
    const api = await shop().openApi({ adapter, website: ELSEWHERE });
    const visitor = await shop().visitor({ mode: 'header', site: ELSEWHERE });
    expect(await workFromElsewhere(api, visitor)).toEqual(REFRESHED_ONCE);
  });

  it.each(ADAPTERS)('works with cookies that are partitioned, on %s (S118, S066)', async (adapter) => {
    const api = await shop().openApi({ adapter, website: ELSEWHERE, options: { cookiePartitioned: true } });
    const visitor = await shop().visitor({ mode: 'cookie', site: ELSEWHERE });
    expect(await workFromElsewhere(api, visitor)).toEqual(REFRESHED_ONCE);
  });

  it.each(ADAPTERS)(
    'fails with plain cookies after one refresh, and in no loop, on %s (S118)',
    async (adapter) => {
      await shop().openApi({ adapter, website: ELSEWHERE });
      const visitor = await shop().visitor({ mode: 'cookie', site: ELSEWHERE });
      const tab = await visitor.signIn('ada');

      expect(await tab.call('/me')).toEqual({ status: 401, body: { message: 'unauthorised' } });

      expect(visitor.responses).toEqual(['401 GET /me', `401 ${REFRESH}`]);
      expect(await tab.events()).toEqual(['UNAUTHORISED']);
      expect(await tab.hasSession()).toBe(false);
    },
  );
});
