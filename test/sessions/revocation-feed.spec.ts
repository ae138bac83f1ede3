import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { NEVER } from 'rxjs';
import { CoreUnavailableError, UnauthorisedError } from '../../lib/errors.js';
import { RevocationFeed, type Revocation, type RevocationPage } from '../../lib/feed/revocation-feed.js';
import { RevocationIndex } from '../../lib/feed/revocation-index.js';
import { MemoryFeed } from '../../lib/feed/memory-feed.js';
import type { RevocationFeedOptions } from '../../lib/feed/feed-options.js';
import { TestClock } from '../../lib/testing/test-clock.js';
import { seededMemoryStore, TEST_START_MS } from '../support/embedded.js';
import { instance, signIn, storeWithoutFeed, type Instance } from '../support/feed-instance.js';
import { watchedStore } from '../support/watched-store.js';

const HOUR_MS = 3_600_000;

async function twoInstances(feed?: RevocationFeedOptions) {
  const store = await seededMemoryStore();
  const clock = new TestClock(TEST_START_MS);
  return { store, clock, a: await instance(store, clock, feed), b: await instance(store, clock, feed) };
}

describe('a session that ended in another instance', () => {
  it('is refused with a token that was remembered, once the feed has been read (S047)', async () => {
    const { a, b } = await twoInstances();
    const { handle, accessToken } = await signIn(a);
    expect([await b.accepts(accessToken), await b.accepts(accessToken)]).toEqual([true, true]);
    await a.sessions.revokeSession(handle, undefined, { reason: 'lost phone', initiator: 'admin-7' });
    await b.watch.read();
    expect(await b.accepts(accessToken)).toBe(false);
    expect(await a.events()).toContainEqual(
      expect.objectContaining({ type: 'session.revoked', reason: 'lost phone', initiator: 'admin-7' }),
    );
  });

  it('is refused with a token that this instance sees for the first time', async () => {
    const { a, b } = await twoInstances();
    const { accessToken } = await signIn(a);
    await a.sessions.revokeAllSessionsForUser({ userId: 'user-1' });
    await b.watch.read();
    expect(await b.accepts(accessToken)).toBe(false);
    const refused = b.sessions.getSessionWithoutRequestResponse({ accessToken });
    await expect(Promise.resolve(refused)).rejects.toThrow('The session has ended');
  });

  it('is refused without a read of the store, also after the store has failed', async () => {
    const { store, failing, calls } = await watchedStore();
    const clock = new TestClock(TEST_START_MS);
    const [a, b] = [await instance(store, clock), await instance(store, clock)];
    const { handle, accessToken } = await signIn(a);
    const other = await signIn(a);
    await a.sessions.revokeSession(handle);
    await b.watch.read();
    failing.add('findSession');
    calls.length = 0;
    expect([await b.accepts(accessToken), await b.accepts(other.accessToken)]).toEqual([false, true]);
    expect(calls).toEqual([]);
  });

  it('is kept until its last token has expired, and no longer', async () => {
    const { a, b, clock } = await twoInstances();
    const { handle } = await signIn(a);
    await a.sessions.revokeSession(handle);
    await b.watch.read();
    expect(b.watch.size).toBe(1);
    clock.advance(2 * HOUR_MS);
    await b.watch.read();
    expect(b.watch.size).toBe(0);
  });
});

describe('a session that has expired by the clock of one instance alone', () => {
  it('is accepted there again, once another instance has given it more time', async () => {
    const store = await seededMemoryStore();
    const a = await instance(store);
    const b = await instance(store, new TestClock(TEST_START_MS));
    const { refreshToken } = await signIn(a);
    const beforeEnd = 100 * 24 * HOUR_MS - 10_000; // of 100 days, the default
    a.clock.advance(beforeEnd);
    b.clock.advance(beforeEnd + 20_000);
    const refreshed = await a.sessions.refreshSessionWithoutRequestResponse({ refreshToken });
    const { accessToken } = refreshed.getAllSessionTokensDangerously();
    expect(await b.accepts(accessToken)).toBe(false); // its first use asks the store
    expect(await a.accepts(accessToken)).toBe(true);
    expect(await b.accepts(accessToken)).toBe(true);
  });
});

