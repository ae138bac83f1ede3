import { describe, expect, it } from '@jest/globals';
import {
  decideRefreshAtOnce,
  isOfCurrentLine,
  type AtOnceDecision,
} from '../../../lib/core/embedded/at-once-decisions.js';
import type { RotationState } from '../../../lib/core/embedded/refresh-rotation.js';
import { embeddedCore } from '../../../lib/core/embedded/embedded-core-options.js';
import { SessionEvents } from '../../../lib/events/session-events.js';
import { TestClock } from '../../../lib/testing/test-clock.js';
import { CoreBadInputError, CoreUnavailableError } from '../../../lib/errors.js';
import { refreshTokenHash1, refreshTokenHash2, RefreshTokens } from '../../../lib/tokens/refresh-token.js';
import { jwt, V5_HEADER } from '../../fixtures/made-tokens.js';
import { AT_ONCE, check, present, rotate } from '../../support/at-once.js';
import {
  create,
  decoded,
  kidOf,
  refresh,
  refreshed,
  replacementOf,
  verify,
} from '../../support/core-calls.js';
import {
  embeddedCoreOn,
  makeEmbeddedCore,
  REFRESH_VALIDITY_SEC,
  rowOf,
  seededMemoryStore,
  TEST_START_MS,
} from '../../support/embedded.js';
import { interceptedStore } from '../../support/intercepted-store.js';

const GRACE_MS = 30_000;
const HOUR_MS = 3_600_000;
const REFRESH_VALIDITY_MS = REFRESH_VALIDITY_SEC * 1000;

describe('the decision about a refresh token that is replaced at once', () => {
  /** X was current before Y. */
  const row: RotationState = {
    refreshTokenHash2: refreshTokenHash2('Y'),
    prevRefreshTokenHash2: refreshTokenHash2('X'),
    rotatedAtMs: 1000,
    expiresAtMs: 10_000_000,
  };
  const token = (name: string, parent?: string) => ({
    hash2: refreshTokenHash2(name),
    parentRefreshTokenHash1: parent === undefined ? undefined : refreshTokenHash1(parent),
  });

  it.each<[string, ReturnType<typeof token>, number, AtOnceDecision]>([
    ['the current one', token('Y', 'X'), 1000, 'ROTATE'],
    ['an unused child of the current one', token('Z', 'Y'), 1000, 'ROTATE'],
    ['the previous one at once', token('X'), 1000, 'ROTATE_AGAIN'],
    ['the previous one in the last millisecond of the grace period', token('X'), 31_000, 'ROTATE_AGAIN'],
    ['the previous one after it', token('X'), 31_001, 'RECENT_PREV'],
    ['a sibling of the current one', token('Y2', 'X'), 1000, 'ORPHANED_BRANCH'],
    ['an older one', token('W'), 1000, 'STALE_LINEAGE'],
    ['a child of an older one', token('X2', 'W'), 1000, 'STALE_LINEAGE'],
    ['the current one in the last millisecond of the session', token('Y', 'X'), 10_000_000, 'ROTATE'],
    ['the current one after it', token('Y', 'X'), 10_000_001, 'UNKNOWN_SESSION'],
    ['an older one after it', token('W'), 10_000_001, 'UNKNOWN_SESSION'],
  ])('for %s (C93 C94 C95 C100)', (_, presented, nowMs, decision) => {
    expect(decideRefreshAtOnce(row, presented, nowMs, GRACE_MS)).toBe(decision);
  });

  it('is a stale lineage where nothing has been rotated yet, and no session where there is no row', () => {
    const fresh = { ...row, prevRefreshTokenHash2: undefined, rotatedAtMs: undefined };
    expect(decideRefreshAtOnce(fresh, token('X'), 1000, GRACE_MS)).toBe('STALE_LINEAGE');
    expect(decideRefreshAtOnce(undefined, token('Y'), 1000, GRACE_MS)).toBe('UNKNOWN_SESSION');
  });

  it.each<[string, string, string | undefined, boolean]>([
    ['of the current one', 'Y', undefined, true],
    ['of the previous one', 'X', undefined, true],
    ['of a child of the current one', 'Z', 'Y', true],
    ['of a child of the previous one', 'Y2', 'X', true],
    ['of an older one', 'W', undefined, false],
    ['of a child of an older one', 'X2', 'W', false],
  ])('accepts an access token %s: %s, parent %s: %s (C57 C58)', (_, own, parent, isAccepted) => {
    const hashes = {
      refreshTokenHash1: refreshTokenHash1(own),
      parentRefreshTokenHash1: parent === undefined ? undefined : refreshTokenHash1(parent),
    };
    expect(isOfCurrentLine(row, hashes)).toBe(isAccepted);
  });
});

