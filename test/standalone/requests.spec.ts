import { beforeAll, describe, expect, it } from '@jest/globals';
import {
  createSessions,
  embeddedCore,
  PrimitiveClaim,
  ResponseSentError,
  sessionCorsHeaders,
  UnauthorisedError,
  type PlainRequest,
  type SessionResponse,
  type Sessions,
} from 'nest-sessions/standalone';
import { TestClock } from 'nest-sessions/testing';
import { closeAfterTest } from '../support/close-after-test.js';
import { seededMemoryStore, TEST_START_MS } from '../support/embedded.js';
import { storeWithHeldUpdate } from '../support/intercepted-store.js';
import { SHOP } from '../support/test-application.js';
import { watchedStore, type WatchedStore } from '../support/watched-store.js';

const REFRESH = '/auth/session/refresh';
const PlanClaim = new PrimitiveClaim<string>({ key: 'plan', fetchValue: () => 'free' });

let sessions: Sessions;
let watched: WatchedStore;

beforeAll(async () => {
  watched = await watchedStore();
  sessions = createSessions({
    appInfo: SHOP,
    claims: [PlanClaim],
    userSessionRoutes: true,
    clock: new TestClock(TEST_START_MS),
    core: embeddedCore({ store: watched.store }),
    logger: { error: () => undefined, warn: () => undefined },
  });
  closeAfterTest(() => sessions.close());
  await sessions.start();
});

/** The cookies of a response, as a browser sends them. */
function cookiesOf({ headers }: SessionResponse): string {
  const lines = headers.filter(([name]) => name === 'set-cookie').map(([, line]) => line.split(';')[0]);
  return lines.join('; ');
}

function request(
  url: string,
  headers: PlainRequest['headers'] = {},
  rest: Partial<PlainRequest> = {},
): PlainRequest {
  return { method: 'GET', url, headers, ...rest };
}

function post(url: string, headers: PlainRequest['headers'] = {}, body?: unknown): PlainRequest {
  return request(url, headers, { method: 'POST', ...(body === undefined ? {} : { body }) });
}

async function signIn(userId = 'ada'): Promise<string> {
  const login = post('/login', { 'st-auth-mode': 'cookie' });
  await sessions.createNewSession(login, { userId });
  return cookiesOf(sessions.finish(login));
}

async function refusalOf(work: Promise<unknown>, of: PlainRequest): Promise<SessionResponse | undefined> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return sessions.respond(error, of);
}

