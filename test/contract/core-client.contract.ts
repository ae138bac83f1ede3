import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { CoreBadInputError } from '../../lib/errors.js';
import type { TokenRotation } from '../../lib/core/core.types.js';
import type { JsonObject } from '../../lib/util/json.js';
import { create, CREATION, decoded, kidOf, refresh, verify } from '../support/core-calls.js';
import { TEST_START_MS } from '../support/embedded.js';
import type { CoreUnderTest, MakeCore } from './core-under-test.js';
import { describeRotationAtFirstUse } from './rotation-at-first-use.contract.js';
import { describeRotationAtOnce } from './rotation-at-once.contract.js';

const HOUR_MS = 3_600_000;
const HUNDRED_DAYS_MS = 8_640_000_000;
const NO_SESSION = { status: 'UNAUTHORISED' };
const context = {};

/**
 * The promises of every core to its callers, whether it runs in this process or elsewhere (lib/core/core-client.ts).
 *
 * @param rotations those that its callers can have: over HTTP the one of the version
 */
export function describeCoreClient(
  name: string,
  makeCore: MakeCore,
  rotations: readonly TokenRotation[] = ['at-first-use', 'at-once'],
): void {
  if (rotations.includes('at-first-use')) describeRotationAtFirstUse(name, makeCore);
  if (rotations.includes('at-once')) describeRotationAtOnce(name, makeCore);

  describe(`the core ${name}`, () => {
    let underTest: CoreUnderTest;
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

    describe('refreshing', () => {
      it.each(['', 'random', 'a.b.V2', 'x'.repeat(10_000)])(
        'is unauthorised for junk (S029)',
        async (junk) => {
          expect(await refresh(underTest.core, junk)).toMatchObject(NO_SESSION);
        },
      );
    });

    describe('looking up, listing and changing', () => {
      it('returns all facts of a session, from any instance', async () => {
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

      it('replaces data and payload as a whole, and returns false for what is unknown', async () => {
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
        const response = await core.regenerateAccessToken(input, context);
        expect(response).toMatchObject({
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
        const response = await core.regenerateAccessToken(input, context);
        expect(response).toMatchObject({ status: 'OK', accessToken: { expiry: accessToken.expiry } });
        expect(response.status === 'OK' && response.session.userDataInJWT).toEqual(rest);

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
  });
}
