import { describe, expect, it } from '@jest/globals';
import { ADAPTERS, TestApplication, type Adapter } from '../support/test-application.js';
import { deviceBound } from '../support/device-bound.js';
import { DpopClient, ProofKey } from '../support/dpop-client.js';

const DPOP = deviceBound({ dpop: true });

async function startShop(adapter: Adapter, options = {}) {
  const app = await TestApplication.on(adapter)
    .with({ ...DPOP, ...options })
    .start();
  const newClient = (key?: ProofKey) => new DpopClient(app.http, app.clock, key);
  return { app, newClient };
}

describe.each(ADAPTERS)('a client that signs in with a proof on %s', (adapter) => {
  it('gets a session that is bound to its key (P2, P5)', async () => {
    const { newClient } = await startShop(adapter);
    const client = newClient();
    await client.login();
    const me = await client.get('/me');
    expect(me.status).toBe(200);
    expect(me.body).toMatchObject({ payload: { cnf: { jkt: client.key.jkt, via: 'dpop' } } });
  });

  it('is refused at sign-in with a bad proof, and no session is made', async () => {
    const { app, newClient } = await startShop(adapter);
    const client = newClient();
    const answer = await client.post(
      '/login',
      { userId: 'user-1' },
      { dpop: client.proof('POST', '/login', { claims: { htm: 'GET' } }) },
    );
    expect(answer.status).toBe(401);
    expect(answer.header('www-authenticate')).toBe('DPoP error="invalid_dpop_proof", algs="ES256 EdDSA"');
    expect(await app.sessions.getAllSessionHandlesForUser({ userId: 'user-1' })).toEqual([]);
  });

  it('is refused under Bearer, without a proof, and with that of another key (P1, P6)', async () => {
    const { newClient } = await startShop(adapter);
    const client = newClient();
    await client.login();
    const { accessToken } = client;
    const thief = newClient();
    thief.adoptTokens(client);
    const bearer = await client.get('/me', { authorization: `Bearer ${accessToken}` });
    expect([bearer.status, bearer.header('www-authenticate')]).toEqual([
      401,
      'DPoP error="invalid_token", algs="ES256 EdDSA"',
    ]);
    expect((await client.get('/me', { dpop: undefined })).status).toBe(401);
    const other = await thief.get('/me');
    expect([other.status, other.header('www-authenticate')]).toEqual([
      401,
      'DPoP error="invalid_token", algs="ES256 EdDSA"',
    ]);
    expect((await client.get('/me')).status).toBe(200);
  });

  it('refreshes with its key, and the new session is bound to it (P9)', async () => {
    const { newClient } = await startShop(adapter);
    const client = newClient();
    await client.login();
    expect((await client.refresh()).status).toBe(200);
    expect((await client.get('/me')).status).toBe(200);
    expect((await client.refresh()).status).toBe(200);
    expect((await client.get('/me')).body).toMatchObject({ payload: { cnf: { jkt: client.key.jkt } } });
  });

  it('loses nothing by the refresh of a thief without its key (P9)', async () => {
    const { newClient } = await startShop(adapter);
    const client = newClient();
    await client.login();
    const thief = newClient();
    thief.adoptTokens(client);
    const stolen = await thief.refresh();
    expect([stolen.status, stolen.header('st-refresh-token')]).toEqual([401, undefined]);
    expect((await thief.refresh({ dpop: undefined })).status).toBe(401);
    expect((await client.refresh()).status).toBe(200);
    expect((await client.get('/me')).status).toBe(200);
  });

  it('cannot use a proof twice (P4)', async () => {
    const { newClient } = await startShop(adapter);
    const client = newClient();
    await client.login();
    const dpop = client.proof('GET', '/me');
    expect((await client.get('/me', { dpop })).status).toBe(200);
    const again = await client.get('/me', { dpop });
    expect([again.status, again.header('www-authenticate')]).toEqual([
      401,
      'DPoP error="invalid_dpop_proof", algs="ES256 EdDSA"',
    ]);
  });
});
