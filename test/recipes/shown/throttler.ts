import { Injectable, Module } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { ThrottlerGuard, ThrottlerModule } from '@nestjs/throttler';
import { SessionGuard, sessionOf } from 'nest-sessions';

/** Counts by user where there is a session, and by address where there is none. */
@Injectable()
export class UserThrottlerGuard extends ThrottlerGuard {
  protected override async getTracker(request: Record<string, unknown>): Promise<string> {
    const userId = sessionOf(request)?.getUserId();
    return userId === undefined ? `ip ${String(request['ip'])}` : `user ${userId}`;
  }
}

@Module({
  imports: [ThrottlerModule.forRoot([{ ttl: 60_000, limit: 100 }])],
  providers: [
    // Nest runs global guards in this order: the throttler has to come second, or there is no session yet.
    { provide: APP_GUARD, useClass: SessionGuard },
    { provide: APP_GUARD, useClass: UserThrottlerGuard },
  ],
})
export class LimitsModule {}
