import { Body, Controller, Post, Req, Res, UnauthorizedException } from '@nestjs/common';
import { SessionService } from 'nest-sessions';

/** Stands for the application's own sign-in. */
const PASSWORDS: Readonly<Record<string, string>> = { ada: 'analytical engine' };

@Controller('sign-in')
export class SignInController {
  constructor(private readonly sessions: SessionService) {}

  @Post()
  async signIn(
    @Req() req: unknown,
    @Res({ passthrough: true }) res: unknown,
    @Body() { name, password }: { name: string; password: string },
  ): Promise<void> {
    if (PASSWORDS[name] !== password) throw new UnauthorizedException();
    await this.sessions.createNewSession(req, res, { userId: name });
  }
}
