import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ClientResponse } from '../support/http-client.js';
import type { SessionClient } from '../support/session-client.js';
import { ADAPTERS, TestApplication } from '../support/test-application.js';
import { NOTHING, tokenTraffic } from '../support/token-traffic.js';

/** Adds a cookie the way the application's framework does it. */
function addCookie(res: unknown, line: string): void {
  const { append, header } = res as {
    append?(name: string, value: string): unknown;
    header(name: string, value: string): unknown;
  };
  if (append) append.call(res, 'Set-Cookie', line);
  else header.call(res, 'Set-Cookie', line);
}

describe.each(ADAPTERS)('headers of responses on %s', (adapter) => {
  let application: TestApplication;

  beforeAll(async () => {
    application = await TestApplication.on(adapter)
      .with({ antiCsrf: 'VIA_TOKEN' })
      .configure((app) => {
        app.use((_req: unknown, res: { setHeader(name: string, value: string): void }, next: () => void) => {
          res.setHeader('Set-Cookie', 'fromMiddleware=1; Path=/');
          res.setHeader('Vary', 'Accept-Encoding');
          next();
        });
      })
      .handlers({
        open: {
          'sign-in-among-cookies': async ({ sessions, req, res }) => {
            addCookie(res, 'before=1');
            addCookie(res, 'sAccessTokenOther=mine');
            await sessions.createNewSession(req, res, { userId: 'user-1' });
            addCookie(res, 'after=1');
          },
        },
        guarded: {
          merge: (session) => session.mergeIntoAccessTokenPayload({ a: 1 }),
          'merge-among-cookies': async (session, { res }) => {
            addCookie(res, 'before=1');
            await session.mergeIntoAccessTokenPayload({ a: 2 });
            await session.mergeIntoAccessTokenPayload({ a: 3 });
            addCookie(res, 'after=1');
          },
        },
      })
      .start();
  });

  afterAll(() => application.close());

  const SENDERS: Record<string, (client: SessionClient) => Promise<ClientResponse>> = {
    'a sign-in': (client) => client.login(),
    'a refresh': (client) => client.refresh(),
    'the first use of a refreshed token': async (client) => {
      await client.refresh();
      return client.get('/me');
    },
    'a change of the payload': (client) => client.post('/run/merge', {}),
    'a sign-out': (client) => client.signOut(),
    'a refused refresh': (client) => client.refresh({ cookie: undefined, authorization: undefined }),
    'the notice of a revocation': async (client) => {
      await client.copy().signOut();
      return client.get('/checked');
    },
  };

  it.each(Object.keys(SENDERS))('%s is never cached (S064)', async (name) => {
    for (const mode of ['cookie', 'header'] as const) {
      const client = await application.signedIn(mode);
      const response = await (SENDERS[name] as (client: SessionClient) => Promise<ClientResponse>)(client);
      expect(tokenTraffic(response)).not.toEqual(NOTHING);
      expect(response.header('cache-control')).toBe('no-store');
      expect(response.header('vary')).toBe('Accept-Encoding, Cookie, Authorization');
    }
  });

  it.each(['/me', '/optional', '/checked'])('%s varies on who asks (S064)', async (path) => {
    const client = await application.signedIn('cookie');
    for (const response of [await client.get(path), await application.send({ path })]) {
      expect(response.header('vary')).toBe('Accept-Encoding, Cookie, Authorization');
    }
  });

  it("keeps the application's cookies, in their order, none doubled (S065, Q4)", async () => {
    const client = application.client('cookie');
    const names = (response: ClientResponse): string[] =>
      response.lines('set-cookie').map((line) => line.split('=')[0] ?? '');
    const signIn = await client.post('/open/sign-in-among-cookies');
    expect(names(signIn)).toEqual([
      'fromMiddleware',
      'before',
      'sAccessTokenOther',
      'sAccessToken',
      'sRefreshToken',
      'after',
    ]);
    const merged = await client.post('/run/merge-among-cookies');
    expect(names(merged)).toEqual(['fromMiddleware', 'before', 'sAccessToken', 'after']);
    expect(names(await client.refresh())).toEqual(['fromMiddleware', 'sAccessToken', 'sRefreshToken']);
    expect(names(await client.signOut())).toEqual(['fromMiddleware', 'sAccessToken', 'sRefreshToken']);
  });

  it('sends no token in a body, nor in a header that scripts read, to a cookie client (S058, S067)', async () => {
    const client = application.client('cookie');
    const responses = [
      await client.login(),
      await client.refresh(),
      await client.get('/me'),
      await client.post('/run/merge', {}),
    ];
    const secrets = responses.flatMap((response) =>
      ['sAccessToken', 'sRefreshToken'].map((name) =>
        decodeURIComponent(response.setCookie(name)?.value ?? ''),
      ),
    );
    for (const response of [...responses, await client.signOut()]) {
      const readable =
        response.text + (response.header('front-token') ?? '') + (response.header('location') ?? '');
      for (const secret of secrets.filter((value) => value !== '')) {
        expect(readable).not.toContain(secret);
        expect(Buffer.from(response.header('front-token') ?? '', 'base64').toString()).not.toContain(secret);
      }
      expect(response.status).toBeLessThan(300);
      for (const line of response
        .lines('set-cookie')
        .filter((cookie) => /^s(Access|Refresh)Token=/.test(cookie))) {
        expect(line).toMatch(/; HttpOnly; Secure; SameSite=Lax$/);
      }
    }
  });
});

describe.each(ADAPTERS)('cookies that must not be written on %s', (adapter) => {
  it.each([
    ['a line break', 'x\r\nSet-Cookie: admin=1'],
    ['a semicolon', 'x; Domain=evil.example'],
    ['a control character', 'x\u0000'],
  ])('a name with %s is an error, and nothing is written (S063)', async (_case, name) => {
    const options = { getCookieNameForTokenType: () => name };
    const { client } = await TestApplication.on(adapter).with(options).start();
    const response = await client('cookie').post('/login', { userId: 'user-1' });
    expect(response.status).toBe(500);
    expect(response.lines('set-cookie')).toEqual([]);
    expect(tokenTraffic(response)).toEqual(NOTHING);
  });

  it('a payload too large for a cookie is an error, not a cookie that browsers drop (S062)', async () => {
    const { client, sessions } = await TestApplication.on(adapter).start();
    const body = { userId: 'user-1', payload: { long: 'x'.repeat(4000) } };
    const response = await client('cookie').post('/login', body);
    expect(response.status).toBe(500);
    expect(tokenTraffic(response)).toEqual(NOTHING);
    expect(await sessions.getAllSessionHandlesForUser({ userId: 'user-1' })).toEqual([]);
    expect((await client('header').post('/login', body)).status).toBe(201);
  });
});
