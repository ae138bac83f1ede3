import { Body, Controller, Module, Post, Req, Res } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { SessionModule, SessionService } from 'nest-sessions';
import { plan } from './plan.js';
import type { Running } from './settings.js';

@Controller()
class SignInController {
  constructor(private readonly sessions: SessionService) {}

  /** A demo has no passwords. */
  @Post('login')
  async login(
    @Req() req: unknown,
    @Res({ passthrough: true }) res: unknown,
    @Body('userId') userId: string,
  ): Promise<object> {
    await this.sessions.createNewSession(req, res, { userId });
    return { userId };
  }
}

@Module({})
class ApiModule {}

/** Starts the Nest application in which users sign in, and which refreshes their sessions. */
export async function startApi(port: number): Promise<Running> {
  const origin = `http://127.0.0.1:${port}`;
  const sessions = SessionModule.forRoot({
    appInfo: { appName: 'Other frameworks', apiDomain: origin, websiteDomain: origin },
    claims: [plan],
  });
  const app = await NestFactory.create(
    { module: ApiModule, imports: [sessions], controllers: [SignInController] },
    { logger: ['warn', 'error', 'fatal'] },
  );
  // Loopback only, because users sign in without a password.
  await app.listen(port, '127.0.0.1');
  return { origin: await app.getUrl(), close: () => app.close() };
}
