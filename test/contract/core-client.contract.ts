import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { CoreBadInputError } from '../../lib/errors.js';
import type { JsonObject } from '../../lib/util/json.js';
import {
  create,
  CREATION,
  decoded,
  kidOf,
  refresh,
  refreshed,
  replacementOf,
  verify,
} from '../support/core-calls.js';
import { TEST_START_MS } from '../support/embedded.js';
import { fcRuns, fcTimeoutMs } from '../fixtures/fc-runs.js';
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

/** What every core promises its callers, whether it runs in this process or elsewhere (lib/core/core-client.ts). */
export function describeCoreClient(name: string, makeCore: MakeCore): void {
  describe(`the core ${name}`, () => {
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

    describe('a call with wrong arguments', () => {
      const good = {
        creation: CREATION,
        refresh: {
          refreshToken: 'r',
          antiCsrfToken: undefined,
          enableAntiCsrf: false,
          useDynamicSigningKey: true,
        },
        ofUser: { userId: 'user-1', tenantId: undefined, includeLinkedAccounts: true },
        jwt: {
          payload: {},
          validity: 60,
          useStaticSigningKey: false,
          algorithm: 'RS256',
          jwksDomain: 'https://api.shop.io',
        },
        limit: { max: 2, whenExceeded: 'refuse' },
        change: { set: {}, remove: [] },
      };

      it.each<[string, unknown[], string]>([
        ['createSession', [{ ...good.creation, recipeUserId: 7 }], 'recipeUserId is a number'],
        ['createSession', [{ ...good.creation, userDataInJWT: [] }], 'userDataInJWT is an array'],
        ['createSession', [{ ...good.creation, enableAntiCsrf: undefined }], 'enableAntiCsrf is missing'],
        ['createSession', [{ ...good.creation, userId: 'user-1' }], 'userId'],
        ['createSession', [undefined], 'input is missing'],
        ['createSession', [good.creation, 'context'], 'userContext is a string'],
        ['createSession', [good.creation, {}, {}], 'the arguments are 3'],
        [
          'createSessionWithinLimit',
          [good.creation, { max: '2', whenExceeded: 'refuse' }],
          'max is a string',
        ],
        ['createSessionWithinLimit', [good.creation, { ...good.limit, whenExceeded: 'end' }], 'whenExceeded'],
        ['createSessionWithinLimit', [{ ...good.creation, tenantId: null }, good.limit], 'tenantId is null'],
        ['refreshSession', [{ ...good.refresh, refreshToken: Promise.resolve('r') }], 'is an await missing'],
        ['refreshSession', [{ ...good.refresh, disableAntiCsrf: true }], 'disableAntiCsrf'],
        ['regenerateAccessToken', [{ accessToken: {}, userDataInJWT: {} }], 'accessToken is an object'],
        ['regenerateAccessToken', [{ accessToken: 'a', payload: {} }], 'payload'],
        [
          'regenerateAccessToken',
          [{ accessToken: 'a', change: { sessionHandle: 'h', set: {} } }],
          'remove is missing',
        ],
        ['getSessionInformation', [], 'sessionHandle is missing'],
        ['getSessionInformation', [['h']], 'sessionHandle is an array'],
        ['getSessionHandlesOfUser', ['user-1'], 'input is a string'],
        ['getSessionHandlesOfUser', [{ ...good.ofUser, userId: null }], 'userId is null'],
        ['getSessionHandlesOfUser', [{ ...good.ofUser, tenant: 't1' }], 'tenant'],
        ['revokeSessions', ['h'], 'sessionHandles is a string'],
        ['revokeSessions', [['h', undefined]], 'sessionHandles is an array; an array of strings'],
        ['revokeSessionsOfUser', [{ userId: 'user-1' }], 'includeLinkedAccounts is missing'],
        ['revokeSessionsOfUser', [{ ...good.ofUser, userID: 'user-1' }], 'userID'],
        ['revokeSessions', [['h'], {}, { why: 'x' }], 'why'],
        ['revokeSessionsOfUser', [good.ofUser, {}, { reason: 7 }], 'reason is a number'],
        ['revokeInBulk', [{ userIds: 'user-1' }], 'userIds is a string'],
        ['revokeInBulk', [{ userIds: ['user-1'], createdBefore: 1 }], 'createdBefore'],
        ['revokeInBulk', [{ tenantId: 1 }], 'tenantId is a number'],
        ['searchSessions', [{}], 'limit is missing'],
        ['searchSessions', [{ limit: 501 }], 'limit is a number; a whole number from 1 to 500'],
        ['searchSessions', [{ limit: -1 }], 'limit is a number; a whole number from 1 to 500'],
        ['searchSessions', [{ limit: 1, after: 'x' }], 'after is a string'],
        [
          'searchSessions',
          [{ limit: 1, after: { createdAtMs: 1, tenantId: 't1' } }],
          'sessionHandle is missing',
        ],
        ['searchSessions', [{ limit: 1, tenantId: 7 }], 'tenantId is a number'],
        ['searchSessions', [{ limit: 1, userIds: ['u'] }], 'userIds'],
        ['countSessions', [{ limit: 10_001 }], 'a whole number from 1 to 10000'],
        ['countSessions', [{ limit: 0 }], 'a whole number from 1 to 10000'],
        ['updateSessionData', ['h'], 'data is missing'],
        ['updateSessionData', ['h', new Map()], 'data is an object of the kind Map'],
        ['mergeSessionData', ['h', 'text'], 'update is a string'],
        ['changeSessionData', ['h', {}], 'change is an object'],
        ['updateAccessTokenPayload', [7, {}], 'sessionHandle is a number'],
        ['changeAccessTokenPayload', ['h', { set: {}, remove: 'a' }], 'remove is a string'],
        ['changeAccessTokenPayload', ['h', { ...good.change, unset: [] }], 'unset'],
        ['getPrimaryUserId', [{ userId: 'user-1' }], 'recipeUserId is an object'],
        ['createJwt', [{ ...good.jwt, validity: '60' }], 'validity is a string'],
        ['createJwt', [{ ...good.jwt, claims: {} }], 'claims'],
      ])('is refused with what is wrong, and nothing is done: %s %j', async (method, args, problem) => {
        const { core } = underTest;
        const before = await create(core);
        const call = (core as unknown as Record<string, (...given: unknown[]) => Promise<unknown>>)[method];
        const failure: unknown = await call?.apply(core, args).catch((error: unknown) => error);
        expect(failure).toBeInstanceOf(TypeError);
        expect(String(failure)).toContain(`${method}: `);
        expect(String(failure)).toContain(problem);
        expect(await core.getSessionHandlesOfUser(good.ofUser, context)).toEqual([before.session.handle]);
      });
    });

    describe('through the life of one session', () => {
      it('answers as in the worked example: create, verify, refresh, promotion, theft, revoke', async () => {
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
        const answers = await Promise.all(pairs.map((pair) => verify(core, pair.accessToken.token)));
        expect(new Set(answers.map(({ status }) => status))).toEqual(new Set(['OK']));
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
        const answers = await Promise.all(
          Array.from({ length: 50 }, () => refresh(core, refreshToken.token)),
        );
        for (const answer of answers) {
          expect(answer).toEqual({
            status: 'TOKEN_THEFT_DETECTED',
            session: { handle: session.handle, userId: 'user-1', recipeUserId: 'user-1' },
          });
        }
      });

      it('gives the same successor after a restart, and whichever of two answers arrives first is good (S024)', async () => {
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

      it.each(['', 'random', 'a.b.V2', 'x'.repeat(10_000)])(
        'is unauthorised for junk (S029)',
        async (junk) => {
          expect(await refresh(underTest.core, junk)).toMatchObject(NO_SESSION);
        },
      );
    });

    describe('looking up, listing and changing', () => {
      it('answers all facts of a session, from any instance', async () => {
        const { session } = await create(underTest.core, {
          tenantId: 't1',
          userDataInJWT: { a: null },
          userDataInDatabase: { b: [1, { c: 'é' }] },
        });
        expect(await (await underTest.another()).getSessionInformation(session.handle, context)).toEqual({
          sessionHandle: session.handle,
          userId: 'user-1',
          recipeUserId: 'user-1',
          tenantId: 't1',
          userDataInDatabase: { b: [1, { c: 'é' }] },
          userDataInJWT: { a: null },
          expiry: TEST_START_MS + HUNDRED_DAYS_MS,
          timeCreated: TEST_START_MS,
        });
      });

      it('changes data by a function, which can leave it as it is', async () => {
        const { core } = underTest;
        const { session } = await create(core, { userDataInDatabase: { count: 1 } });
        const data = async () => (await core.getSessionInformation(session.handle, {}))?.userDataInDatabase;
        const more = ({ count }: JsonObject): JsonObject => ({ count: Number(count) + 1, more: true });
        expect(await core.changeSessionData(session.handle, more, context)).toBe(true);
        expect(await data()).toEqual({ count: 2, more: true });
        expect(await core.changeSessionData(session.handle, () => undefined, context)).toBe(true);
        expect(await data()).toEqual({ count: 2, more: true });
        expect(await core.changeSessionData('junk', more, context)).toBe(false);
      });

      it('replaces data and payload as a whole, and answers false for what is unknown', async () => {
        const { core } = underTest;
        const { session } = await create(core, { userDataInJWT: { a: 1 }, userDataInDatabase: { b: 1 } });
        expect(await core.updateSessionData(session.handle, { c: 1 }, context)).toBe(true);
        expect(await core.updateAccessTokenPayload(session.handle, { d: 1 }, context)).toBe(true);
        expect(await core.getSessionInformation(session.handle, context)).toMatchObject({
          userDataInDatabase: { c: 1 },
          userDataInJWT: { d: 1 },
        });
        for (const unknown of ['0c2d5f0e-6c1b-4a51-9d3a-2f6f0f8f3a11', 'junk', '']) {
          expect(await core.getSessionInformation(unknown, context)).toBeUndefined();
          expect(await core.updateSessionData(unknown, {}, context)).toBe(false);
          expect(await core.updateAccessTokenPayload(unknown, {}, context)).toBe(false);
        }
      });

      it('regenerates with the new payload and the old end, and without a token when that has come', async () => {
        const { core, clock } = underTest;
        const { session, accessToken } = await create(core);
        clock.advanceSeconds(100);
        const input = { accessToken: accessToken.token, userDataInJWT: { role: 'admin' } };
        const changed = { ...session, userDataInJWT: { role: 'admin' } };
        const answer = await core.regenerateAccessToken(input, context);
        expect(answer).toMatchObject({
          status: 'OK',
          session: changed,
          accessToken: { expiry: accessToken.expiry },
        });
        clock.advance(HOUR_MS);
        expect(await core.regenerateAccessToken(input, context)).toEqual({ status: 'OK', session: changed });
        await core.revokeSessions([session.handle], context);
        expect(await core.regenerateAccessToken(input, context)).toMatchObject(NO_SESSION);
      });

      it('changes names of a payload, and no others', async () => {
        const { core } = underTest;
        const stored = { role: 'user', none: null, own: 1, old: 1 };
        const { session, accessToken } = await create(core, { userDataInJWT: stored });
        const names = { set: { own: 2, more: 3, empty: null }, remove: ['old', 'never', 'tId'] };
        const expected = { role: 'user', none: null, own: 2, more: 3, empty: null };
        expect(await core.changeAccessTokenPayload(session.handle, names, context)).toBe(true);
        const information = await core.getSessionInformation(session.handle, context);
        expect(information?.userDataInJWT).toEqual(expected);
        const change = { sessionHandle: session.handle, set: { last: 4 }, remove: ['more'] };
        const input = { accessToken: accessToken.token, userDataInJWT: undefined, change };
        const { more: _more, ...rest } = { ...expected, last: 4 };
        const answer = await core.regenerateAccessToken(input, context);
        expect(answer).toMatchObject({ status: 'OK', accessToken: { expiry: accessToken.expiry } });
        expect(answer.status === 'OK' && answer.session.userDataInJWT).toEqual(rest);

        await core.revokeSessions([session.handle], context);
        expect(await core.changeAccessTokenPayload(session.handle, names, context)).toBe(false);
        expect(await core.regenerateAccessToken(input, context)).toMatchObject(NO_SESSION);
      });

      it('refuses names of the session in a payload as a bad input, wherever it is given (S013)', async () => {
        const { core } = underTest;
        const { session, accessToken } = await create(core);
        const payload = { sub: 'user-2' };
        await expect(create(core, { userDataInJWT: payload })).rejects.toThrow(CoreBadInputError);
        await expect(core.updateAccessTokenPayload(session.handle, payload, context)).rejects.toThrow(
          CoreBadInputError,
        );
        const change = { sessionHandle: session.handle, set: payload, remove: [] };
        await expect(core.changeAccessTokenPayload(session.handle, change, context)).rejects.toThrow(
          CoreBadInputError,
        );
        for (const input of [{ userDataInJWT: payload }, { userDataInJWT: undefined, change }]) {
          const regenerating = core.regenerateAccessToken(
            { accessToken: accessToken.token, ...input },
            context,
          );
          await expect(regenerating).rejects.toThrow(CoreBadInputError);
        }
        expect(await core.getSessionInformation(session.handle, context)).toMatchObject({
          userDataInJWT: {},
        });
      });

      it('lists and ends sessions by handle and by user, in one tenant and in all', async () => {
        const { core } = underTest;
        const inPublic = (await create(core)).session.handle;
        const inT1 = (await create(core, { tenantId: 't1' })).session.handle;
        const others = (await create(core, { recipeUserId: 'user-2' })).session.handle;
        const user = { userId: 'user-1', tenantId: undefined, includeLinkedAccounts: true };
        expect((await core.getSessionHandlesOfUser(user, context)).sort()).toEqual([inPublic, inT1].sort());
        expect(await core.getSessionHandlesOfUser({ ...user, tenantId: 't1' }, context)).toEqual([inT1]);
        expect(await core.revokeSessionsOfUser({ ...user, tenantId: 't1' }, context)).toEqual([inT1]);
        expect(await core.revokeSessions([inT1, inPublic, 'junk'], context)).toEqual([inPublic]);
        expect(await core.revokeSessionsOfUser(user, context)).toEqual([]);
        expect(await core.getSessionHandlesOfUser({ ...user, userId: 'user-2' }, context)).toEqual([others]);
      });
    });

    describe('its keys', () => {
      it('verify what it signs, in any instance, and are published', async () => {
        const { core } = underTest;
        const other = await underTest.another();
        const kids = new Set((await core.getJwks(context)).keys.map(({ kid }) => kid));
        for (const useDynamicSigningKey of [true, false]) {
          const { accessToken } = await create(core, { useDynamicSigningKey });
          const kid = kidOf(accessToken.token);
          expect(kid).toMatch(useDynamicSigningKey ? /^d-\d+$/ : /^s-/);
          expect(kids).toContain(kid);
          expect(await other.verificationKeys.find(kid)).toMatchObject([{ kid, kty: 'RSA' }]);
          expect(await verify(other, accessToken.token)).toMatchObject({ status: 'OK' });
        }
      });

      it('sign JWTs of the application, with RS256 only', async () => {
        const input = {
          payload: { a: 1 },
          validity: 10,
          useStaticSigningKey: true,
          algorithm: 'RS256',
          jwksDomain: 'http://localhost:3000',
        };
        const made = await underTest.core.createJwt(input, context);
        expect(made.status === 'OK' && decoded(made.jwt).payload).toEqual({
          iss: 'http://localhost:3000',
          iat: TEST_START_MS / 1000,
          exp: TEST_START_MS / 1000 + 10,
          a: 1,
        });
        expect(await underTest.core.createJwt({ ...input, algorithm: 'HS256' }, context)).toEqual({
          status: 'UNSUPPORTED_ALGORITHM_ERROR',
        });
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