describe('a session that this instance itself has ended', () => {
  it.each<[string, (made: Instance, handle: string) => Promise<unknown>]>([
    ['revokeSession', async ({ sessions }, handle) => sessions.revokeSession(handle)],
    [
      'revokeAllSessionsForUser',
      async ({ sessions }) => sessions.revokeAllSessionsForUser({ userId: 'user-1' }),
    ],
    ['revokeSessions', async ({ sessions }) => sessions.revokeSessions({ userIds: ['user-1'] })],
  ])('by %s is refused at once, also where the feed tells nothing', async (_name, end) => {
    const feed = new BreakableFeed();
    const made = await instance(await seededMemoryStore(), undefined, { feed, whenStale: 'accept' });
    const [{ handle, accessToken }, other] = [await signIn(made), await signIn(made, { userId: 'user-2' })];
    expect(await made.accepts(accessToken)).toBe(true);
    feed.isBroken = true;
    await end(made, handle);
    expect([await made.accepts(accessToken), await made.accepts(other.accessToken)]).toEqual([false, true]);
    made.clock.advance(HOUR_MS - 1); // the last moment of the token
    expect(await made.accepts(accessToken)).toBe(false);
  });

  it.each<[string, Parameters<Instance['sessions']['revokeSessions']>[0]]>([
    ['of everybody', { all: true }],
    ['of a tenant', { tenantId: 'public' }],
  ])('by a cut-off %s is refused at once, also where the feed tells nothing', async (_name, input) => {
    const feed = new BreakableFeed();
    const made = await instance(await seededMemoryStore(), undefined, { feed, whenStale: 'accept' });
    const { accessToken } = await signIn(made);
    expect(await made.accepts(accessToken)).toBe(true);
    feed.isBroken = true;
    await made.sessions.revokeSessions(input).catch(() => undefined);
    expect(await made.accepts(accessToken)).toBe(false);
  });

  it('is kept no longer than its tokens live, although the core has no feed', async () => {
    const feed = new BreakableFeed();
    feed.isBroken = true;
    const made = await instance(await seededMemoryStore(), undefined, { feed });
    await made.sessions.revokeSession((await signIn(made)).handle);
    await made.watch.read(); // that of the announcement
    expect(made.watch.size).toBe(1);
    made.clock.advance(2 * HOUR_MS);
    await made.watch.read();
    expect(made.watch.size).toBe(0);
  });
});

