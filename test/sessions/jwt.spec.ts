import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createLocalJWKSet, jwtVerify, type JSONWebKeySet } from 'jose';
import { CoreBadInputError, type RecipeInterface, type SessionService } from 'nest-sessions';
import { jwtClaims, jwtHeader } from '../fixtures/jwt-parts.js';
import { TestApplication, type StandaloneApplication } from '../support/test-application.js';
import { sessionErrorOf } from '../support/session-error-of.js';

const ISSUER = 'https://api.shop.io/auth';
const HUNDRED_YEARS_SEC = 3_153_600_000;

let application: StandaloneApplication;
let sessions: SessionService;

beforeAll(async () => {
  application = await TestApplication.withoutServer().start();
  ({ sessions } = application);
});

afterAll(() => application.close());

async function mint(input: Parameters<SessionService['createJWT']>[0] = {}): Promise<string> {
  const result = await sessions.createJWT(input);
  if (result.status !== 'OK') throw new Error(result.status);
  return result.jwt;
}

/** A session and what a service with the same payload would put into a JWT. */
async function sessionPayload(): Promise<{ handle: string; payload: object }> {
  const session = await sessions.createNewSessionWithoutRequestResponse({
    userId: 'user-1',
    tenantId: 't1',
    accessTokenPayload: { plan: 'pro' },
  });
  const { exp: _exp, iat: _iat, ...payload } = session.getAccessTokenPayload();
  return { handle: session.getHandle(), payload };
}

describe('a JWT of the application', () => {
  it('has our issuer, the key that never changes, and a hundred years by default (T275)', async () => {
    const jwt = await mint();
    expect(jwtHeader(jwt)).toEqual({ alg: 'RS256', typ: 'JWT', kid: expect.stringMatching(/^s-/) });
    const now = application.clock.now() / 1000;
    expect(jwtClaims(jwt)).toEqual({ iss: ISSUER, iat: now, exp: now + HUNDRED_YEARS_SEC });
  });

  it('keeps the issuer, the validity and the kind of key that it was asked for (T276)', async () => {
    const jwt = await mint({
      payload: { iss: 'me', scope: ['read'] },
      validitySeconds: 60,
      useStaticSigningKey: false,
    });
    const { iss, scope, iat, exp } = jwtClaims(jwt);
    expect({ iss, scope }).toEqual({ iss: 'me', scope: ['read'] });
    expect(Number(exp) - Number(iat)).toBe(60);
    expect(jwtHeader(jwt)['kid']).toEqual(expect.stringMatching(/^d-/));
  });

  it.each([0, -1])('is refused with a validity of %p (T277)', async (validitySeconds) => {
    await expect(mint({ validitySeconds })).rejects.toThrow(CoreBadInputError);
  });

  it.each([
    ['a text', 'claims'],
    ['a list', ['claims']],
    ['a number', 7],
  ])('is refused with a payload that is %s (T277)', async (_case, payload) => {
    await expect(mint({ payload: payload as unknown as object })).rejects.toThrow(
      /^createJWT: payload is (a string|an array|a number); an object with names and JSON values/,
    );
  });

  it('is verified by another service with the published keys', async () => {
    const keys = createLocalJWKSet((await sessions.getJWKS()) as unknown as JSONWebKeySet);
    const options = { issuer: ISSUER, currentDate: new Date(application.clock.now()) };
    for (const useStaticSigningKey of [true, false]) {
      const jwt = await mint({ payload: { sub: 'invoices' }, validitySeconds: 60, useStaticSigningKey });
      const { payload } = await jwtVerify(jwt, keys, options);
      expect(payload.sub).toBe('invoices');
      const late = new Date(application.clock.now() + 61_000);
      await expect(jwtVerify(jwt, keys, { ...options, currentDate: late })).rejects.toThrow(/exp/);
    }
  });

  it('is no session by itself (S007)', async () => {
    for (const useStaticSigningKey of [true, false]) {
      const accessToken = await mint({ payload: { sub: 'user-1' }, useStaticSigningKey });
      const error = await sessionErrorOf(sessions.getSessionWithoutRequestResponse({ accessToken }));
      expect(error).toMatchObject({ type: 'UNAUTHORISED', payload: { clearTokens: false } });
    }
  });

  it("is a session when it repeats a session's payload with a key that rotates (T206)", async () => {
    const { handle, payload } = await sessionPayload();
    const jwt = await mint({ payload, validitySeconds: 100, useStaticSigningKey: false });
    expect(Number(jwtClaims(jwt)['exp']) - Number(jwtClaims(jwt)['iat'])).toBe(100);
    const session = await sessions.getSessionWithoutRequestResponse({ accessToken: jwt });
    expect(session.getHandle()).toBe(handle);
    expect(session.getUserId()).toBe('user-1');
    expect(session.getRecipeUserId()).toBe('user-1');
    expect(session.getAccessTokenPayload()).toMatchObject({ plan: 'pro' });
    const withOtherKey = await mint({ payload, validitySeconds: 100 });
    const error = await sessionErrorOf(
      sessions.getSessionWithoutRequestResponse({ accessToken: withOtherKey }),
    );
    expect(error.type).toBe('TRY_REFRESH_TOKEN');
  });

  it("is refused with a session's payload where nobody said how long it may open that session", async () => {
    const { payload } = await sessionPayload();
    for (const useStaticSigningKey of [true, false]) {
      await expect(mint({ payload, useStaticSigningKey })).rejects.toThrow(
        /^createJWT: .* leave out sessionHandle and refreshTokenHash1, or say with validitySeconds/,
      );
    }
    const { refreshTokenHash1: _hash, ...rest } = payload as Record<string, unknown>;
    const accessToken = await mint({ payload: rest, useStaticSigningKey: false });
    const error = await sessionErrorOf(sessions.getSessionWithoutRequestResponse({ accessToken }));
    expect(error.type).toBe('UNAUTHORISED');
  });

  it('is looked up in the database then, with its tenant (T207)', async () => {
    const { handle, payload } = await sessionPayload();
    const accessToken = await mint({ payload, validitySeconds: 100, useStaticSigningKey: false });
    const get = () => sessions.getSessionWithoutRequestResponse({ accessToken, checkDatabase: true });
    const session = await get();
    expect([session.getHandle(), session.getTenantId()]).toEqual([handle, 't1']);
    await sessions.revokeSession(handle);
    expect((await sessionErrorOf(get())).type).toBe('UNAUTHORISED');
  });
});