describe('a plain request', () => {
  it.each([
    ['Cookie in capitals', (cookie: string) => ({ COOKIE: cookie })],
    ['a list', (cookie: string) => ({ cookie: cookie.split('; ') })],
    ['pairs', (cookie: string) => [['cookie', cookie] as const]],
    [
      'several pairs, as HTTP/2 sends them',
      (cookie: string) => cookie.split('; ').map((each) => ['Cookie', each] as const),
    ],
    ['Headers', (cookie: string) => new Headers({ cookie })],
    ['a Map', (cookie: string) => new Map([['cookie', cookie]])],
    ['names without a value beside it', (cookie: string) => ({ cookie, authorization: undefined })],
    [
      'an object without prototype',
      (cookie: string) => Object.assign(Object.create(null) as object, { cookie }),
    ],
  ])('has its headers in any form: %s', async (_form, headersOf) => {
    const cookie = await signIn();
    const me = request('/me', headersOf(cookie) as PlainRequest['headers']);
    expect((await sessions.verify(me)).getUserId()).toBe('ada');
  });

  it.each([
    ['nothing', undefined],
    ['null', null],
    ['text', 'GET /me'],
    ['a list', ['GET', '/me']],
    ['a pair without a response', { req: { method: 'GET', url: '/me', headers: {} }, res: undefined }],
    ['a pair of something else', { req: {}, res: {} }],
  ])('that is %s is a TypeError which says what is expected', async (_what, given) => {
    for (const call of [
      sessions.verify(given as never),
      sessions.handle(given as never),
      sessions.respond(new UnauthorisedError('x'), given as never),
      sessions.createNewSession(given as never, { userId: 'ada' }),
    ]) {
      const error: unknown = await call.catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(TypeError);
      expect((error as Error).message).toMatch(
        /^A request is expected: \{ method, url, headers \}, a Request of fetch/,
      );
    }
  });

  it.each([
    ['no method', { url: '/me', headers: {} }, "request.method: expected text, 'GET' for example"],
    ['a number as method', { method: 1, url: '/me', headers: {} }, 'request.method: '],
    ['no url', { method: 'GET', headers: {} }, "request.url: expected text, '/me?page=2' for example"],
    ['a URL object', { method: 'GET', url: new URL('http://x/'), headers: {} }, 'request.url: '],
    [
      'no headers',
      { method: 'GET', url: '/me' },
      'request.headers: expected an object, a list of pairs, or Headers',
    ],
    ['null as headers', { method: 'GET', url: '/me', headers: null }, 'request.headers: '],
    ['text as headers', { method: 'GET', url: '/me', headers: 'cookie: x' }, 'request.headers: '],
    [
      'a number in a header',
      { method: 'GET', url: '/me', headers: { a: 1 } },
      'request.headers: expected names with text',
    ],
    ['a list of a number', { method: 'GET', url: '/me', headers: { a: [1] } }, 'request.headers: '],
    ['texts in place of pairs', { method: 'GET', url: '/me', headers: ['a'] }, 'request.headers: '],
    ['an ip that is none', { method: 'GET', url: '/me', headers: {}, ip: 7 }, 'request.ip: '],
  ])('with %s is a TypeError that names the member', async (_what, given, message) => {
    await expect(sessions.verify(given as never)).rejects.toThrow(TypeError);
    await expect(sessions.verify(given as never)).rejects.toThrow(message);
  });

  it('never shows what a wrong header holds', async () => {
    const secret = Object.assign(Object.create({}), { token: 'secret' }) as object;
    const error: unknown = await sessions
      .verify({ method: 'GET', url: '/me', headers: { authorization: secret } } as never)
      .catch((reason: unknown) => reason);
    expect(String(error)).not.toContain('secret');
  });

  it('has wrong options refused before its session is looked at', async () => {
    const wrong = { sessionsRequired: false } as never;
    await expect(sessions.verify(request('/me'), wrong)).rejects.toThrow(
      /^verify: sessionsRequired there is no such option; did you mean sessionRequired/,
    );
    await expect(sessions.verify(request('/me'), {}, 'x' as never)).rejects.toThrow(TypeError);
  });

  it('keeps its tokens until they are collected; a later sign-in is an error, and not lost in silence', async () => {
    const me = request('/me', { cookie: await signIn() });
    const session = await sessions.verify(me);
    await session.mergeIntoAccessTokenPayload({ step: 1 });
    expect(cookiesOf(sessions.finish(me))).toContain('sAccessToken=');
    await expect(sessions.createNewSession(me, { userId: 'late' })).rejects.toBeInstanceOf(ResponseSentError);
    expect(await sessions.service.getAllSessionHandlesForUser({ userId: 'late' })).toEqual([]);
  });

  it('gets the response to an error that comes after its tokens were collected', async () => {
    const me = request('/me', { cookie: await signIn() });
    await sessions.verify(me);
    sessions.finish(me);
    const refused = await sessions.respond(new UnauthorisedError('changed its mind'), me);
    expect([refused?.status, refused?.body]).toEqual([401, '{"message":"unauthorised"}']);
    expect(await sessions.respond(new UnauthorisedError('again'), me)).toEqual(refused);
  });

  it('loses the tokens of a session that has ended before they are collected', async () => {
    const login = post('/login', { 'st-auth-mode': 'cookie' });
    const session = await sessions.createNewSession(login, { userId: 'ada' });
    await sessions.service.revokeSession(session.getHandle());
    expect(cookiesOf(sessions.finish(login))).toBe('');
  });

  it('is given to the functions of the service by exchange()', async () => {
    const me = request('/me', { cookie: await signIn() });
    const { req, res } = sessions.exchange(me);
    expect((await sessions.service.getSession(req, res)).getUserId()).toBe('ada');
    expect(sessions.exchange(me).res).toBe(res);
  });

  it('has a user context', async () => {
    const seen: unknown[] = [];
    const options = {
      overrideGlobalClaimValidators: (
        _global: unknown,
        _session: unknown,
        userContext: Record<string, unknown>,
      ) => {
        seen.push(userContext['tenant']);
        return [];
      },
    };
    await sessions.verify(request('/me', { cookie: await signIn() }), options, { tenant: 't1' });
    expect(seen).toEqual(['t1']);
  });

  it('has its address in the events', async () => {
    const seen: unknown[] = [];
    const leave = sessions.events.listen((event) => seen.push(event));
    const login = request('/login', { 'user-agent': 'curl' }, { method: 'POST', ip: '192.0.2.7:443' });
    await sessions.createNewSession(login, { userId: 'ada' });
    await sessions.events.delivered();
    leave();
    expect(seen).toMatchObject([{ type: 'session.created', ip: '192.0.2.7', userAgent: 'curl' }]);
  });
});

