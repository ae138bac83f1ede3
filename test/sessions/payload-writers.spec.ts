import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import {
  AuthenticationTimeClaim,
  PrimitiveArrayClaim,
  PrimitiveClaim,
  remoteCore,
  type JsonObject,
  type RecipeInterface,
  type SessionService,
} from 'nest-sessions';
import { TestClock } from 'nest-sessions/testing';
import { seededMemoryStore, TEST_START_MS } from '../support/embedded.js';
import { FakeCore, until } from '../support/fake-core.js';
import { interceptedStore } from '../support/intercepted-store.js';
import { jwtClaims } from '../fixtures/jwt-parts.js';
import { startServedCore } from '../support/served-core.js';
import { TestApplication, type StandaloneApplication } from '../support/test-application.js';

// A session object works with a token, and what the token says may be older than what is stored.

const clock = new TestClock(TEST_START_MS);
const terms = new PrimitiveClaim<string>({ key: 'terms', fetchValue: () => 'v2', clock });
const role = new PrimitiveArrayClaim<string>({ key: 'role', fetchValue: () => ['admin'], clock });
const hasRecentTerms = terms.validators.hasValue('v2', 1);

describe('a change by handle since the token was made', () => {
  let application: StandaloneApplication;
  let handle: string;
  let tokens: { accessToken: string; refreshToken: string };
  beforeEach(async () => {
    application = await TestApplication.withoutServer()
      .clock(clock)
      .with({ claims: [role, terms, AuthenticationTimeClaim] })
      .start();
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
  /** The changed members in a payload, and in the stored one. */
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
    const { sessions } = await TestApplication.withoutServer()
      .clock(clock)
      .with({ override: { functions } })
      .start();
    const session = await sessions.createNewSessionWithoutRequestResponse({
      userId: 'user-1',
      accessTokenPayload: { a: 1 },
    });
    await sessions.mergeIntoAccessTokenPayload(session.getHandle(), { b: 1 });
    await session.mergeIntoAccessTokenPayload({ c: 1 });
    expect(seen).toMatchObject([{ a: 1, b: 1, c: 1 }]);
    expect(session.getAccessTokenPayload()).toMatchObject({ a: 2, b: 1, c: 1, stamp: 1 });
  });

  it('that knows nothing of what was stored replaces the whole payload', async () => {
    const functions = (original: RecipeInterface): RecipeInterface => ({
      ...original,
      regenerateAccessToken: async ({ accessToken, userContext }) =>
        original.regenerateAccessToken({ accessToken, newAccessTokenPayload: { only: 1 }, userContext }),
    });
    const { sessions } = await TestApplication.withoutServer()
      .clock(clock)
      .with({ override: { functions } })
      .start();
    const session = await sessions.createNewSessionWithoutRequestResponse({
      userId: 'user-1',
      accessTokenPayload: { a: 1 },
    });
    await session.mergeIntoAccessTokenPayload({ c: 1 });
    const stored = await sessions.getSessionInformation(session.getHandle());
    expect(stored?.customClaimsInAccessTokenPayload).toEqual({ only: 1 });
  });
});

/** One context over several calls, as within one request: a remote core is not asked twice for the same. */
const CACHED = { _default: { keepCacheAlive: true } };
const UNKNOWN = '0c2d5f0e-6c1b-4a51-9d3a-2f6f0f8f3a11';

type Change = (sessions: SessionService, accessToken: string, handle: string) => Promise<unknown>;

const sessionOf = (sessions: SessionService, accessToken: string) =>
  sessions.getSessionWithoutRequestResponse({ accessToken });

