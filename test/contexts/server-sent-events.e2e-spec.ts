import { get, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Controller, Req, Res, Post, Sse, UseGuards } from '@nestjs/common';
import { describe, expect, it } from '@jest/globals';
import {
  PublicAccess,
  Session,
  SessionContainer,
  SessionGuard,
  SessionService,
  SessionStreams,
  VerifySession,
} from 'nest-sessions';
import { concat, NEVER, of, type Observable } from 'rxjs';
import type { SessionClient } from '../support/session-client.js';
import { ADAPTERS, withApplication, type TestApplication } from '../support/test-application.js';

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
  @VerifySession({ checkDatabase: true })
  prices(@Session() session: SessionContainer): Observable<{ data: number }> {
    return concat(of({ data: 42 }), NEVER).pipe(this.streams.untilSessionEnds(session));
  }
}

/** A page with an `EventSource`. */
class EventStream {
  private constructor(private readonly response: IncomingMessage) {}

  static async open({ app }: TestApplication, client: SessionClient): Promise<EventStream> {
    const { port } = (app.getHttpServer() as { address(): AddressInfo }).address();
    const headers = { authorization: `Bearer ${client.accessToken ?? ''}` };
    return new Promise((resolve, reject) => {
      get({ host: '127.0.0.1', port, path: '/prices', headers, agent: false }, (response) =>
        resolve(new EventStream(response)),
      ).on('error', reject);
    });
  }

  get status(): number | undefined {
    return this.response.statusCode;
  }

  /** Resolves with the first event that carries data. */
  async first(): Promise<string> {
    for await (const chunk of this.response.iterator({ destroyOnReturn: false })) {
      const data = /^data: (.*)$/m.exec(String(chunk))?.[1];
      if (data !== undefined) return data;
    }
    throw new Error('The stream ended without data');
  }

  /** Resolves when the server has ended the stream. */
  async ended(): Promise<void> {
    this.response.resume();
    await new Promise((resolve) => this.response.once('end', resolve));
  }
}

describe.each(ADAPTERS)('server-sent events on %s', (adapter) => {
  it('end when the session is revoked, and do not come back with the same token (S054)', async () => {
    await withApplication({ adapter, controllers: [PricesController] }, async (application) => {
      const client = await application.signedIn('header');
      const stream = await EventStream.open(application, client);
      expect([stream.status, await stream.first()]).toEqual([200, '42']);
      await application.sessions.revokeAllSessionsForUser({ userId: 'ada' });
      await stream.ended();
      expect((await EventStream.open(application, client)).status).toBe(401);
    });
  });
});