describe('refreshing with rotation at once', () => {
  it('replaces the refresh token in the row, and gives an access token without parent (C91)', async () => {
    const { core, clock, store, events } = await makeEmbeddedCore();
    const first = await create(core, { userDataInJWT: { role: 'admin' } });
    clock.advanceSeconds(60);
    const now = clock.now();
    const second = await rotate(core, first.refreshToken.token);
    const row = await rowOf(store, first.session.handle);
    expect(row).toMatchObject({
      refreshTokenHash2: refreshTokenHash2(second.refreshToken.token),
      prevRefreshTokenHash2: refreshTokenHash2(first.refreshToken.token),
      rotatedAtMs: now,
      expiresAtMs: now + REFRESH_VALIDITY_MS,
    });
    expect(second).toMatchObject({
      session: first.session,
      accessToken: { expiry: now + HOUR_MS },
      refreshToken: { expiry: now + REFRESH_VALIDITY_MS },
    });
    expect(decoded(second.accessToken.token).payload).toMatchObject({
      role: 'admin',
      parentRefreshTokenHash1: null,
      refreshTokenHash1: refreshTokenHash1(second.refreshToken.token),
    });
    expect(events.map(({ type }) => type)).toEqual(['session.promoted']);
  });

  it('rotates again for the same old token within the grace period, and moves nothing else (C92 C99)', async () => {
    const { core, clock, store, events } = await makeEmbeddedCore();
    const first = await create(core);
    const second = await rotate(core, first.refreshToken.token);
    const before = await rowOf(store, first.session.handle);
    clock.advanceSeconds(10);
    const again = await rotate(core, first.refreshToken.token);
    expect(again.refreshToken.token).not.toBe(second.refreshToken.token);
    expect(again.refreshToken.expiry).toBe(clock.now() + REFRESH_VALIDITY_MS);
    expect(await rowOf(store, first.session.handle)).toEqual({
      ...before,
      refreshTokenHash2: refreshTokenHash2(again.refreshToken.token),
    });
    expect(await rotate(core, again.refreshToken.token)).toMatchObject({ session: first.session });
    expect(events.map(({ type }) => type)).toEqual([
      'session.promoted',
      'session.grace-hit',
      'session.promoted',
    ]);
  });

  it.each<[string, { refreshTokenRotationGracePeriodSec?: number }, number]>([
    ['by default 30 s, as at a Core', {}, 30_000],
    ['as long as it is set', { refreshTokenRotationGracePeriodSec: 5 }, 5000],
    ['closed with 0', { refreshTokenRotationGracePeriodSec: 0 }, 0],
  ])('accepts an old token %s, that moment included (C93 C100)', async (_, options, graceMs) => {
    const { core, clock, store } = await makeEmbeddedCore(options);
    const { refreshToken, session } = await create(core);
    await rotate(core, refreshToken.token);
    clock.advance(graceMs);
    await rotate(core, refreshToken.token);
    clock.advance(1);
    expect(await present(core, refreshToken.token)).toEqual({
      status: 'TOKEN_THEFT_DETECTED',
      session: { handle: session.handle, userId: 'user-1', recipeUserId: 'user-1' },
      recentTokenReuseSubtype: 'RECENT_PREV',
    });
    await expect(rowOf(store, session.handle)).rejects.toThrow('There is no row');
  });

  it('is theft for the pair that a repeated refresh made void, and ends the session (C94)', async () => {
    const { core, store } = await makeEmbeddedCore();
    const { refreshToken, session } = await create(core);
    const lost = await rotate(core, refreshToken.token);
    const again = await rotate(core, refreshToken.token);
    expect(await present(core, lost.refreshToken.token)).toMatchObject({
      status: 'TOKEN_THEFT_DETECTED',
      recentTokenReuseSubtype: 'ORPHANED_BRANCH',
    });
    await expect(rowOf(store, session.handle)).rejects.toThrow('There is no row');
    expect(await present(core, again.refreshToken.token)).toMatchObject({ status: 'UNAUTHORISED' });
  });

  it('is theft for a token two rotations old, however soon, and ends the session (C95)', async () => {
    const { core, store } = await makeEmbeddedCore();
    const { refreshToken, session } = await create(core);
    const second = await rotate(core, refreshToken.token);
    await rotate(core, second.refreshToken.token);
    expect(await present(core, refreshToken.token)).toMatchObject({
      status: 'TOKEN_THEFT_DETECTED',
      recentTokenReuseSubtype: 'STALE_LINEAGE',
    });
    await expect(rowOf(store, session.handle)).rejects.toThrow('There is no row');
  });

  it('is refused for a session that has expired, and changes no row', async () => {
    const { core, clock, store } = await makeEmbeddedCore();
    const { refreshToken, session } = await create(core);
    const before = await rowOf(store, session.handle);
    clock.set(before.expiresAtMs + 1);
    expect(await present(core, refreshToken.token)).toEqual({
      status: 'UNAUTHORISED',
      message: 'Session missing in db or has expired',
    });
    expect(await rowOf(store, session.handle)).toEqual(before);
    clock.advance(-1);
    expect(await present(core, refreshToken.token)).toMatchObject({ status: 'OK' });
  });

  it('changes the kind of key for good, also when it rotates again', async () => {
    const { core } = await makeEmbeddedCore();
    const { refreshToken } = await create(core);
    const fixed = await rotate(core, refreshToken.token, { useDynamicSigningKey: false });
    expect(kidOf(fixed.accessToken.token)).toMatch(/^s-/);
    const again = await rotate(core, refreshToken.token, { useDynamicSigningKey: true });
    expect(kidOf(again.accessToken.token)).toMatch(/^d-/);
  });

  it('checks the anti-CSRF token that is sealed in the old one, and gives a new one where the call asks for it', async () => {
    const { core } = await makeEmbeddedCore();
    const { refreshToken, antiCsrfToken } = await create(core, { enableAntiCsrf: true });
    expect(await present(core, refreshToken.token, { enableAntiCsrf: true })).toMatchObject({
      status: 'UNAUTHORISED',
      message: 'Anti CSRF token missing, or not matching',
    });
    const next = await rotate(core, refreshToken.token, { enableAntiCsrf: true, antiCsrfToken });
    expect(next.antiCsrfToken).toEqual(expect.any(String));
    expect(next.antiCsrfToken).not.toBe(antiCsrfToken);
    const without = await rotate(core, next.refreshToken.token);
    expect(without.antiCsrfToken).toBeUndefined();
  });

  it('respects the end of a session that its payload sets', async () => {
    const { core, store, clock, events } = await makeEmbeddedCore();
    const endSec = TEST_START_MS / 1000 + 7200;
    const { refreshToken, session } = await create(core, { userDataInJWT: { session_expiry: endSec } });
    clock.advanceSeconds(3600);
    await rotate(core, refreshToken.token);
    expect((await rowOf(store, session.handle)).expiresAtMs).toBe(endSec * 1000);
    expect(events.map(({ type }) => type)).toEqual(['session.promoted']);
  });

  it('records the end of a session on reuse in the feed, for other instances', async () => {
    const clock = new TestClock(TEST_START_MS);
    const core = embeddedCore({ store: await seededMemoryStore() }).create({
      clock,
      events: new SessionEvents(),
      apiDomain: 'http://localhost:3000',
      jwksRefreshIntervalSec: 14_400,
      recordsRevocations: true,
    });
    const { refreshToken, session } = await create(core);
    await rotate(core, refreshToken.token);
    clock.advance(GRACE_MS + 1);
    await present(core, refreshToken.token);
    const page = await core.revocationFeed?.read(undefined);
    expect(page?.records).toMatchObject([{ kind: 'session', id: session.handle, reason: 'token-theft' }]);
  });

  it.each([
    { what: 'names another tenant than its session has', changes: { tenantId: 't1' } },
    { what: 'names a session by a text that is no handle', changes: { sessionHandle: 'no handle' } },
  ])('refuses a genuine refresh token that $what, in each rotation', async ({ changes }) => {
    const { core, store } = await makeEmbeddedCore();
    const { refreshToken } = await create(core);
    const sealer = new RefreshTokens(await store.getOrSetRefreshTokenKey(''));
    const content = await sealer.open(refreshToken.token);
    if (content === undefined) throw new Error('The refresh token cannot be opened');
    const other = await sealer.issue({ ...content, ...changes });
    expect((await present(core, other)).status).toBe('UNAUTHORISED');
    expect((await refresh(core, other)).status).toBe('UNAUTHORISED');
  });
});