describe('the sessions of a tenant', () => {
  it('end everywhere with one write, and new ones do not', async () => {
    const { a, b } = await twoInstances();
    const [inTenant, elsewhere] = [await signIn(a, { tenantId: 't1' }), await signIn(a)];
    expect(await b.accepts(inTenant.accessToken)).toBe(true);
    expect(await a.sessions.revokeSessions({ tenantId: 't1', reason: 'contract ended' })).toBeUndefined();
    await b.watch.read();
    const young = await signIn(b, { tenantId: 't1' });
    for (const each of [a, b]) {
      expect(await each.accepts(inTenant.accessToken)).toBe(false);
      expect(await each.accepts(elsewhere.accessToken)).toBe(true);
      expect(await each.accepts(young.accessToken)).toBe(true);
    }
    await expect(
      b.sessions.refreshSessionWithoutRequestResponse({
        refreshToken: inTenant.refreshToken,
        disableAntiCsrf: true,
      }),
    ).rejects.toBeInstanceOf(UnauthorisedError);
    expect(await a.events()).toContainEqual(
      expect.objectContaining({ type: 'sessions.ended-before', tenantId: 't1', reason: 'contract ended' }),
    );
  });

  it.each([-60_000, 60_000])(
    'end also where the clock of the other instance is off by %d ms, and its new ones live',
    async (offMs) => {
      const store = await seededMemoryStore();
      const a = await instance(store);
      const b = await instance(store, new TestClock(TEST_START_MS + offMs));
      const old = [await signIn(a), await signIn(b)];
      await a.sessions.revokeSessions({ all: true });
      await Promise.all([a.watch.read(), b.watch.read()]);
      const young = [await signIn(a), await signIn(b)];
      for (const each of [a, b]) {
        for (const { accessToken } of old) expect(await each.accepts(accessToken)).toBe(false);
        for (const { accessToken } of young) expect(await each.accepts(accessToken)).toBe(true);
      }
    },
  );

  it('that began before a moment end, and the younger ones go on with their tokens', async () => {
    const { a, b, clock } = await twoInstances();
    const old = await signIn(a);
    clock.advance(60_000);
    const createdBefore = new Date(clock.now());
    const younger = await signIn(a);
    clock.advance(60_000);
    await a.sessions.revokeSessions({ createdBefore });
    await b.watch.read();
    expect([await b.accepts(old.accessToken), await b.accepts(younger.accessToken)]).toEqual([false, true]);
  });

  it.each([{}, { userIds: ['user-1'] }])(
    'do not end before a moment to come, which would leave later cut-offs nothing to end (%j)',
    async (conditions) => {
      const { a, clock } = await twoInstances();
      const { accessToken } = await signIn(a);
      const ending = async (aheadMs: number): Promise<unknown> =>
        a.sessions.revokeSessions({ ...conditions, createdBefore: new Date(clock.now() + aheadMs) });
      for (const aheadMs of [300_001, 40 * 365 * 86_400_000]) {
        const error = await ending(aheadMs).catch((caught: unknown) => caught);
        expect(error).toBeInstanceOf(TypeError);
        expect((error as Error).message).toContain(new Date(clock.now() + aheadMs).toISOString());
      }
      expect(await a.accepts(accessToken)).toBe(true);
      await ending(300_000);
      expect(await a.accepts(accessToken)).toBe(false);
    },
  );

  it('cost one read for each session that goes on, and no more', async () => {
    const { store, calls } = await watchedStore();
    const clock = new TestClock(TEST_START_MS);
    const [a, b] = [await instance(store, clock), await instance(store, clock)];
    const { accessToken } = await signIn(a);
    await a.sessions.revokeSessions({ createdBefore: new Date(TEST_START_MS - 1) });
    await b.watch.read();
    calls.length = 0;
    for (let n = 0; n < 3; n++) expect(await b.accepts(accessToken)).toBe(true);
    expect(calls.filter((name) => name === 'findSession')).toHaveLength(1);
  });

  it('of users that are named are told one by one', async () => {
    const { a, b } = await twoInstances();
    const [one, two, three] = [
      await signIn(a, { userId: 'one' }),
      await signIn(a, { userId: 'two' }),
      await signIn(a, { userId: 'three' }),
    ];
    const ended = await a.sessions.revokeSessions({ userIds: ['one', 'two'] });
    expect(ended?.toSorted()).toEqual([one.handle, two.handle].toSorted());
    await b.watch.read();
    expect([await b.accepts(one.accessToken), await b.accepts(three.accessToken)]).toEqual([false, true]);
  });

  it.each([{}, { all: false }, { all: true, tenantId: 't1' }, { userIds: 'one' }, { createdBefore: 5 }])(
    'do not end by %j, which says nothing or two things',
    async (input) => {
      const { a } = await twoInstances();
      const { accessToken } = await signIn(a);
      await expect(a.sessions.revokeSessions(input as object)).rejects.toBeInstanceOf(TypeError);
      expect(await a.accepts(accessToken)).toBe(true);
    },
  );
});

/** A feed that fails while a test says so. */
class BreakableFeed extends MemoryFeed {
  isBroken = false;

  override async read(after: string | undefined): Promise<RevocationPage> {
    if (this.isBroken) throw new Error('connection terminated');
    return super.read(after);
  }
}

