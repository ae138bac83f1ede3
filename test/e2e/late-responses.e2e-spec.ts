import { describe, expect, it } from '@jest/globals';
import type { SessionContainer, SessionModuleOptions } from 'nest-sessions';
import { CoreClient } from '../../lib/core/core-client.js';
import type { Call, Handlers } from '../support/demo.controller.js';
import type { Answer } from '../support/http-client.js';
import type { SessionClient } from '../support/session-client.js';
import { ADAPTERS, TestApplication } from '../support/test-application.js';
import { COOKIES_CLEARED, COOKIES_SET, NOTHING, tokenTraffic } from '../support/token-traffic.js';

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
  readonly during: (client: SessionClient, what: () => Promise<unknown>, path?: string) => Promise<Answer>;
}

async function slowApplication(
  adapter: (typeof ADAPTERS)[number],
  options: Partial<SessionModuleOptions> = {},
  handlers: Handlers = {},
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
    refreshing: async ({ sessions, req, res }: Call) => {
      await sessions.refreshSession(req, res);
      await pause.wait();
    },
  };
  const application = await TestApplication.on(adapter)
    .with({ antiCsrf: 'VIA_TOKEN', exposeAccessTokenToFrontendInCookieBasedAuth: true, ...options })
    .handlers({ guarded, open })
    .start();
  const during: Slow['during'] = async (client, what, path = '/run/slow') => {
    pause = new Pause();
    const answer = client.get(path);
    await pause.begun;
    await what();
    pause.end();
    return answer;
  };
  return { application, during };
}

/** A client whose next request is the first use of a refreshed token, so that its response carries new tokens. */
async function refreshed(application: TestApplication, mode: 'cookie' | 'header'): Promise<SessionClient> {
  const client = await application.signedIn(mode, 'alice');
  await client.refresh();
  return client;
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
        'a cut-off for everybody',
        async (_client: SessionClient, { sessions }: TestApplication) =>
          sessions.revokeSessions({ all: true }),
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

  it('takes no tokens of the user who has signed in since, if the session of the request has ended (S046)', async () => {
    const { application } = await slowApplication(adapter);
    const client = await application.signedIn('cookie', 'alice');
    const core = application.app.get(CoreClient, { strict: false });
    for (const [call, send] of [
      ['refreshSession', async () => client.refresh()],
      ['verifySession', async () => client.get('/checked')],
    ] as const) {
      const pause = new Pause();
      const original: unknown = Reflect.get(core, call);
      Reflect.set(core, call, async (...input: unknown[]) => {
        Reflect.set(core, call, original);
        await pause.wait();
        return (original as (...given: unknown[]) => Promise<unknown>).apply(core, input);
      });
      await client.login('alice');
      const late = send();
      await pause.begun;
      await client.signOut();
      await client.login('bob');
      pause.end();
      const answer = await late;
      expect([call, answer.status, tokenTraffic(answer)]).toEqual([call, 401, NOTHING]);
      expect((await client.get('/me')).body).toMatchObject({ userId: 'bob' });
    }
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
    const answer = await application
      .client('cookie')
      .get('/open/attaching', { origin: 'https://evil.example' });
    expect([answer.status, tokenTraffic(answer)]).toEqual([401, NOTHING]);
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
