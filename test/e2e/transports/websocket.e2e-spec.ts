import { WebSocketGateway } from '@nestjs/websockets';
import { describe, expect, it } from '@jest/globals';
import {
  CoreResponseError,
  SessionEvents,
  type RateLimitedAttempt,
  type SessionClaimValidator,
  type SessionModuleOptions,
} from 'nest-sessions';
import type { SessionStore } from 'nest-sessions/core';
import { seededMemoryStore } from '../../support/embedded.js';
import { interceptedStore } from '../../support/intercepted-store.js';
import { SHOP } from '../../support/test-application.js';
import { watchedStore } from '../../support/watched-store.js';
import {
  AdmittingGateway,
  bearer,
  browser,
  browserOn,
  GuardedGateway,
  LIVE,
  OpenGateway,
  PLATFORMS,
  LiveApplication,
} from './live-application.js';

/** Holds calls back while it is closed. */
class Gate {
  private opening = Promise.resolve();
  private release: (() => void) | undefined;

  close(): void {
    this.opening = new Promise((resolve) => (this.release = resolve));
  }

  open(): void {
    this.release?.();
  }

  async passed(): Promise<void> {
    await this.opening;
  }
}

/** A store whose handshakes can be held back, by what they look up. */
async function gatedStore(): Promise<{ gate: Gate; store: SessionStore; looks: () => number }> {
  const gate = new Gate();
  let count = 0;
  const store = interceptedStore(await seededMemoryStore(), async (name, call) => {
    if (name === 'findSession') {
      count++;
      await gate.passed();
    }
    return call();
  });
  return { gate, store, looks: () => count };
}

/** The refusal of a message. */
const refusal = (type: string, message: string, pattern: string): object => ({
  status: 'error',
  type,
  message,
  cause: { pattern },
});