/** A feed of pages of handles, which breaks at one of them. */
class PagedFeed extends MemoryFeed {
  pages: string[][] = [];
  brokenAt: number | undefined;
  onRead = (): void => undefined;
  readonly asked: (string | undefined)[] = [];

  override async read(after: string | undefined): Promise<RevocationPage> {
    if (this.pages.length === 0) return { records: [], position: '0' };
    const page = Number(after);
    if (page === this.brokenAt) throw new Error('connection terminated');
    this.asked.push(after);
    this.onRead();
    const times = { notBeforeMs: TEST_START_MS, untilMs: TEST_START_MS + 10 * HOUR_MS };
    const records = (this.pages[page] ?? []).map((id) => ({
      kind: 'session',
      id,
      tenantId: 'public',
      ...times,
    }));
    return { records, position: String(page + 1), mayHaveMore: page + 1 < this.pages.length };
  }
}

describe('a feed that does not respond (S048)', () => {
  const broken = async (feedOptions: RevocationFeedOptions) => {
    const { store, failing, calls } = await watchedStore();
    const feed = new BreakableFeed();
    const clock = new TestClock(TEST_START_MS);
    const made = await instance(store, clock, { feed, pollMs: 1000, ...feedOptions });
    return { ...made, feed, failing, calls, clock };
  };

  it('leaves the state live for twice the interval, and makes it stale before anything is accepted later', async () => {
    const { watch, feed, clock, events, accepts, calls, ...rest } = await broken({});
    const { accessToken } = await signIn({ watch, events, accepts, clock, ...rest });
    feed.isBroken = true;
    clock.advance(2000);
    calls.length = 0;
    expect([await accepts(accessToken), watch.state, calls.length]).toEqual([true, 'live', 0]);
    clock.advance(1);
    expect([await accepts(accessToken), watch.state, calls.length]).toEqual([true, 'stale', 1]);
    feed.isBroken = false;
    expect(await watch.read()).toBe(true);
    calls.length = 0;
    expect([await accepts(accessToken), watch.state, calls.length]).toEqual([true, 'live', 0]);
    const states = (await events()).flatMap((event) =>
      event.type === 'revocations.state' ? [event.state] : [],
    );
    expect(states).toEqual(['stale', 'live']);
  });

  it('has the store asked, which knows of the end; with the store gone as well, the response is 503', async () => {
    const made = await broken({});
    const { accessToken, handle } = await signIn(made);
    made.feed.isBroken = true;
    made.clock.advance(3000);
    made.failing.add('findSession');
    await expect(made.accepts(accessToken)).rejects.toBeInstanceOf(CoreUnavailableError);
    made.failing.clear();
    await made.sessions.revokeSession(handle).catch(() => undefined);
    expect(await made.accepts(accessToken)).toBe(false);
  });

  it.each([
    ['accept', 'accepted'],
    ['refuse', 'CoreUnavailableError'],
  ] as const)('with whenStale %s decides without the store', async (whenStale, outcome) => {
    const made = await broken({ whenStale });
    const { accessToken } = await signIn(made);
    made.feed.isBroken = true;
    made.clock.advance(3000);
    made.calls.length = 0;
    const outcomeOf = made.accepts(accessToken).then(
      () => 'accepted',
      (error: unknown) => (error as Error).name,
    );
    expect(await outcomeOf).toBe(outcome);
    expect(made.calls).toEqual([]);
  });

  it('is stale from the start until it was read, and loses nothing meanwhile', async () => {
    const store = await seededMemoryStore();
    const feed = new BreakableFeed();
    const clock = new TestClock(TEST_START_MS);
    const a = await instance(store, clock, { feed });
    const [one, two] = [await signIn(a), await signIn(a)];
    feed.isBroken = true;
    const b = await instance(store, clock, { feed });
    await a.sessions.revokeSession(one.handle);
    expect([b.watch.state, await b.accepts(one.accessToken), await b.accepts(two.accessToken)]).toEqual([
      'stale',
      false,
      true,
    ]);
    feed.isBroken = false;
    await b.watch.read();
    expect([b.watch.state, b.watch.size]).toEqual(['live', 1]);
  });

  it('is stale until the last of many pages was read, and keeps what it has of them', async () => {
    const feed = new PagedFeed();
    const clock = new TestClock(TEST_START_MS);
    const made = await instance(await seededMemoryStore(), clock, { feed, maxSessions: 1000 });
    const { handle, accessToken } = await signIn(made);
    clock.advance(3 * 60_000);
    expect(made.watch.state).toBe('stale');
    feed.pages = Array.from({ length: 30 }, (_, n) => Array.from({ length: 100 }, (_, i) => `${n}-${i}`));
    feed.pages.push([handle]);
    feed.brokenAt = 12;
    feed.onRead = () => clock.advance(60_000); // all pages together take longer than the state lasts
    expect(await made.watch.read()).toBe(false);
    expect([made.watch.state, made.watch.size > 500, made.watch.size <= 1000]).toEqual(['stale', true, true]);
    feed.brokenAt = undefined;
    expect(await made.watch.read()).toBe(true);
    expect(feed.asked.slice(12)).toEqual(Array.from({ length: 19 }, (_, n) => String(n + 12)));
    expect([made.watch.state, made.watch.size <= 1000]).toEqual(['live', true]);
    expect(await made.accepts(accessToken)).toBe(false);
  });

  it('proves nothing where the clock was set back', async () => {
    const { watch, clock } = await broken({ pollMs: 60_000 });
    expect(watch.state).toBe('live');
    clock.advance(-1);
    expect(watch.state).toBe('stale');
  });
});

