import 'reflect-metadata';
import { Controller, Get, Module, Post, Req, Res, UseGuards } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  PrimitiveClaim,
  PublicAccess,
  RequireClaims,
  Session,
  SessionContainer,
  SessionGuard,
  SessionModule,
  SessionService,
} from 'nest-sessions';

const PlanClaim = new PrimitiveClaim<string>({ key: 'plan', fetchValue: () => 'free' });

@Controller()
@UseGuards(SessionGuard)
class PlanController {
  constructor(private readonly sessions: SessionService) {}

  @Post('login')
  @PublicAccess()
  async login(@Req() request: unknown, @Res({ passthrough: true }) response: unknown): Promise<void> {
    await this.sessions.createNewSession(request, response, { userId: 'user-1' });
  }

  @Get('free')
  @RequireClaims(PlanClaim.validators.hasValue('free'))
  free(@Session() session: SessionContainer): string {
    return session.getUserId();
  }

  @Get('pro')
  @RequireClaims(PlanClaim.validators.hasValue('pro'))
  pro(): string {
    return 'never reached';
  }
}

@Module({
  imports: [
    SessionModule.forRootAsync({
      useFactory: () => ({
        appInfo: {
          appName: 'Consumer',
          apiDomain: 'http://localhost:3000',
          websiteDomain: 'http://localhost:3000',
        },
        claims: [PlanClaim],
      }),
    }),
  ],
  controllers: [PlanController],
})
class AppModule {}

async function bootstrap(): Promise<void> {
  const app = await NestFactory.create(AppModule);
  await app.listen(process.env['PORT'] ?? 3000);
}
void bootstrap();
