import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  AuthenticationTimeClaim,
  PrimitiveArrayClaim,
  PrimitiveClaim,
  type JsonObject,
  type RecipeInterface,
} from 'nest-sessions';
import { TestClock } from 'nest-sessions/testing';
import { TEST_START_MS } from '../support/embedded.js';
import { jwtClaims } from '../support/jwt-parts.js';
import { startRecipe, withRecipe, type RecipeApplication } from './recipe-application.js';

// A session object works with a token, and what the token says may be older than what is stored.

const clock = new TestClock(TEST_START_MS);
const terms = new PrimitiveClaim<string>({ key: 'terms', fetchValue: () => 'v2', clock });
const role = new PrimitiveArrayClaim<string>({ key: 'role', fetchValue: () => ['admin'], clock });
const hasRecentTerms = terms.validators.hasValue('v2', 1);

describe('what was changed by handle since the token was made', () => {
  let application: RecipeApplication;
  let handle: string;
  let tokens: { accessToken: string; refreshToken: string };
  beforeEach(async () => {
    application = await startRecipe({ clock, options: { claims: [role, terms, AuthenticationTimeClaim] } });
    const { sessions } = application;
    const session = await sessions.createNewSessionWithoutRequestResponse({
      userId: 'mallory',
      accessTokenPayload: { plan: 'pro' },
    });
    handle = session.getHandle();
    const { accessToken, refreshToken = '' } = session.getAllSessionTokensDangerously();
    tokens = { accessToken, refreshToken };
    clock.advanceSeconds(2);
    await sessions.setClaimValue(handle, role, []);
    await sessions.mergeIntoAccessTokenPayload(handle, { isBanned: true, plan: null });
  });
  afterEach(() => application.close());

  const oldSession = () =>
    application.sessions.getSessionWithoutRequestResponse({ accessToken: tokens.accessToken });
  /** What a payload, and the stored one, say of what was changed. */
  const rightsIn = async (payload: object): Promise<object[]> => {
    const stored = (await application.sessions.getSessionInformation(handle))
      ?.customClaimsInAccessTokenPayload;
    return [payload as JsonObject, stored ?? {}].map((seen) => ({
      isBanned: seen['isBanned'],
      role: role.getValueFromPayload(seen, {}),
      plan: seen['plan'],
    }));
  };
  const DEMOTED = { isBanned: true, role: [], plan: undefined };

  it.each<[string, (session: Awaited<ReturnType<typeof oldSession>>) => Promise<void>]>([
    ['mergeIntoAccessTokenPayload', (session) => session.mergeIntoAccessTokenPayload({ own: 1 })],
    ['setClaimValue', (session) => session.setClaimValue(terms, 'v3')],
    ['fetchAndSetClaim', (session) => session.fetchAndSetClaim(terms)],
    ['removeClaim', (session) => session.removeClaim(terms)],
    ['recordAuthentication', (session) => session.recordAuthentication()],
    ['assertClaims, which fetches a stale claim,', (session) => session.assertClaims([hasRecentTerms])],
  ])('stays when %s is called with that token, which is brought up to date', async (_name, change) => {
    const session = await oldSession();
    await change(session);
    expect(await rightsIn(session.getAccessTokenPayload())).toEqual([DEMOTED, DEMOTED]);
    expect(await rightsIn(jwtClaims(session.getAccessToken()))).toEqual([DEMOTED, DEMOTED]);
  });

  it('stays when the token has expired meanwhile, and is seen at once', async () => {
    const session = await oldSession();
    clock.advanceSeconds(3600);
    await session.mergeIntoAccessTokenPayload({ own: 1 });
    expect(await rightsIn(session.getAccessTokenPayload())).toEqual([DEMOTED, DEMOTED]);
    expect(session.getAccessTokenPayload()).toMatchObject({ own: 1, sub: 'mallory' });
  });

  it('stays when claims are checked by handle and fetched again', async () => {
    const { sessions } = application;
    const during = new PrimitiveClaim<string>({
      key: 'during',
      fetchValue: async () => {
        await sessions.mergeIntoAccessTokenPayload(handle, { isBanned: 'for good' });
        return 'x';
      },
      clock,
    });
    const check = await sessions.validateClaimsForSessionHandle(handle, () => [
      during.validators.hasValue('x'),
    ]);
    expect(check).toEqual({ status: 'OK', invalidClaims: [] });
    const stored = await sessions.getSessionInformation(handle);
    expect(stored?.customClaimsInAccessTokenPayload).toMatchObject({
      isBanned: 'for good',
      during: { v: 'x' },
    });
  });

  it('is not undone by writers at the same moment, nor do they undo each other', async () => {
    const { sessions } = application;
    const names = Array.from({ length: 20 }, (_, n) => `name-${n}`);
    await Promise.all(
      names.map(async (name, n) => {
        if (n % 2 === 0) return sessions.mergeIntoAccessTokenPayload(handle, { [name]: n });
        return (await oldSession()).mergeIntoAccessTokenPayload({ [name]: n });
      }),
    );
    const stored = await sessions.getSessionInformation(handle);
    const payload = stored?.customClaimsInAccessTokenPayload ?? {};
    expect(await rightsIn(payload)).toEqual([DEMOTED, DEMOTED]);
    expect(Object.keys(payload)).toEqual(expect.arrayContaining(names));
  });

  it('reaches no older token as a proof of who the user is: only its own change is stored (S040)', async () => {
    const old = await oldSession();
    const proved = await oldSession();
    clock.advanceSeconds(1);
    await proved.recordAuthentication();
    const provedAt = jwtClaims(proved.getAccessToken())['auth_time'];
    await old.mergeIntoAccessTokenPayload({ own: 1 });
    expect(old.getAccessToken()).toBe(tokens.accessToken);
    expect(old.getAccessTokenPayload()).toMatchObject({
      own: 1,
      auth_time: jwtClaims(tokens.accessToken)['auth_time'],
    });
    const stored = await application.sessions.getSessionInformation(handle);
    expect(stored?.customClaimsInAccessTokenPayload).toMatchObject({ own: 1, auth_time: provedAt });
  });
});