async function openStream({ streams, sessions }: Instance, accessToken: string) {
  const session = await sessions.getSessionWithoutRequestResponse({ accessToken, antiCsrfCheck: false });
  const state = { isOpen: true };
  NEVER.pipe(streams.untilSessionEnds(session)).subscribe({ complete: () => (state.isOpen = false) });
  return state;
}

describe('an open stream of another instance', () => {
  it('ends with its session, and leaves the others open', async () => {
    const { a, b } = await twoInstances();
    const [one, two] = [await signIn(a), await signIn(a)];
    const streams = [await openStream(b, one.accessToken), await openStream(b, two.accessToken)];
    await a.sessions.revokeSession(one.handle);
    await b.watch.read();
    expect(streams.map(({ isOpen }) => isOpen)).toEqual([false, true]);
  });

  it('ends with its tenant, and leaves those of others open', async () => {
    const { a, b } = await twoInstances();
    const [one, two] = [await signIn(a, { tenantId: 't1' }), await signIn(a)];
    const streams = [await openStream(b, one.accessToken), await openStream(b, two.accessToken)];
    await a.sessions.revokeSessions({ tenantId: 't1' });
    await b.watch.read();
    while (streams[0]?.isOpen === true) await nextTurn(); // the core is asked about each connection
    expect(streams.map(({ isOpen }) => isOpen)).toEqual([false, true]);
  });
});

describe('open streams after a record of a user', () => {
  it('cost one question for each session of that user, however many records come together, and none for others', async () => {
    const { store, calls } = await watchedStore();
    const feed = new MemoryFeed();
    const clock = new TestClock(TEST_START_MS);
    const [a, b] = [await instance(store, clock, { feed }), await instance(store, clock, { feed })];
    for (const userId of ['ada', 'ada', 'bob', 'cy', 'cy', 'cy'])
      await openStream(b, (await signIn(a, { userId })).accessToken);
    calls.length = 0;
    await feed.publish([
      ...Array.from({ length: 20 }, (_, n) => ofUser('ada', { notBeforeMs: TEST_START_MS + n })),
      ofUser('bob', { tenantId: 'public' }),
      ofUser('cy', { tenantId: 't1' }),
    ]);
    await b.watch.read();
    expect(calls.filter((name) => name === 'findSession')).toHaveLength(3);
  });
});