describe('a name that an update gives', () => {
  /** Says that everybody is free, and hides what it is asked to hide. */
  const functions = (original: RecipeInterface): RecipeInterface => ({
    ...original,
    getSessionInformation: async (input) => {
      const found = await original.getSessionInformation(input);
      if (found === undefined) return undefined;
      const { hidden: _hidden, role: _role, ...shown } = found.customClaimsInAccessTokenPayload;
      return { ...found, customClaimsInAccessTokenPayload: { ...shown, plan: 'free' } };
    },
  });

  const changes: [string, Change][] = [
    [
      'by handle',
      async (sessions, _token, handle) =>
        sessions.mergeIntoAccessTokenPayload(handle, { plan: 'free', hidden: null }),
    ],
    [
      'through the session',
      async (sessions, accessToken) =>
        (await sessionOf(sessions, accessToken)).mergeIntoAccessTokenPayload({ plan: 'free', hidden: null }),
    ],
  ];

  it.each(['embedded', 'remote'] as const)(
    'counts where the core is %s, whatever an override shows of what is stored',
    async (kind) => {
      const core = kind === 'remote' ? await startServedCore({ clock }) : undefined;
      const options = {
        override: { functions },
        claims: [role],
        ...(core && { core: remoteCore({ connectionURI: core.uri }) }),
      };
      const store = await seededMemoryStore();
      await TestApplication.withoutServer()
        .clock(clock)
        .store(store)
        .with(options)
        .run(async ({ sessions }) => {
          const tokenAfterwards = async (session: { refreshToken: string }) =>
            (
              await sessions.refreshSessionWithoutRequestResponse({ refreshToken: session.refreshToken })
            ).getAccessTokenPayload();
          const removals: [string, Change][] = [
            ['removal by handle', async (_sessions, _token, handle) => sessions.removeClaim(handle, role)],
            [
              'removal through the session',
              async (_sessions, accessToken) => (await sessionOf(sessions, accessToken)).removeClaim(role),
            ],
          ];
          for (const [name, change] of [...changes, ...removals]) {
            const session = await sessions.createNewSessionWithoutRequestResponse({
              userId: 'user-1',
              accessTokenPayload: { plan: 'pro', hidden: 1, kept: 1 },
            });
            const { accessToken, refreshToken = '' } = session.getAllSessionTokensDangerously();
            expect(session.getAccessTokenPayload()).toMatchObject({ role: { v: ['admin'] } });
            await change(sessions, accessToken, session.getHandle());
            const { plan, hidden, kept, role: claim } = await tokenAfterwards({ refreshToken });
            const isRemoval = name.startsWith('removal');
            expect([name, plan, hidden, kept, claim === undefined]).toEqual(
              isRemoval ? [name, 'pro', 1, 1, true] : [name, 'free', undefined, 1, false],
            );
          }
        });
      await core?.close();
    },
  );

  it.each<[string, Change]>([
    [
      'by handle',
      async (sessions, _token, handle) =>
        sessions.mergeIntoAccessTokenPayload(handle, { banned: true, note: null }, CACHED),
    ],
    [
      'through the session',
      async (sessions, accessToken) =>
        (await sessionOf(sessions, accessToken)).mergeIntoAccessTokenPayload(
          { banned: true, note: null },
          CACHED,
        ),
    ],
  ])('counts %s, whatever was read before another process wrote', async (_name, change) => {
    const core = await startServedCore({ clock });
    const options = { core: remoteCore({ connectionURI: core.uri }) };
    await TestApplication.withoutServer()
      .clock(clock)
      .with(options)
      .run(async ({ sessions }) => {
        await TestApplication.withoutServer()
          .clock(clock)
          .with(options)
          .run(async (other) => {
            const session = await sessions.createNewSessionWithoutRequestResponse({
              userId: 'user-1',
              accessTokenPayload: { banned: true },
            });
            const handle = session.getHandle();
            await sessions.getSessionInformation(handle, CACHED);
            await other.sessions.mergeIntoAccessTokenPayload(handle, { banned: false, note: 'x', theirs: 1 });
            await change(sessions, session.getAccessToken(), handle);
            const stored = await other.sessions.getSessionInformation(handle);
            expect(stored?.customClaimsInAccessTokenPayload).toMatchObject({ banned: true, theirs: 1 });
            expect(stored?.customClaimsInAccessTokenPayload).not.toHaveProperty('note');
          });
      });
    await core.close();
  });

  it('counts through an override of regenerateAccessToken, whose own word about it is the last', async () => {
    const deciding = (original: RecipeInterface): RecipeInterface => ({
      ...functions(original),
      regenerateAccessToken: async (input) =>
        original.regenerateAccessToken({
          ...input,
          newAccessTokenPayload: { ...input.newAccessTokenPayload, decided: 'by the override' },
        }),
    });
    const { sessions } = await TestApplication.withoutServer()
      .clock(clock)
      .with({ override: { functions: deciding } })
      .start();
    const session = await sessions.createNewSessionWithoutRequestResponse({
      userId: 'user-1',
      accessTokenPayload: { plan: 'pro', hidden: 1 },
    });
    await session.mergeIntoAccessTokenPayload({ plan: 'free', hidden: null, decided: 'by the caller' });
    const payload = session.getAccessTokenPayload();
    expect(payload).toMatchObject({ plan: 'free', decided: 'by the override' });
    expect(payload).not.toHaveProperty('hidden');
  });

  it('leaves the limits of the session alone, also where an override gives them (S040)', async () => {
    const forging = (original: RecipeInterface): RecipeInterface => ({
      ...original,
      regenerateAccessToken: async (input) =>
        original.regenerateAccessToken({
          ...input,
          newAccessTokenPayload: { ...input.newAccessTokenPayload, auth_time: 1 },
          accessTokenPayloadUpdate: { ...input.accessTokenPayloadUpdate, auth_time: 1, session_expiry: null },
        }),
    });
    const options = { lifetime: { absoluteSec: 5000 }, override: { functions: forging } };
    const { sessions } = await TestApplication.withoutServer().clock(clock).with(options).start();
    const session = await sessions.createNewSessionWithoutRequestResponse({ userId: 'user-1' });
    const { auth_time, session_expiry } = session.getAccessTokenPayload();
    await session.mergeIntoAccessTokenPayload({ own: 1 });
    expect(session.getAccessTokenPayload()).toMatchObject({ own: 1, auth_time, session_expiry });
    const stored = await sessions.getSessionInformation(session.getHandle());
    expect(stored?.customClaimsInAccessTokenPayload).toMatchObject({ own: 1, auth_time, session_expiry });
  });

  it('costs a remote core one read and one write by handle', async () => {
    const core = await FakeCore.start();
    const options = { core: remoteCore({ connectionURI: core.uri }) };
    await TestApplication.withoutServer()
      .clock(clock)
      .with(options)
      .run(async ({ sessions }) => {
        await sessions.getSessionInformation(UNKNOWN);
        core.reset();
        await sessions.mergeIntoAccessTokenPayload(UNKNOWN, { a: 1 });
        expect(core.calls).toEqual(['GET /recipe/session', 'PUT /recipe/jwt/data']);
      });
    await core.kill();
  });
});