describe.each(LIVE)('the handshake of a WebSocket: $platform on $adapter', ({ platform, adapter }) => {
  /** How a refused connection ends; socket.io knows no close codes. */
  const ending = (type: string, code: number): object => (platform === 'ws' ? { type, code } : { type });

  it('admits a browser on our website by its cookie (S082)', async () => {
    const { signedIn, connect } = await LiveApplication.via({ platform, adapter }).start();
    const live = await connect(browser(await signedIn('cookie', 'ada')));
    expect(await live.ask('whoami')).toBe('ada');
  });

  it('admits an app by its authorization header, which names no origin (S082)', async () => {
    const { signedIn, connect } = await LiveApplication.via({ platform, adapter }).start();
    const live = await connect(bearer(await signedIn('header', 'ada')));
    expect(await live.ask('whoami')).toBe('ada');
  });

  it.each([
    ['of another site', 'https://evil.io'],
    ['that begins like ours', 'https://shop.io.evil.io'],
    ['that ends like ours', 'https://evilshop.io'],
    ['without encryption', 'http://shop.io'],
    ['with another port', 'https://shop.io:8443'],
    ['of a subdomain', 'https://www.shop.io'],
    ['that is null', 'null'],
    ['that is missing', undefined],
  ])('does not count the cookies of a page on an origin %s (S082)', async (_case, origin) => {
    const { signedIn, connect } = await LiveApplication.via({ platform, adapter }).start();
    const live = await connect({ headers: browserOn(origin, await signedIn()) });
    expect(await live.closed).toEqual(ending('UNAUTHORISED', 4401));
  });

  it('counts the cookies of allowedOrigins only, where there are some (S082)', async () => {
    const options = { allowedOrigins: ['https://www.shop.io'] };
    const { signedIn, connect } = await LiveApplication.via({ platform, adapter }).with(options).start();
    const client = await signedIn('cookie', 'ada');
    const live = await connect({ headers: browserOn('https://www.shop.io', client) });
    expect(await live.ask('whoami')).toBe('ada');
    const refused = await connect({ headers: browserOn(SHOP.websiteDomain, client) });
    expect(await refused.closed).toEqual(ending('UNAUTHORISED', 4401));
  });

  it('refuses a connection without a token (S082)', async () => {
    const { connect } = await LiveApplication.via({ platform, adapter }).start();
    const live = await connect({ headers: { origin: SHOP.websiteDomain } });
    expect(await live.closed).toEqual(ending('UNAUTHORISED', 4401));
  });

  it('asks a client with an expired token to refresh (S082)', async () => {
    const { signedIn, connect, clock } = await LiveApplication.via({ platform, adapter }).start();
    const client = await signedIn('cookie', 'ada');
    clock.advanceSeconds(3601);
    const live = await connect(browser(client));
    expect(await live.closed).toEqual(ending('TRY_REFRESH_TOKEN', 4419));
    await client.refresh();
    expect(await (await connect(browser(client))).ask('whoami')).toBe('ada');
  });

  it('refuses a token whose session was revoked, although it has not expired (S054, S082)', async () => {
    const { signedIn, connect, sessions } = await LiveApplication.via({ platform, adapter }).start();
    const client = await signedIn('cookie', 'ada');
    await sessions.revokeAllSessionsForUser({ userId: 'ada' });
    const live = await connect(browser(client));
    expect(await live.closed).toEqual(ending('UNAUTHORISED', 4401));
  });

  it('checks the global claims (S082)', async () => {
    const globalClaimValidators = [{ id: 'plan', validate: () => ({ isValid: false }) }];
    const { signedIn, connect } = await LiveApplication.via({ platform, adapter })
      .with({ globalClaimValidators })
      .start();
    const live = await connect(browser(await signedIn()));
    expect(await live.closed).toEqual(ending('INVALID_CLAIMS', 4403));
  });

  it('asks to come back later when the store is gone: nobody is signed out (S078)', async () => {
    const { store, failing } = await watchedStore();
    const { signedIn, connect } = await LiveApplication.via({ platform, adapter }).store(store).start();
    const client = await signedIn('cookie', 'ada');
    failing.add('findSession');
    const live = await connect(browser(client));
    expect(await live.closed).toEqual(ending('SERVICE_UNAVAILABLE', 1013));
    failing.clear();
    expect(await (await connect(browser(client))).ask('whoami')).toBe('ada');
  });

  it('asks to come back later when the core returns what nobody understands (S078)', async () => {
    const getSession = () => Promise.reject(new CoreResponseError('nonsense'));
    const options: Partial<SessionModuleOptions> = {
      override: { functions: (original) => ({ ...original, getSession }) },
    };
    const { signedIn, connect } = await LiveApplication.via({ platform, adapter }).with(options).start();
    const live = await connect(browser(await signedIn('cookie', 'ada')));
    expect(await live.closed).toEqual(ending('BAD_GATEWAY', 1013));
  });

  it('asks to come back later when the application limits attempts (S101)', async () => {
    const rateLimit = { limiter: async () => ({ allowed: false, retryAfterSec: 12 }) as const };
    const { signedIn, connect, clock } = await LiveApplication.via({ platform, adapter })
      .with({ rateLimit })
      .start();
    const client = await signedIn('cookie', 'ada');
    const live = await connect(browser(client));
    expect(await live.ask('whoami')).toBe('ada'); // admitted
    clock.advanceSeconds(3601);
    expect(await live.ask('whoami')).toEqual(refusal('TOO_MANY_REQUESTS', 'too many requests', 'whoami'));
    const refused = await connect(browser(client));
    expect(await refused.closed).toEqual(ending('TOO_MANY_REQUESTS', 1013));
  });

  it.each([
    ['first', AdmittingGateway, OpenGateway],
    ['last', OpenGateway, AdmittingGateway],
  ])('is as strict as the strictest gateway, which asks %s (S082)', async (_order, gateway, other) => {
    const { connect, signedIn } = await LiveApplication.via({ platform, adapter })
      .gateway(gateway)
      .providers(other)
      .start();
    const visitor = await connect();
    const outcome = Promise.race([visitor.closed, visitor.ask('optional'), visitor.ask('whoami')]);
    expect(await outcome).toMatchObject({ type: 'UNAUTHORISED' });
    expect(await visitor.closed).toEqual(ending('UNAUTHORISED', 4401));
    const live = await connect(browser(await signedIn('cookie', 'ada')));
    expect(await live.ask('whoami')).toBe('ada');
  });

  it('promotes a refreshed token, of which nothing is lost: the client goes on with the one it has (S082)', async () => {
    const { app, events, signedIn, connect } = await LiveApplication.via({ platform, adapter }).start();
    const client = await signedIn('cookie', 'ada');
    const first = client.copy();
    await client.refresh();
    const live = await connect(browser(client));
    expect(await live.ask('whoami')).toBe('ada');
    expect(await live.ask('checked')).toBe('ada');
    await app.get(SessionEvents).delivered();
    expect(events.filter(({ type }) => type === 'session.promoted')).toHaveLength(1);
    expect((await client.get('/checked')).status).toBe(200);
    expect((await client.refresh()).status).toBe(200);
    // The promotion counts: the token before it is retired.
    expect((await first.refresh()).body).toEqual({ message: 'token theft detected' });
  });
});