/** The record of all sessions of a user. */
function ofUser(id: string, change: Partial<Revocation> = {}): Revocation {
  const times = { notBeforeMs: TEST_START_MS, untilMs: TEST_START_MS + HOUR_MS };
  return { kind: 'user', id, tenantId: undefined, ...times, ...change };
}

describe('a record of a user', () => {
  const prepared = async () => {
    const { store, calls } = await watchedStore();
    const feed = new MemoryFeed();
    const made = await instance(store, new TestClock(TEST_START_MS), { feed });
    const tokenOf = async (userId: string) => (await signIn(made, { userId })).accessToken;
    return { made, feed, calls, ada: await tokenOf('ada'), bob: await tokenOf('bob') };
  };

  it('forgets the remembered tokens of that user only', async () => {
    const { made, feed, ada, bob } = await prepared();
    for (const token of [ada, bob]) await made.accepts(token);
    expect(made.rememberedTokens()).toBe(2);
    await feed.publish([ofUser('ada')]);
    await made.watch.read();
    expect(made.rememberedTokens()).toBe(1);
  });

  it('leaves what the core has said about the sessions of others', async () => {
    const { made, feed, calls, ada, bob } = await prepared();
    await feed.publish([{ ...ofUser(''), kind: 'all' }]);
    await made.watch.read();
    for (const token of [ada, bob]) await made.accepts(token);
    await feed.publish([ofUser('ada')]);
    await made.watch.read();
    calls.length = 0;
    expect([await made.accepts(bob), calls]).toEqual([true, []]);
    expect([await made.accepts(ada), calls]).toEqual([true, ['findSession']]);
  });
});

describe('records that make no sense', () => {
  class OddFeed extends RevocationFeed {
    records: unknown[] = [];
    override async publish(records: readonly Revocation[]): Promise<void> {
      this.records.push(...records);
    }
    override async read(): Promise<RevocationPage> {
      return { records: this.records, position: '' };
    }
  }

  it.each([
    [null],
    [7],
    ['handle'],
    [{}],
    [{ kind: 'device', id: 'x', notBeforeMs: 1, untilMs: 2 }],
    [{ kind: 'session', id: '', notBeforeMs: 1, untilMs: 2 }],
    [{ kind: 'session', id: 'x'.repeat(300), notBeforeMs: 1, untilMs: 2 }],
    [{ kind: 'session', id: 'x', notBeforeMs: Number.NaN, untilMs: 2 }],
    [{ kind: 'session', id: 'x', notBeforeMs: 1, untilMs: '2' }],
    [{ kind: 'tenant', id: 5, notBeforeMs: 1, untilMs: 1e300 }],
  ])('such as %j end no session, but have the store asked once', async (record) => {
    const { store, calls } = await watchedStore();
    const feed = new OddFeed();
    const made = await instance(store, undefined, { feed });
    const { accessToken } = await signIn(made);
    feed.records.push(record);
    for (let n = 0; n < 2; n++) {
      await made.watch.read();
      calls.length = 0;
      expect(await made.accepts(accessToken)).toBe(true);
      expect(calls).toHaveLength(n === 0 ? 1 : 0);
    }
  });

  it('do not keep the others of their page from being read', async () => {
    const feed = new OddFeed();
    const made = await instance(await seededMemoryStore(), undefined, { feed });
    const { accessToken, handle } = await signIn(made);
    feed.records.push({ kind: 'nonsense' });
    feed.records.push({
      kind: 'session',
      id: handle,
      tenantId: 'public',
      notBeforeMs: TEST_START_MS,
      untilMs: TEST_START_MS + HOUR_MS,
    });
    await made.watch.read();
    expect(await made.accepts(accessToken)).toBe(false);
  });
});

