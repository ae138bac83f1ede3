import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { ADAPTERS, type Adapter } from '../support/adapters.js';
import { ACCESS_VALIDITY_SEC } from '../support/embedded.js';
import { type TestApplication } from '../support/test-application.js';
import { Shop } from './shop/shop.js';
import { REFRESH, type Mode, type Tab, type Visitor } from './shop/visitor.js';

// `supertokens-web-js` wraps `supertokens-website` and hands every session call on to it, so this is both.

const MODES: readonly Mode[] = ['cookie', 'header'];
const EVERY_WAY = ADAPTERS.flatMap((adapter) => MODES.map((mode) => [adapter, mode] as const));
/** For what does not depend on the two together. */
const BOTH_ONCE: readonly (readonly [Adapter, Mode])[] = [
  ['express', 'cookie'],
  ['fastify', 'header'],
];
const HOUR_MS = 3_600_000;

let shop: Shop;
let api: TestApplication;

beforeAll(async () => {
  shop = await Shop.open();
});

afterAll(async () => {
  await shop.close();
});

const expireAccessTokens = (): void => api.clock.advanceSeconds(ACCESS_VALIDITY_SEC + 1);

const callInAll = async (tabs: readonly Tab[]): Promise<number[]> =>
  Promise.all(tabs.map(async (tab) => tab.statusOf('/checked')));

const handlesOf = async (userId: string): Promise<string[]> =>
  api.sessions.getAllSessionHandlesForUser({ userId });

/** The user has his one session, and nothing and nobody has ever said otherwise. */
async function expectNobodySignedOut(visitor: Visitor): Promise<void> {
  expect(await handlesOf('ada')).toHaveLength(1);
  expect(api.events.map(({ type }) => type).filter((type) => /theft|revoked/.test(type))).toEqual([]);
  expect(new Set(visitor.refreshes)).toEqual(new Set([200]));
  for (const page of visitor.context.pages())
    expect(await page.evaluate('window.tab?.events() ?? []')).not.toContain('UNAUTHORISED');
}

/** Holds back the first response to a request until `release` is called; `isHeld` tells when the server has responded. */
function holdFirst(request: string): { isHeld: Promise<void>; release: () => void } {
  let noteResponse = (): void => undefined;
  let release = (): void => undefined;
  const isHeld = new Promise<void>((resolve) => (noteResponse = resolve));
  const released = new Promise<void>((resolve) => (release = resolve));
  let isFirst = true;
  shop.network.fateOf = (each) => {
    if (each !== request || !isFirst) return 'arrives';
    isFirst = false;
    noteResponse();
    return released;
  };
  return { isHeld, release: () => release() };
}

describe.each(EVERY_WAY)('supertokens-website against %s, tokens by %s', (adapter, mode) => {
  beforeEach(async () => {
    api = await shop.openApi({ adapter, options: { antiCsrf: 'VIA_TOKEN' } });
  });

  it.each([2, 5])('keeps %d tabs signed in whose tokens run out at once (S118)', async (count) => {
    const visitor = await shop.visitor({ mode });
    const tabs = [await visitor.signIn('ada'), ...(await visitor.openTabs(count - 1))];

    for (let generation = 1; generation <= 2; generation++) {
      expireAccessTokens();
      expect(new Set(await callInAll(tabs))).toEqual(new Set([200]));
    }

    await expectNobodySignedOut(visitor);
    expect(visitor.refreshes.length).toBeGreaterThanOrEqual(2);
  });

  it.each([5])('keeps %d tabs signed in that refresh at once without a lock (S118, S024)', async (count) => {
    const visitor = await shop.visitor({ mode, hasLock: false });
    const tabs = [await visitor.signIn('ada'), ...(await visitor.openTabs(count - 1))];
    let waiting = 0;
    let letGo = (): void => undefined;
    let allAreSent = new Promise<void>((resolve) => (letGo = resolve));
    shop.network.fateOf = (request) => {
      if (request !== REFRESH) return 'arrives';
      if (++waiting % count === 0) letGo();
      return allAreSent;
    };

    for (let generation = 1; generation <= 2; generation++) {
      allAreSent = new Promise<void>((resolve) => (letGo = resolve));
      expireAccessTokens();
      expect(await Promise.all(tabs.map(async (tab) => tab.refresh()))).toEqual(tabs.map(() => true));
      expect(new Set(await callInAll(tabs))).toEqual(new Set([200]));
    }

    expect(visitor.refreshes).toHaveLength(2 * count);
    await expectNobodySignedOut(visitor);
  });

  it('outlives every response to a refresh that was lost on its way (S118, S024)', async () => {
    const visitor = await shop.visitor({ mode });
    const tab = await visitor.signIn('ada');
    let lost = 0;

    for (let generation = 1; generation <= 2; generation++) {
      expireAccessTokens();
      shop.network.fateOf = (request) => (request === REFRESH && ++lost > 0 ? 'is lost' : 'arrives');
      expect(await tab.statusOf()).toBe(0);
      expect(await tab.hasSession()).toBe(true);
      shop.network.fateOf = () => 'arrives';
      expect(await tab.statusOf('/checked')).toBe(200);
    }

    expect(lost).toBeGreaterThanOrEqual(2);
    await expectNobodySignedOut(visitor);
  });
});

