import { Body, Controller, Post, Req, Res } from '@nestjs/common';
import { SessionService } from 'nest-sessions';

/** The application itself identifies the user; the demo accepts every name. */
@Controller()
export class AccountController {
  constructor(private readonly sessions: SessionService) {}

  @Post('sign-in')
  async signIn(
    @Req() req: unknown,
    @Res({ passthrough: true }) res: unknown,
    @Body('userId') userId: unknown,
  ): Promise<{ userId: string }> {
    const name = String(userId).slice(0, 20);
    await this.sessions.createNewSession(req, res, { userId: name });
    return { userId: name };
  }
}
