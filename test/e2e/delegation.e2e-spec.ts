import { describe, expect, it } from '@jest/globals';
import { Body, Controller, Post, Req, Res, UseGuards } from '@nestjs/common';
import {
  AuthenticationTimeClaim,
  PublicAccess,
  RequireClaims,
  Session,
  SessionContainer,
  SessionGuard,
  SessionService,
} from 'nest-sessions';
import { DemoController } from '../support/demo.controller.js';
import { ADAPTERS, TestApplication } from '../support/test-application.js';

@Controller()
@UseGuards(SessionGuard)
class DelegationController {
  constructor(private readonly sessions: SessionService) {}

  @Post('sign-in-as')
  async signInAs(
    @Session() session: SessionContainer,
    @Req() req: unknown,
    @Res({ passthrough: true }) res: unknown,
  ): Promise<void> {
    const actor = { sessionHandle: session.getHandle() };
    await this.sessions.createNewSession(req, res, { userId: 'ada', actor });
  }

  @Post('hand-over')
  async handOver(@Session() session: SessionContainer): Promise<object> {
    const sessionHandle = session.getHandle();
    return { token: await this.sessions.createHandOverToken({ sessionHandle, audience: 'app' }) };
  }

  @Post('redeem')
  @PublicAccess()
  async redeem(
    @Body() { token }: { token: string },
    @Req() req: unknown,
    @Res({ passthrough: true }) res: unknown,
  ): Promise<void> {
    await this.sessions.redeemHandOverToken(req, res, { token, audience: 'app' });
  }

  @Post('fresh')
  @RequireClaims(AuthenticationTimeClaim.validators.freshWithin(3600))
  fresh(): void {}

  @Post('prove')
  async prove(@Session() session: SessionContainer): Promise<void> {
    await session.recordAuthentication();
  }
}

const MODES = ['cookie', 'header'] as const;
const CASES = ADAPTERS.flatMap((adapter) => MODES.map((mode) => [adapter, mode] as const));

describe.each(CASES)('sessions that belong to others, on %s by %s', (adapter, mode) => {
  const start = async () =>
    TestApplication.on(adapter)
      .with({ claims: [AuthenticationTimeClaim], userSessionRoutes: true })
      .controllers(DemoController, DelegationController)
      .start();

  it('take the place of the actor in the client, are not fresh, and end with the actor (S122)', async () => {
    const { signedIn, sessions } = await start();
    const client = await signedIn(mode, 'support-7');
    const { sessionHandle } = (await client.get('/me')).body as { sessionHandle: string };
    expect((await client.post('/fresh')).status).toBe(201);
    expect((await client.post('/sign-in-as')).status).toBe(201);
    expect(client.front).toMatchObject({ uid: 'ada', up: { sub: 'ada', act: { sub: 'support-7' } } });
    expect((await client.post('/fresh')).status).toBe(403);
    expect((await client.post('/prove')).status).toBe(403);
    expect((await client.refresh()).status).toBe(200);
    await sessions.revokeSession(sessionHandle);
    expect((await client.get('/checked')).status).toBe(401);
    expect((await client.refresh()).status).toBe(401);
  });

  it('are shown to the user, whose sessions they cannot end (S122)', async () => {
    const { signedIn } = await start();
    const [ada, support] = [await signedIn(mode, 'ada'), await signedIn(mode, 'support-7')];
    await support.post('/sign-in-as');
    const shown = (await ada.get('/auth/sessions')).body;
    expect(shown).toMatchObject({ sessions: [{ isCurrent: true }, { actorId: 'support-7' }] });
    expect((shown as { sessions: object[] }).sessions[0]).not.toHaveProperty('actorId');
    expect((await support.post('/auth/sessions/revoke-others')).status).toBe(403);
    expect((await ada.post('/auth/sessions/revoke-others')).body).toEqual({ status: 'OK', revoked: 1 });
    expect((await support.get('/checked')).status).toBe(401);
  });

  it('go on in another client by a hand-over token, once (S124)', async () => {
    const { signedIn, client } = await start();
    const website = await signedIn(mode, 'ada');
    const { token } = (await website.post('/hand-over')).body as { token: string };
    const [app, thief] = [client(mode), client(mode)];
    expect((await app.post('/redeem', { token })).status).toBe(201);
    expect((await app.get('/me')).status).toBe(200);
    expect((await app.post('/fresh')).status).toBe(201);
    const refused = await thief.post('/redeem', { token });
    expect(refused.status).toBe(401);
    expect(JSON.stringify([refused.body, refused.header('set-cookie')])).not.toContain(token);
    expect((await thief.get('/me')).status).toBe(401);
  });
});