describe.each(BOTH_ONCE)('responses out of order, %s, tokens by %s', (adapter, mode) => {
  /** Changes the payload, so that the response brings a new access token. */
  const handlers = {
    guarded: {
      rename: (session: { mergeIntoAccessTokenPayload(update: object): Promise<void> }) =>
        session.mergeIntoAccessTokenPayload({ name: 'Ada' }),
    },
  };

  it('the response to the first use of a new token is lost (S118, S024)', async () => {
    api = await shop.openApi({ adapter });
    const visitor = await shop.visitor({ mode });
    const tab = await visitor.signIn('ada');
    expireAccessTokens();
    await tab.refresh();

    shop.network.fateOf = (request) => (request === 'GET /me' ? 'is lost' : 'arrives');
    expect(await tab.statusOf('/me')).toBe(0);
    shop.network.fateOf = () => 'arrives';

    expect(await tab.statusOf('/checked')).toBe(200);
    expireAccessTokens();
    expect(await tab.statusOf('/checked')).toBe(200);
    await expectNobodySignedOut(visitor);
  });

  it('a refresh returns after a later one of another tab, whose tokens are in use (S118, S024)', async () => {
    api = await shop.openApi({ adapter });
    const visitor = await shop.visitor({ mode, hasLock: false });
    const [slow, fast] = [await visitor.signIn('ada'), await visitor.openTab()];
    const { isHeld, release } = holdFirst(REFRESH);

    const late = slow.refresh();
    await isHeld;
    await fast.refresh();
    expect(await fast.statusOf('/checked')).toBe(200);
    release();
    expect(await late).toBe(true);

    expect(await callInAll([slow, fast])).toEqual([200, 200]);
    expireAccessTokens();
    expect(await callInAll([fast, slow])).toEqual([200, 200]);
    await expectNobodySignedOut(visitor);
  });

  it('a late response brings an access token of the generation before (S118)', async () => {
    api = await shop.openApi({ adapter, handlers });
    const visitor = await shop.visitor({ mode, hasLock: false });
    const [slow, fast] = [await visitor.signIn('ada'), await visitor.openTab()];
    const { isHeld, release } = holdFirst('POST /run/rename');

    const late = slow.call('/run/rename', 'POST');
    await isHeld;
    expireAccessTokens();
    expect(await fast.statusOf('/checked')).toBe(200);
    release();
    expect(await late).toMatchObject({ status: 200 });

    expect(await callInAll([slow, fast])).toEqual([200, 200]);
    await expectNobodySignedOut(visitor);
  });

  it('a refresh returns after the next generation is in use: the grace period carries it (S118, S025)', async () => {
    api = await shop.openApi({ adapter, coreOptions: { refreshTokenRotationGracePeriodSec: 60 } });
    const visitor = await shop.visitor({ mode, hasLock: false });
    const [slow, fast] = [await visitor.signIn('ada'), await visitor.openTab()];
    const { isHeld, release } = holdFirst(REFRESH);

    const late = slow.refresh();
    await isHeld;
    for (let generation = 1; generation <= 2; generation++) {
      await fast.refresh();
      expect(await fast.statusOf('/checked')).toBe(200);
    }
    release();
    await late;

    api.clock.advanceSeconds(30);
    expect(await fast.refresh()).toBe(true);
    expect(await callInAll([slow, fast])).toEqual([200, 200]);
    expireAccessTokens();
    expect(await callInAll([slow, fast])).toEqual([200, 200]);
    await expectNobodySignedOut(visitor);
  });
});

