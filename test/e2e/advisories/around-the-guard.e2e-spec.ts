import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ADAPTERS, TestApplication } from '../../support/test-application.js';
import { seededMemoryStore } from '../../support/embedded.js';
import type { MemoryStore } from 'nest-sessions/core';

describe.each(ADAPTERS)('ways around a guard on %s', (adapter) => {
  let store: MemoryStore;
  let application: TestApplication;

  beforeAll(async () => {
    store = await seededMemoryStore();
    application = await TestApplication.on(adapter)
      .store(store)
      .handlers({
        open: {
          'sign-in': async ({ sessions, req, res }) => {
            const session = await sessions.createNewSession(req, res, { userId: 'who-typed-the-password' });
            return { userId: session.getUserId() };
          },
        },
      })
      .start();
  });

  afterAll(() => application.close());

  it.each(['1', 'middleware:middleware:middleware:middleware:middleware', 'src/middleware', 'true'])(
    'CVE-2025-29927: an internal header with the value %s switches nothing off',
    async (value) => {
      const headers = {
        'x-middleware-subrequest': value,
        'x-middleware-next': value,
        'x-nest-sessions': value,
        'x-invoke-path': '/public',
      };
      for (const path of ['/me', '/checked']) {
        expect((await application.send({ path, headers })).status).toBe(401);
      }
    },
  );

  it('CVE-2025-69211: another spelling of the path reaches no handler without its guard', async () => {
    const spellings = [
      '/%6de', '/m%65', '/%6D%65', '/me/', '//me', '/ME', '/./me', '/me%2f', '/me%20', '/me;a=b', '/me?', '/me#x',
      '/public/../me', '/public/%2e%2e/me', '/%2e/me', '/m%2565',
    ]; // prettier-ignore
    const statuses = new Set<number>();
    for (const path of spellings) {
      const response = await application.send({ path });
      statuses.add(response.status);
      expect(response.text).not.toContain('userId');
      expect([path, [400, 401, 404].includes(response.status)]).toEqual([path, true]);
    }
    expect(statuses).toContain(401); // some of them do reach the handler's guard
  });

  it('CVE-2025-61928: a user id in the body, the query or the headers creates nothing for that user', async () => {
    const before = store.size;
    const body = { userId: 'victim', user: { id: 'victim' }, session: { userId: 'victim' } };
    const headers = { 'x-user-id': 'victim', 'user-id': 'victim', 'st-auth-mode': 'header' };
    for (const path of ['/auth/session/refresh', '/auth/signout', '/auth/session', '/auth/session/create']) {
      const response = await application.send({
        method: 'POST',
        path: `${path}?userId=victim`,
        headers,
        body,
      });
      expect([401, 404]).toContain(response.status);
      expect(response.header('st-access-token') ?? '').toBe(''); // emptied at most
    }
    expect(store.size).toBe(before);
    const signIn = await application.send({
      method: 'POST',
      path: '/open/sign-in?userId=victim',
      headers,
      body,
    });
    expect(signIn.body).toEqual({ userId: 'who-typed-the-password' });
    expect(await application.sessions.getAllSessionHandlesForUser({ userId: 'victim' })).toEqual([]);
  });

  it('CVE-2015-5143: requests with session keys that nobody gave out store nothing', async () => {
    const before = store.size;
    for (let i = 0; i < 300; i++) {
      const cookie = `sAccessToken=unknown-${i}; sRefreshToken=unknown-${i}; sessionid=${i}`;
      await application.send({ path: ['/optional', '/me', '/public'][i % 3] ?? '', headers: { cookie } });
      await application.send({ method: 'POST', path: '/auth/session/refresh', headers: { cookie } });
    }
    expect(store.size).toBe(before);
  });

  it('CVE-2015-5963: signing out without a session stores nothing and sets no cookie', async () => {
    const before = store.size;
    for (let i = 0; i < 100; i++) {
      const response = await application.send({ method: 'POST', path: '/auth/signout' });
      expect([response.status, response.lines('set-cookie')]).toEqual([401, []]);
    }
    expect(store.size).toBe(before);
  });
});
