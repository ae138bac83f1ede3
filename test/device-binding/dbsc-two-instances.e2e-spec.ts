import { describe, expect, it } from '@jest/globals';
import { DeviceKey } from '../support/binding-browser.js';
import { deviceBound } from '../support/device-bound.js';
import { seededMemoryStore } from '../support/embedded.js';
import type { Answer } from '../support/http-client.js';
import { TestApplication } from '../support/test-application.js';

const challengeOf = (answer: Answer): string =>
  /challenge="([^"]*)"/.exec(answer.header('secure-session-registration') ?? '')?.[1] ?? '';

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
    const challenge = challengeOf(await client.login());
    const cookie = `sAccessToken=${client.cookie('sAccessToken')}`;
    const register = async (application: TestApplication) =>
      application.send({
        path: '/auth/session/device/register',
        method: 'POST',
        headers: { cookie, 'secure-session-response': new DeviceKey().registration(challenge) },
      });
    const statuses = (await Promise.all([register(one), register(two)])).map(({ status }) => status);
    expect(statuses.toSorted((a, b) => a - b)).toEqual([200, 403]);
  });
});