describe('the published keys', () => {
  it('are the static and the rotating ones, with the time for which they may be cached, and nothing private', async () => {
    const { keys, validityInSeconds } = await sessions.getJWKS();
    expect(keys.map(({ kid }) => kid.slice(0, 2)).toSorted()).toEqual(['d-', 's-']);
    for (const key of keys) {
      expect(key).toMatchObject({ kty: 'RSA', alg: 'RS256', use: 'sig', e: 'AQAB', n: expect.any(String) });
      expect(
        Object.keys(key).filter((name) => ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k'].includes(name)),
      ).toEqual([]);
    }
    expect(validityInSeconds).toBeGreaterThan(0);
  });
});

describe('the discovery document', () => {
  it('names the issuer and where the keys are (T281)', async () => {
    expect(await sessions.getOpenIdDiscoveryConfiguration()).toEqual({
      status: 'OK',
      issuer: ISSUER,
      jwks_uri: `${ISSUER}/jwt/jwks.json`,
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['RS256'],
      response_types_supported: ['code', 'id_token', 'id_token token'],
    });
  });

  it.each([
    [{ apiGatewayPath: '/gateway' }, 'https://api.shop.io/gateway/auth'],
    [{ apiBasePath: '/' }, 'https://api.shop.io'],
    [{ apiGatewayPath: 'gw/', apiBasePath: 'v1/login' }, 'https://api.shop.io/gw/v1/login'],
  ])('with the paths %j has the issuer %s (T281)', async (paths, issuer) => {
    const appInfo = { appName: 'Shop', apiDomain: 'https://api.shop.io', websiteDomain: 'https://shop.io' };
    const { sessions } = await TestApplication.withoutServer()
      .with({ appInfo: { ...appInfo, ...paths } })
      .start();
    const document = await sessions.getOpenIdDiscoveryConfiguration();
    expect(document).toMatchObject({ issuer, jwks_uri: `${issuer}/jwt/jwks.json` });
    const session = await sessions.createNewSessionWithoutRequestResponse({ userId: 'user-1' });
    expect(session.getAccessTokenPayload()).toMatchObject({ iss: issuer });
  });

  it('decides who new sessions and JWTs say issued them, and nothing about verification', async () => {
    const functions = (original: RecipeInterface): RecipeInterface => ({
      ...original,
      getOpenIdDiscoveryConfiguration: async (input) => ({
        ...(await original.getOpenIdDiscoveryConfiguration(input)),
        issuer: 'https://id.shop.io',
      }),
    });
    const { sessions } = await TestApplication.withoutServer().with({ override: { functions } }).start();
    const session = await sessions.createNewSessionWithoutRequestResponse({ userId: 'user-1' });
    expect(session.getAccessTokenPayload()).toMatchObject({ iss: 'https://id.shop.io' });
    const result = await sessions.createJWT({ payload: { a: 1 } });
    expect(jwtClaims(result.status === 'OK' ? result.jwt : '')).toMatchObject({
      iss: 'https://id.shop.io',
    });
    const accessToken = session.getAccessToken();
    expect((await sessions.getSessionWithoutRequestResponse({ accessToken })).getUserId()).toBe('user-1');
  });
});
