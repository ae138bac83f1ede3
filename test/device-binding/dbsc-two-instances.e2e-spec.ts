import { describe, expect, it } from '@jest/globals';
import { DeviceKey, offeredChallenge, REGISTER } from '../support/binding-browser.js';
import { deviceBound } from '../support/device-bound.js';
import { seededMemoryStore } from '../support/embedded.js';
import { TestApplication } from '../support/test-application.js';

describe('two instances with one store', () => {
  it('bind a session to the first of two keys (compare-and-set of the store, not the queue of one process)', async () => {
    const store = await seededMemoryStore();
    const one = await TestApplication.on('express')
      .with(deviceBound({ dbsc: true }))
      .store(store)
      .start();
    const two = await TestApplication.on('fastify')
      .with(deviceBound({ dbsc: true }))
      .store(store)
      .start();
    const client = one.client('cookie');
    const challenge = offeredChallenge(await client.login());
    const cookie = `sAccessToken=${client.cookie('sAccessToken')}`;
    const register = async (application: TestApplication) =>
      application.send({
        path: REGISTER,
        method: 'POST',
        headers: { cookie, 'secure-session-response': new DeviceKey().registration(challenge) },
      });
    const statuses = (await Promise.all([register(one), register(two)])).map(({ status }) => status);
    expect(statuses.toSorted((a, b) => a - b)).toEqual([200, 403]);
  });
});