describe('more ended sessions than are kept', () => {
  it('are refused all the same: the store is asked about the others once, and an event says so', async () => {
    const { a, b } = await twoInstances({ maxSessions: 1000 });
    const made = await Promise.all(Array.from({ length: 1010 }, async () => signIn(a)));
    const [alive, ...ending] = made;
    for (const { handle } of ending) await a.sessions.revokeSession(handle);
    await b.watch.read();
    expect(b.watch.size).toBeLessThan(1000);
    const accepted = await Promise.all(ending.map(async ({ accessToken }) => b.accepts(accessToken)));
    expect(accepted.filter(Boolean)).toEqual([]);
    expect(await b.accepts(alive?.accessToken ?? '')).toBe(true);
    expect(await b.events()).toContainEqual(expect.objectContaining({ type: 'revocations.overflow' }));
  });
});

describe('more ended users than are kept', () => {
  it('are refused all the same, within the same bound: the store is asked about the others once', async () => {
    const { store, calls } = await watchedStore();
    const clock = new TestClock(TEST_START_MS);
    const feed = new MemoryFeed();
    const a = await instance(store, clock, { feed: new MemoryFeed() }); // it tells the other one nothing
    const b = await instance(store, clock, { feed, maxSessions: 1000 });
    const [first, last, other] = [
      await signIn(a, { userId: 'user-0' }),
      await signIn(a, { userId: 'user-4999' }),
      await signIn(a, { userId: 'other' }),
    ];
    for (const { accessToken } of [first, last, other]) await b.accepts(accessToken);
    for (const { handle } of [first, last]) await a.sessions.revokeSession(handle);
    for (let n = 0; n < 5000; n += 10) {
      await feed.publish(Array.from({ length: 10 }, (_, k) => ofUser(`user-${n + k}`)));
      await b.watch.read();
      expect(b.watch.size).toBeLessThanOrEqual(1001);
    }
    expect([await b.accepts(first.accessToken), await b.accepts(last.accessToken)]).toEqual([false, false]);
    calls.length = 0;
    for (let n = 0; n < 3; n++) expect(await b.accepts(other.accessToken)).toBe(true);
    expect(calls.filter((name) => name === 'findSession')).toHaveLength(1);
    const overflows = (await b.events()).filter(({ type }) => type === 'revocations.overflow');
    expect(overflows.length).toBeGreaterThan(0);
    expect(overflows.length).toBeLessThanOrEqual(5000 / 250);
  });
});

describe('an instance whose clock is off', () => {
  type Ending = (made: Instance, handle: string) => Promise<unknown>;
  const endings: readonly (readonly [string, Ending])[] = [
    ['revokeSession', async ({ sessions }, handle) => sessions.revokeSession(handle)],
    [
      'revokeAllSessionsForUser',
      async ({ sessions }) => sessions.revokeAllSessionsForUser({ userId: 'ada' }),
    ],
    ['revokeSessions of a user', async ({ sessions }) => sessions.revokeSessions({ userIds: ['ada'] })],
    ['revokeSessions of a tenant', async ({ sessions }) => sessions.revokeSessions({ tenantId: 't1' })],
  ];
  const cases = endings.flatMap(([name, end]) =>
    [-60_000, 60_000].flatMap((offMs) => [true, false].map((isOwnFeed) => ({ name, end, offMs, isOwnFeed }))),
  );

  it.each(cases)(
    'by $offMs ms: what $name ends stays refused until its last token expires, and what lives is accepted; feed of the store: $isOwnFeed',
    async ({ end, offMs, isOwnFeed }) => {
      const store = await seededMemoryStore();
      const feed = isOwnFeed ? {} : { feed: new MemoryFeed() };
      const right = await instance(store, new TestClock(TEST_START_MS), feed);
      const off = await instance(store, new TestClock(TEST_START_MS + offMs), feed);
      for (const [here, there] of [
        [right, off],
        [off, right],
      ] as const) {
        const ada = { userId: 'ada', tenantId: 't1' };
        const ended = [await signIn(here, ada), await signIn(there, ada)];
        const living = [await signIn(here), await signIn(there)];
        for (const { handle } of ended) await end(here, handle);
        await Promise.all([right.watch.read(), off.watch.read()]);
        living.push(await signIn(here, ada), await signIn(there, ada));
        const accepted = async (made: Instance, of: readonly { accessToken: string }[]) =>
          Promise.all(of.map(async ({ accessToken }) => made.accepts(accessToken)));
        for (const made of [right, off]) {
          expect(await accepted(made, ended)).toEqual([false, false]);
          expect(await accepted(made, living)).toEqual([true, true, true, true]);
        }
        const outcomes = new Set<unknown>();
        // The last moments of the tokens by the one clock, and by the other.
        for (const stepMs of [HOUR_MS - 1, 60_000]) {
          for (const made of [right, off]) made.clock.advance(stepMs);
          await Promise.all([right.watch.read(), off.watch.read()]); // forgets what no longer matters
          for (const made of [right, off]) {
            for (const { accessToken } of ended)
              outcomes.add(await made.accepts(accessToken).catch((error: Error) => error.name));
          }
        }
        expect(outcomes).toEqual(new Set([false, 'TryRefreshTokenError']));
      }
    },
  );
});

