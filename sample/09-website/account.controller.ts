import { Body, Controller, Get, HttpCode, Post, Req, Res, UseGuards } from '@nestjs/common';
import { BooleanClaim, RequireClaims, Session, SessionGuard, SessionService } from 'nest-sessions';

/** True for users who have paid: none, in this demo. */
export const HasPaidClaim = new BooleanClaim({ key: 'paid', fetchValue: () => false });

/** The routes that the page calls. */
@Controller()
export class AccountController {
  constructor(private readonly sessions: SessionService) {}

  /** The application itself identifies the user; the demo accepts every name. */
  @Post('sign-in')
  @HttpCode(200)
  async signIn(
    @Req() req: unknown,
    @Res({ passthrough: true }) res: unknown,
    @Body('userId') userId: unknown,
  ): Promise<{ userId: string }> {
    const name = String(userId).slice(0, 20);
    await this.sessions.createNewSession(req, res, { userId: name });
    return { userId: name };
  }

  @Get('me')
  @UseGuards(SessionGuard)
  me(@Session('userId') userId: string): { message: string } {
    return { message: `hello ${userId}` };
  }

  /** For users who have paid. Others get a 403 that names the claim. */
  @Get('reports')
  @UseGuards(SessionGuard)
  @RequireClaims(HasPaidClaim.validators.isTrue())
  reports(): { message: string } {
    return { message: 'all figures are up' };
  }
}