describe.each(BOTH_ONCE)('clocks that are wrong, %s, tokens by %s', (adapter, mode) => {
  it.each([
    ['the browser is an hour ahead', { browser: HOUR_MS, server: 0 }],
    ['the browser is an hour behind', { browser: -HOUR_MS, server: 0 }],
    ['the server is an hour ahead', { browser: 0, server: HOUR_MS }],
    ['the server is an hour behind', { browser: 0, server: -HOUR_MS }],
  ])('%s: one refresh when it is due, none before (S118)', async (_case, skew) => {
    api = await shop.openApi({ adapter, skewMs: skew.server });
    const visitor = await shop.visitor({ mode, skewMs: skew.browser });
    const tab = await visitor.signIn('ada');
    expect(await tab.payload()).toMatchObject({ sub: 'ada' });
    expect(await tab.statusOf()).toBe(200);
    expect(visitor.refreshes).toEqual([]);

    expireAccessTokens();
    expect(await tab.statusOf('/checked')).toBe(200);

    expect(await tab.payload()).toMatchObject({ sub: 'ada' });
    expect(await tab.statusOf()).toBe(200);
    expect(visitor.refreshes).toEqual([200]);
    await expectNobodySignedOut(visitor);
  });
});

describe.each(BOTH_ONCE)('the end of a session, %s, tokens by %s', (adapter, mode) => {
  beforeEach(async () => {
    api = await shop.openApi({ adapter });
  });

  it('a sign-out in one tab is known in the others (S118, S053)', async () => {
    const visitor = await shop.visitor({ mode });
    const [here, there] = [await visitor.signIn('ada'), await visitor.openTab()];
    expect(await there.statusOf()).toBe(200);

    await here.signOut();

    expect(await there.hasSession()).toBe(false);
    expect(await there.statusOf()).toBe(401);
    expect(await visitor.tokenCookies()).toEqual([]);
    expect(await handlesOf('ada')).toEqual([]);
  });

  it('a session that is revoked elsewhere ends with a few calls, in every tab, and not in a loop (S118)', async () => {
    const visitor = await shop.visitor({ mode });
    const tabs = [await visitor.signIn('ada'), await visitor.openTab()];
    await api.sessions.revokeAllSessionsForUser({ userId: 'ada' });

    expect(await callInAll(tabs)).toEqual([401, 401]);

    expect(await Promise.all(tabs.map(async (tab) => tab.hasSession()))).toEqual([false, false]);
    expect(await visitor.tokenCookies()).toEqual([]);
    expect(await tabs[0]?.events()).toContain('UNAUTHORISED');
    expect(visitor.responses.length).toBeLessThanOrEqual(6);
    const again = await visitor.signIn('ada');
    expect(await again.statusOf('/checked')).toBe(200);
  });
});

describe.each(BOTH_ONCE)('coming and going, %s, tokens by %s', (adapter, mode) => {
  beforeEach(async () => {
    api = await shop.openApi({ adapter });
  });

  it.each(['before', 'after'])(
    'a reload during a refresh, whose response comes %s it is over (S118)',
    async (moment) => {
      // A page that was left in the middle keeps the client's lock for five seconds.
      const visitor = await shop.visitor({ mode, hasLock: false });
      const tab = await visitor.signIn('ada');
      expireAccessTokens();
      const { isHeld, release } = holdFirst(REFRESH);

      const interrupted = tab.statusOf();
      await isHeld;
      const reloaded = tab.page.reload();
      if (moment === 'before') release();
      await reloaded;
      release();
      await interrupted;

      expect(await tab.statusOf('/checked')).toBe(200);
      expireAccessTokens();
      expect(await tab.statusOf('/checked')).toBe(200);
      await expectNobodySignedOut(visitor);
    },
  );
});
