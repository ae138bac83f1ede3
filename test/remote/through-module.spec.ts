import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { remoteCore, SessionConfigError, type SessionModuleOptions } from 'nest-sessions';
import { parseConnectionUri } from '../../lib/core/http/core-host.js';
import { DYNAMIC_TEST_KEY } from '../fixtures/signing-keys.js';
import { DYNAMIC_TEST_KID, TEST_START_MS } from '../support/embedded.js';
import { FakeCore, sendJson } from '../support/fake-core.js';
import { publicJwkOf } from '../support/key-set.js';
import { jwt, legacyToken, V2_CLAIMS, V5_CLAIMS, V5_HEADER } from '../support/made-tokens.js';
import { sessionModule, SHOP, withApplication } from '../support/test-application.js';

// What an application with a remote core asks that core. The core is a stand-in that records every call.

const JWKS = '/.well-known/jwks.json';
const VERIFY = '/recipe/session/verify';
const REFRESH = '/recipe/session/refresh';
const UNKNOWN_KEYS = sendJson({ keys: [] });
const TEST_KEYS = sendJson({ keys: [publicJwkOf(DYNAMIC_TEST_KEY, DYNAMIC_TEST_KID)] });

let core: FakeCore;
beforeEach(async () => {
  core = await FakeCore.start();
});
afterEach(() => core.kill());

const withRemoteCore = (
  options: Partial<SessionModuleOptions>,
  test: Parameters<typeof withApplication>[1],
): Promise<void> =>
  withApplication(
    { adapter: 'express', options: { core: remoteCore({ connectionURI: core.uri }), ...options } },
    test,
  );

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
      core.on(JWKS, UNKNOWN_KEYS);
      await withRemoteCore({ jwksRefreshIntervalSec: 100 }, async ({ send }) => {
        const answer = await send({
          method: 'GET',
          path: '/me',
          headers: { authorization: `Bearer ${token}` },
        });
        outcome = `${answer.status} ${answer.status === 200 ? '' : answer.text}`;
      });
      return outcome;
    };

    it('asks the core when the token is a second old: its key may be newer than ours (T110)', async () => {
      expect(await sendToken(madeAgoMs(1000))).toBe('200 ');
      expect(bodiesOf(VERIFY)).toHaveLength(1);
    });

    it('does not ask once keys of that age would be here (T111)', async () => {
      expect(await sendToken(madeAgoMs(100_001))).toBe('401 {"message":"try refresh token"}');
      expect(bodiesOf(VERIFY)).toEqual([]);
    });
  });

  it('starts while nobody listens there (T261)', async () => {
    const options = { core: remoteCore({ connectionURI: 'http://localhost:0000' }) };
    await expect(sessionModule({ options })).resolves.toBeDefined();
    await withApplication({ adapter: 'express', options }, async ({ send }) => {
      expect((await send({ method: 'POST', path: '/login', body: { userId: 'user-1' } })).status).toBe(503);
    });
  });

  it('takes several hosts, local names by http and others by https (T262)', () => {
    const origins = parseConnectionUri('a.io;b.io:8080;localhost:90').map(({ origin }) => origin);
    expect(origins).toEqual(['https://a.io', 'https://b.io:8080', 'http://localhost:90']);
  });

  it('does not start with a connection URI that names no host (Q20)', async () => {
    const options = { appInfo: SHOP, core: remoteCore({ connectionURI: ';;' }) };
    await expect(withApplication({ adapter: 'express', options }, async () => undefined)).rejects.toThrow(
      SessionConfigError,
    );
  });
});