describe('handle()', () => {
  it('refreshes twice at once: both get the same successor', async () => {
    const cookie = await signIn();
    const responses = await Promise.all([1, 2].map(async () => sessions.handle(post(REFRESH, { cookie }))));
    expect(responses.map((response) => response?.status)).toEqual([200, 200]);
    const handles = await sessions.service.getAllSessionHandlesForUser({ userId: 'ada' });
    const [first = '', second = ''] = responses.map((response) => cookiesOf(response as SessionResponse));
    for (const each of [first, second])
      expect((await sessions.verify(request('/me', { cookie: each }))).getUserId()).toBe('ada');
    expect(await sessions.service.getAllSessionHandlesForUser({ userId: 'ada' })).toEqual(handles);
  });

  it.each([
    ['GET', REFRESH],
    ['POST', '/auth/jwt/jwks.json'],
    ['POST', '/AUTH/session/refresh'],
    ['POST', '/auth/%73ession/refresh'],
    ['POST', '//auth/session/refresh'],
    ['POST', '/auth/session/refresh/more'],
    ['POST', '/auth/session/device/register'],
    ['OPTIONS', REFRESH],
    ['TRACE', REFRESH],
    ['GET', '*'],
    ['POST', 'http://user@host/auth/session/refresh'],
    ['PATCH', REFRESH],
  ])('leaves %s %s to the application', async (method, url) => {
    expect(await sessions.handle({ method, url, headers: {} })).toBeUndefined();
  });

  it('reads a small JSON body of any form, and no other', async () => {
    const cookie = await signIn('bob');
    const headers = { cookie, 'content-type': 'application/json; charset=utf-8' };
    const revoke = async (body: unknown, given: PlainRequest['headers'] = headers) =>
      (await sessions.handle(post('/auth/sessions/revoke', given, body)))?.status;
    const unknown = JSON.stringify({ sessionHandle: 'x' });
    expect(await revoke(unknown)).toBe(404);
    expect(await revoke(new TextEncoder().encode(unknown))).toBe(404);
    expect(await revoke({ sessionHandle: 'x' })).toBe(404);
    for (const body of [
      undefined,
      null,
      '',
      '{',
      '[]',
      '"x"',
      7,
      ['x'],
      { sessionHandle: 7 },
      `${unknown}${' '.repeat(1024 * 1024)}`,
    ])
      expect([body === undefined, await revoke(body)]).toEqual([body === undefined, 400]);
    expect(await revoke(unknown, { cookie })).toBe(400);
    expect(await revoke(unknown, { cookie, 'content-type': 'text/plain' })).toBe(400);
  });

  it('reads the body of a fetch request up to 1 MB', async () => {
    const cookie = await signIn('bob');
    const revoke = async (body: string) =>
      (
        await sessions.fetch(
          new Request('http://shop.io/auth/sessions/revoke', {
            method: 'POST',
            headers: { cookie, 'content-type': 'application/json' },
            body,
          }),
        )
      )?.status;
    expect(await revoke('{"sessionHandle":"x"}')).toBe(404);
    expect(await revoke(`{"sessionHandle":"x"}${' '.repeat(1024 * 1024)}`)).toBe(400);
  });

  it('refreshes whatever body comes along, 1 MB of it too', async () => {
    const cookie = await signIn();
    const big = 'x'.repeat(1024 * 1024);
    expect(
      (await sessions.handle(post(REFRESH, { cookie, 'content-type': 'application/json' }, big)))?.status,
    ).toBe(200);
    const fetched = new Request(`http://shop.io${REFRESH}`, {
      method: 'POST',
      headers: { cookie: await signIn() },
      body: big,
    });
    expect((await sessions.fetch(fetched))?.status).toBe(200);
  });
});

describe('hostile requests', () => {
  it.each([
    ['an enormous cookie', { cookie: `sAccessToken=${'a'.repeat(1_000_000)}` }],
    ['ten thousand cookies', { cookie: Array.from({ length: 10_000 }, (_, n) => `c${n}=1`).join('; ') }],
    ['a token that is none', { authorization: 'Bearer a.b.c' }],
    ['two tokens', { authorization: ['Bearer a', 'Bearer b'] }],
    ['no characters of HTTP', { authorization: 'Bearer \u0000\r\nset-cookie: x=1' }],
    [
      '__proto__',
      JSON.parse('{"__proto__": "x", "constructor": "y", "authorization": "Bearer x"}') as object,
    ],
    ['names that are none', { '': 'x', 'a b': 'y', '\r\n': 'z' }],
    ['a mode that is none', { 'st-auth-mode': 'x'.repeat(10_000) }],
  ])('%s: 401 on a guarded route and on refresh, and nothing is written back', async (_what, headers) => {
    const me = request('/me', headers as never);
    const refused = await refusalOf(sessions.verify(me), me);
    expect([refused?.status, refused?.body]).toEqual([401, '{"message":"unauthorised"}']);
    const refresh = await sessions.handle(post(REFRESH, headers as never));
    expect(refresh?.status).toBe(401);
    for (const { headers: written } of [refused, refresh] as SessionResponse[])
      expect(written.flat().every((text) => /^[\t -~]*$/.test(text))).toBe(true);
  });

  it('a handler that writes a broken header fails, as on Node', () => {
    const { res } = sessions.exchange(request('/me'));
    expect(() => res.setHeader('x', 'a\r\nset-cookie: b=1')).toThrow('Invalid character in header content');
    expect(() => res.setHeader('x y', 'a')).toThrow('valid HTTP token');
  });
});