describe('a second cut-off', () => {
  it('counts although the clock of its instance is behind that of the first one', async () => {
    const store = await seededMemoryStore();
    const a = await instance(store);
    const b = await instance(store, new TestClock(TEST_START_MS - 60_000));
    await a.sessions.revokeSessions({ all: true });
    await Promise.all([a.watch.read(), b.watch.read()]);
    const { accessToken } = await signIn(b);
    expect(await a.accepts(accessToken)).toBe(true);
    b.clock.advance(20_000);
    await b.sessions.revokeSessions({ all: true });
    await a.watch.read();
    expect(await a.accepts(accessToken)).toBe(false);
  });
});

describe('the index of revocations', () => {
  it('counts each record of a cut-off, so that one user who signs out again and again does not fill the memory', () => {
    const index = new RevocationIndex(1000);
    const overflows = Array.from({ length: 1100 }, (_, n) => n).filter(
      (n) => index.add([ofUser(`u${n % 2}`, { notBeforeMs: TEST_START_MS + n })], TEST_START_MS).isFull,
    );
    expect(overflows).toEqual([1000]);
  });

  it('asks again about a session that was confirmed before it ended and then made room, at whatever time', () => {
    const index = new RevocationIndex(1000);
    const subject = {
      sessionHandle: 'h',
      userId: 'u',
      recipeUserId: 'u',
      tenantId: 'public',
      timeCreatedMs: 0,
    };
    const records = (from: number): Revocation[] =>
      Array.from({ length: 1000 }, (_, n) => ({ ...ofUser(`h${from + n}`), kind: 'session' }));
    index.add([...records(0), ...records(1000)], TEST_START_MS);
    expect(index.judge(subject)).toBe('ask');
    index.noteState('h', true, TEST_START_MS, index.age);
    expect(index.judge(subject)).toBe('valid');
    index.add([{ ...ofUser('h'), kind: 'session' }], TEST_START_MS);
    expect(index.judge(subject)).toBe('ended');
    index.add([...records(2000), ...records(3000)], TEST_START_MS);
    expect(index.judge(subject)).toBe('ask');
  });

  it('is not shortened by a late response about an older token', () => {
    const index = new RevocationIndex(1000);
    const subject = { userId: 'u', recipeUserId: 'u', tenantId: 'public', timeCreatedMs: 0 };
    const record = {
      kind: 'session',
      id: 'h',
      tenantId: undefined,
      notBeforeMs: 0,
      untilMs: 3_600_000,
    } as const;
    index.add([record], 0);
    index.noteState('h', false, 1000, index.age);
    index.prune(3_500_000);
    expect(index.judge({ ...subject, sessionHandle: 'h' })).toBe('ended');
  });
});

describe('a feed that is asked for where there is none', () => {
  it('stops the start, and says what to give', async () => {
    await expect(instance(await storeWithoutFeed())).rejects.toThrow(/revocationFeed\.feed: is missing/);
  });
});