describe('verifying with rotation at once', () => {
  it('writes no row and gives no token for a child that a legacy refresh made (C53)', async () => {
    const { core, store, events } = await makeEmbeddedCore();
    const first = await create(core);
    const child = await refreshed(core, first.refreshToken.token);
    const before = await rowOf(store, first.session.handle);
    expect(await check(core, child.accessToken.token)).toEqual({
      status: 'OK',
      session: first.session,
      payloadUpdateAvailable: false,
    });
    expect(await rowOf(store, first.session.handle)).toEqual(before);
    expect(events).toEqual([]);
  });

  it('tells whether the stored payload differs, and gives the payload of the token (C54 C55)', async () => {
    const { core } = await makeEmbeddedCore();
    const { session, accessToken } = await create(core, { userDataInJWT: { a: 1, b: 2 } });
    const response = { status: 'OK', session };
    expect(await check(core, accessToken.token)).toEqual({ ...response, payloadUpdateAvailable: false });
    await core.updateAccessTokenPayload(session.handle, { b: 2, a: 1 });
    expect(await check(core, accessToken.token)).toEqual({ ...response, payloadUpdateAvailable: false });
    await core.updateAccessTokenPayload(session.handle, { a: 2 });
    expect(await check(core, accessToken.token)).toEqual({ ...response, payloadUpdateAvailable: true });
  });

  it('asks no store and tells nothing of the payload without a check of the database (C56)', async () => {
    let calls = 0;
    const { core } = embeddedCoreOn(
      interceptedStore(await seededMemoryStore(), (_, call) => {
        calls += 1;
        return call();
      }),
    );
    const first = await create(core);
    const child = await refreshed(core, first.refreshToken.token);
    await core.updateAccessTokenPayload(first.session.handle, { a: 1 });
    await verify(core, child.accessToken.token, AT_ONCE);
    calls = 0;
    for (const { accessToken } of [first, child]) {
      expect(await verify(core, accessToken.token, AT_ONCE)).toEqual({
        status: 'OK',
        session: first.session,
      });
    }
    expect(calls).toBe(0);
  });

  it('accepts a token one generation old and refuses one of two, but not without a look (C57 C58)', async () => {
    const { core } = await makeEmbeddedCore();
    const first = await create(core);
    const second = await rotate(core, first.refreshToken.token);
    expect(await check(core, first.accessToken.token)).toMatchObject({ status: 'OK' });
    await rotate(core, second.refreshToken.token);
    expect(await check(core, second.accessToken.token)).toMatchObject({ status: 'OK' });
    expect(await check(core, first.accessToken.token)).toEqual({
      status: 'UNAUTHORISED',
      message: 'rotated-out token branch; refresh required',
    });
    expect(await verify(core, first.accessToken.token, AT_ONCE)).toMatchObject({ status: 'OK' });
  });

  it('refuses the access token of a pair that a repeated refresh made void', async () => {
    const { core } = await makeEmbeddedCore();
    const first = await create(core);
    const lost = await rotate(core, first.refreshToken.token);
    const again = await rotate(core, first.refreshToken.token);
    expect(await check(core, lost.accessToken.token)).toMatchObject({ status: 'UNAUTHORISED' });
    expect(await check(core, again.accessToken.token)).toMatchObject({ status: 'OK' });
  });

  it('refuses a token of a session that was removed or has expired', async () => {
    const { core, clock, store } = await makeEmbeddedCore({ refreshTokenValiditySec: 3601 });
    const { session, accessToken } = await create(core);
    const again = await create(core);
    await core.revokeSessions([session.handle]);
    const ended = {
      status: 'UNAUTHORISED',
      message: 'Either the session has ended or has been blacklisted',
    };
    expect(await check(core, accessToken.token)).toEqual(ended);
    const key = { tenantId: 'public', sessionHandle: again.session.handle };
    await store.update(key, {}, { expiresAtMs: clock.now() });
    expect(await check(core, again.accessToken.token)).toMatchObject({ status: 'OK' });
    clock.advance(1);
    expect(await check(core, again.accessToken.token)).toEqual({ ...ended, hasExpired: true });
  });

  it.each([
    { what: 'names another tenant than its session has', claims: { tId: 't1' } },
    { what: 'names a session by a text that is no handle', claims: { sessionHandle: 'no handle' } },
  ])('refuses a genuine token that $what, in each rotation', async ({ claims }) => {
    const { core } = await makeEmbeddedCore();
    const { accessToken } = await create(core);
    const other = jwt(V5_HEADER, { ...decoded(accessToken.token).payload, ...claims });
    expect((await check(core, other)).status).toBe('UNAUTHORISED');
    expect((await verify(core, other, { checkDatabase: true })).status).toBe('UNAUTHORISED');
  });
});

