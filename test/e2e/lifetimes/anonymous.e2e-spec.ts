import { describe, expect, it } from '@jest/globals';
import { ADAPTERS, TestApplication } from '../../support/test-application.js';
import { watchedStore } from '../../support/watched-store.js';

describe.each(ADAPTERS)('visitors without a session on %s', (adapter) => {
  it('cost no row and no question to the store, whatever they ask for and send (S042)', async () => {
    const watched = await watchedStore();
    const options = {
      lifetime: { absoluteSec: 3600 },
      maxSessionsPerUser: { max: 1, whenExceeded: 'refuse' },
      devices: {},
      userSessionRoutes: true,
    } as const;
    const { send } = await TestApplication.on(adapter).store(watched.store).with(options).start();
    await send({ path: '/optional' });
    watched.calls.length = 0;
    const junk = { cookie: 'sAccessToken=junk; sRefreshToken=junk', authorization: 'Bearer junk' };
    const requests = [
      { path: '/optional', status: 200 },
      { path: '/public', status: 200 },
      { path: '/me', status: 401 },
      { path: '/checked-optional', status: 200 },
      { path: '/auth/sessions', status: 401 },
      { path: '/auth/session/refresh', method: 'POST', status: 401 },
      { path: '/auth/signout', method: 'POST', status: 401 },
    ];
    for (let round = 0; round < 100; round++) {
      for (const { status, ...request } of requests) {
        const headers = round % 2 === 0 ? {} : junk;
        expect({ ...request, status: (await send({ ...request, headers })).status }).toEqual({
          ...request,
          status,
        });
      }
    }
    expect(watched.calls).toEqual([]);
    expect(watched.size).toBe(0);
  });
});
