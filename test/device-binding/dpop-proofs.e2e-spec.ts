import { beforeAll, describe, expect, it } from '@jest/globals';
import { deviceBound } from '../support/device-bound.js';
import { DpopClient, ProofKey } from '../support/dpop-client.js';
import type { Answer } from '../support/http-client.js';
import { ADAPTERS, TestApplication } from '../support/test-application.js';
import {
  proofOfOtherKey,
  wrongDpopProofs,
  wrongTokenHashes,
  type GoodProof,
} from '../support/wrong-dpop-proofs.js';

const EXAMPLE: GoodProof = {
  key: new ProofKey(),
  claims: { htm: 'GET', htu: 'https://api.shop.io/me', iat: 1 },
  token: 'token',
};
const NAMES = [...wrongDpopProofs(EXAMPLE).keys()];
const HASHES = [...wrongTokenHashes(EXAMPLE).keys()];

const challenge = (error: string): string => `DPoP error="${error}", algs="ES256 EdDSA"`;

/** A refusal that a client can read, and that takes nothing from it. */
function expectRefusal(answer: Answer, error = 'invalid_dpop_proof'): void {
  expect([answer.status, answer.text]).toEqual([401, '{"message":"unauthorised"}']);
  expect(answer.header('www-authenticate')).toBe(challenge(error));
  expect(answer.header('access-control-expose-headers')).toContain('WWW-Authenticate');
  expect(answer.lines('set-cookie')).toEqual([]);
  expect(['front-token', 'st-access-token', 'st-refresh-token'].map((name) => answer.header(name))).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
}

describe.each(ADAPTERS)('a wrong DPoP proof on %s', (adapter) => {
  let app: TestApplication;
  let owner: DpopClient;

  beforeAll(async () => {
    app = await TestApplication.on(adapter)
      .with(deviceBound({ dpop: true }))
      .start();
    owner = new DpopClient(app.http, app.clock);
    await owner.login('owner');
  });

  const good = (method: string, path: string, token?: string): GoodProof => ({
    key: owner.key,
    claims: owner.claims(method, path, token),
    token: owner.accessToken ?? '',
  });

  it('is one of more than 150', () => {
    expect(NAMES.length + HASHES.length).toBeGreaterThan(150);
  });

  it.each(NAMES)('opens no guarded route: %s (P2, P3, P4, P7)', async (name) => {
    const dpop = wrongDpopProofs(good('GET', '/me', owner.accessToken)).get(name);
    expectRefusal(await owner.get('/me', { dpop }));
  });

  it.each(HASHES)('opens no guarded route: %s (P3)', async (name) => {
    const dpop = wrongTokenHashes(good('GET', '/me')).get(name);
    expectRefusal(await owner.get('/me', { dpop }));
  });

  it.each(NAMES)('signs nobody in: %s', async (name) => {
    const visitor = new DpopClient(app.http, app.clock); // a key that the server does not know yet
    const dpop = wrongDpopProofs({ ...good('POST', '/login'), key: visitor.key }).get(name);
    expectRefusal(await visitor.post('/login', { userId: 'visitor' }, { dpop }));
  });

  it.each(NAMES)('refreshes nothing: %s (P9)', async (name) => {
    const path = '/auth/session/refresh';
    const dpop = wrongDpopProofs(good('POST', path)).get(name);
    expectRefusal(await owner.refresh({ dpop }));
  });

  it('is that of another key: the token is not that client’s (P4, P7)', async () => {
    const dpop = proofOfOtherKey(good('GET', '/me', owner.accessToken));
    expectRefusal(await owner.get('/me', { dpop }), 'invalid_token');
    const ofRefresh = proofOfOtherKey(good('POST', '/auth/session/refresh'));
    expectRefusal(await owner.refresh({ dpop: ofRefresh }), 'invalid_token');
  });

  it('of a megabyte is stopped by the server', async () => {
    const { headers, ...request } = {
      path: '/me',
      headers: { ...owner.requestHeaders('/me'), dpop: 'x'.repeat(1024 * 1024) },
    };
    const answer = await app
      .send({ ...request, headers, isAlone: true })
      .catch((error: NodeJS.ErrnoException) => error.code);
    expect([431, 'ECONNRESET', 'EPIPE']).toContain(typeof answer === 'object' ? answer.status : answer);
  });

  it('has taken nothing from the owner, and made no session', async () => {
    expect(await app.sessions.getAllSessionHandlesForUser({ userId: 'visitor' })).toEqual([]);
    expect((await owner.get('/me')).status).toBe(200);
    expect((await owner.refresh()).status).toBe(200);
    expect((await owner.get('/me')).status).toBe(200);
  });
});
