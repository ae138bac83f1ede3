import { Controller, Req, Res, Post, Sse, UseGuards } from '@nestjs/common';
import { describe, expect, it } from '@jest/globals';
import {
  PublicAccess,
  Session,
  SessionContainer,
  SessionGuard,
  SessionService,
  SessionStreams,
} from 'nest-sessions';
import type { Client } from 'graphql-ws';
import { concat, NEVER, of, type Observable } from 'rxjs';
import { deviceBound } from '../support/device-bound.js';
import { DpopClient } from '../support/dpop-client.js';
import { ADAPTERS, TestApplication } from '../support/test-application.js';
import { EventStream } from '../e2e/transports/event-stream.js';
import { DRIVERS, GraphqlApplication } from '../e2e/transports/graphql-application.js';
import { openSubscriber } from '../e2e/transports/graphql-subscriber.js';
import { LIVE, LiveApplication, OpenGateway } from '../e2e/transports/live-application.js';

const OPTIONS = deviceBound({ dpop: true });
const REFUSED = { type: 'UNAUTHORISED' };

describe.each(LIVE)('the token of a bound session in a handshake: $platform on $adapter', (live) => {
  const path = live.platform === 'ws' ? '/live' : '/live/';
  const start = async () => {
    const app = await LiveApplication.via(live).with(OPTIONS).start();
    const client = new DpopClient(app.http, app.clock);
    await client.login('ada');
    return { app, client };
  };

  it('opens a connection beside a proof, and the connection goes on with it', async () => {
    const { app, client } = await start();
    const headers = { authorization: `DPoP ${client.accessToken ?? ''}`, dpop: client.proof('GET', path) };
    const connection = await app.connect({ headers });
    expect(await connection.ask('whoami')).toBe('ada');
    app.clock.advanceSeconds(600);
    expect(await connection.ask('checked')).toBe('ada');
    await client.refresh();
    expect(await connection.ask('renew', client.accessToken)).toBe('ada');
    expect(await connection.ask('whoami')).toBe('ada');
  });

  it('opens none without a proof, or with one that was used', async () => {
    const { app, client } = await start();
    const token = client.accessToken ?? '';
    const bearer = await app.connect({ headers: { authorization: `Bearer ${token}` } });
    expect(await bearer.closed).toMatchObject(REFUSED);
    const bare = await app.connect({ headers: { authorization: `DPoP ${token}` } });
    expect(await bare.closed).toMatchObject(REFUSED);
    const headers = { authorization: `DPoP ${token}`, dpop: client.proof('GET', path) };
    const first = await app.connect({ headers });
    expect(await first.ask('whoami')).toBe('ada');
    const second = await app.connect({ headers });
    expect(await second.closed).toMatchObject(REFUSED);
  });

  it('is not taken from a message by a connection that has no session', async () => {
    const app = await LiveApplication.via(live).with(OPTIONS).gateway(OpenGateway).start();
    const client = new DpopClient(app.http, app.clock);
    await client.login('ada');
    const plain = await app.signedIn('header', 'bob');
    const connection = await app.connect();
    expect(await connection.ask('renew', client.accessToken)).toMatchObject(REFUSED);
    expect(await connection.ask('renew', plain.accessToken)).toBe('bob');
    expect(await connection.ask('renew', client.accessToken)).toMatchObject(REFUSED);
  });
});

describe.each(ADAPTERS)('the token of a bound session in the auth payload of socket.io on %s', (adapter) => {
  const connect = async (isProven: boolean) => {
    const app = await LiveApplication.via({ platform: 'socket.io', adapter }).with(OPTIONS).start();
    const client = new DpopClient(app.http, app.clock);
    await client.login('ada');
    const dpop = client.proof('GET', '/live/');
    const auth = { token: client.accessToken ?? '' };
    return app.connect({ auth, headers: isProven ? { dpop } : {} });
  };

  it('opens a connection beside a proof in the headers', async () => {
    expect(await (await connect(true)).ask('whoami')).toBe('ada');
  });

  it('opens none without', async () => {
    expect(await (await connect(false)).closed).toMatchObject(REFUSED);
  });
});

