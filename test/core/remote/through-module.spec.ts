import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { remoteCore, SessionConfigError, type SessionModuleOptions } from 'nest-sessions';
import { parseConnectionUri } from '../../../lib/core/remote/host-pool.js';
import { DYNAMIC_TEST_KEY, STATIC_TEST_KEY } from '../../fixtures/signing-keys.js';
import { DYNAMIC_TEST_KID, STATIC_TEST_KID, TEST_START_MS } from '../../support/embedded.js';
import { FakeCore, sendJson } from '../../support/fake-core.js';
import { publicJwkOf } from '../../fixtures/key-set.js';
import { jwt, legacyToken, V2_CLAIMS, V5_CLAIMS, V5_HEADER } from '../../fixtures/made-tokens.js';
import { SHOP, sessionModule, TestApplication } from '../../support/test-application.js';

// The requests of an application to its remote core. The core is a stand-in that records every call.

const JWKS = '/.well-known/jwks.json';
const VERIFY = '/recipe/session/verify';
const REFRESH = '/recipe/session/refresh';
const UNKNOWN_KEYS = sendJson({ keys: [publicJwkOf(STATIC_TEST_KEY, STATIC_TEST_KID)] });
const TEST_KEYS = sendJson({ keys: [publicJwkOf(DYNAMIC_TEST_KEY, DYNAMIC_TEST_KID)] });

let core: FakeCore;
beforeEach(async () => {
  core = await FakeCore.start();
});
afterEach(() => core.kill());

const withRemoteCore = (
  options: Partial<SessionModuleOptions>,
  test: (application: TestApplication) => Promise<void>,
): Promise<void> =>
  TestApplication.on('express')
    .with({ core: remoteCore({ connectionURI: core.uri }), ...options })
    .run(test);

const bodiesOf = (path: string): unknown[] =>
  core.received.filter((request) => request.path === path).map(({ body }) => body);

