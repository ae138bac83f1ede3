import type { ServerResponse } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ClientResponse, RequestToSend } from '../../support/http-client.js';
import type { SessionClient } from '../../support/session-client.js';
import { ADAPTERS, TestApplication } from '../../support/test-application.js';

/** As a careless cache in front of an application does it: whatever is not forbidden is kept, by path and `Vary`. */
class SharedCache {
  private readonly kept: { path: string; seenBy: Map<string, string>; response: ClientResponse }[] = [];

  constructor(private readonly application: TestApplication) {}

  async get(client: SessionClient, path: string): Promise<ClientResponse> {
    const headers = headersOf(client);
    const hit = this.kept.find(
      (entry) =>
        entry.path === path && [...entry.seenBy].every(([name, value]) => (headers[name] ?? '') === value),
    );
    if (hit !== undefined) return hit.response;
    const response = await this.application.send({ path, headers });
    if (!/no-store|private/.test(response.header('cache-control') ?? '')) {
      const names = (response.header('vary') ?? '').toLowerCase().split(/, */).filter(Boolean);
      const seenBy = new Map(names.map((name) => [name, headers[name] ?? '']));
      this.kept.push({ path, seenBy, response });
    }
    return response;
  }
}

function headersOf(client: SessionClient): Record<string, string> {
  return client.mode === 'cookie'
    ? { cookie: `sAccessToken=${client.cookie('sAccessToken')}` }
    : { authorization: `Bearer ${client.accessToken}` };
}

describe.each(ADAPTERS)('a shared cache in front of %s', (adapter) => {
  let application: TestApplication;

  beforeAll(async () => {
    application = await TestApplication.on(adapter)
      .handlers({
        guarded: {
          rename: (session) => session.mergeIntoAccessTokenPayload({ name: session.getUserId() }),
          'with-list': async (session, { res }) => {
            await session.mergeIntoAccessTokenPayload({ name: 'x' });
            const raw = ('raw' in (res as object) ? (res as { raw: unknown }).raw : res) as ServerResponse;
            raw.writeHead(200, ['x-app', 'one']);
            raw.end('{}');
          },
        },
      })
      .start();
  });

  afterAll(() => application.close());

  it.each(['cookie', 'header'] as const)(
    'CVE-2023-30861: serves nobody the response of another, tokens by %s',
    async (mode) => {
      const cache = new SharedCache(application);
      for (const userId of ['ada', 'grace', 'ada']) {
        const client = await application.signedIn(mode, userId);
        expect((await cache.get(client, '/me')).body).toMatchObject({ userId });
        expect((await cache.get(client, '/optional')).body).toMatchObject({ userId });
      }
      expect((await cache.get(application.client(mode), '/optional')).body).toEqual({ session: null });
    },
  );

  it.each(['cookie', 'header'] as const)(
    'CVE-2025-48947: keeps no response that sets a token, by %s',
    async (mode) => {
      const client = await application.signedIn(mode, 'ada');
      const refreshing: RequestToSend = { method: 'POST', path: '/auth/session/refresh' };
      const responses = [
        await client.send({ method: 'GET', path: '/run/rename' }),
        await client.send(refreshing),
        await client.send({ method: 'GET', path: '/checked' }), // the first use writes a token
        await application.client(mode).login('grace'),
        await client.signOut(),
      ];
      for (const response of responses) {
        const tokens = [...response.lines('set-cookie'), ...response.lines('front-token')];
        expect(tokens).not.toEqual([]);
        expect(response.header('cache-control')).toContain('no-store');
      }
    },
  );

  if (adapter === 'express') {
    it('CVE-2025-7339: headers that a handler writes as a list take no token away', async () => {
      const client = await application.signedIn('cookie', 'ada');
      const response = await client.send({ path: '/run/with-list' });
      expect(response.header('x-app')).toBe('one');
      expect(response.setCookie('sAccessToken')?.value).toMatch(/^ey/);
      expect(response.header('cache-control')).toContain('no-store');
    });
  }
});
