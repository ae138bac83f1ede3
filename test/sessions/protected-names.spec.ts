import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { CoreBadInputError, type RecipeInterface, type SessionContainer } from 'nest-sessions';
import { seededMemoryStore, TEST_START_MS } from '../support/embedded.js';
import { TestApplication, type StandaloneApplication } from '../support/test-application.js';

/** Names by which a token describes its session; it would describe another one if a payload could overwrite them. */
const NAMES = [
  'sub',
  'iat',
  'exp',
  'sessionHandle',
  'refreshTokenHash1',
  'parentRefreshTokenHash1',
  'antiCsrfToken',
  'tId',
  'rsub',
  'stt',
];
/** All but `stt`, which marks tokens of another recipe: with any other value than ours a token is none of ours. */
const NAMES_OF_THE_CORE = NAMES.filter((name) => name !== 'stt');

describe('a name that belongs to the session (S013)', () => {
  let application: StandaloneApplication;
  let recipe: RecipeInterface;

  beforeAll(async () => {
    const functions = (original: RecipeInterface): RecipeInterface => (recipe = original);
    application = await TestApplication.withoutServer().with({ override: { functions } }).start();
  });

  afterAll(() => application.close());

  async function newSession(accessTokenPayload: object = {}): Promise<SessionContainer> {
    const { sessions } = application;
    return sessions.createNewSessionWithoutRequestResponse({ userId: 'user-1', accessTokenPayload });
  }

  it.each(NAMES)('%s is left out of the payload of a new session', async (name) => {
    const clean = (await newSession()).getAccessTokenPayload();
    const session = await newSession({ [name]: 'forged', mine: true });
    expect(session.getAccessTokenPayload()[name]).not.toBe('forged');
    expect(Object.keys(session.getAccessTokenPayload()).toSorted()).toEqual(
      [...Object.keys(clean), 'mine'].toSorted(),
    );
    expect(session.getUserId()).toBe('user-1');
    expect(
      (await application.sessions.getSessionInformation(session.getHandle()))
        ?.customClaimsInAccessTokenPayload,
    ).toEqual({ iss: 'https://api.shop.io/auth', mine: true });
  });

  it.each(NAMES)('%s is refused by a merge through the session (Q16)', async (name) => {
    const session = await newSession({ mine: true });
    const before = session.getAccessToken();
    await expect(session.mergeIntoAccessTokenPayload({ [name]: 'forged', mine: false })).rejects.toThrow(
      `The access token payload cannot carry "${name}": that name belongs to the session itself`,
    );
    expect(session.getAccessToken()).toBe(before);
    await session.mergeIntoAccessTokenPayload({ [name]: null });
    expect(session.getAccessTokenPayload()).toMatchObject({ sub: 'user-1', mine: true });
  });

  it.each(NAMES)('%s is refused by a merge by handle, before the core is asked (T189, Q16)', async (name) => {
    const { sessions } = application;
    const handle = (await newSession({ mine: true })).getHandle();
    await expect(sessions.mergeIntoAccessTokenPayload(handle, { [name]: 'forged' })).rejects.toThrow(
      TypeError,
    );
    expect(await sessions.mergeIntoAccessTokenPayload(handle, { [name]: null })).toBe(true);
    expect((await sessions.getSessionInformation(handle))?.customClaimsInAccessTokenPayload).toEqual({
      iss: 'https://api.shop.io/auth',
      mine: true,
    });
  });

  it.each(NAMES_OF_THE_CORE)('%s is refused when a token is regenerated with it', async (name) => {
    const accessToken = (await newSession()).getAccessToken();
    const regenerate = recipe.regenerateAccessToken({
      accessToken,
      newAccessTokenPayload: { [name]: 'forged' },
      userContext: {},
    });
    await expect(regenerate).rejects.toThrow(CoreBadInputError);
  });

  it.each(NAMES_OF_THE_CORE)('%s is refused when an override puts it back at creation', async (name) => {
    const functions = (original: RecipeInterface): RecipeInterface => ({
      ...original,
      createNewSession: (input) =>
        original.createNewSession({ ...input, accessTokenPayload: { [name]: 'forged' } }),
    });
    const store = await seededMemoryStore();
    const { sessions } = await TestApplication.withoutServer()
      .store(store)
      .with({ override: { functions } })
      .start();
    const create = sessions.createNewSessionWithoutRequestResponse({ userId: 'user-1' });
    await expect(create).rejects.toThrow(CoreBadInputError);
    expect(store.size).toBe(0);
  });

  it('is refused as a claim, which would be merged like any other', async () => {
    const { sessions } = application;
    const session = await newSession();
    const claim = {
      key: 'sub',
      addToPayload_internal: () => ({ sub: 'forged' }),
    } as unknown as Parameters<typeof sessions.setClaimValue>[1];
    await expect(session.setClaimValue(claim, 'forged')).rejects.toThrow(TypeError);
    await expect(sessions.setClaimValue(session.getHandle(), claim, 'forged')).rejects.toThrow(TypeError);
  });

  it("is also the issuer's at creation, where the application's own is lost", async () => {
    expect((await newSession({ iss: 'me' })).getAccessTokenPayload()['iss']).toBe('https://api.shop.io/auth');
    expect(application.clock.now()).toBe(TEST_START_MS);
  });
});
