import { Controller, Get, Module } from '@nestjs/common';
import { HealthCheck, HealthCheckService, TerminusModule, type HealthCheckResult } from '@nestjs/terminus';
import { PublicAccess } from 'nest-sessions';
import { SessionHealthIndicator } from 'nest-sessions/integrations';

@Controller('health')
@PublicAccess()
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly sessions: SessionHealthIndicator,
  ) {}

  @Get('ready')
  @HealthCheck()
  async ready(): Promise<HealthCheckResult> {
    return this.health.check([async () => this.sessions.isHealthy('sessions')]);
  }
}

@Module({
  imports: [TerminusModule],
  controllers: [HealthController],
  providers: [SessionHealthIndicator],
})
export class HealthModule {}