describe('an application with a remote core', () => {
  it('asks it to verify with exactly five fields (T86)', async () => {
    core.on(JWKS, TEST_KEYS);
    const token = jwt(V5_HEADER, { ...V5_CLAIMS, antiCsrfToken: 'csrf' });
    await withRemoteCore({ antiCsrf: 'VIA_TOKEN' }, async ({ send }) => {
      const headers = { cookie: `sAccessToken=${token}`, 'anti-csrf': 'csrf' };
      expect((await send({ method: 'POST', path: '/checked', headers })).status).toBe(200);
    });
    expect(bodiesOf(VERIFY)).toEqual([
      {
        accessToken: token,
        antiCsrfToken: 'csrf',
        doAntiCsrfCheck: true,
        enableAntiCsrf: true,
        checkDatabase: true,
      },
    ]);
  });

  it('leaves the anti-CSRF token out of that call where the request has none (T86)', async () => {
    core.on(JWKS, TEST_KEYS);
    const token = jwt(V5_HEADER, V5_CLAIMS);
    await withRemoteCore({}, async ({ send }) => {
      await send({ method: 'GET', path: '/checked', headers: { authorization: `Bearer ${token}` } });
    });
    expect(bodiesOf(VERIFY)).toEqual([
      { accessToken: token, doAntiCsrfCheck: false, enableAntiCsrf: false, checkDatabase: true },
    ]);
  });

  it.each([
    [
      'cookie',
      { cookie: 'sRefreshToken=r1', 'anti-csrf': 'csrf' },
      { antiCsrfToken: 'csrf', enableAntiCsrf: true },
    ],
    ['header', { authorization: 'Bearer r1' }, { enableAntiCsrf: false }],
  ])('asks it to refresh with nothing but what it needs, by %s (T164)', async (_mode, headers, expected) => {
    await withRemoteCore({ antiCsrf: 'VIA_TOKEN' }, async ({ send }) => {
      expect((await send({ method: 'POST', path: '/auth/session/refresh', headers })).status).toBe(200);
    });
    expect(bodiesOf(REFRESH)).toEqual([{ refreshToken: 'r1', useDynamicSigningKey: true, ...expected }]);
  });

  describe('and a version 2 token whose key it does not have', () => {
    const madeAgoMs = (ageMs: number): string =>
      legacyToken({
        ...V2_CLAIMS,
        timeCreated: TEST_START_MS - ageMs,
        expiryTime: TEST_START_MS + 3_600_000,
      });
    const sendToken = async (token: string): Promise<string> => {
      let outcome = '';
      await withRemoteCore({ jwksRefreshIntervalSec: 100 }, async ({ send }) => {
        const response = await send({
          method: 'GET',
          path: '/me',
          headers: { authorization: `Bearer ${token}` },
        });
        outcome = `${response.status} ${response.status === 200 ? '' : response.text}`;
      });
      return outcome;
    };

    it('loads the keys again, and asks nothing about the token itself (S102)', async () => {
      core.on(JWKS, UNKNOWN_KEYS);
      await withRemoteCore({}, async ({ send, clock }) => {
        const me = async (token: string): Promise<number> =>
          (await send({ method: 'GET', path: '/me', headers: { authorization: `Bearer ${token}` } })).status;
        expect(await me(madeAgoMs(1000))).toBe(401);
        core.on(JWKS, TEST_KEYS);
        expect(await me(madeAgoMs(1000))).toBe(401); // the keys have just been loaded
        clock.advance(500);
        expect(await me(madeAgoMs(1000))).toBe(200);
      });
      expect(bodiesOf(VERIFY)).toEqual([]);
    });

    it('does so at most every half second, however many strangers forge one (S018, S102)', async () => {
      core.on(JWKS, TEST_KEYS);
      await withRemoteCore({}, async ({ send, clock }) => {
        const forged = (n: number): string => `${madeAgoMs(n).replace(/[^.]*$/, '')}${'A'.repeat(342)}==`;
        const burst = async (): Promise<void> => {
          const responses = await Promise.all(
            Array.from({ length: 50 }, (_, n) =>
              send({ method: 'GET', path: '/me', headers: { authorization: `Bearer ${forged(n)}` } }),
            ),
          );
          expect(new Set(responses.map(({ status }) => status))).toEqual(new Set([401]));
        };
        await burst();
        clock.advance(499);
        await burst();
        expect(core.received.map(({ path }) => path)).toEqual([JWKS]);
        clock.advance(1);
        await burst();
      });
      expect(core.received.map(({ path }) => path)).toEqual([JWKS, JWKS]);
    });

    it('does not ask once keys of that age would be here (T111)', async () => {
      core.on(JWKS, UNKNOWN_KEYS);
      expect(await sendToken(madeAgoMs(100_001))).toBe('401 {"message":"try refresh token"}');
      expect(bodiesOf(VERIFY)).toEqual([]);
    });
  });

  it('starts while nobody listens there (T261)', async () => {
    const options = { core: remoteCore({ connectionURI: 'http://localhost:0000' }) };
    await expect(sessionModule({ options })).resolves.toBeDefined();
    const { send } = await TestApplication.on('express').with(options).start();
    expect((await send({ method: 'POST', path: '/login', body: { userId: 'user-1' } })).status).toBe(503);
  });

  it('takes several hosts, local names by http and others by https (T262)', () => {
    const origins = parseConnectionUri('a.io;b.io:8080;localhost:90').map(({ origin }) => origin);
    expect(origins).toEqual(['https://a.io', 'https://b.io:8080', 'http://localhost:90']);
  });

  it('does not start with a connection URI that names no host (Q20)', async () => {
    const options = { appInfo: SHOP, core: remoteCore({ connectionURI: ';;' }) };
    await expect(
      TestApplication.on('express')
        .with(options)
        .run(async () => undefined),
    ).rejects.toThrow(SessionConfigError);
  });
});
