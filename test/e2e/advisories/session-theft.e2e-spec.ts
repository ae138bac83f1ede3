import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { MemoryStore } from 'nest-sessions/core';
import { ACCESS_VALIDITY_SEC, rowOf, seededMemoryStore } from '../../support/embedded.js';
import { ADAPTERS, TestApplication } from '../../support/test-application.js';
import { watchedStore } from '../../support/watched-store.js';

const MONTH_SEC = 30 * 24 * 3600;

describe.each(ADAPTERS)('sessions in the wrong hands on %s', (adapter) => {
  let store: MemoryStore;
  let application: TestApplication;

  beforeEach(async () => {
    store = await seededMemoryStore();
    application = await TestApplication.on(adapter)
      .store(store)
      .engine({ refreshTokenValiditySec: MONTH_SEC })
      .start();
  });

  afterEach(() => application.close());

  it.each(['CVE-2022-25896', 'CVE-2023-29019', 'GHSA-3xf8-g8gr-g7rh'])(
    '%s: a session that was planted before the sign-in does not become that of the user',
    async () => {
      const attacker = await application.signedIn('cookie', 'attacker');
      const victim = attacker.copy();
      await victim.login('victim');
      expect(victim.front.up['sessionHandle']).not.toBe(attacker.front.up['sessionHandle']);
      expect((await attacker.get('/checked')).body).toMatchObject({ userId: 'attacker' });
      expect((await attacker.refresh()).status).toBe(200);
      expect(attacker.front.uid).toBe('attacker');
      expect((await victim.get('/checked')).body).toMatchObject({ userId: 'victim' });
    },
  );

  it('CVE-2022-3916: tokens left behind on a shared computer never reach the session of the next user', async () => {
    const first = await application.signedIn('cookie', 'first');
    const leftBehind = first.copy();
    await first.signOut();

    const next = leftBehind.copy();
    await next.login('next');

    for (const path of ['/auth/session/refresh', '/checked']) {
      const method = path === '/checked' ? 'GET' : 'POST';
      expect((await leftBehind.copy().send({ method, path })).status).toBe(401);
    }
    const mixed = `sAccessToken=${next.cookie('sAccessToken')}; sRefreshToken=${leftBehind.cookie('sRefreshToken')}`;
    const response = await application.send({
      method: 'POST',
      path: '/auth/session/refresh',
      headers: { cookie: mixed },
    });
    expect(response.status).toBe(401);
    expect((await next.refresh()).status).toBe(200);
    expect(next.front.uid).toBe('next');
  });

  it('CVE-2019-16782: what is looked up is no secret, and no secret is stored', async () => {
    const client = await application.signedIn('header', 'user-1');
    const handle = String(client.front.up['sessionHandle']);
    const row = await rowOf(store, handle);
    const secrets = [client.accessToken, client.refreshToken].map(String);
    for (const secret of secrets) expect(JSON.stringify(row)).not.toContain(secret);
    for (const guess of [row.refreshTokenHash2, handle]) {
      for (const path of ['/auth/session/refresh', '/auth/signout']) {
        const headers = { authorization: `Bearer ${guess}` };
        expect((await application.send({ method: 'POST', path, headers })).status).toBe(401);
      }
    }
    expect((await client.get('/checked')).status).toBe(200);
  });

  it('CVE-2024-35220: a session that is loaded again and again ends when it was to end', async () => {
    const client = await application.signedIn('cookie');
    const { expiresAtMs } = await rowOf(store, String(client.front.up['sessionHandle']));
    for (let i = 0; i < 10; i++) {
      application.clock.advanceSeconds(ACCESS_VALIDITY_SEC / 20);
      expect((await client.get('/checked')).status).toBe(200);
    }
    expect((await rowOf(store, String(client.front.up['sessionHandle']))).expiresAtMs).toBe(expiresAtMs);

    application.clock.set(expiresAtMs + 1);
    expect((await client.refresh()).status).toBe(401);
  });

  it('CVE-2025-46344: a copied cookie is worth nothing after the end that it carries inside', async () => {
    const client = await application.signedIn('cookie');
    const copied = `sAccessToken=${client.cookie('sAccessToken')}; sRefreshToken=${client.cookie('sRefreshToken')}`;
    const replay = async (method: string, path: string): Promise<number> =>
      (await application.send({ method, path, headers: { cookie: copied } })).status;
    expect(await replay('GET', '/me')).toBe(200);

    application.clock.advanceSeconds(ACCESS_VALIDITY_SEC + 1);
    expect(await replay('GET', '/me')).toBe(401);
    expect(await replay('GET', '/checked')).toBe(401);

    application.clock.advanceSeconds(MONTH_SEC);
    expect(await replay('POST', '/auth/session/refresh')).toBe(401);
  });

  it('CVE-2023-20866: nothing is printed, in header mode either', async () => {
    const written: string[] = [];
    const spies = [process.stdout, process.stderr].map((stream) =>
      jest.spyOn(stream, 'write').mockImplementation((chunk) => written.push(String(chunk)) > 0),
    );
    const secrets: (string | undefined)[] = [];
    try {
      const client = await application.signedIn('header');
      secrets.push(client.accessToken, client.refreshToken);
      await client.get('/checked');
      await client.refresh();
      secrets.push(client.accessToken, client.refreshToken);
      await client.signOut();
    } finally {
      spies.forEach((spy) => spy.mockRestore());
    }
    const printed = written.join('');
    for (const secret of secrets) expect(printed).not.toContain(String(secret));
  });
});

describe.each(ADAPTERS)('a store that fails while sessions are ended on %s', (adapter) => {
  it('CVE-2020-15223: a revocation that was not stored is an error, and nobody is told otherwise', async () => {
    const watched = await watchedStore();
    const application = await TestApplication.on(adapter).store(watched.store).start();
    try {
      const client = await application.signedIn('cookie', 'user-1');
      watched.failing.add('deleteSessions').add('deleteSessionsOfUsers');

      expect((await client.copy().signOut()).status).toBeGreaterThanOrEqual(500);
      await expect(
        application.sessions.revokeAllSessionsForUser({ userId: 'user-1' }),
      ).rejects.toBeInstanceOf(Error);
      await expect(
        application.sessions.revokeSession(String(client.front.up['sessionHandle'])),
      ).rejects.toBeInstanceOf(Error);
      expect(application.events.filter(({ type }) => type === 'session.revoked')).toEqual([]);

      watched.failing.clear();
      expect((await client.get('/checked')).status).toBe(200); // as the error said: it is still there
      expect((await client.copy().signOut()).status).toBe(200);
      expect((await client.get('/checked')).status).toBe(401);
    } finally {
      await application.close();
    }
  });
});
