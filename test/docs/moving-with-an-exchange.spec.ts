import {
  Controller,
  Get,
  Injectable,
  Post,
  Req,
  Res,
  UnauthorizedException,
  UseGuards,
} from '@nestjs/common';
import { AuthGuard, PassportStrategy } from '@nestjs/passport';
import { JwtModule, JwtService } from '@nestjs/jwt';
import { describe, expect, it } from '@jest/globals';
import type { Request } from 'express';
import expressSession, { type Session as ExpressSession } from 'express-session';
import { PublicAccess, Session, SessionContainer, SessionGuard, SessionService } from 'nest-sessions';
import { ExtractJwt, Strategy } from 'passport-jwt';
import { sessionModule, TestApplication } from '../support/test-application.js';

const SECRET = 'a secret of the application';

@Controller()
@UseGuards(SessionGuard)
class MeController {
  @Get('me')
  async me(@Session() session: SessionContainer): Promise<object> {
    return { userId: session.getUserId(), ...(await session.getSessionDataFromDatabase()) };
  }
}

@Injectable()
class JwtStrategy extends PassportStrategy(Strategy) {
  constructor() {
    super({ jwtFromRequest: ExtractJwt.fromAuthHeaderAsBearerToken(), secretOrKey: SECRET });
  }

  validate(payload: { sub: string }): object {
    return { userId: payload.sub };
  }
}

@Controller('exchange')
class JwtExchange {
  constructor(private readonly sessions: SessionService) {}

  @Post()
  @PublicAccess()
  @UseGuards(AuthGuard('jwt'))
  async exchange(
    @Req() req: { user: { userId: string } },
    @Res({ passthrough: true }) res: unknown,
  ): Promise<void> {
    await this.sessions.createNewSession(req, res, { userId: req.user.userId });
  }
}

type OldRequest = Request & { session: ExpressSession & { userId?: string; cart?: string[] } };

@Controller()
class ExpressSessionExchange {
  constructor(private readonly sessions: SessionService) {}

  @Post('exchange/old-login')
  login(@Req() req: OldRequest): void {
    req.session.userId = 'ada';
    req.session.cart = ['tea'];
  }

  @Post('exchange')
  @PublicAccess()
  async exchange(@Req() req: OldRequest, @Res({ passthrough: true }) res: unknown): Promise<void> {
    const { userId, cart = [] } = req.session;
    if (userId === undefined) throw new UnauthorizedException();
    await this.sessions.createNewSession(req, res, { userId, sessionDataInDatabase: { cart } });
    req.session.destroy(() => undefined);
  }
}

describe('an application that moves from passport-jwt', () => {
  it('exchanges a token of before for a session, and takes it for none elsewhere', async () => {
    const { app, client } = await TestApplication.on('express')
      .modules(await sessionModule(), JwtModule.register({ secret: SECRET }))
      .controllers(MeController, JwtExchange)
      .providers(JwtStrategy)
      .start();
    const token = await app.get(JwtService, { strict: false }).signAsync({ sub: 'ada' });
    const authorization = `Bearer ${token}`;
    const browser = client();
    expect((await browser.get('/me', { authorization })).status).toBe(401);
    expect((await browser.post('/exchange')).status).toBe(401);
    expect((await browser.post('/exchange', undefined, { authorization })).status).toBe(201);
    expect((await browser.get('/me')).body).toEqual({ userId: 'ada' });
    expect((await browser.refresh()).status).toBe(200);
  });
});

describe('an application that moves from express-session', () => {
  it('exchanges a session of before for one of now, with its data, once', async () => {
    const { client, send } = await TestApplication.on('express')
      .controllers(MeController, ExpressSessionExchange)
      .configure((app) => {
        app.use('/exchange', expressSession({ secret: SECRET, resave: false, saveUninitialized: false }));
      })
      .start();
    const old = await send({ method: 'POST', path: '/exchange/old-login' });
    const cookie = old.setCookie('connect.sid')?.line.split(';')[0];
    const browser = client();
    expect((await browser.post('/exchange')).status).toBe(401);
    expect((await browser.post('/exchange', undefined, { cookie })).status).toBe(201);
    expect((await browser.get('/me')).body).toEqual({ userId: 'ada', cart: ['tea'] });
    expect((await browser.post('/exchange', undefined, { cookie })).status).toBe(401);
  });
});
