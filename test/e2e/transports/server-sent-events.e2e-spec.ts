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
import { ADAPTERS, type Adapter, TestApplication } from '../../support/test-application.js';
import { EventStream } from './event-stream.js';

/** The gate at which a handler waits after the guard has let its request pass. */
class Doorway {
  private enter: () => void = () => undefined;
  private release: () => void = () => undefined;
  readonly entered = new Promise<void>((resolve) => (this.enter = resolve));
  private readonly opened = new Promise<void>((resolve) => (this.release = resolve));

  async pass(): Promise<void> {
    this.enter();
    await this.opened;
  }

  open(): void {
    this.release();
  }
}

@Controller()
@UseGuards(SessionGuard)
class PricesController {
  constructor(
    private readonly doorway: Doorway,
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

  @Sse('late')
  @VerifySession({ checkDatabase: true })
  async late(@Session() session: SessionContainer): Promise<Observable<{ data: number }>> {
    await this.doorway.pass();
    return this.prices(session);
  }
}

async function withPrices(
  adapter: Adapter,
  test: (application: TestApplication, doorway: Doorway) => Promise<void>,
): Promise<void> {
  await TestApplication.on(adapter)
    .controllers(PricesController)
    .providers(Doorway)
    .run(async (application) => {
      try {
        await test(application, application.app.get(Doorway));
      } finally {
        EventStream.closeAll();
      }
    });
}

describe.each(ADAPTERS)('server-sent events on %s', (adapter) => {
  it('end when the session is revoked, and do not come back with the same token (S054)', async () => {
    await withPrices(adapter, async (application) => {
      const client = await application.signedIn('header');
      const stream = await EventStream.open(application, client);
      expect([stream.status, await stream.first()]).toEqual([200, '42']);
      await application.sessions.revokeAllSessionsForUser({ userId: 'ada' });
      await stream.ended();
      expect((await EventStream.open(application, client)).status).toBe(401);
    });
  });

  it('carry nothing when the session ended after the guard had let it pass (S054)', async () => {
    await withPrices(adapter, async (application, doorway) => {
      const client = await application.signedIn('header');
      const opening = EventStream.open(application, client, '/late');
      await doorway.entered;
      await application.sessions.revokeAllSessionsForUser({ userId: 'ada' });
      doorway.open();
      await expect((await opening).first()).rejects.toThrow('The stream ended without data');
    });
  });

  it('begin late where the handler does, of a session that is still there', async () => {
    await withPrices(adapter, async (application, doorway) => {
      const client = await application.signedIn('header');
      const opening = EventStream.open(application, client, '/late');
      await doorway.entered;
      doorway.open();
      const stream = await opening;
      expect(await stream.first()).toBe('42');
      await application.sessions.revokeAllSessionsForUser({ userId: 'ada' });
      await stream.ended();
    });
  });
});
