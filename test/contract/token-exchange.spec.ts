import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  AuthenticationTimeClaim,
  PrimitiveClaim,
  remoteCore,
  SessionError,
  type SessionContainer,
  type SessionModuleOptions,
} from 'nest-sessions';
import { TestClock } from 'nest-sessions/testing';
import { decoded } from '../support/core-calls.js';
import { TEST_START_MS } from '../support/embedded.js';
import { fcRuns, fcTimeoutMs } from '../fixtures/fc-runs.js';
import { startServedCore } from '../support/served-core.js';
import { TestApplication, type StandaloneApplication } from '../support/test-application.js';

const VALIDITY_SEC = 3600;
const RUNS = 60;

/** An access token as its holder sees it. */
interface Held {
  readonly token: string;
  readonly exp: number;
  readonly lineage: unknown;
  readonly isUnusedChild: boolean;
}

function held(token: string): Held {
  const { exp, refreshTokenHash1: lineage, parentRefreshTokenHash1 } = decoded(token).payload;
  return { token, exp: Number(exp), lineage, isUnusedChild: parentRefreshTokenHash1 !== null };
}

let values = 0;
const Stock = new PrimitiveClaim<number>({ key: 'stock', fetchValue: () => ++values });

type Exchange = (app: StandaloneApplication, accessToken: string) => Promise<SessionContainer | undefined>;

const opened = async (
  { sessions }: StandaloneApplication,
  accessToken: string,
  checkDatabase: boolean,
): Promise<SessionContainer> => {
  const session = await sessions.getSessionWithoutRequestResponse({ accessToken, checkDatabase });
  if (session === undefined) throw new Error('A session that was asked for is missing');
  return session;
};

const changed =
  (change: (session: SessionContainer) => Promise<void>, checkDatabase = false): Exchange =>
  async (app, accessToken) => {
    const session = await opened(app, accessToken, checkDatabase);
    await change(session);
    return session;
  };

/** Every way in which the holder of an access token can come to another one without a refresh token. */
const EXCHANGES: Readonly<Record<string, Exchange>> = {
  verify: async (app, token) => opened(app, token, false),
  'verify against the store': async (app, token) => opened(app, token, true),
  merge: changed(async (session) => session.mergeIntoAccessTokenPayload({ n: ++values })),
  'check and merge': changed(async (session) => session.mergeIntoAccessTokenPayload({ n: ++values }), true),
  refetch: changed(async (session) => {
    await session.assertClaims([Stock.validators.hasValue(-1, 0)]).catch(() => undefined);
  }),
  'fetch and set': changed(async (session) => session.fetchAndSetClaim(Stock)),
  'set and remove': changed(async (session) => {
    await session.setClaimValue(Stock, ++values);
    await session.removeClaim(Stock);
  }),
  'record an authentication': changed(async (session) => session.recordAuthentication()),
};

const STEP = fc.record({
  by: fc.constantFrom('refresh', 'change by handle', 'show again', ...Object.keys(EXCHANGES)),
  pick: fc.nat(),
  seconds: fc.integer({ min: 0, max: 1500 }),
});

/** One holder of access tokens of one session: its tokens, and the faults that were found. */
class Holder {
  private readonly tokens: Held[] = [];
  /** Lineages whose one promotion has given its time. */
  private readonly grown = new Set<unknown>();
  readonly faults: string[] = [];

  constructor(private readonly app: StandaloneApplication) {}

  keep(token: string): void {
    this.tokens.push(held(token));
  }

  async exchange(by: string, pick: number): Promise<void> {
    const before = this.tokens[pick % this.tokens.length];
    const way = EXCHANGES[by];
    if (before === undefined || way === undefined) return;
    try {
      const session = await way(this.app, before.token);
      if (session === undefined || session.getAccessToken() === before.token) return;
      const after = held(session.getAccessToken());
      this.judge(by, before, after);
      this.tokens.push(after);
    } catch (error) {
      if (!SessionError.isSessionError(error)) throw error;
    }
  }

