import { Body, Controller, Get, HttpCode, Post, Req, Res, UseGuards } from '@nestjs/common';
import { Session, SessionContainer, SessionGuard, SessionService, VerifySession } from 'nest-sessions';

/** Signs a user in and out, and shows the session. */
@Controller()
export class AccountController {
  constructor(private readonly sessions: SessionService) {}

  @Post('sign-in')
  async signIn(
    @Req() req: unknown,
    @Res({ passthrough: true }) res: unknown,
    @Body('userId') userId: unknown,
  ): Promise<{ sessionHandle: string }> {
    const session = await this.sessions.createNewSession(req, res, { userId: String(userId) });
    return { sessionHandle: session.getHandle() };
  }

  /** Checks the database, so that a session that another instance revoked is refused at once. */
  @Get('me')
  @UseGuards(SessionGuard)
  @VerifySession({ checkDatabase: true })
  me(@Session('userId') userId: string): { userId: string } {
    return { userId };
  }

  @Post('revoke')
  @HttpCode(200)
  @UseGuards(SessionGuard)
  async revoke(@Session() session: SessionContainer): Promise<{ wasRevoked: boolean }> {
    return { wasRevoked: await this.sessions.revokeSession(session.getHandle()) };
  }
}
