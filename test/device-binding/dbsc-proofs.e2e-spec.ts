import { beforeAll, describe, expect, it } from '@jest/globals';
import {
  BindingBrowser,
  browserOf,
  DeviceKey,
  offeredChallenge,
  REGISTER,
  RENEW,
} from '../support/binding-browser.js';
import { deviceBound } from '../support/device-bound.js';
import type { ClientResponse } from '../support/http-client.js';
import type { SessionClient } from '../support/session-client.js';
import { ADAPTERS, TestApplication } from '../support/test-application.js';
import { wrongProofs } from '../support/wrong-dbsc-proofs.js';

const names = (kind: 'registration' | 'renewal'): string[] => [
  ...wrongProofs(new DeviceKey(), `refresh.${'a'.repeat(80)}`, kind).keys(),
];

describe.each(ADAPTERS)('a wrong proof, on %s', (adapter) => {
  let application: TestApplication;
  let client: SessionClient;
  let browser: BindingBrowser;
  const key = new DeviceKey();
  let challenge = '';

  beforeAll(async () => {
    application = await TestApplication.on(adapter)
      .with(deviceBound({ dbsc: true }))
      .start();
    client = application.client('cookie');
    challenge = offeredChallenge(await client.login());
    browser = browserOf(application);
    await browser.login('owner');
  });

  it('there are at least seventy of one kind and fifty of the other', () => {
    expect(names('registration').length).toBeGreaterThanOrEqual(70);
    expect(names('renewal').length).toBeGreaterThanOrEqual(50);
  });

  it.each(names('registration'))('binds no session: %s (D22, D23, S111)', async (name) => {
    const proof = wrongProofs(key, challenge, 'registration').get(name);
    const response = await client.send({
      path: REGISTER,
      method: 'POST',
      headers: { 'secure-session-response': proof },
    });
    expect([response.status, response.text]).toEqual([403, '{"message":"proof refused"}']);
    expect(response.lines('set-cookie')).toEqual([]);
  });

  it.each(names('renewal'))('renews no cookie: %s (D21, D22, S112)', async (name) => {
    const { binding, session } = browser;
    if (binding === undefined) throw new Error('The browser has bound nothing');
    const proof = wrongProofs(binding.key, binding.challenge ?? '', 'renewal').get(name);
    const response: ClientResponse = await session.send({
      path: RENEW,
      method: 'POST',
      headers: { 'sec-secure-session-id': binding.id, 'secure-session-response': proof },
    });
    expect(response.status).toBe(403);
    expect(response.header('secure-session-challenge')).toMatch(/^"(retry|refresh)\./);
    expect(response.lines('set-cookie')).toEqual([]);
  });

  it('leaves both sessions as they were', async () => {
    expect((await client.get('/me')).status).toBe(200);
    expect((await browser.send({ path: '/me' })).status).toBe(200);
    expect(await client.get('/me').then(({ body }) => body)).not.toHaveProperty('payload.cnf');
  });

  it.each(['jti of the registration', 'RS256, where it is offered'])(
    'beside it, a good one counts: %s',
    async (which) => {
      const options = deviceBound({ dbsc: { algorithms: ['ES256', 'RS256'] } });
      const { client: newClient } = await TestApplication.on(adapter).with(options).start();
      const visitor = newClient('cookie');
      const login = await visitor.login();
      expect(login.header('secure-session-registration')).toMatch(/^\(ES256 RS256\);/);
      const own = new DeviceKey(which.startsWith('RS256') ? 'RS256' : 'ES256');
      const response = await visitor.send({
        path: REGISTER,
        method: 'POST',
        headers: {
          'secure-session-response': own.registration(offeredChallenge(login)),
        },
      });
      expect(response.status).toBe(200);
      const next = /^"([^"]*)"/.exec(response.header('secure-session-challenge') ?? '')?.[1] ?? '';
      const { session_identifier: id } = response.body as { session_identifier: string };
      const headers = { 'sec-secure-session-id': id, 'secure-session-response': own.renewal(next) };
      expect((await visitor.send({ path: RENEW, method: 'POST', headers })).status).toBe(200);
    },
  );
});

describe('the challenge of another session', () => {
  it('binds nothing, and renews nothing', async () => {
    const application = await TestApplication.on('express')
      .with(deviceBound({ dbsc: true }))
      .start();
    const ada = application.client('cookie');
    const eve = application.client('cookie');
    const proof = new DeviceKey().registration(offeredChallenge(await ada.login('ada')));
    await eve.login('eve');
    const headers = { 'secure-session-response': proof };
    const response = await eve.send({ path: REGISTER, method: 'POST', headers });
    expect(response.status).toBe(403);
  });

  it.each(['access', 'none'])(
    'nor does a proof without the session’s own access token: %s',
    async (which) => {
      const application = await TestApplication.on('express')
        .with(deviceBound({ dbsc: true }))
        .start();
      const ada = application.client('cookie');
      const proof = new DeviceKey().registration(offeredChallenge(await ada.login('ada')));
      const headers = {
        'secure-session-response': proof,
        ...(which === 'access' ? { cookie: 'sAccessToken=wrong' } : {}),
      };
      const response = await application.send({
        path: REGISTER,
        method: 'POST',
        headers,
      });
      expect(response.status).toBe(401);
    },
  );
});
