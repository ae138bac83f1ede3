import type { OutgoingHttpHeaders } from 'node:http';
import { connect, type Http2ServerResponse, type IncomingHttpHeaders } from 'node:http2';
import { isDeepStrictEqual } from 'node:util';
import { Controller, Get, Module, Param, Res, UseGuards } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Query, Resolver } from '@nestjs/graphql';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { describe, expect, it } from '@jest/globals';
import {
  Session,
  SessionContainer,
  SessionGuard,
  SessionService,
  VerifySession,
  type SessionModuleOptions,
} from 'nest-sessions';
import { CoreClient } from '../../lib/core/core-client.js';
import { MemoryFeed } from '../../lib/feed/memory-feed.js';
import { RecipeDependencies } from '../../lib/sessions/recipe-dependencies.js';
import { MemoryStore } from '../../lib/stores/memory.store.js';
import type { SessionStore } from '../../lib/stores/session-store.js';
import { closeAfterTest } from '../support/close-after-test.js';
import type { Call, Handlers } from '../support/demo.controller.js';
import type { ClientResponse } from '../support/http-client.js';
import type { SessionClient } from '../support/session-client.js';
import { ADAPTERS, sessionModule, TestApplication } from '../support/test-application.js';
import {
  BOTH_CLEARED,
  COOKIES_CLEARED,
  COOKIES_SET,
  NOTHING,
  tokenTraffic,
} from '../support/token-traffic.js';
import { ask, DRIVERS, GraphqlApplication, read } from './transports/graphql-application.js';

type RawWriter = { writeHead(status: number, headers?: object): void; end(text: string): void };

/** A handler that has begun, and goes on when the test says so. */
class Pause {
  private begin!: () => void;
  private finish!: () => void;
  readonly begun = new Promise<void>((resolve) => (this.begin = resolve));
  private readonly ended = new Promise<void>((resolve) => (this.finish = resolve));

  async wait(): Promise<void> {
    this.begin();
    await this.ended;
  }

  end(): void {
    this.finish();
  }
}

interface Slow {
  readonly application: TestApplication;
  /** Sends a request whose response has to wait, lets something happen meanwhile, and returns the late response. */
  readonly during: (
    client: SessionClient,
    what: () => Promise<unknown>,
    path?: string,
  ) => Promise<ClientResponse>;
}

async function slowApplication(
  adapter: (typeof ADAPTERS)[number],
  options: Partial<SessionModuleOptions> = {},
  { store, ...handlers }: Handlers & { readonly store?: SessionStore } = {},
): Promise<Slow> {
  let pause = new Pause();
  const guarded = {
    slow: async () => pause.wait(),
    changing: async (session: SessionContainer) => {
      await session.mergeIntoAccessTokenPayload({ step: 1 });
      await pause.wait();
    },
    late: async (session: SessionContainer) => {
      await pause.wait();
      await session.mergeIntoAccessTokenPayload({ step: 2 }).catch(() => undefined);
    },
    failing: async () => {
      await pause.wait();
      throw new Error('the handler fails');
    },
    unmodified: async (_session: SessionContainer, { res }: Call) => {
      await pause.wait();
      const response = res as { status?(code: number): unknown; code?(code: number): unknown };
      if (response.code) response.code(304);
      else response.status?.(304);
    },
    leaving: async (session: SessionContainer) => {
      await pause.wait();
      await session.revokeSession();
    },
    ...handlers.guarded,
  };
  const open = {
    signingIn: async ({ sessions, req, res }: Call) => {
      await sessions.createNewSession(req, res, { userId: 'alice' });
      await pause.wait();
    },
    attaching: async ({ sessions, req, res }: Call) => {
      const session = await sessions.createNewSessionWithoutRequestResponse({ userId: 'bob' });
      await session.attachToRequestResponse({ req, res, transferMethod: 'cookie' });
    },
    reading: async ({ sessions, req, res }: Call) => sessions.getSession(req, res, { checkDatabase: true }),
    refreshing: async ({ sessions, req, res }: Call) => {
      await sessions.refreshSession(req, res);
      await pause.wait();
    },
  };
  const application = await TestApplication.on(adapter)
    .store(store)
    .with({ antiCsrf: 'VIA_TOKEN', exposeAccessTokenToFrontendInCookieBasedAuth: true, ...options })
    .handlers({ guarded, open })
    .start();
  const during: Slow['during'] = async (client, what, path = '/run/slow') => {
    pause = new Pause();
    const response = client.get(path);
    await pause.begun;
    await what();
    pause.end();
    return response;
  };
  return { application, during };
}