describe('a writer whose store call never ends', () => {
  afterEach(() => {
    jest.useRealTimers();
  });

  it.each<[string, string, Change]>([
    [
      'update accessTokenPayload',
      'the payload',
      async (sessions, _token, handle) => sessions.mergeIntoAccessTokenPayload(handle, { later: 1 }),
    ],
    [
      'update accessTokenPayload',
      'the payload, through the session,',
      async (sessions, accessToken) =>
        (await sessionOf(sessions, accessToken)).mergeIntoAccessTokenPayload({ later: 1 }),
    ],
    [
      'update sessionData',
      'the data',
      async (sessions, _token, handle) => sessions.mergeSessionDataInDatabase(handle, { later: 1 }),
    ],
  ])('%s holds up later ones of %s for five seconds', async (method, _name, change) => {
    let hung = 0;
    let letGo = () => {};
    const hanging = new Promise<void>((resolve) => (letGo = resolve));
    const store = interceptedStore(await seededMemoryStore(), (name, call) =>
      name === method && hung++ === 0 ? hanging : call(),
    );
    const { sessions } = await TestApplication.withoutServer().clock(clock).store(store).start();
    const session = await sessions.createNewSessionWithoutRequestResponse({ userId: 'user-1' });
    const handle = session.getHandle();
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] });
    void change(sessions, session.getAccessToken(), handle).catch(() => undefined);
    await until(() => hung === 1);
    let isDone = false;
    const second = change(sessions, session.getAccessToken(), handle).finally(() => (isDone = true));
    await jest.advanceTimersByTimeAsync(4900);
    expect(isDone).toBe(false);
    await jest.advanceTimersByTimeAsync(1000);
    await second;
    const stored = await sessions.getSessionInformation(handle);
    expect({ ...stored?.customClaimsInAccessTokenPayload, ...stored?.sessionDataInDatabase }).toMatchObject({
      later: 1,
    });
    jest.useRealTimers();
    letGo(); // closing need not wait for it
  });
});
