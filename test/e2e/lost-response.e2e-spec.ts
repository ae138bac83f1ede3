import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { MemoryStore } from 'nest-sessions/core';
import { seededMemoryStore } from '../support/embedded.js';
import type { ClientResponse } from '../support/http-client.js';
import { SessionClient } from '../support/session-client.js';
import { ADAPTERS, TestApplication } from '../support/test-application.js';
import { signedOut, outcomeOf } from '../support/token-traffic.js';

const TABS = 200;

describe.each(ADAPTERS)('refresh responses that never arrive on %s', (adapter) => {
  let store: MemoryStore;
  let application: TestApplication;
  let client: SessionClient;

  beforeAll(async () => {
    store = await seededMemoryStore();
    application = await TestApplication.on(adapter).store(store).with({ antiCsrf: 'VIA_TOKEN' }).start();
  });

  beforeEach(async () => {
    client = await application.signedIn('cookie');
  });

  afterAll(() => application.close());

  /** The server responds, but the client never gets it. */
  async function loseRefresh(by: SessionClient): Promise<ClientResponse> {
    return by.copy().refresh();
  }

  it(`${TABS} tabs that refresh at once all stay signed in, with one successor (S022, S024)`, async () => {
    const responses = await Promise.all(Array.from({ length: TABS }, () => client.copy().refresh()));
    expect(responses.map(({ status }) => status)).toEqual(responses.map(() => 200));
    expect(new Set(responses.map((response) => response.setCookie('sRefreshToken')?.value)).size).toBe(1);
    expect(new Set(responses.map((response) => response.header('anti-csrf'))).size).toBe(1);

    const before = client.copy();
    await client.refresh();
    expect((await client.get('/me')).status).toBe(200);
    expect(outcomeOf(await before.refresh())).toEqual(signedOut('token theft detected'));
    expect(outcomeOf(await client.copy().get('/checked'))).toEqual(signedOut());
    expect(outcomeOf(await client.refresh())).toEqual(signedOut());
  });

  it.each([
    ['at once', 0],
    ['after an hour', 3600],
    ['after a month', 30 * 24 * 3600],
  ])(
    'a client that repeats %s gets the same successor and stays signed in (S024)',
    async (_when, seconds) => {
      const lost = await loseRefresh(client);
      application.clock.advanceSeconds(seconds);
      const repeated = await client.refresh();
      expect(repeated.status).toBe(200);
      expect(repeated.setCookie('sRefreshToken')?.value).toBe(lost.setCookie('sRefreshToken')?.value);
      expect((await client.get('/checked')).status).toBe(200);
      expect((await client.refresh()).status).toBe(200);
    },
  );

  it('a client that loses every second response stays signed in for 20 generations (S024)', async () => {
    for (let generation = 0; generation < 20; generation++) {
      await loseRefresh(client);
      expect((await client.refresh()).status).toBe(200);
      await client.copy().get('/me');
      expect((await client.get('/me')).status).toBe(200);
    }
    expect((await client.get('/checked')).status).toBe(200);
  });

  it('a response that overtakes another changes nothing (S024)', async () => {
    const [slow, fast] = [client.copy(), client.copy()];
    await fast.refresh();
    await slow.refresh();
    expect((await slow.get('/me')).status).toBe(200);
    expect((await fast.get('/me')).status).toBe(200);
    expect((await slow.refresh()).status).toBe(200);
    expect((await slow.get('/checked')).status).toBe(200);
  });

  it('another instance on the same store gives the same successor, also after a restart (S024)', async () => {
    const lost = await loseRefresh(client);
    const other = await TestApplication.on(adapter)
      .store(store)
      .clock(application.clock)
      .with({ antiCsrf: 'VIA_TOKEN' })
      .start();
    const headers = {
      cookie: `sRefreshToken=${client.cookie('sRefreshToken')}`,
      'anti-csrf': client.antiCsrf,
    };
    const repeated = await other.send({ method: 'POST', path: '/auth/session/refresh', headers });
    expect(repeated.setCookie('sRefreshToken')?.value).toBe(lost.setCookie('sRefreshToken')?.value);
    await other.close();
    expect((await client.refresh()).status).toBe(200);
  });

  it('only the latest generation can be repeated: the one before it is a theft (S023, S025)', async () => {
    const first = client.copy();
    await client.refresh();
    await client.get('/me');
    await loseRefresh(client);
    await loseRefresh(client);
    expect((await client.copy().refresh()).status).toBe(200);
    expect(outcomeOf(await first.refresh())).toEqual(signedOut('token theft detected'));
    expect(outcomeOf(await client.refresh())).toEqual(signedOut());
  });

  it('no refresh can be repeated after the end of the session, and that is no theft (S026)', async () => {
    const before = client.copy();
    await loseRefresh(client);
    await client.signOut();
    const eventsBefore = application.events.length;
    expect(outcomeOf(await before.refresh())).toEqual(signedOut());
    expect(application.events.slice(eventsBefore)).toEqual([]);
  });

  it('a thief who refreshes first is found out as soon as the owner goes on (S023)', async () => {
    const thief = client.copy();
    await thief.refresh();
    expect((await thief.get('/me')).status).toBe(200);
    expect(outcomeOf(await client.refresh())).toEqual(signedOut('token theft detected'));
    expect(outcomeOf(await thief.copy().refresh())).toEqual(signedOut());
    expect(outcomeOf(await thief.copy().get('/checked'))).toEqual(signedOut());
  });
});