describe('the life of one access token', () => {
  it.each([
    ['shorter than the core’s own', 600_000],
    ['as long as it', HOUR_MS],
  ])('is what a creation and a refresh ask for: %s (C18 C19)', async (_, accessTokenValidityMs) => {
    const { core, clock } = await makeEmbeddedCore({ accessTokenValidityJitter: 0.25 });
    const life = { accessTokenValidityMs };
    for (const rotation of ['at-once', 'at-first-use'] as const) {
      const first = await create(core, life);
      expect(first.accessToken.expiry).toBe(clock.now() + accessTokenValidityMs);
      expect(first.refreshToken.expiry).toBe(clock.now() + REFRESH_VALIDITY_MS);
      const second = await refreshed(core, first.refreshToken.token, { ...life, rotation });
      expect(second.accessToken.expiry).toBe(clock.now() + accessTokenValidityMs);
      expect(second.refreshToken.expiry).toBe(clock.now() + REFRESH_VALIDITY_MS);
    }
  });

  it.each([HOUR_MS + 1000, HOUR_MS + 1, 0, -1, 0.5, Number.NaN, Number.POSITIVE_INFINITY])(
    'is a bad input that names field and limit, and changes nothing: %d (C20)',
    async (accessTokenValidityMs) => {
      const { core, store } = await makeEmbeddedCore();
      const named =
        'accessTokenValidity must be a whole number of milliseconds, greater than 0 and at most 3600000';
      const refused = new CoreBadInputError(named);
      await expect(create(core, { accessTokenValidityMs })).rejects.toThrow(refused);
      expect(
        await core.getSessionHandlesOfUser({
          userId: 'user-1',
          tenantId: undefined,
          includeLinkedAccounts: true,
        }),
      ).toEqual([]);
      const { refreshToken, session } = await create(core);
      const before = await rowOf(store, session.handle);
      for (const rotation of ['at-once', 'at-first-use'] as const) {
        await expect(refresh(core, refreshToken.token, { accessTokenValidityMs, rotation })).rejects.toThrow(
          refused,
        );
      }
      expect(await rowOf(store, session.handle)).toEqual(before);
    },
  );

  it('holds for the token that replaces it at its first use', async () => {
    const { core, clock } = await makeEmbeddedCore({ accessTokenValidityJitter: 0.25 });
    const first = await create(core);
    const life = { accessTokenValidityMs: 600_000 };
    const second = await refreshed(core, first.refreshToken.token, life);
    clock.advanceSeconds(60);
    const replacement = await replacementOf(core, second.accessToken.token);
    expect(decoded(replacement).payload).toMatchObject({ exp: (clock.now() + 600_000) / 1000 });
  });

  it.each([
    ['as the core’s own, where rounding explains what is missing', 3_599_000, 3600],
    ['as it was, where rounding does not', 3_598_000, 3598],
  ])(
    'holds for the replacement of a token %s: %d ms, then %d s',
    async (_, accessTokenValidityMs, lifeSec) => {
      const { core, clock } = await makeEmbeddedCore();
      const { refreshToken } = await create(core);
      const { accessToken } = await refreshed(core, refreshToken.token, { accessTokenValidityMs });
      const { exp } = decoded(await replacementOf(core, accessToken.token)).payload;
      expect(Number(exp) - clock.now() / 1000).toBe(lifeSec);
    },
  );

  it('is no longer than the end that the payload sets', async () => {
    const { core } = await makeEmbeddedCore();
    const endSec = TEST_START_MS / 1000 + 300;
    const userDataInJWT = { session_expiry: endSec };
    const { accessToken } = await create(core, { userDataInJWT, accessTokenValidityMs: 600_000 });
    expect(accessToken.expiry).toBe(endSec * 1000);
  });
});

