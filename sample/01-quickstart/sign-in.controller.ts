import { Body, Controller, Get, Headers, NotFoundException, Post, Req, Res } from '@nestjs/common';
import { SessionService } from 'nest-sessions';
import { Thief } from './thief.js';
import { DEMO_USERS, findUser, type DemoUser } from './users.js';

/** The application itself identifies the user, and then creates a session. */
@Controller('demo')
export class SignInController {
  constructor(
    private readonly sessions: SessionService,
    private readonly thief: Thief,
  ) {}

  @Get('users')
  users(): readonly DemoUser[] {
    return DEMO_USERS;
  }

  @Post('sign-in')
  async signIn(
    @Req() req: unknown,
    @Res({ passthrough: true }) res: unknown,
    @Body('userId') userId: unknown,
    @Headers('user-agent') browser = 'unknown',
  ): Promise<DemoUser> {
    const user = findUser(userId);
    if (user === undefined) throw new NotFoundException('no such demo user');
    const session = await this.sessions.createNewSession(req, res, {
      userId: user.id,
      accessTokenPayload: { name: user.name },
      sessionDataInDatabase: { browser },
    });
    this.thief.copyRefreshToken(session); // for the demo's thief; leave this line out of your own application
    return user;
  }
}