/** A plan that counts until it is withdrawn, so that a message causes an event. */
const withPlan = (): { options: { globalClaimValidators: SessionClaimValidator[] }; withdraw(): void } => {
  let isValid = true;
  const validator = { id: 'plan', validate: () => ({ isValid }) };
  return { options: { globalClaimValidators: [validator] }, withdraw: () => (isValid = false) };
};

describe.each(PLATFORMS)('the handshakes of one token at the same time: %s', (platform) => {
  it('cost one look into the store, and one more for those that came too late for it (S102)', async () => {
    const COUNT = 20;
    const { gate, store, looks } = await gatedStore();
    let arrived = 0;

    @WebSocketGateway({ path: '/live' })
    class CountingGateway extends AdmittingGateway {
      override async handleConnection(client: object, request: object): Promise<void> {
        const admitted = super.handleConnection(client, request);
        if (++arrived === COUNT) setImmediate(() => gate.open());
        await admitted;
      }
    }

    const { signedIn, connect } = await LiveApplication.via({ platform, adapter: 'express' })
      .store(store)
      .gateway(CountingGateway)
      .start();
    const client = await signedIn('header', 'ada');
    gate.close();
    const before = looks();
    const all = await Promise.all(Array.from({ length: COUNT }, async () => connect(bearer(client))));
    const users = await Promise.all(all.map(async (live) => live.ask('whoami')));
    expect(users).toEqual(all.map(() => 'ada'));
    expect(arrived).toBe(COUNT);
    expect(looks() - before).toBe(2);
  });
});

describe.each(LIVE)('the address of a WebSocket: $platform on $adapter', ({ platform, adapter }) => {
  const forwarded = { 'x-forwarded-for': '203.0.113.9' };

  it('is the peer of its connection in what events tell of handshakes and messages', async () => {
    const { options, withdraw } = withPlan();
    const { app, events, signedIn, connect } = await LiveApplication.via({ platform, adapter })
      .with(options)
      .start();
    const client = await signedIn('header', 'ada');
    const headers = { ...bearer(client).headers, ...forwarded };
    const live = await connect({ headers });
    expect(await live.ask('whoami')).toBe('ada');
    withdraw();
    await live.ask('whoami');
    await (
      await connect({ headers })
    ).closed;
    await app.get(SessionEvents).delivered();
    const rejections = events.filter(({ type }) => type === 'session.claims-rejected');
    expect(rejections).toMatchObject([{ ip: '127.0.0.1' }, { ip: '127.0.0.1' }]);
  });

  it('is what refused tokens are counted by (S101)', async () => {
    const attempts: RateLimitedAttempt[] = [];
    const rateLimit = {
      limiter: async (attempt: RateLimitedAttempt) => {
        attempts.push(attempt);
        return { allowed: false, retryAfterSec: 12 } as const;
      },
    };
    const { signedIn, connect, clock } = await LiveApplication.via({ platform, adapter })
      .with({ rateLimit })
      .start();
    const client = await signedIn('header', 'ada');
    clock.advanceSeconds(3601);
    await (
      await connect({ headers: { ...bearer(client).headers, ...forwarded } })
    ).closed;
    expect(attempts).toMatchObject([{ kind: 'failed-verify', ip: '127.0.0.1', ipGroup: '127.0.0.1' }]);
  });
});