describe('a replaced regenerateAccessToken', () => {
  it('sees the whole payload that is about to be stored, and what it changes is stored', async () => {
    const seen: unknown[] = [];
    const functions = (original: RecipeInterface): RecipeInterface => ({
      ...original,
      regenerateAccessToken: async (input) => {
        seen.push(input.newAccessTokenPayload);
        return original.regenerateAccessToken({
          ...input,
          newAccessTokenPayload: { ...input.newAccessTokenPayload, stamp: 1, a: 2 },
        });
      },
    });
    await withRecipe({ clock, options: { override: { functions } } }, async ({ sessions }) => {
      const session = await sessions.createNewSessionWithoutRequestResponse({
        userId: 'user-1',
        accessTokenPayload: { a: 1 },
      });
      await sessions.mergeIntoAccessTokenPayload(session.getHandle(), { b: 1 });
      await session.mergeIntoAccessTokenPayload({ c: 1 });
      expect(seen).toMatchObject([{ a: 1, b: 1, c: 1 }]);
      expect(session.getAccessTokenPayload()).toMatchObject({ a: 2, b: 1, c: 1, stamp: 1 });
    });
  });

  it('that knows nothing of what was stored replaces the whole payload', async () => {
    const functions = (original: RecipeInterface): RecipeInterface => ({
      ...original,
      regenerateAccessToken: async ({ accessToken, userContext }) =>
        original.regenerateAccessToken({ accessToken, newAccessTokenPayload: { only: 1 }, userContext }),
    });
    await withRecipe({ clock, options: { override: { functions } } }, async ({ sessions }) => {
      const session = await sessions.createNewSessionWithoutRequestResponse({
        userId: 'user-1',
        accessTokenPayload: { a: 1 },
      });
      await session.mergeIntoAccessTokenPayload({ c: 1 });
      const stored = await sessions.getSessionInformation(session.getHandle());
      expect(stored?.customClaimsInAccessTokenPayload).toEqual({ only: 1 });
    });
  });
});