describe('one session between callers of older versions and of CDI 5.6', () => {
  it('rotates the unused child of a legacy refresh, which becomes the previous token (C98)', async () => {
    const { core, clock, store } = await makeEmbeddedCore();
    const first = await create(core);
    const child = await refreshed(core, first.refreshToken.token);
    clock.advanceSeconds(1);
    const next = await rotate(core, child.refreshToken.token);
    expect(await rowOf(store, first.session.handle)).toMatchObject({
      refreshTokenHash2: refreshTokenHash2(next.refreshToken.token),
      prevRefreshTokenHash2: refreshTokenHash2(child.refreshToken.token),
      rotatedAtMs: clock.now(),
      expiresAtMs: clock.now() + REFRESH_VALIDITY_MS,
    });
    expect(await rotate(core, child.refreshToken.token)).toMatchObject({ session: first.session });
  });

  it('goes there and back: each way continues with the token that the other gave', async () => {
    const { core, clock } = await makeEmbeddedCore();
    let { refreshToken } = await create(core);
    for (const rotation of ['at-once', 'at-first-use', 'at-first-use', 'at-once', 'at-once'] as const) {
      clock.advanceSeconds(3600);
      const next = await refreshed(core, refreshToken.token, { rotation });
      expect(await verify(core, next.accessToken.token, { rotation, checkDatabase: true })).toMatchObject({
        status: 'OK',
      });
      ({ refreshToken } = next);
    }
  });

  it('remembers a legacy promotion as a rotation, so that the token before has its grace at 5.6', async () => {
    const { core, clock, store } = await makeEmbeddedCore();
    const first = await create(core);
    const second = await refreshed(core, first.refreshToken.token);
    await replacementOf(core, second.accessToken.token);
    expect(await rowOf(store, first.session.handle)).toMatchObject({
      prevRefreshTokenHash2: refreshTokenHash2(first.refreshToken.token),
      rotatedAtMs: clock.now(),
    });
    clock.advance(GRACE_MS);
    expect(await present(core, first.refreshToken.token)).toMatchObject({ status: 'OK' });
  });

  it('is a theft for an older caller whose token was replaced at once, and the session stays for the caller to end', async () => {
    const { core, store } = await makeEmbeddedCore();
    const first = await create(core);
    await rotate(core, first.refreshToken.token);
    expect(await refresh(core, first.refreshToken.token)).toEqual({
      status: 'TOKEN_THEFT_DETECTED',
      session: { handle: first.session.handle, userId: 'user-1', recipeUserId: 'user-1' },
    });
    expect(await rowOf(store, first.session.handle)).toBeDefined();
  });

  it('is an orphaned branch at 5.6 for the legacy child of a token that was replaced at once', async () => {
    const { core } = await makeEmbeddedCore();
    const first = await create(core);
    const child = await refreshed(core, first.refreshToken.token);
    await rotate(core, first.refreshToken.token);
    expect(await present(core, child.refreshToken.token)).toMatchObject({
      status: 'TOKEN_THEFT_DETECTED',
      recentTokenReuseSubtype: 'ORPHANED_BRANCH',
    });
  });
});