/** Behind a proxy of which the application knows what to believe. */
@WebSocketGateway({ path: '/live' })
class ProxiedGateway extends AdmittingGateway {
  override async handleConnection(
    client: { request?: { ip?: string } },
    request: { ip?: string },
  ): Promise<void> {
    (client.request ?? request).ip = '2001:DB8:0:0::9';
    await super.handleConnection(client, request);
  }
}

describe.each(PLATFORMS)(
  'the address that an application puts on the request of a handshake: %s',
  (platform) => {
    it('counts, also for the device (S075, S106)', async () => {
      const { options, withdraw } = withPlan();
      const application = await LiveApplication.via({ platform, adapter: 'express' })
        .gateway(ProxiedGateway)
        .with({ ...options, devices: {} })
        .start();
      const { app, events, signedIn, connect, clock, sessions } = application;
      const client = await signedIn('cookie', 'ada');
      clock.advanceSeconds(301);
      const live = await connect(browser(client));
      await live.ask('checked');
      withdraw();
      await live.ask('whoami');
      await app.get(SessionEvents).delivered();
      expect(events.at(-1)).toMatchObject({ type: 'session.claims-rejected', ip: '2001:db8::9' });
      const [handle = ''] = await sessions.getAllSessionHandlesForUser({ userId: 'ada' });
      const { device } = (await sessions.getSessionInformation(handle)) ?? {};
      expect(device).toMatchObject({ ip: '2001:db8::/48', lastSeen: clock.now() });
    });
  },
);

describe.each(PLATFORMS)('the device of a session with a WebSocket: %s', (platform) => {
  it('keeps its address: nobody vouches for the one of a handshake, which events have (S106)', async () => {
    const { options, withdraw } = withPlan();
    const { app, events, signedIn, connect, clock, sessions } = await LiveApplication.via({
      platform,
      adapter: 'express',
    })
      .with({ ...options, devices: {} })
      .start();
    const client = await signedIn('cookie', 'ada');
    const [handle = ''] = await sessions.getAllSessionHandlesForUser({ userId: 'ada' });
    const device = (await sessions.getSessionInformation(handle))?.device;
    expect(device).toMatchObject({ ip: '127.0.0.0/24' });
    clock.advanceSeconds(301);
    const live = await connect(browser(client));
    await live.ask('checked');
    expect((await sessions.getSessionInformation(handle))?.device).toEqual(device);
    withdraw();
    await live.ask('whoami');
    await app.get(SessionEvents).delivered();
    expect(events.at(-1)).toMatchObject({ type: 'session.claims-rejected', ip: '127.0.0.1' });
  });
});

describe('the handshake of socket.io', () => {
  it.each(['Bearer ', ''])('takes the token of a script from auth.token: "%s…" (S082)', async (scheme) => {
    const { signedIn, connect } = await LiveApplication.via({
      platform: 'socket.io',
      adapter: 'express',
    }).start();
    const client = await signedIn('header', 'ada');
    const live = await connect({
      auth: { token: `${scheme}${client.accessToken ?? ''}` },
      headers: { origin: 'https://elsewhere.io' }, // a page cannot know a token that is not its own
    });
    expect(await live.ask('whoami')).toBe('ada');
  });

  const polling = async (site: string | undefined): Promise<unknown> => {
    let seen: unknown;
    await LiveApplication.via({ platform: 'socket.io', adapter: 'express' }).run(
      async ({ signedIn, connect }) => {
        const headers = browserOn(undefined, await signedIn('cookie', 'ada'));
        const live = await connect({
          polling: true,
          headers: site === undefined ? headers : { ...headers, 'sec-fetch-site': site },
        });
        seen = await Promise.race([live.ask('whoami'), live.closed]);
      },
    );
    return seen;
  };

  it('may begin by polling on our own page: a browser names no origin then, but says so (S082)', async () => {
    expect(await polling('same-origin')).toBe('ada');
  });

  it.each(['same-site', 'cross-site', 'none', undefined])(
    'does not count the cookies of a poll that "%s" began (S082)',
    async (site) => {
      expect(await polling(site)).toMatchObject({ type: 'UNAUTHORISED' });
    },
  );
});