describe('a core that is gone', () => {
  it('is a 503 that takes no token away; known tokens go on', async () => {
    const cookie = await signIn();
    await sessions.verify(request('/me', { cookie }));
    for (const call of ['insertSession', 'findSession', 'findAndUpdate', 'deleteSessions'])
      watched.failing.add(call);
    try {
      const login = post('/login');
      const responses = [
        await refusalOf(sessions.createNewSession(login, { userId: 'ada' }), login),
        await sessions.handle(post(REFRESH, { cookie })),
        await sessions.handle(post('/auth/signout', { cookie })),
      ];
      for (const response of responses) {
        expect([response?.status, response?.body]).toEqual([503, '{"message":"service unavailable"}']);
        expect(cookiesOf(response as SessionResponse)).toBe('');
      }
      expect((await sessions.verify(request('/me', { cookie }))).getUserId()).toBe('ada');
    } finally {
      watched.failing.clear();
    }
    expect((await sessions.handle(post(REFRESH, { cookie })))?.status).toBe(200);
  });
});

describe('a core that is slow', () => {
  it('delays its own request alone, whose client gets its tokens in the end', async () => {
    const { store, holdNext } = storeWithHeldUpdate(await seededMemoryStore());
    const slow = createSessions({ appInfo: SHOP, core: embeddedCore({ store }) });
    closeAfterTest(() => slow.close());
    await slow.start();
    const login = post('/login', { 'st-auth-mode': 'cookie' });
    await slow.createNewSession(login, { userId: 'ada' });
    const cookie = cookiesOf(slow.finish(login));
    await slow.verify(request('/me', { cookie }));
    const refreshed = cookiesOf((await slow.handle(post(REFRESH, { cookie }))) as SessionResponse);
    const { reached, release } = holdNext();
    const firstUse = request('/me', { cookie: refreshed });
    const waiting = slow.verify(firstUse); // which retires the token before it
    await reached;
    expect((await slow.verify(request('/me', { cookie }))).getUserId()).toBe('ada');
    expect((await slow.handle(request('/auth/jwt/jwks.json')))?.status).toBe(200);
    release();
    expect((await waiting).getUserId()).toBe('ada');
    expect(cookiesOf(slow.finish(firstUse))).toContain('sAccessToken=');
  });
});

describe('fetch()', () => {
  const handler = async (given: Request): Promise<Response> => {
    const session = await sessions.verify(given);
    await session.setClaimValue(PlanClaim, 'pro');
    const headers = { 'set-cookie': 'own=1', vary: 'Origin' };
    return Response.json({ userId: session.getUserId() }, { status: 201, headers });
  };

  it('adds the tokens of the session to the response of a handler, whose own cookies stay', async () => {
    const response = await sessions.fetch(
      new Request('http://shop.io/me', { headers: { cookie: await signIn() } }),
      handler,
    );
    expect(response.status).toBe(201);
    expect(await response.json()).toEqual({ userId: 'ada' });
    const cookies = response.headers.getSetCookie();
    expect(cookies[0]).toBe('own=1');
    expect(cookies.slice(1).map((line) => line.split('=')[0])).toEqual(['sAccessToken']);
    expect(response.headers.get('vary')).toBe('Origin, Cookie, Authorization');
  });

  it('responds to session errors, and leaves others to the application', async () => {
    const refused = await sessions.fetch(new Request('http://shop.io/me'), handler);
    expect([refused.status, await refused.text()]).toEqual([401, '{"message":"unauthorised"}']);
    await expect(
      sessions.fetch(new Request('http://shop.io/me'), () => {
        throw new Error('of the application');
      }),
    ).rejects.toThrow('of the application');
  });

  it('serves the routes alone without a handler', async () => {
    expect(await sessions.fetch(new Request('http://shop.io/me'))).toBeUndefined();
    expect((await sessions.fetch(new Request('http://shop.io/auth/jwt/jwks.json')))?.status).toBe(200);
    const head = await sessions.fetch(new Request('http://shop.io/auth/jwt/jwks.json', { method: 'HEAD' }));
    expect([head?.status, await head?.text()]).toEqual([200, '']);
  });

  it('returns the very response of a handler that has nothing to do with sessions', async () => {
    const own = new Response('hello');
    expect(await sessions.fetch(new Request('http://shop.io/'), () => own)).toBe(own);
  });
});

it('names the headers that CORS has to allow', () => {
  expect(sessionCorsHeaders()).toContain('st-auth-mode');
});
