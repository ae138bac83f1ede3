import { describe, expect, it } from '@jest/globals';
import { remoteCore, type RateLimitedAttempt, type SessionModuleOptions } from 'nest-sessions';
import { FakeCore, GOOD_RESPONSES, reset, sendJson } from '../support/fake-core.js';
import { ProcessWarnings } from '../support/process-warnings.js';
import { SessionClient } from '../support/session-client.js';
import { jwt, V5_CLAIMS, V5_HEADER } from '../fixtures/made-tokens.js';
import { TestClock } from 'nest-sessions/testing';
import { TEST_START_MS } from '../support/embedded.js';
import { ADAPTERS, TestApplication } from '../support/test-application.js';
import { watchedStore } from '../support/watched-store.js';

const TRY_LATER = [503, '{"message":"service unavailable"}', '1'];

describe.each(ADAPTERS)('an instance on %s that starts while it cannot have the keys', (adapter) => {
  const attempts: RateLimitedAttempt[] = [];
  const limiter = (attempt: RateLimitedAttempt): { allowed: true } => {
    attempts.push(attempt);
    return { allowed: true };
  };
  const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` });

  it('calls no token bad while its store is away, and counts nothing against the client (S017, S096)', async () => {
    attempts.length = 0;
    const { store, failing } = await watchedStore();
    const first = await TestApplication.on(adapter).store(store).start();
    const client = await first.signedIn('header');
    const { accessToken = '' } = client;
    expect((await first.http.send({ path: '/me', headers: bearer(accessToken) })).status).toBe(200);
    await first.close();

    for (const name of ['findDynamicKeys', 'findStaticKeys', 'getOrSetRefreshTokenKey']) failing.add(name);
    const second = await TestApplication.on(adapter).store(store).with({ rateLimit: { limiter } }).start();
    for (const path of ['/me', '/optional', '/checked']) {
      for (let i = 0; i < 3; i++) {
        const response = await second.http.send({ path, headers: bearer(accessToken) });
        expect([response.status, response.text, response.header('retry-after')]).toEqual(TRY_LATER);
        expect(response.lines('set-cookie')).toEqual([]);
      }
    }
    expect((await second.http.send({ path: '/me' })).status).toBe(401); // for that no key is needed
    expect(attempts).toEqual([]);

    failing.clear();
    expect((await second.http.send({ path: '/me', headers: bearer(accessToken) })).status).toBe(200);
    const forged = `${accessToken.slice(0, -20)}AAAAAAAAAAAAAAAAAAAA`;
    expect((await second.http.send({ path: '/me', headers: bearer(forged) })).status).toBe(401);
    expect(attempts.map(({ kind }) => kind)).toEqual(['failed-verify']);
    await second.close();
  });

  it('counts no refresh while its store is away, at the start and later on (S017, S101)', async () => {
    const { store, failing, calls } = await watchedStore();
    const counts = { asked: 0, counted: 0 };
    const rateLimit: NonNullable<SessionModuleOptions['rateLimit']> = {
      limiter: () => {
        counts.asked += 1;
        counts.counted += 1;
        return { allowed: true, giveBack: () => (counts.counted -= 1) };
      },
    };
    const first = await TestApplication.on(adapter).store(store).start();
    const user = await first.signedIn('header');
    await first.close();

    const everything = ['findDynamicKeys', 'findStaticKeys', 'getOrSetRefreshTokenKey', 'findSession'];
    const goAway = (): void => {
      for (const name of [...everything, 'findAndUpdate', 'update']) failing.add(name);
    };
    goAway();
    const { http, clock } = await TestApplication.on(adapter).store(store).with({ rateLimit }).start();
    const client = new SessionClient(http, 'header');
    Object.assign(client, { accessToken: user.accessToken, refreshToken: user.refreshToken });
    const attempt = async (): Promise<number> => (await client.refresh()).status;
    expect([await attempt(), await attempt(), counts]).toEqual([503, 503, { asked: 0, counted: 0 }]);
    failing.clear();
    expect([await attempt(), counts]).toEqual([200, { asked: 1, counted: 1 }]);

    goAway();
    expect([await attempt(), counts]).toEqual([503, { asked: 2, counted: 1 }]);
    calls.length = 0;
    const burst = await Promise.all(Array.from({ length: 20 }, async () => client.copy().refresh()));
    expect(burst.map(({ status }) => status)).toEqual(burst.map(() => 503));
    expect(counts).toEqual({ asked: 2, counted: 1 });
    expect(new Set(calls)).toEqual(new Set(['findStaticKeys'])); // one cheap look each at most
    clock.advanceSeconds(2 * 3600);
    expect((await client.get('/me')).status).toBe(401); // the client cannot help that its token ran out
    expect(counts).toEqual({ asked: 2, counted: 1 });

    failing.clear();
    expect([await attempt(), counts]).toEqual([200, { asked: 3, counted: 2 }]);
  });

  it('counts no refresh while a remote core is away, at the start and later on (S017, S101)', async () => {
    attempts.length = 0;
    const fake = await FakeCore.start();
    const core = remoteCore({ connectionURI: fake.uri });
    const goAway = (): void => {
      for (const path of ['/.well-known/jwks.json', '/apiversion', '/recipe/session/refresh'])
        fake.on(path, reset);
    };
    goAway();
    const { http } = await TestApplication.on(adapter).with({ core, rateLimit: { limiter } }).start();
    const refresh = async (): Promise<number> => {
      const headers = { 'st-auth-mode': 'header', ...bearer(GOOD_RESPONSES.refreshed.refreshToken.token) };
      return (await http.send({ method: 'POST', path: '/auth/session/refresh', headers })).status;
    };
    expect([await refresh(), await refresh(), attempts]).toEqual([503, 503, []]);
    await fake.kill();
  });

  it.each([
    ['fails', () => Promise.reject(new Error('the counter is away'))],
    ['does not end', () => new Promise<never>(() => undefined)],
  ])('responds as ever where giving back an attempt %s', async (_what, giveBack) => {
    const warnings = new ProcessWarnings();
    const { store, failing } = await watchedStore();
    const rateLimit = { limiter: () => ({ allowed: true as const, giveBack }), timeoutMs: 20 };
    const { signedIn } = await TestApplication.on(adapter).store(store).with({ rateLimit }).start();
    const user = await signedIn('header');
    failing.add('findSession').add('findAndUpdate').add('update');
    const { status, text } = await user.refresh();
    expect([status, text, warnings.take()]).toEqual([
      ...TRY_LATER.slice(0, 2),
      ['The rate limiter fails, an attempt stays counted'],
    ]);
    warnings.restore();
  });

  it('calls no token bad while a remote core is away, nor one of a new key later on (S017)', async () => {
    attempts.length = 0;
    const fake = await FakeCore.start();
    fake.on('/.well-known/jwks.json', reset);
    const clock = new TestClock(TEST_START_MS);
    const core = remoteCore({ connectionURI: fake.uri });
    const application = await TestApplication.on(adapter)
      .clock(clock)
      .with({ core, rateLimit: { limiter } })
      .start();
    const status = async (token: string): Promise<number> =>
      (await application.http.send({ path: '/me', headers: bearer(token) })).status;
    const good = jwt(V5_HEADER, V5_CLAIMS);
    const ofNewKey = jwt({ ...V5_HEADER, kid: `d-${TEST_START_MS}` }, V5_CLAIMS);
    expect([await status(good), await status(good)]).toEqual([503, 503]);

    fake.on('/.well-known/jwks.json', sendJson(GOOD_RESPONSES.keys));
    expect(await status(good)).toBe(200);
    clock.advance(500);
    fake.on('/.well-known/jwks.json', reset);
    expect([await status(ofNewKey), await status(ofNewKey), await status(good)]).toEqual([503, 503, 200]);
    expect(attempts).toEqual([]);

    fake.on('/.well-known/jwks.json', sendJson(GOOD_RESPONSES.keys));
    clock.advance(500);
    expect(await status(ofNewKey)).toBe(401);
    await application.close();
    await fake.kill();
  });
});