describe.each(LIVE)('the messages of a WebSocket: $platform on $adapter', ({ platform, adapter }) => {
  it('that arrive while the handshake is verified wait for it (S082)', async () => {
    const { gate, store } = await gatedStore();
    const { signedIn, connect } = await LiveApplication.via({ platform, adapter }).store(store).start();
    const client = await signedIn('cookie', 'ada');
    gate.close();
    const live = await connect(browser(client));
    const responses = Promise.all(['whoami', 'claimed', 'whoami'].map((event) => live.ask(event)));
    expect(await live.ask('open')).toBe('none'); // what needs no session does not wait
    gate.open();
    expect(await responses).toEqual(['ada', expect.objectContaining({ type: 'INVALID_CLAIMS' }), 'ada']);
  });

  it('are refused when too many wait for the handshake, and the connection stays', async () => {
    const { gate, store } = await gatedStore();
    const { signedIn, connect } = await LiveApplication.via({ platform, adapter }).store(store).start();
    const client = await signedIn('cookie', 'ada');
    gate.close();
    const live = await connect(browser(client));
    const first = live.ask('payload');
    for (let n = 1; n < 1000; n++) live.send('whoami');
    const beyond = live.ask('checked');
    expect(await live.ask('open')).toBe('none'); // the server has seen all of them
    gate.open();
    expect(await beyond).toEqual(refusal('TOO_MANY_REQUESTS', 'too many requests', 'checked'));
    expect(await first).toMatchObject({ sub: 'ada' });
    expect(await live.ask('checked')).toBe('ada');
  });

  it('have no session where the handler is public, beside one that has (S082, S084)', async () => {
    const { signedIn, connect } = await LiveApplication.via({ platform, adapter }).start();
    const live = await connect(browser(await signedIn('cookie', 'ada')));
    const asked = ['whoami', 'open', 'whoami', 'optional', 'open'].map((event) => live.ask(event));
    expect(await Promise.all(asked)).toEqual(['ada', 'none', 'ada', 'ada', 'none']);
  });

  it('are refused with an event that names the reason, and the connection stays (S082)', async () => {
    const { signedIn, connect } = await LiveApplication.via({ platform, adapter }).start();
    const live = await connect(browser(await signedIn('cookie', 'ada')));
    expect(await live.ask('claimed')).toEqual({
      ...refusal('INVALID_CLAIMS', 'invalid claim', 'claimed'),
      claimValidationErrors: [{ id: 'plan', reason: 'no plan' }],
    });
    expect(await live.ask('whoami')).toBe('ada');
  });

  it('may need a session in a gateway that lets everybody in (S082)', async () => {
    const { connect, signedIn } = await LiveApplication.via({ platform, adapter })
      .gateway(OpenGateway)
      .start();
    const live = await connect();
    expect(await live.ask('open')).toBe('none');
    expect(await live.ask('optional')).toBe('none');
    expect(await live.ask('whoami')).toEqual(refusal('UNAUTHORISED', 'unauthorised', 'whoami'));
    const client = await signedIn('header', 'ada');
    expect(await live.ask('renew', client.accessToken)).toBe('ada');
    expect(await live.ask('whoami')).toBe('ada');
  });

  it('see what another changed of the session', async () => {
    const { signedIn, connect } = await LiveApplication.via({ platform, adapter }).start();
    const client = await signedIn('cookie', 'ada');
    const live = await connect(browser(client));
    expect(await live.ask('rename')).toBe('done');
    expect(await live.ask('payload')).toMatchObject({ name: 'Ada' });
    await client.refresh();
    expect(client.front.up).toMatchObject({ name: 'Ada' });
  });

  it('are refused when the token that the connection was opened with has expired, though its first use has made a longer one (S041)', async () => {
    const { signedIn, connect, clock, sessions } = await LiveApplication.via({ platform, adapter }).start();
    const client = await signedIn('header', 'ada');
    await client.refresh();
    clock.advanceSeconds(1800);
    const live = await connect(bearer(client));
    expect(await live.ask('whoami')).toBe('ada');
    const [handle = ''] = await sessions.getAllSessionHandlesForUser({ userId: 'ada' });
    await sessions.mergeIntoAccessTokenPayload(handle, { n: 1 });
    expect(await live.ask('checked')).toBe('ada');
    clock.advanceSeconds(1801);
    expect(await live.ask('whoami')).toEqual(refusal('TRY_REFRESH_TOKEN', 'try refresh token', 'whoami'));
    await client.refresh();
    expect(await live.ask('renew', client.accessToken)).toBe('ada');
    expect(await live.ask('whoami')).toBe('ada');
  });

  it('are refused when the access token has expired, until the client sends a new one (S082)', async () => {
    const { signedIn, connect, clock } = await LiveApplication.via({ platform, adapter }).start();
    const client = await signedIn('header', 'ada');
    const live = await connect(bearer(client));
    expect(await live.ask('whoami')).toBe('ada'); // admitted
    clock.advanceSeconds(3601);
    const expired = refusal('TRY_REFRESH_TOKEN', 'try refresh token', 'whoami');
    expect(await live.ask('whoami')).toEqual(expired);
    expect(await live.ask('renew', client.accessToken)).toEqual({
      ...expired,
      cause: { pattern: 'renew' },
    });
    await client.refresh();
    expect(await live.ask('renew', client.accessToken)).toBe('ada');
    expect(await live.ask('whoami')).toBe('ada');
    expect(await live.ask('checked')).toBe('ada');
  });

  it.each([
    ['of another session of the same user', 'ada'],
    ['of another user', 'eve'],
  ])('do not change hands by a token %s (S082)', async (_case, userId) => {
    const { signedIn, connect } = await LiveApplication.via({ platform, adapter }).start();
    const live = await connect(bearer(await signedIn('header', 'ada')));
    const other = await signedIn('header', userId);
    const unauthorised = refusal('UNAUTHORISED', 'unauthorised', 'renew');
    expect(await live.ask('renew', other.accessToken)).toEqual(unauthorised);
    expect(await live.ask('renew', other.refreshToken)).toEqual(unauthorised);
    expect(await live.ask('renew', { token: 1 })).toEqual(unauthorised);
    expect(await live.ask('whoami')).toBe('ada');
  });
});

