import { beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { fcRuns } from '../fixtures/fc-runs.js';
import { deviceBound } from '../support/device-bound.js';
import { DpopClient, ProofKey } from '../support/dpop-client.js';
import type { ClientResponse } from '../support/http-client.js';
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

/** The parts of a response that a client sees, and the cookies that it would lose by it. */
function seen(response: ClientResponse): object {
  return {
    status: response.status,
    body: response.text,
    challenge: response.header('www-authenticate'),
    exposed: response.header('access-control-expose-headers'),
    cookies: response.lines('set-cookie'),
    tokens: ['front-token', 'st-access-token', 'st-refresh-token'].map((name) => response.header(name)),
  };
}

/** A refusal that a client can read, and that takes nothing from it. */
const refusedWith = (error: string): object => ({
  status: 401,
  body: '{"message":"unauthorised"}',
  challenge: `DPoP error="${error}", algs="ES256 EdDSA"`,
  exposed: 'WWW-Authenticate',
  cookies: [],
  tokens: [undefined, undefined, undefined],
});
const REFUSED = refusedWith('invalid_dpop_proof');

describe.each(ADAPTERS)('a wrong DPoP proof on %s (S110)', (adapter) => {
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
    expect(seen(await owner.get('/me', { dpop }))).toEqual(REFUSED);
  });

  it.each(HASHES)('opens no guarded route: %s (P3)', async (name) => {
    const dpop = wrongTokenHashes(good('GET', '/me')).get(name);
    expect(seen(await owner.get('/me', { dpop }))).toEqual(REFUSED);
  });

  it.each(NAMES)('signs nobody in: %s', async (name) => {
    const visitor = new DpopClient(app.http, app.clock); // a key that the server does not know yet
    const dpop = wrongDpopProofs({ ...good('POST', '/login'), key: visitor.key }).get(name);
    expect(seen(await visitor.post('/login', { userId: 'visitor' }, { dpop }))).toEqual(REFUSED);
  });

  it.each(NAMES)('refreshes nothing: %s (P9)', async (name) => {
    const path = '/auth/session/refresh';
    const dpop = wrongDpopProofs(good('POST', path)).get(name);
    expect(seen(await owner.refresh({ dpop }))).toEqual(REFUSED);
  });

  it('is that of another key: the token is not that client’s (P4, P7)', async () => {
    const dpop = proofOfOtherKey(good('GET', '/me', owner.accessToken));
    expect(seen(await owner.get('/me', { dpop }))).toEqual(refusedWith('invalid_token'));
    const ofRefresh = proofOfOtherKey(good('POST', '/auth/session/refresh'));
    expect(seen(await owner.refresh({ dpop: ofRefresh }))).toEqual(refusedWith('invalid_token'));
  });

  it('is every good one with a character more, less, or another one', async () => {
    const edit = fc.record({
      place: fc.nat(),
      removed: fc.constantFrom(0, 1),
      added: fc.stringMatching(/^[!-~]?$/),
    });
    await fc.assert(
      fc.asyncProperty(edit, async ({ place, removed, added }) => {
        const proof = owner.proof('GET', '/me');
        const at = place % proof.length;
        const dpop = proof.slice(0, at) + added + proof.slice(at + removed);
        fc.pre(dpop !== proof);
        expect((await owner.get('/me', { dpop })).status).toBe(401);
      }),
      { numRuns: fcRuns(100) },
    );
  });

  it('is an access token, and a proof is no access token (P10)', async () => {
    const token = owner.accessToken ?? '';
    expect(seen(await owner.get('/me', { dpop: token }))).toEqual(REFUSED);
    const proof = owner.proof('GET', '/me');
    for (const authorization of [`DPoP ${proof}`, `Bearer ${proof}`]) {
      expect((await owner.get('/me', { authorization })).status).toBe(401);
    }
  });

  it('of a megabyte is stopped by the server', async () => {
    const { headers, ...request } = {
      path: '/me',
      headers: { ...owner.requestHeaders('/me'), dpop: 'x'.repeat(1024 * 1024) },
    };
    const response = await app
      .send({ ...request, headers, isAlone: true })
      .catch((error: NodeJS.ErrnoException) => error.code);
    expect([431, 'ECONNRESET', 'EPIPE']).toContain(typeof response === 'object' ? response.status : response);
  });

  it('has taken nothing from the owner, and made no session', async () => {
    expect(await app.sessions.getAllSessionHandlesForUser({ userId: 'visitor' })).toEqual([]);
    expect((await owner.get('/me')).status).toBe(200);
    expect((await owner.refresh()).status).toBe(200);
    expect((await owner.get('/me')).status).toBe(200);
  });
});
