import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { fcRuns, fcTimeoutMs } from '../fixtures/fc-runs.js';
import { create, decoded, refresh, refreshed, replacementOf, verify } from '../support/core-calls.js';
import { TEST_START_MS } from '../support/embedded.js';
import type { CoreOptions, CoreUnderTest, MakeCore } from './core-under-test.js';
import {
  assertOneLineAtMost,
  assertOthersUntouched,
  MODEL_ACCESS_VALIDITY_SEC,
  MODEL_REFRESH_VALIDITY_SEC,
  sessionCommands,
  SessionModel,
  type RealSession,
} from './session-model.js';

const HOUR_MS = 3_600_000;
const HUNDRED_DAYS_MS = 8_640_000_000;
const NO_SESSION = { status: 'UNAUTHORISED' };
const context = {};

/** The promises of a core whose refresh tokens are replaced when their successor is first used (docs/protocol/core.md B6-B8, H). */
export function describeRotationAtFirstUse(name: string, makeCore: MakeCore): void {
  describe(`the core ${name}, replacing refresh tokens at first use`, () => {
    let underTest: CoreUnderTest;
    const make = async (options?: CoreOptions): Promise<CoreUnderTest> => {
      await underTest.close();
      return (underTest = await makeCore(options));
    };

    beforeEach(async () => {
      underTest = await makeCore();
    });
    afterEach(async () => {
      await underTest.close();
    });

    describe('through the life of one session', () => {
      it('responds as in the worked example: create, verify, refresh, promotion, theft, revoke', async () => {
        const { core, clock } = underTest;
        const userDataInJWT = { iss: 'http://api.local:3000/auth', role: 'admin' };
        const f1 = await create(core, { userDataInJWT, userDataInDatabase: { cart: 3 } });
        const session = {
          handle: f1.session.handle,
          userId: 'user-1',
          recipeUserId: 'user-1',
          userDataInJWT,
          tenantId: 'public',
        };
        expect(f1).toEqual({
          session,
          accessToken: {
            token: expect.any(String),
            expiry: TEST_START_MS + HOUR_MS,
            createdTime: TEST_START_MS,
          },
          refreshToken: {
            token: expect.any(String),
            expiry: TEST_START_MS + HUNDRED_DAYS_MS,
            createdTime: TEST_START_MS,
          },
          antiCsrfToken: undefined,
        });

        clock.set(TEST_START_MS + 120_000);
        expect(await verify(core, f1.accessToken.token)).toEqual({ status: 'OK', session });

        clock.set(TEST_START_MS + 3_700_000);
        expect(await verify(core, f1.accessToken.token)).toEqual({
          status: 'TRY_REFRESH_TOKEN',
          message: 'Access token expired',
        });
        const f3 = await refreshed(core, f1.refreshToken.token);
        expect(f3).toMatchObject({
          session,
          accessToken: { expiry: 1_760_007_300_000, createdTime: 1_760_003_700_000 },
          refreshToken: { expiry: 1_768_643_700_000, createdTime: 1_760_003_700_000 },
        });
        expect((await core.getSessionInformation(session.handle, context))?.expiry).toBe(1_768_640_000_000);

        clock.set(TEST_START_MS + 3_701_000);
        const f4 = await verify(core, f3.accessToken.token);
        expect(f4).toMatchObject({
          status: 'OK',
          session,
          accessToken: { expiry: 1_760_007_301_000, createdTime: 1_760_003_701_000 },
        });
        const replacement = (f4.status === 'OK' && f4.accessToken?.token) || '';
        expect(decoded(replacement).payload).toMatchObject({
          refreshTokenHash1: decoded(f3.accessToken.token).payload['refreshTokenHash1'],
          parentRefreshTokenHash1: null,
        });
        expect((await core.getSessionInformation(session.handle, context))?.expiry).toBe(1_768_643_701_000);

        clock.set(TEST_START_MS + 3_710_000);
        expect(await refresh(core, f1.refreshToken.token)).toEqual({
          status: 'TOKEN_THEFT_DETECTED',
          session: { handle: session.handle, userId: 'user-1', recipeUserId: 'user-1' },
        });
        expect(await core.revokeSessions([session.handle], context)).toEqual([session.handle]);

        expect(await refresh(core, f3.refreshToken.token)).toEqual({
          status: 'UNAUTHORISED',
          message: 'Session missing in db or has expired',
        });
        expect(await verify(core, replacement)).toEqual({ status: 'OK', session });
        expect(await verify(core, replacement, { checkDatabase: true })).toEqual({
          status: 'UNAUTHORISED',
          message: 'Either the session has ended or has been blacklisted',
        });
        expect(await verify(core, f3.accessToken.token)).toEqual({
          status: 'UNAUTHORISED',
          message: 'Session missing in db',
        });
        expect(await core.getSessionInformation(session.handle, context)).toBeUndefined();
        clock.set(1_760_007_301_001);
        expect(await verify(core, replacement)).toMatchObject({ status: 'TRY_REFRESH_TOKEN' });
      });
    });

    describe('refreshing', () => {
      it('gives 200 parallel refreshes of one token one successor, and nobody is a thief (S022 S024)', async () => {
        const { core } = underTest;
        const { refreshToken } = await create(core);
        const pairs = await Promise.all(
          Array.from({ length: 200 }, () => refreshed(core, refreshToken.token)),
        );
        expect(new Set(pairs.map((pair) => pair.refreshToken.token)).size).toBe(1);
        const responses = await Promise.all(pairs.map((pair) => verify(core, pair.accessToken.token)));
        expect(new Set(responses.map(({ status }) => status))).toEqual(new Set(['OK']));
        expect(await refresh(core, pairs[0]?.refreshToken.token ?? '')).toMatchObject({ status: 'OK' });
      });

      it('gives 200 parallel refreshes of an unused child one successor, too (S022)', async () => {
        const { core } = underTest;
        const { refreshToken } = await create(core);
        const child = await refreshed(core, refreshToken.token);
        const pairs = await Promise.all(
          Array.from({ length: 200 }, () => refreshed(core, child.refreshToken.token)),
        );
        expect(new Set(pairs.map((pair) => pair.refreshToken.token)).size).toBe(1);
        expect(await refresh(core, refreshToken.token)).toMatchObject({ status: 'TOKEN_THEFT_DETECTED' });
      });

      it('is theft for each of 50 that present the old token after the new one was used (S023)', async () => {
        const { core } = underTest;
        const { refreshToken, session } = await create(core);
        const next = await refreshed(core, refreshToken.token);
        await replacementOf(core, next.accessToken.token);
        const responses = await Promise.all(
          Array.from({ length: 50 }, () => refresh(core, refreshToken.token)),
        );
        for (const response of responses) {
          expect(response).toEqual({
            status: 'TOKEN_THEFT_DETECTED',
            session: { handle: session.handle, userId: 'user-1', recipeUserId: 'user-1' },
          });
        }
      });

      it('gives the same successor after a restart, and whichever of two responses arrives first is good (S024)', async () => {
        const { refreshToken } = await create(underTest.core);
        const lost = await refreshed(underTest.core, refreshToken.token);
        const other = await underTest.another();
        const again = await refreshed(other, refreshToken.token);
        expect(again.refreshToken.token).toBe(lost.refreshToken.token);
        await replacementOf(other, again.accessToken.token);
        await replacementOf(underTest.core, lost.accessToken.token);
        expect(await refresh(other, lost.refreshToken.token)).toMatchObject({ status: 'OK' });
      });

      it('gives the same anti-CSRF token with the same successor (S024)', async () => {
        const { core } = underTest;
        const { refreshToken, antiCsrfToken } = await create(core, { enableAntiCsrf: true });
        const presented = { enableAntiCsrf: true, antiCsrfToken };
        const [one, two] = await Promise.all([
          refreshed(core, refreshToken.token, presented),
          refreshed(await underTest.another(), refreshToken.token, presented),
        ]);
        expect(two).toMatchObject({
          antiCsrfToken: one.antiCsrfToken,
          refreshToken: { token: one.refreshToken.token },
        });
        expect(one.antiCsrfToken).not.toBe(antiCsrfToken);
      });

      it('repeats the successor inside a grace period only, and not after revoking (S025 S026)', async () => {
        const { core, clock } = await make({ refreshTokenRotationGracePeriodSec: 30 });
        const { refreshToken, session } = await create(core);
        const next = await refreshed(core, refreshToken.token);
        await replacementOf(core, next.accessToken.token);
        const expiry = (await core.getSessionInformation(session.handle, context))?.expiry;
        clock.advanceSeconds(30);
        const again = await refreshed(core, refreshToken.token);
        expect(again.refreshToken.token).toBe(next.refreshToken.token);
        expect((await core.getSessionInformation(session.handle, context))?.expiry).toBe(expiry);
        clock.advance(1);
        expect(await refresh(core, refreshToken.token)).toMatchObject({ status: 'TOKEN_THEFT_DETECTED' });
        clock.advance(-1);
        await core.revokeSessions([session.handle], context);
        expect(await refresh(core, refreshToken.token)).toMatchObject(NO_SESSION);
      });
    });

    describe('under any order of the moves of a holder and a thief', () => {
      it.each([0, 30])(
        'comes to theft or to one live line, never two (grace period %d s) (S023 S113)',
        async (graceSec) => {
          const property = fc.assert(
            fc.asyncProperty(sessionCommands(40), async (commands) => {
              const own = await makeCore({
                accessTokenValiditySec: MODEL_ACCESS_VALIDITY_SEC,
                refreshTokenValiditySec: MODEL_REFRESH_VALIDITY_SEC,
                refreshTokenRotationGracePeriodSec: graceSec,
              });
              try {
                const first = await create(own.core);
                const model = new SessionModel(() => own.clock.now(), graceSec * 1000);
                const real: RealSession = {
                  core: own.core,
                  underTest: own,
                  sessionHandle: first.session.handle,
                  refreshTokens: [first.refreshToken.token],
                  accessTokens: [first.accessToken.token],
                  others: [],
                };
                await fc.asyncModelRun(() => ({ model, real }), commands);
                await assertOneLineAtMost(model, real);
                await assertOthersUntouched(model, real);
              } finally {
                await own.close();
              }
            }),
            { numRuns: fcRuns(25) },
          );
          await expect(property).resolves.toBeUndefined();
        },
        fcTimeoutMs(60),
      );
    });
  });
}