describe.each(LIVE)('a WebSocket whose session ends: $platform on $adapter', ({ platform, adapter }) => {
  const ended = platform === 'ws' ? { type: 'UNAUTHORISED', code: 4401 } : { type: 'UNAUTHORISED' };

  it('is closed when the session is revoked, and those of other sessions stay (S054)', async () => {
    const { signedIn, connect, sessions } = await LiveApplication.via({ platform, adapter }).start();
    const client = await signedIn('cookie', 'ada');
    const lives = [await connect(browser(client)), await connect(browser(client))];
    const other = await connect(browser(await signedIn('cookie', 'bob')));
    await sessions.revokeAllSessionsForUser({ userId: 'ada' });
    expect(await Promise.all(lives.map(({ closed }) => closed))).toEqual([ended, ended]);
    expect(await other.ask('whoami')).toBe('bob');
  });

  it('is closed when the sessions of its tenant end, and those of other tenants stay (S054)', async () => {
    const { signedIn, connect, sessions, testSessions, client } = await LiveApplication.via({
      platform,
      adapter,
    }).start();
    const live = await connect(browser(await signedIn('cookie', 'ada')));
    const elsewhere = client('cookie');
    elsewhere.take(await testSessions.createTestSession({ userId: 'bob', tenantId: 't1' }));
    const other = await connect(browser(elsewhere));
    expect([await live.ask('whoami'), await other.ask('whoami')]).toEqual(['ada', 'bob']); // both are admitted
    await sessions.revokeSessions({ tenantId: 'public' });
    expect(await live.closed).toEqual(ended);
    expect(await other.ask('whoami')).toBe('bob');
  });

  it('is closed when the session is revoked once more, after another process has done it (S054)', async () => {
    const store = await seededMemoryStore();
    const { signedIn, connect, sessions, events } = await LiveApplication.via({ platform, adapter })
      .store(store)
      .start();
    const live = await connect(browser(await signedIn('cookie', 'ada')));
    const [sessionHandle = ''] = await sessions.getAllSessionHandlesForUser({ userId: 'ada' });
    expect(await live.ask('whoami')).toBe('ada'); // admitted
    await store.deleteSessions([{ tenantId: 'public', sessionHandle }]);
    expect(await live.ask('whoami')).toBe('ada');
    expect(await sessions.revokeSession(sessionHandle)).toBe(false);
    expect(await live.closed).toEqual(ended);
    expect(events.map(({ type }) => type)).not.toContain('session.revoked');
  });

  it('is closed when the user signs out by HTTP (S054)', async () => {
    const { signedIn, connect } = await LiveApplication.via({ platform, adapter }).start();
    const client = await signedIn('cookie', 'ada');
    const live = await connect(browser(client));
    await client.signOut();
    expect(await live.closed).toEqual(ended);
  });

  it('is closed when a stolen refresh token gives itself away (S054)', async () => {
    const { signedIn, connect } = await LiveApplication.via({ platform, adapter }).start();
    const client = await signedIn('cookie', 'ada');
    const thief = client.copy();
    await client.refresh();
    const live = await connect(browser(client)); // the first use of the new token
    expect(await live.ask('whoami')).toBe('ada');
    await thief.refresh();
    expect(await live.closed).toEqual(ended);
  });

  it('is closed although the session ended while it was being admitted (S054)', async () => {
    let meanwhile = async (): Promise<unknown> => undefined;
    const store = interceptedStore(await seededMemoryStore(), async (name, call) => {
      const found = await call();
      if (name === 'findSession') await meanwhile();
      return found;
    });
    const { signedIn, connect, sessions } = await LiveApplication.via({ platform, adapter })
      .store(store)
      .start();
    const client = await signedIn('cookie', 'ada');
    meanwhile = async () => sessions.revokeAllSessionsForUser({ userId: 'ada' });
    const live = await connect(browser(client));
    expect(await live.closed).toEqual(ended);
  });

  it('is closed although everybody was signed out while it was being admitted (S054)', async () => {
    let meanwhile = async (): Promise<unknown> => undefined;
    const store = interceptedStore(await seededMemoryStore(), async (name, call) => {
      const found = await call();
      const work = meanwhile;
      meanwhile = async () => undefined;
      if (name === 'findSession') await work();
      else meanwhile = work;
      return found;
    });
    const { signedIn, connect, sessions } = await LiveApplication.via({ platform, adapter })
      .store(store)
      .start();
    const client = await signedIn('cookie', 'ada');
    meanwhile = async () => sessions.revokeSessions({ all: true });
    const live = await connect(browser(client));
    expect(await live.closed).toMatchObject({ type: 'SERVICE_UNAVAILABLE' });
  });
});

