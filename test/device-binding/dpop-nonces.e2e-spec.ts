import { describe, expect, it } from '@jest/globals';
import { deviceBound } from '../support/device-bound.js';
import { DpopClient } from '../support/dpop-client.js';
import type { ClientResponse } from '../support/http-client.js';
import { ADAPTERS, TestApplication, type Adapter } from '../support/test-application.js';

const SECRETS = ['a secret of at least thirty-two characters', 'another secret of thirty-two characters'];

async function startShop(adapter: Adapter, nonce: 'refresh' | 'always', secret?: readonly string[]) {
  const app = await TestApplication.on(adapter)
    .with(deviceBound({ dpop: { nonce }, ...(secret === undefined ? {} : { secret }) }))
    .start();
  return { app, client: new DpopClient(app.http, app.clock) };
}

/** The parts of a response that a client sees. */
function seen(response: ClientResponse): object {
  const names = ['www-authenticate', 'dpop-nonce', 'access-control-expose-headers', 'cache-control'];
  return {
    status: response.status,
    body: response.text,
    headers: names.map((name) => response.header(name)),
  };
}

/** A refusal that asks for a nonce, and names it. */
const CHALLENGE = {
  status: 401,
  body: '{"message":"unauthorised"}',
  headers: [
    'DPoP error="use_dpop_nonce", algs="ES256 EdDSA"',
    expect.stringMatching(/^[0-9a-z]+\.[\w-]{43}$/),
    'WWW-Authenticate, DPoP-Nonce',
    'no-store',
  ],
};

describe.each(ADAPTERS)('a server that gives out nonces on %s', (adapter) => {
  it('asks for one at sign-in, before a session is made, and accepts it then (P8)', async () => {
    const { app, client } = await startShop(adapter, 'refresh');
    const dpop = client.proof('POST', '/login');
    const first = await app.send({
      method: 'POST',
      path: '/login',
      body: { userId: 'user-1' },
      headers: { dpop },
    });
    expect(seen(first)).toEqual(CHALLENGE);
    expect(await app.sessions.getAllSessionHandlesForUser({ userId: 'user-1' })).toEqual([]);
    await client.login(); // repeats by itself
    expect(await app.sessions.getAllSessionHandlesForUser({ userId: 'user-1' })).toHaveLength(1);
  });

  it('asks for one at a refresh, and leaves guarded routes alone: refresh (P8)', async () => {
    const { client } = await startShop(adapter, 'refresh');
    await client.login();
    const claims = { nonce: undefined };
    expect((await client.get('/me', { dpop: client.proof('GET', '/me', { claims }) })).status).toBe(200);
    const dpop = client.proof('POST', '/auth/session/refresh', { claims });
    expect(
      seen(await client.copy().refresh({ dpop, authorization: `DPoP ${client.refreshToken ?? ''}` })),
    ).toEqual(CHALLENGE);
    expect((await client.refresh()).status).toBe(200);
  });

  it('asks for one everywhere: always (P8)', async () => {
    const { client } = await startShop(adapter, 'always');
    await client.login();
    const dpop = client.proof('GET', '/me', { claims: { nonce: undefined } });
    expect(
      seen(await client.copy().get('/me', { dpop, authorization: `DPoP ${client.accessToken ?? ''}` })),
    ).toEqual(CHALLENGE);
    expect((await client.get('/me')).status).toBe(200);
    expect((await client.refresh()).status).toBe(200);
    expect((await client.get('/me')).status).toBe(200);
  });

  it.each([
    ['of another server', `abc.${'A'.repeat(43)}`],
    ['that is empty', ''],
    ['that is a number', 1],
    ['that is null', null],
    ['in an array', ['a']],
    ['of five thousand characters', 'a'.repeat(5000)],
  ])('gives another one for one %s', async (_which, nonce) => {
    const { client } = await startShop(adapter, 'always');
    await client.login();
    const dpop = client.proof('GET', '/me', { claims: { nonce } });
    expect(
      seen(await client.copy().get('/me', { dpop, authorization: `DPoP ${client.accessToken ?? ''}` })),
    ).toEqual(CHALLENGE);
  });

  it('accepts one for five minutes, and hands out the next one in the second half of its life (P8)', async () => {
    const { app, client } = await startShop(adapter, 'always');
    await client.login();
    const { nonce } = client;
    app.clock.advanceSeconds(120);
    expect((await client.get('/me')).header('dpop-nonce')).toBeUndefined();
    app.clock.advanceSeconds(60);
    const ageing = await client.get('/me');
    expect([ageing.status, ageing.header('cache-control')]).toEqual([200, 'no-store']);
    expect(ageing.header('dpop-nonce')).not.toBe(nonce);
    expect(ageing.header('access-control-expose-headers')).toBe('DPoP-Nonce');
    expect(client.nonce).toBe(ageing.header('dpop-nonce'));
    app.clock.advanceSeconds(180);
    const claims = { nonce };
    expect(
      seen(
        await client.copy().get('/me', {
          dpop: client.proof('GET', '/me', { claims }),
          authorization: `DPoP ${client.accessToken ?? ''}`,
        }),
      ),
    ).toEqual(CHALLENGE);
    expect((await client.get('/me')).status).toBe(200);
  });

  it('names one with every other refusal, too, so that a client need not be refused for it again', async () => {
    const { client } = await startShop(adapter, 'always');
    await client.login();
    const response = await client.get('/me', { dpop: undefined });
    expect(response.header('www-authenticate')).toBe('DPoP error="invalid_dpop_proof", algs="ES256 EdDSA"');
    expect(response.header('dpop-nonce')).toMatch(/^[0-9a-z]+\./);
  });

  it('accepts those of its other instances, and those of before its secret was replaced', async () => {
    const [older = '', newer = ''] = SECRETS;
    const first = await startShop(adapter, 'refresh', [older]);
    const second = await startShop(adapter, 'refresh', [newer, older]);
    await first.client.login();
    const { nonce } = first.client;
    const send = async (server: typeof first, value: unknown) => {
      const dpop = server.client.proof('POST', '/login', { claims: { nonce: value } });
      const body = { userId: 'user-1' };
      return server.app.send({ method: 'POST', path: '/login', body, headers: { dpop } });
    };
    expect((await send(second, nonce)).status).toBe(201);
    await second.client.login();
    expect(seen(await send(first, second.client.nonce))).toEqual(CHALLENGE);
  });
});
