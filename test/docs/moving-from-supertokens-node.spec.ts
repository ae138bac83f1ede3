import { Controller, Get, Post, Req, Res, UseGuards, type INestApplication, type Type } from '@nestjs/common';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ErrorRequestHandler, Request, Response } from 'express';
import { remoteCore, Session, SessionContainer, SessionGuard } from 'nest-sessions';
import supertokens from 'supertokens-node';
import { errorHandler, middleware } from 'supertokens-node/framework/express/index.js';
import SdkSession from 'supertokens-node/recipe/session/index.js';
import { TestClock } from '../../lib/testing/test-clock.js';
import { startServedCore, type ServedCore } from '../support/served-core.js';
import { TestApplication } from '../support/test-application.js';

const APP_INFO = {
  appName: 'Shop',
  apiDomain: 'http://localhost:3000',
  websiteDomain: 'http://localhost:3000',
};

/** The application of before: signs in and asks for sessions by the SDK. */
@Controller('before')
class BeforeController {
  @Post('login')
  async login(@Req() req: Request, @Res() res: Response): Promise<void> {
    const id = supertokens.convertToRecipeUserId('ada');
    await SdkSession.createNewSession(req, res, 'public', id, { plan: 'pro' });
    res.json({});
  }

  @Get('me')
  async me(@Req() req: Request, @Res() res: Response): Promise<void> {
    const session = await SdkSession.getSession(req, res);
    res.json({ userId: session.getUserId(), handle: session.getHandle() });
  }
}

@Controller('after')
@UseGuards(SessionGuard)
class AfterController {
  @Get('me')
  me(@Session() session: SessionContainer): object {
    return {
      userId: session.getUserId(),
      handle: session.getHandle(),
      plan: session.getAccessTokenPayload()['plan'],
    };
  }
}

describe('an application that moves from supertokens-node', () => {
  let core: ServedCore;
  let both: TestApplication;
  let moved: TestApplication;

  const start = (controllers: Type[], configure: (app: INestApplication) => void) =>
    TestApplication.on('express')
      .with({ appInfo: APP_INFO, core: remoteCore({ connectionURI: core.uri }) })
      .controllers(...controllers)
      .clock(new TestClock())
      .configure(configure)
      .start();

  beforeAll(async () => {
    // The SDK goes by the system's clock.
    core = await startServedCore({ clock: new TestClock() });
    supertokens.init({
      framework: 'express',
      telemetry: false,
      supertokens: { connectionURI: core.uri },
      appInfo: APP_INFO,
      recipeList: [SdkSession.init()],
    });
    both = await start([BeforeController, AfterController], (app) => {
      app.use(middleware());
      app.use(errorHandler() as ErrorRequestHandler);
    });
    moved = await start([AfterController], () => undefined);
  });

  afterAll(async () => {
    await moved.close();
    await both.close();
    await core.close();
  });

  it('finds its users signed in: tokens of the SDK pass the guard, refresh and sign out', async () => {
    const browser = both.client();
    const login = await browser.post('/before/login');
    expect(login.status).toBe(201);
    const cookies = ['sAccessToken', 'sRefreshToken']
      .map((name) => `${name}=${login.setCookie(name)?.value}`)
      .join('; ');
    const headers = { cookie: cookies, rid: 'anti-csrf', 'st-auth-mode': 'cookie' };

    const me = await moved.send({ path: '/after/me', headers });
    expect(me.body).toMatchObject({ userId: 'ada', plan: 'pro' });
    const refreshed = await moved.send({ method: 'POST', path: '/auth/session/refresh', headers });
    expect(refreshed.status).toBe(200);
    const attributesOf = (response: typeof login) =>
      ['sAccessToken', 'sRefreshToken'].map((name) => ({
        path: response.setCookie(name)?.path,
        domain: response.setCookie(name)?.domain,
        attributes: response.setCookie(name)?.attributes,
      }));
    expect(attributesOf(refreshed)).toEqual(attributesOf(login));
    expect((await moved.send({ method: 'POST', path: '/auth/signout', headers })).status).toBe(200);
  });

  it('can use both for a while: each takes the sessions of the other', async () => {
    const browser = both.client();
    await browser.post('/before/login');
    const bySdk = await browser.get('/before/me');
    const byGuard = await browser.get('/after/me');
    expect(byGuard.body).toMatchObject({ ...(bySdk.body as object), plan: 'pro' });
    expect((await browser.refresh()).status).toBe(200);
    expect((await browser.get('/after/me')).status).toBe(200);
    expect((await browser.get('/before/me')).status).toBe(200);
    expect((await browser.signOut()).status).toBe(200);
    expect((await browser.get('/after/me')).status).toBe(401);
  });

  it('can go back: the SDK takes a session of ours', async () => {
    const session = await moved.sessions.createNewSessionWithoutRequestResponse({ userId: 'bob' });
    const { accessToken } = session.getAllSessionTokensDangerously();
    const seen = await SdkSession.getSessionWithoutRequestResponse(accessToken);
    expect(seen.getUserId()).toBe('bob');
  });
});