describe('a gateway that leaves the handshake to the guard', () => {
  it.each(['express', 'fastify'] as const)(
    'has it verified with the first message on socket.io (S082): %s',
    async (adapter) => {
      const application = await LiveApplication.via({ platform: 'socket.io', adapter })
        .gateway(GuardedGateway)
        .start();
      const { signedIn, connect, sessions } = application;
      const client = await signedIn('cookie', 'ada');
      const live = await connect(browser(client));
      expect(await Promise.all([live.ask('whoami'), live.ask('checked')])).toEqual(['ada', 'ada']);
      const foreign = await connect({ headers: browserOn('https://evil.io', client) });
      expect(await foreign.ask('whoami')).toEqual(refusal('UNAUTHORISED', 'unauthorised', 'whoami'));
      await sessions.revokeAllSessionsForUser({ userId: 'ada' });
      expect(await live.closed).toEqual({ type: 'UNAUTHORISED' });
    },
  );

  it('refuses every guarded message on ws, whose clients do not carry their handshake (S078)', async () => {
    const application = await LiveApplication.via({ platform: 'ws', adapter: 'express' })
      .gateway(GuardedGateway)
      .start();
    const live = await application.connect(browser(await application.signedIn()));
    expect(await live.ask('whoami')).toMatchObject({ status: 'error', message: 'Internal server error' });
    expect(await live.ask('open')).toBe('none');
  });
});