describe('a session whose payload holds a name of the session itself, left by another program', () => {
  it('is refused as unauthorised, with the name', async () => {
    const { core, store } = await makeEmbeddedCore();
    const { refreshToken, session } = await create(core);
    const key = { tenantId: 'public', sessionHandle: session.handle };
    await store.update(key, {}, { accessTokenPayload: '{"rsub":"other"}' });
    expect(await present(core, refreshToken.token)).toMatchObject({
      status: 'UNAUTHORISED',
      message: expect.stringContaining('The user payload contains protected field'),
    });
  });
});

describe('two instances that refresh one token at once', () => {
  it('leave one pair of the current line: the slower one reads again, and its refresh is a repeated one', async () => {
    const store = await seededMemoryStore();
    const { core: faster, clock } = embeddedCoreOn(store);
    const first = await create(faster);
    const { handle } = first.session;
    let overtaking: Awaited<ReturnType<typeof rotate>> | undefined;
    const overtaken = interceptedStore(store, async (name, call) => {
      if (name !== 'findAndUpdate') return call();
      const row = await rowOf(store, handle);
      overtaking = await rotate(faster, first.refreshToken.token);
      clock.advance(5);
      return { row, isUpdated: false };
    });
    const slower = embeddedCoreOn(overtaken, {}, clock);
    const pair = await rotate(slower.core, first.refreshToken.token);
    expect(await rowOf(store, handle)).toMatchObject({
      refreshTokenHash2: refreshTokenHash2(pair.refreshToken.token),
      prevRefreshTokenHash2: refreshTokenHash2(first.refreshToken.token),
      rotatedAtMs: clock.now() - 5,
    });
    expect(slower.events.map(({ type }) => type)).toEqual(['session.grace-hit']);
    expect(await check(faster, overtaking?.accessToken.token ?? '')).toMatchObject({
      status: 'UNAUTHORISED',
    });
    expect(await check(faster, pair.accessToken.token)).toMatchObject({ status: 'OK' });
  });
});

