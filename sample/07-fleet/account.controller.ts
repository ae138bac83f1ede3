import { Controller, Get, HttpCode, Post, Req, Res, UseGuards } from '@nestjs/common';
import { Session, SessionGuard, SessionService } from 'nest-sessions';

/** Signs the one user of the demo in, and ends all sessions of hers. */
@Controller()
export class AccountController {
  constructor(private readonly sessions: SessionService) {}

  @Post('sign-in')
  @HttpCode(204)
  async signIn(@Req() req: unknown, @Res({ passthrough: true }) res: unknown): Promise<void> {
    await this.sessions.createNewSession(req, res, { userId: 'ada' });
  }

  /** DEMO ONLY: makes the browser that of an operator, who may use the dashboard. */
  @Post('operate')
  @HttpCode(204)
  async operate(@Req() req: unknown, @Res({ passthrough: true }) res: unknown): Promise<void> {
    await this.sessions.createNewSession(req, res, { userId: 'operator' });
  }

  /** Verified in memory: no `checkDatabase`, so that the feed alone decides when a session is refused. */
  @Get('me')
  @UseGuards(SessionGuard)
  me(@Session('userId') userId: string): { userId: string } {
    return { userId };
  }

  @Post('end-everywhere')
  @HttpCode(200)
  @UseGuards(SessionGuard)
  async endEverywhere(@Session('userId') userId: string): Promise<{ ended: number }> {
    const handles = await this.sessions.revokeAllSessionsForUser({ userId, reason: 'end everywhere' });
    return { ended: handles.length };
  }

  /** Public: the headers of the response say which instance sent it, and how it learns of ended sessions. */
  @Get('hello')
  @HttpCode(204)
  hello(): void {}
}
