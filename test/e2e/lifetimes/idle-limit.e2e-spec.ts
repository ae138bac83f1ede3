import { describe, expect, it } from '@jest/globals';
import { TEST_START_MS } from '../../support/embedded.js';
import { ADAPTERS, TestApplication, type ApplicationStarter } from '../../support/test-application.js';
import { DAY_SEC, HOUR_SEC, LIFETIME_HANDLERS, MINUTE_SEC, signIn, use } from './lifetime-handlers.js';

describe.each(ADAPTERS)('the idle limit of a session on %s', (adapter) => {
  const starter = (lifetime: object): ApplicationStarter =>
    TestApplication.on(adapter).handlers(LIFETIME_HANDLERS).with({ lifetime });

  it('ends a session that nobody used, by the time that is stored and not by its cookies (S036 S031)', async () => {
    const { client, clock, sessions } = await starter({ idleSec: HOUR_SEC }).start();
    const visitor = client();
    const handle = await signIn(visitor, { userId: 'user-1' });
    const end = TEST_START_MS + HOUR_SEC * 1000;
    expect(await sessions.getSessionInformation(handle)).toMatchObject({ expiry: end });
    clock.set(end + 1);
    expect(visitor.cookie('sRefreshToken')).toBeDefined();
    expect(await use(visitor)).toBe(401);
    expect(visitor.cookie('sRefreshToken')).toBeUndefined();
    expect(await sessions.getSessionInformation(handle)).toBeUndefined();
  });

  it('never ends one in use, however long that takes (S036)', async () => {
    const { signedIn, clock } = await starter({ idleSec: 15 * MINUTE_SEC }).start();
    const client = await signedIn();
    for (let minute = 0; minute < 12 * 60; minute += 7) {
      clock.advanceSeconds(7 * MINUTE_SEC);
      expect({ minute, status: await use(client) }).toEqual({ minute, status: 200 });
    }
  });

  it('begins anew with a use, and no access token outlives it (S036)', async () => {
    const { client, clock, sessions } = await starter({ idleSec: HOUR_SEC }).start();
    const visitor = client();
    const handle = await signIn(visitor, { userId: 'user-1' });
    expect(visitor.front.ate).toBe(TEST_START_MS + (HOUR_SEC / 2) * 1000);
    clock.advanceSeconds(50 * MINUTE_SEC);
    expect(await use(visitor)).toBe(200);
    const end = TEST_START_MS + (50 * MINUTE_SEC + HOUR_SEC) * 1000;
    expect(await sessions.getSessionInformation(handle)).toMatchObject({ expiry: end });
    expect(visitor.front.ate).toBe(end - (HOUR_SEC / 2) * 1000);
    clock.set(end + 1);
    expect((await visitor.get('/me')).status).toBe(401);
    expect(await use(visitor)).toBe(401);
  });

  it('is not put off by tokens that are issued again because the payload has changed (S036)', async () => {
    const { client, clock, sessions } = await starter({ idleSec: HOUR_SEC }).start();
    const visitor = client();
    const handle = await signIn(visitor, { userId: 'user-1' });
    const { ate: end } = visitor.front;
    expect(end).toBe(TEST_START_MS + (HOUR_SEC / 2) * 1000);
    for (const plan of ['a', 'b', 'c']) {
      clock.advanceSeconds(9 * MINUTE_SEC);
      await sessions.mergeIntoAccessTokenPayload(handle, { plan });
      expect((await visitor.get('/checked')).status).toBe(200);
      expect(visitor.front.up).toMatchObject({ plan });
      expect(visitor.front.ate).toBe(end);
    }
    clock.set(end + 1);
    expect((await visitor.get('/me')).status).toBe(401);
  });

  it('yields to the absolute end (S037)', async () => {
    const { client, clock, sessions } = await starter({
      idleSec: HOUR_SEC,
      absoluteSec: 90 * MINUTE_SEC,
    }).start();
    const visitor = client();
    const handle = await signIn(visitor, { userId: 'user-1' });
    clock.advanceSeconds(45 * MINUTE_SEC);
    expect(await use(visitor)).toBe(200);
    const end = TEST_START_MS + 90 * MINUTE_SEC * 1000;
    expect(await sessions.getSessionInformation(handle)).toMatchObject({ expiry: end });
    clock.set(end);
    expect(await use(visitor)).toBe(401);
  });

  it('is another one where a sign-in says so, and never longer than what the core grants', async () => {
    const { client, sessions } = await starter({ idleSec: HOUR_SEC })
      .engine({ refreshTokenValiditySec: DAY_SEC })
      .start();
    const expiryOf = async (idleSec?: number): Promise<number | undefined> => {
      const lifetime = idleSec === undefined ? {} : { idleSec };
      const handle = await signIn(client(), { userId: 'user-1', lifetime });
      return (await sessions.getSessionInformation(handle))?.expiry;
    };
    expect(await expiryOf()).toBe(TEST_START_MS + HOUR_SEC * 1000);
    expect(await expiryOf(MINUTE_SEC)).toBe(TEST_START_MS + MINUTE_SEC * 1000);
    expect(await expiryOf(7 * DAY_SEC)).toBe(TEST_START_MS + DAY_SEC * 1000);
  });
});