describe.each(DRIVERS)('the token of a bound session in GraphQL: $name', (driver) => {
  const start = async () => {
    const app = await GraphqlApplication.via(driver).with(OPTIONS).start();
    const client = new DpopClient(app.http, app.clock);
    const query = 'mutation { signIn }';
    expect((await client.post('/graphql', { query })).status).toBe(200);
    return { app, client };
  };

  it('needs one proof for a request, however many fields ask for the session', async () => {
    const { client } = await start();
    const query = '{ me handle checked optional again: checked }';
    const response = await client.post('/graphql', { query });
    expect(response.body).toMatchObject({ data: { me: 'user-9', checked: 'user-9', again: 'user-9' } });
    expect(response.body).not.toHaveProperty('errors');
  });

  it('is refused without one, with the challenge in the headers (P7)', async () => {
    const { client } = await start();
    const response = await client.post('/graphql', { query: '{ me }' }, { dpop: undefined });
    expect(response.body).toMatchObject({ errors: [{ extensions: { code: 'UNAUTHORISED' } }] });
    expect(response.header('www-authenticate')).toBe('DPoP error="invalid_dpop_proof", algs="ES256 EdDSA"');
    expect((await client.post('/graphql', { query: '{ me }' })).body).toEqual({ data: { me: 'user-9' } });
  });

  it('opens a subscription beside a proof in the headers of the handshake only', async () => {
    const { app, client } = await start();
    const clients: Client[] = [];
    const connectionParams = { authorization: `DPoP ${client.accessToken ?? ''}` };
    const connect = (headers: Record<string, string>) =>
      openSubscriber(app.port, { headers, connectionParams }, clients);
    try {
      const bare = await connect({}).first('subscription { ticks }');
      expect(bare.errors).toMatchObject([{ extensions: { code: 'UNAUTHORISED' } }]);
      const proven = connect({ dpop: client.proof('GET', '/graphql') });
      expect(await proven.first('subscription { ticks }')).toEqual({ data: { ticks: 1 } });
      expect(await proven.first('subscription { ticks }')).toEqual({ data: { ticks: 1 } });
    } finally {
      for (const each of clients) await each.dispose();
    }
  });
});

@Controller()
@UseGuards(SessionGuard)
class PricesController {
  constructor(
    private readonly sessions: SessionService,
    private readonly streams: SessionStreams,
  ) {}

  @Post('login')
  @PublicAccess()
  async login(@Req() req: unknown, @Res({ passthrough: true }) res: unknown): Promise<void> {
    await this.sessions.createNewSession(req, res, { userId: 'ada' });
  }

  @Sse('prices')
  prices(@Session() session: SessionContainer): Observable<{ data: number }> {
    return concat(of({ data: 1 }), NEVER).pipe(this.streams.untilSessionEnds(session));
  }
}

describe.each(ADAPTERS)('the token of a bound session and server-sent events on %s', (adapter) => {
  it('opens a stream beside a proof only, and the stream lasts as long as the token', async () => {
    await TestApplication.on(adapter)
      .with(OPTIONS)
      .controllers(PricesController)
      .run(async (app) => {
        const client = new DpopClient(app.http, app.clock);
        await client.login('ada');
        try {
          const bare = await EventStream.open(app, client);
          const authorization = `DPoP ${client.accessToken ?? ''}`;
          const dpop = client.proof('GET', '/prices');
          const proven = await EventStream.open(app, client, '/prices', { authorization, dpop });
          expect([bare.status, proven.status]).toEqual([401, 200]);
          expect(await proven.first()).toBe('1');
        } finally {
          EventStream.closeAll();
        }
      });
  });
});
