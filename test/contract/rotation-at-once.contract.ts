import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { CoreClient } from '../../lib/core/core-client.js';
import type { CoreSessionTokens, VerifySessionResult } from '../../lib/core/core.types.js';
import { CoreBadInputError } from '../../lib/errors.js';
import { AT_ONCE, check, present, rotate } from '../support/at-once.js';
import { create, decoded, verify } from '../support/core-calls.js';
import type { CoreOptions, CoreUnderTest, MakeCore } from './core-under-test.js';

const GRACE_MS = 30_000;
const HOUR_MS = 3_600_000;
const context = {};

/** The promises of a core that replaces a refresh token with the refresh itself: to callers of CDI 5.6, or with `rotation: 'at-once'`. */
export function describeRotationAtOnce(name: string, makeCore: MakeCore): void {
  describe(`the core ${name}, replacing refresh tokens at once`, () => {
    let underTest: CoreUnderTest;
    const make = async (options: CoreOptions): Promise<CoreUnderTest> => {
      await underTest.close();
      return (underTest = await makeCore(options));
    };

    beforeEach(async () => {
      underTest = await makeCore();
    });
    afterEach(async () => {
      await underTest.close();
    });

    it('lives a session: create, refresh, verify without a new token, replay, and no session any more (C91 C95)', async () => {
      const { core, clock } = underTest;
      const first = await create(core, { userDataInJWT: { role: 'admin' } });
      clock.advanceSeconds(3700);
      const second = await rotate(core, first.refreshToken.token);
      expect(decoded(second.accessToken.token).payload).toMatchObject({ parentRefreshTokenHash1: null });
      expect((await core.getSessionInformation(first.session.handle, context))?.expiry).toBe(
        second.refreshToken.expiry,
      );
      expect(await verify(core, second.accessToken.token, AT_ONCE)).toEqual({
        status: 'OK',
        session: first.session,
      });
      const third = await rotate(core, second.refreshToken.token);
      expect(await present(core, first.refreshToken.token)).toEqual({
        status: 'TOKEN_THEFT_DETECTED',
        session: { handle: first.session.handle, userId: 'user-1', recipeUserId: 'user-1' },
        recentTokenReuseSubtype: 'STALE_LINEAGE',
      });
      expect(await present(core, third.refreshToken.token)).toEqual({
        status: 'UNAUTHORISED',
        message: 'Session missing in db or has expired',
      });
      expect(await core.getSessionInformation(first.session.handle, context)).toBeUndefined();
      expect(await core.revokeSessions([first.session.handle], context)).toEqual([]);
    });

    it('gives a token again within the grace period, in any instance, and not a millisecond later (C92 C93 C99 C100)', async () => {
      const { core, clock } = underTest;
      const other = await underTest.another();
      const { refreshToken, session } = await create(core);
      const lost = await rotate(core, refreshToken.token);
      const expiry = (await core.getSessionInformation(session.handle, context))?.expiry;
      clock.advance(GRACE_MS);
      const again = await rotate(other, refreshToken.token);
      expect(again.refreshToken.token).not.toBe(lost.refreshToken.token);
      expect((await core.getSessionInformation(session.handle, context))?.expiry).toBe(expiry);
      clock.advance(1);
      expect(await present(other, refreshToken.token)).toMatchObject({
        status: 'TOKEN_THEFT_DETECTED',
        recentTokenReuseSubtype: 'RECENT_PREV',
      });
      expect(await present(core, again.refreshToken.token)).toMatchObject({ status: 'UNAUTHORISED' });
    });

    it('gives no token again where the grace period is closed (C93)', async () => {
      const { core, clock } = await make({ refreshTokenRotationGracePeriodSec: 0 });
      const { refreshToken } = await create(core);
      await rotate(core, refreshToken.token);
      clock.advance(10);
      expect(await present(core, refreshToken.token)).toMatchObject({
        status: 'TOKEN_THEFT_DETECTED',
        recentTokenReuseSubtype: 'RECENT_PREV',
      });
    });

    it('lets one of many refreshes of one token win: all get tokens, and one pair lives on (C92 C94)', async () => {
      const { core } = underTest;
      const other = await underTest.another();
      const { refreshToken } = await create(core);
      const pairs = await Promise.all(
        Array.from({ length: 40 }, (_, n) => rotate(n % 2 === 0 ? core : other, refreshToken.token)),
      );
      // A client may make one call of several refreshes of one token, so that pairs are fewer than callers.
      const distinct = [...new Map(pairs.map((pair) => [pair.refreshToken.token, pair])).values()];
      expect(distinct.length).toBeGreaterThan(1);
      const [alive, dead] = await aliveAndDead(core, distinct);
      expect(alive).toHaveLength(1);
      const next = await rotate(other, alive[0]?.refreshToken.token ?? '');
      expect(await check(core, next.accessToken.token)).toMatchObject({ status: 'OK' });
      expect(await present(core, dead[0]?.refreshToken.token ?? '')).toMatchObject({
        status: 'TOKEN_THEFT_DETECTED',
      });
      expect(await present(other, next.refreshToken.token)).toMatchObject({ status: 'UNAUTHORISED' });
    });

    it('lets a refresh and a revocation at once end without a live session', async () => {
      const { core } = underTest;
      for (let round = 0; round < 5; round++) {
        const { refreshToken, session } = await create(core);
        const [response, ended] = await Promise.all([
          present(core, refreshToken.token),
          core.revokeSessions([session.handle], context),
        ]);
        expect(ended).toEqual([session.handle]);
        const tokens = [refreshToken, ...(response.status === 'OK' ? [response.refreshToken] : [])];
        for (const { token } of tokens) {
          expect(await present(core, token)).toMatchObject({ status: 'UNAUTHORISED' });
        }
      }
    });

    it('makes a pair void when its parent is refreshed again: its use is an orphaned branch (C94)', async () => {
      const { core } = underTest;
      const { refreshToken } = await create(core);
      const lost = await rotate(core, refreshToken.token);
      const again = await rotate(core, refreshToken.token);
      expect(await check(core, lost.accessToken.token)).not.toMatchObject({ status: 'OK' });
      expect(await check(core, again.accessToken.token)).toMatchObject({ status: 'OK' });
      expect(await present(core, lost.refreshToken.token)).toMatchObject({
        status: 'TOKEN_THEFT_DETECTED',
        recentTokenReuseSubtype: 'ORPHANED_BRANCH',
      });
    });

    it('tells whether the stored payload differs when the database is checked, and not otherwise (C55 C56)', async () => {
      const { core } = underTest;
      const { session, accessToken } = await create(core, { userDataInJWT: { a: 1 } });
      const response = { status: 'OK', session };
      expect(await check(core, accessToken.token)).toEqual({ ...response, payloadUpdateAvailable: false });
      await core.updateAccessTokenPayload(session.handle, { a: 2 }, context);
      expect(await verify(core, accessToken.token, AT_ONCE)).toEqual(response);
    });

    it('keeps a token of the generation before good, and one of two only without a look (C57 C58)', async () => {
      const { core } = underTest;
      const first = await create(core);
      const second = await rotate(core, first.refreshToken.token);
      expect(await check(core, first.accessToken.token)).toMatchObject({ status: 'OK' });
      await rotate(core, second.refreshToken.token);
      expect(await check(core, first.accessToken.token)).toMatchObject({
        message: 'rotated-out token branch; refresh required',
      });
      expect(await verify(core, first.accessToken.token, AT_ONCE)).toMatchObject({ status: 'OK' });
    });

    it('gives an access token the life that is asked for, and refuses a longer one (C18 C19 C20)', async () => {
      const { core, clock } = underTest;
      const first = await create(core, { accessTokenValidityMs: 600_000 });
      expect(first.accessToken.expiry).toBe(clock.now() + 600_000);
      const next = await rotate(core, first.refreshToken.token, { accessTokenValidityMs: HOUR_MS });
      expect(next.accessToken.expiry).toBe(clock.now() + HOUR_MS);
      for (const accessTokenValidityMs of [HOUR_MS + 1000, 0, -1]) {
        await expect(create(core, { accessTokenValidityMs })).rejects.toThrow(CoreBadInputError);
        await expect(present(core, next.refreshToken.token, { accessTokenValidityMs })).rejects.toThrow(
          CoreBadInputError,
        );
      }
      expect(await present(core, next.refreshToken.token)).toMatchObject({ status: 'OK' });
    });
  });
}

/** Sorts pairs by whether their access token is of the current line. */
async function aliveAndDead(
  core: CoreClient,
  pairs: readonly CoreSessionTokens[],
): Promise<[CoreSessionTokens[], CoreSessionTokens[]]> {
  const responses: VerifySessionResult[] = [];
  for (const pair of pairs) responses.push(await check(core, pair.accessToken.token));
  const isAlive = (_: unknown, index: number): boolean => responses[index]?.status === 'OK';
  return [pairs.filter(isAlive), pairs.filter((pair, index) => !isAlive(pair, index))];
}