/** A client whose next request is the first use of a refreshed token, so that its response carries new tokens. */
async function refreshed(application: TestApplication, mode: 'cookie' | 'header'): Promise<SessionClient> {
  const client = await application.signedIn(mode, 'alice');
  await client.refresh();
  return client;
}

/** Sends a request whose call of the core waits while something happens, and returns the late response. */
async function whileWaiting(
  application: TestApplication,
  call: 'refreshSession' | 'verifySession',
  send: () => Promise<ClientResponse>,
  what: () => Promise<unknown>,
): Promise<ClientResponse> {
  const core = application.app.get(CoreClient, { strict: false });
  const pause = new Pause();
  const original: unknown = Reflect.get(core, call);
  Reflect.set(core, call, async (...input: unknown[]) => {
    Reflect.set(core, call, original);
    await pause.wait();
    return (original as (...given: unknown[]) => Promise<unknown>).apply(core, input);
  });
  const late = send();
  await pause.begun;
  await what();
  pause.end();
  return late;
}

function handleOf(client: SessionClient): string {
  return client.front.up['sessionHandle'] as string;
}

describe.each(ADAPTERS)('a response that leaves late on %s', (adapter) => {
  describe.each(['cookie', 'header'] as const)('by %s', (mode) => {
    it('carries the tokens of a living session', async () => {
      const { application, during } = await slowApplication(adapter);
      const late = await during(await refreshed(application, mode), async () => undefined);
      expect(tokenTraffic(late)).toMatchObject({ frontToken: 'set', accessHeader: 'set' });
    });

    it.each([
      ['sign-out', async (client: SessionClient) => client.copy().signOut()],
      [
        'revocation by handle',
        async (client: SessionClient, { sessions }: TestApplication) =>
          sessions.revokeSession(handleOf(client)),
      ],
      [
        'revocation of several',
        async (client: SessionClient, { sessions }: TestApplication) =>
          sessions.revokeMultipleSessions([handleOf(client)]),
      ],
      [
        'sign-out everywhere',
        async (_client: SessionClient, { sessions }: TestApplication) =>
          sessions.revokeAllSessionsForUser({ userId: 'alice' }),
      ],
      [
        'revocation of a session that is gone already',
        async (client: SessionClient, { sessions }: TestApplication) => {
          await sessions.revokeSession(handleOf(client));
          await sessions.revokeSession(handleOf(client));
        },
      ],
    ])('carries no token after %s (S045, S046)', async (_name, end) => {
      const { application, during } = await slowApplication(adapter);
      for (const path of ['/run/slow', '/run/changing', '/run/late', '/run/failing', '/run/unmodified']) {
        const client = await refreshed(application, mode);
        const late = await during(client, async () => end(client, application), path);
        expect([path, tokenTraffic(late)]).toEqual([path, NOTHING]);
      }
    });

    it('carries no token after a cut-off for everybody (S045, S046)', async () => {
      const { application, during } = await slowApplication(adapter, {}, { store: new MemoryStore() });
      for (const path of ['/run/slow', '/run/changing', '/run/late']) {
        const client = await refreshed(application, mode);
        const late = await during(
          client,
          async () => application.sessions.revokeSessions({ all: true }),
          path,
        );
        expect([path, tokenTraffic(late)]).toEqual([path, NOTHING]);
      }
    });

    it.each([
      ['alice', 'no token'],
      ['bob', 'its tokens'],
    ])('of alice, after a record of the feed about %s, carries %s', async (userId, outcome) => {
      const feed = new MemoryFeed();
      const { application, during } = await slowApplication(adapter, { revocationFeed: { feed } });
      const { revocations } = application.app.get(RecipeDependencies, { strict: false });
      const client = await refreshed(application, mode);
      const late = await during(
        client,
        async () => {
          const now = Date.now();
          const times = { notBeforeMs: now, untilMs: now + 3_600_000 };
          await feed.publish([{ kind: 'user', id: userId, tenantId: undefined, ...times }]);
          await revocations?.read();
        },
        '/run/changing',
      );
      const isWithout = isDeepStrictEqual(tokenTraffic(late), NOTHING);
      expect(isWithout ? 'no token' : 'its tokens').toBe(outcome);
    });

    it('carries no token after a theft (S046)', async () => {
      const { application, during } = await slowApplication(adapter);
      const client = await application.signedIn(mode, 'alice');
      const thief = client.copy();
      await client.refresh();
      const late = await during(client, async () => thief.refresh());
      expect(application.events.map(({ type }) => type)).toContain('session.theft-detected');
      expect(tokenTraffic(late)).toEqual(NOTHING);
    });

    it('carries no token after a sign-in that ended the oldest session (S046)', async () => {
      const { application, during } = await slowApplication(adapter, {
        maxSessionsPerUser: { max: 1, whenExceeded: 'end-oldest' },
      });
      const client = await refreshed(application, mode);
      const late = await during(client, async () => application.signedIn(mode, 'alice'));
      expect(tokenTraffic(late)).toEqual(NOTHING);
    });

    it.each(['/open/signingIn', '/open/refreshing'])(
      'carries no token if it is that of %s (S046)',
      async (path) => {
        const { application, during } = await slowApplication(adapter);
        const client = await application.signedIn(mode, 'alice');
        const headers = client.requestHeaders('/auth/session/refresh');
        const send = application.client(mode);
        send.get = async (to) => send.send({ path: to, headers });
        const late = await during(
          send,
          async () => application.sessions.revokeAllSessionsForUser({ userId: 'alice' }),
          path,
        );
        expect([late.status, tokenTraffic(late)]).toEqual([200, NOTHING]);
      },
    );

    it('does not bring one user back after another has signed in on the same client (S046)', async () => {
      const { application, during } = await slowApplication(adapter);
      const client = await refreshed(application, mode);
      const late = await during(client, async () => client.login('bob'));
      expect(tokenTraffic(late)).toEqual(NOTHING);
      expect((await client.get('/me')).body).toMatchObject({ userId: 'bob' });
    });

    it('does not sign out the user who has signed in on the same client since', async () => {
      const { application, during } = await slowApplication(adapter);
      const client = await application.signedIn(mode, 'alice');
      await during(client, async () => client.login('bob'), '/run/leaving');
      expect((await client.get('/me')).body).toMatchObject({ userId: 'bob' });
      expect((await client.refresh()).status).toBe(200);
    });

    it('still takes the tokens away if it is the sign-out itself', async () => {
      const { application, during } = await slowApplication(adapter);
      const client = await refreshed(application, mode);
      await during(client, async () => undefined, '/run/leaving');
      expect([client.accessToken, client.cookie('sAccessToken')]).toEqual([undefined, undefined]);
    });
  });

  describe.each(['cookie', 'header'] as const)('of a call that waits for the core, by %s,', (mode) => {
    const CALLS: [
      string,
      'refreshSession' | 'verifySession',
      (client: SessionClient) => Promise<ClientResponse>,
    ][] = [
      ['a refresh', 'refreshSession', async (client) => client.refresh()],
      ['a guarded route', 'verifySession', async (client) => client.get('/checked')],
      ['the list of own sessions', 'verifySession', async (client) => client.get('/auth/sessions')],
      [
        'the revocation of own sessions',
        'verifySession',
        async (client) => client.post('/auth/sessions/revoke-others'),
      ],
      ['getSession without a guard', 'verifySession', async (client) => client.get('/open/reading')],
    ];

    it.each(CALLS)(
      'takes no tokens of the user who has signed in since, if the session of the request has ended: %s (S046)',
      async (_what, call, send) => {
        const { application } = await slowApplication(adapter, { userSessionRoutes: true });
        const client = await application.signedIn(mode, 'alice');
        const late = await whileWaiting(
          application,
          call,
          async () => send(client),
          async () => {
            await client.signOut();
            await client.login('bob');
          },
        );
        expect([late.status, tokenTraffic(late)]).toEqual([401, NOTHING]);
        expect((await client.get('/me')).body).toMatchObject({ userId: 'bob' });
      },
    );

    it('takes none of them after a theft either, and ends the stolen session (S046)', async () => {
      const { application } = await slowApplication(adapter);
      const client = await application.signedIn(mode, 'alice');
      const stolen = handleOf(client);
      const thief = client.copy();
      await thief.refresh();
      await thief.get('/me');
      const late = await whileWaiting(
        application,
        'refreshSession',
        async () => client.refresh(),
        async () => client.login('bob'),
      );
      expect([late.status, late.body, tokenTraffic(late)]).toEqual([
        401,
        { message: 'token theft detected' },
        NOTHING,
      ]);
      expect((await client.get('/me')).body).toMatchObject({ userId: 'bob' });
      expect(await application.sessions.getSessionInformation(stolen)).toBeUndefined();
    });

    it('takes the tokens away if nobody has signed in since', async () => {
      const { application } = await slowApplication(adapter);
      const client = await application.signedIn(mode, 'alice');
      const thief = client.copy();
      await thief.refresh();
      await thief.get('/me');
      expect(tokenTraffic(await client.refresh())).toMatchObject(BOTH_CLEARED);
      expect(tokenTraffic(await thief.refresh())).toMatchObject(BOTH_CLEARED);
    });
  });

  it('of a refresh by header takes no cookies of the user who has signed in since (S046)', async () => {
    const { application } = await slowApplication(adapter);
    const [mobile, browser] = [
      await application.signedIn('header', 'alice'),
      await application.signedIn('cookie', 'alice'),
    ];
    const path = '/auth/session/refresh';
    const headers = { ...browser.requestHeaders(path), ...mobile.requestHeaders(path) };
    const late = await whileWaiting(
      application,
      'refreshSession',
      async () => application.send({ method: 'POST', path, headers }),
      async () => {
        const login = {
          ...headers,
          authorization: `Bearer ${mobile.accessToken ?? ''}`,
          'st-auth-mode': 'cookie',
        };
        await application.send({ method: 'POST', path: '/login', headers: login, body: { userId: 'bob' } });
      },
    );
    expect([late.status, tokenTraffic(late)]).toEqual([200, NOTHING]);
  });

  it('does not bring one user back after the session of another has been attached (S046)', async () => {
    const { application, during } = await slowApplication(adapter);
    const client = await refreshed(application, 'cookie');
    const late = await during(client, async () => client.get('/open/attaching'));
    expect(tokenTraffic(late)).toEqual(NOTHING);
    expect((await client.get('/me')).body).toMatchObject({ userId: 'bob' });
  });

  it('carries no cookies of a new session that the page of another site has attached (S070)', async () => {
    const { application } = await slowApplication(adapter, { allowedOrigins: ['http://localhost:3000'] });
    const response = await application
      .client('cookie')
      .get('/open/attaching', { origin: 'https://evil.example' });
    expect([response.status, tokenTraffic(response)]).toEqual([401, NOTHING]);
  });

  it('keeps the cookies of the application', async () => {
    const { application, during } = await slowApplication(
      adapter,
      {},
      {
        guarded: {
          themed: async (session, { res, sessions }) => {
            const response = res as {
              header(name: string, value: string): void;
              append?(n: string, v: string): void;
            };
            if (response.append) response.append('Set-Cookie', 'theme=dark; Path=/');
            else response.header('set-cookie', 'theme=dark; Path=/');
            await sessions.revokeSession(session.getHandle());
          },
        },
      },
    );
    void during;
    const late = await (await refreshed(application, 'cookie')).get('/run/themed');
    expect(late.lines('set-cookie')).toEqual(['theme=dark; Path=/']);
  });

  it('carries no token in headers that a handler writes itself (S046)', async () => {
    const { application } = await slowApplication(
      adapter,
      {},
      {
        guarded: {
          raw: async (session, { res, sessions }) => {
            const reply = res as RawWriter & {
              raw?: RawWriter;
              hijack?(): void;
              getHeaders(): Record<string, string | string[]>;
            };
            const headers = { ...reply.getHeaders() };
            reply.hijack?.();
            await sessions.revokeSession(session.getHandle());
            const raw = reply.raw ?? reply;
            raw.writeHead(200, headers);
            raw.end('{}');
            await new Promise<void>(() => undefined);
          },
        },
      },
    );
    const late = await (await refreshed(application, 'cookie')).get('/run/raw');
    expect([late.status, tokenTraffic(late)]).toEqual([200, NOTHING]);
  });

  it('clears what it has to although the session has ended long before', async () => {
    const { application } = await slowApplication(adapter);
    const client = await application.signedIn('cookie', 'alice');
    const copy = client.copy();
    await client.signOut();
    expect(tokenTraffic(await copy.signOut())).toMatchObject(COOKIES_CLEARED);
    expect(tokenTraffic(await client.login('alice'))).toMatchObject({
      ...COOKIES_SET,
      accessHeader: 'set',
      antiCsrf: 'set',
    });
  });
});

