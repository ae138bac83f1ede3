import { Injectable, Module } from '@nestjs/common';
import { Cron, CronExpression, ScheduleModule } from '@nestjs/schedule';
import { SessionService } from 'nest-sessions';

const DAY_MS = 24 * 60 * 60 * 1000;

@Injectable()
export class NightlyTasks {
  constructor(private readonly sessions: SessionService) {}

  /** Everybody signs in again after 30 days. `reason` and `initiator` are in the events. */
  @Cron(CronExpression.EVERY_DAY_AT_3AM, { name: 'old-sessions' })
  async endOldSessions(): Promise<void> {
    const createdBefore = new Date(Date.now() - 30 * DAY_MS);
    await this.sessions.revokeSessions({ createdBefore, reason: 'too old', initiator: 'nightly' });
  }
}

@Module({ imports: [ScheduleModule.forRoot()], providers: [NightlyTasks] })
export class TasksModule {}