describe('a store that fails while tokens rotate at once', () => {
  it.each<['before' | 'after']>([['before'], ['after']])(
    'decides nothing, and the client refreshes with its old token again: %s the write',
    async (failure) => {
      const store = await seededMemoryStore();
      const steady = embeddedCoreOn(store).core;
      const first = await create(steady);
      const failing = interceptedStore(store, async (name, call) => {
        if (name !== 'findAndUpdate') return call();
        if (failure === 'after') await call();
        throw new Error('connection terminated');
      });
      await expect(present(embeddedCoreOn(failing).core, first.refreshToken.token)).rejects.toThrow(
        CoreUnavailableError,
      );
      const next = await rotate(steady, first.refreshToken.token);
      expect(await present(steady, next.refreshToken.token)).toMatchObject({ status: 'OK' });
    },
  );

  it('ends the session with the next try where its removal failed', async () => {
    const store = await seededMemoryStore();
    const { core, clock } = embeddedCoreOn(store);
    const first = await create(core);
    await rotate(core, first.refreshToken.token);
    clock.advance(GRACE_MS + 1);
    const failing = interceptedStore(store, async (name, call) => {
      if (name === 'deleteSessions') throw new Error('connection terminated');
      return call();
    });
    const other = embeddedCoreOn(failing, {}, clock).core;
    await expect(present(other, first.refreshToken.token)).rejects.toThrow(CoreUnavailableError);
    expect(await present(core, first.refreshToken.token)).toMatchObject({ status: 'TOKEN_THEFT_DETECTED' });
    await expect(rowOf(store, first.session.handle)).rejects.toThrow('There is no row');
  });

  it('throws as unavailable where another process is faster time and again', async () => {
    const store = await seededMemoryStore();
    const first = await create(embeddedCoreOn(store).core);
    const contended = interceptedStore(store, async (name, call) => {
      if (name === 'findAndUpdate')
        return { row: await rowOf(store, first.session.handle), isUpdated: false };
      return name.startsWith('update') ? undefined : call();
    });
    await expect(present(embeddedCoreOn(contended).core, first.refreshToken.token)).rejects.toThrow(
      /the refresh token changed under 100 attempts/,
    );
  });
});