let pauseOfField = new Pause();

/** Changes the session, and goes on when the test says so. */
@Resolver()
@UseGuards(SessionGuard)
class SlowResolver {
  @Query(() => String)
  async changing(@Session() session: SessionContainer): Promise<string> {
    await session.mergeIntoAccessTokenPayload({ step: 1 });
    await pauseOfField.wait();
    return session.getUserId();
  }

  @Query(() => String, { nullable: true })
  @VerifySession({ checkDatabase: true })
  checked(@Session('userId') userId: string): string {
    return userId;
  }
}

describe.each(DRIVERS)('a response of GraphQL that leaves late, by $name', (driver) => {
  const starter = GraphqlApplication.via(driver).resolvers(SlowResolver);

  it.each(['cookie', 'header'] as const)(
    'carries no token after sign-out, nor after another sign-in, by %s (S046)',
    async (mode) => {
      const { signedIn } = await starter.start();
      for (const what of ['signOut', 'login'] as const) {
        const client = await signedIn(mode, 'alice');
        pauseOfField = new Pause();
        const response = ask(client, '{ changing }');
        await pauseOfField.begun;
        await (what === 'login' ? client.login('bob') : client.copy().signOut());
        pauseOfField.end();
        const late = await response;
        expect([what, read(late).data, tokenTraffic(late)]).toEqual([what, { changing: 'alice' }, NOTHING]);
      }
    },
  );

  it.each(['cookie', 'header'] as const)(
    'takes no tokens of the user who has signed in since, by %s (S046)',
    async (mode) => {
      const application = await starter.start();
      const client = await application.signedIn(mode, 'alice');
      const late = await whileWaiting(
        application,
        'verifySession',
        async () => ask(client, '{ checked }'),
        async () => {
          await client.signOut();
          await client.login('bob');
        },
      );
      expect([read(late).data, tokenTraffic(late)]).toEqual([{ checked: null }, NOTHING]);
      expect((await client.get('/me')).body).toMatchObject({ userId: 'bob' });
    },
  );
});