  private judge(by: string, before: Held, after: Held): void {
    if (after.exp <= before.exp) return;
    const nowSec = Math.floor(this.app.clock.now() / 1000);
    const isPromotion = before.isUnusedChild && !after.isUnusedChild && after.exp <= nowSec + VALIDITY_SEC;
    if (isPromotion && !this.grown.has(after.lineage)) this.grown.add(after.lineage);
    else this.faults.push(`${by}: ${after.exp - before.exp} s longer`);
  }
}

function describeExchanges(
  name: string,
  makeCore: () => Promise<{
    options: Partial<SessionModuleOptions>;
    clock?: TestClock;
    close: () => Promise<void>;
  }>,
): void {
  describe(`the exchange of an access token, ${name}`, () => {
    let app: StandaloneApplication;
    let close: () => Promise<void>;
    beforeAll(async () => {
      const made = await makeCore();
      close = made.close;
      const claims = [Stock, AuthenticationTimeClaim] as const;
      app = await TestApplication.withoutServer()
        .with({ claims: [...claims], ...made.options })
        .engine({ accessTokenValiditySec: VALIDITY_SEC })
        .clock(made.clock ?? new TestClock(TEST_START_MS))
        .start();
    });
    afterAll(async () => close());

    const live = async (
      steps: readonly { by: string; pick: number; seconds: number }[],
    ): Promise<string[]> => {
      const session = await app.sessions.createNewSessionWithoutRequestResponse({
        userId: `user-${++values}`,
      });
      const holder = new Holder(app);
      let { accessToken, refreshToken = '' } = session.getAllSessionTokensDangerously();
      holder.keep(accessToken);
      for (const { by, pick, seconds } of steps) {
        app.clock.advanceSeconds(seconds);
        if (by === 'change by handle') {
          await app.sessions.mergeIntoAccessTokenPayload(session.getHandle(), { h: ++values });
        }
        await holder.exchange(by, pick);
        if (by !== 'refresh') continue;
        // Two tabs refresh at once now and then; each has an access token then, of the same lineage.
        for (let tabs = 0; tabs <= pick % 2; tabs++) {
          const next = await app.sessions.refreshSessionWithoutRequestResponse({ refreshToken });
          ({ accessToken } = next.getAllSessionTokensDangerously());
          holder.keep(accessToken);
          if (tabs === pick % 2) ({ refreshToken = '' } = next.getAllSessionTokensDangerously());
        }
      }
      return holder.faults;
    };

    it(
      'never lives longer, but for the one promotion of a refreshed token (S041)',
      async () => {
        const property = fc.asyncProperty(fc.array(STEP, { maxLength: 25 }), async (steps) => {
          expect(await live(steps)).toEqual([]);
        });
        await fc.assert(property, { numRuns: fcRuns(RUNS) });
      },
      fcTimeoutMs(RUNS),
    );

    it('ends a copied access token, however often it is exchanged (S041)', async () => {
      const ways = ['refetch', 'verify against the store', 'merge', 'record an authentication'];
      const session = await app.sessions.createNewSessionWithoutRequestResponse({ userId: 'ada' });
      let copy = session.getAccessToken();
      const { exp } = held(copy);
      while (app.clock.now() < exp * 1000 - 60_000) {
        for (const way of ways) copy = (await EXCHANGES[way]?.(app, copy))?.getAccessToken() ?? copy;
        app.clock.advanceSeconds(600);
      }
      expect(held(copy)).toMatchObject({ exp, isUnusedChild: false });
      app.clock.advanceSeconds(660);
      for (const way of ways) {
        await expect(EXCHANGES[way]?.(app, copy)).rejects.toMatchObject({ type: 'TRY_REFRESH_TOKEN' });
      }
    });
  });
}

describeExchanges('with an embedded core', async () => ({ options: {}, close: async () => undefined }));

describeExchanges('with a served core', async () => {
  const clock = new TestClock(TEST_START_MS);
  const served = await startServedCore({ clock, coreOptions: { accessTokenValiditySec: VALIDITY_SEC } });
  return { options: { core: remoteCore({ connectionURI: served.uri }) }, clock, close: served.close };
});