/** Responds by the stream of HTTP/2, with the headers that are set so far, after its session has ended or not. */
@Controller()
@UseGuards(SessionGuard)
class StreamController {
  @Get('stream/:ends')
  async stream(
    @Session() session: SessionContainer,
    @Param('ends') ends: string,
    @Res() reply: { hijack(): void; getHeaders(): OutgoingHttpHeaders; raw: Http2ServerResponse },
  ): Promise<void> {
    await session.mergeIntoAccessTokenPayload({ step: 1 });
    const headers = { ...reply.getHeaders(), theme: 'dark' };
    if (ends === 'ended') await session.revokeSession();
    reply.hijack();
    reply.raw.stream.respond({ ':status': 200, ...headers });
    reply.raw.stream.end();
  }
}

describe('a response by the stream of HTTP/2', () => {
  it('carries the tokens of a living session, and none of one that has ended (S046)', async () => {
    @Module({ imports: [await sessionModule()], controllers: [StreamController] })
    class App {}
    const adapter = new FastifyAdapter({ http2: true });
    const app = await NestFactory.create(App, adapter, { logger: false });
    await app.listen(0, '127.0.0.1');
    const { port } = app.getHttpServer().address() as { port: number };
    const connection = connect(`http://127.0.0.1:${port}`);
    closeAfterTest(async () => {
      connection.close();
      await app.close();
    });
    const session = await app.get(SessionService).createNewSessionWithoutRequestResponse({ userId: 'alice' });
    const headersOf = async (path: string): Promise<IncomingHttpHeaders> => {
      const authorization = `Bearer ${session.getAccessToken()}`;
      const stream = connection.request({ ':path': path, authorization });
      return new Promise((resolve, reject) => {
        stream.once('response', resolve).once('error', reject);
      });
    };
    expect(await headersOf('/stream/living')).toMatchObject({
      'front-token': expect.any(String),
      theme: 'dark',
    });
    const late = await headersOf('/stream/ended');
    expect(late).toMatchObject({ ':status': 200, theme: 'dark' });
    expect([late['front-token'], late['st-access-token']]).toEqual([undefined, undefined]);
  });
});
