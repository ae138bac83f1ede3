import { readdirSync } from 'node:fs';
import { Body, Controller, Get, HttpCode, Post, Req, Res, UseGuards } from '@nestjs/common';
import { Session, SessionContainer, SessionGuard, SessionService, VerifySession } from 'nest-sessions';
import { SteppedClock } from './stepped-clock.js';
import type { AdministratorOrder, Usage } from './settings.js';

interface SignIn {
  readonly userId: string;
  readonly tenantId: string;
  /** The life of the session at most, seconds. */
  readonly absoluteSec?: number;
}

/** The routes that the histories and the load use: one for each thing that can be done with a session. */
@Controller()
export class AccountController {
  constructor(
    private readonly sessions: SessionService,
    private readonly clock: SteppedClock,
  ) {}

  @Post('sign-in')
  async signIn(
    @Req() req: unknown,
    @Res({ passthrough: true }) res: unknown,
    @Body() { userId, tenantId, absoluteSec }: SignIn,
  ): Promise<object> {
    const session = await this.sessions.createNewSession(req, res, {
      userId,
      tenantId,
      ...(absoluteSec === undefined ? {} : { lifetime: { absoluteSec } }),
    });
    return { sessionHandle: session.getHandle() };
  }

  @Get('guarded')
  @UseGuards(SessionGuard)
  guarded(@Session('userId') userId: string): object {
    return { userId };
  }

  @Get('checked')
  @UseGuards(SessionGuard)
  @VerifySession({ checkDatabase: true })
  checked(@Session('userId') userId: string): object {
    return { userId };
  }

  @Post('claim-by-token')
  @HttpCode(200)
  @UseGuards(SessionGuard)
  async claimByToken(@Session() session: SessionContainer, @Body('name') name: string): Promise<object> {
    await session.mergeIntoAccessTokenPayload({ [name]: 1 });
    return {};
  }

  @Post('administrator')
  @HttpCode(200)
  async obey(@Body() order: AdministratorOrder): Promise<object> {
    switch (order.kind) {
      case 'merge': {
        const { sessionHandle, name } = order;
        return { done: await this.sessions.mergeSessionDataInDatabase(sessionHandle, { [name]: 1 }) };
      }
      case 'claim': {
        const { sessionHandle, name } = order;
        return { done: await this.sessions.mergeIntoAccessTokenPayload(sessionHandle, { [name]: 1 }) };
      }
      case 'read': {
        const found = await this.sessions.getSessionInformation(order.sessionHandle);
        if (found === undefined) return { done: false };
        const { sessionDataInDatabase, customClaimsInAccessTokenPayload } = found;
        return { done: true, data: sessionDataInDatabase, payload: customClaimsInAccessTokenPayload };
      }
      case 'revoke':
        return { done: await this.sessions.revokeSession(order.sessionHandle) };
      case 'revoke-user': {
        const { userId, tenantId } = order;
        return { handles: await this.sessions.revokeAllSessionsForUser({ userId, tenantId }) };
      }
      case 'revoke-all':
        await this.sessions.revokeSessions({ tenantId: order.tenantId });
        return {};
    }
  }

  /** Sets this instance's clock ahead or back. */
  @Post('clock')
  @HttpCode(204)
  step(@Body('offsetMs') offsetMs: number): void {
    this.clock.offsetMs = offsetMs;
  }

  @Get('usage')
  usage(): Usage {
    globalThis.gc?.();
    const { heapUsed, rss } = process.memoryUsage();
    return {
      heapBytes: heapUsed,
      residentBytes: rss,
      handles: process.getActiveResourcesInfo().length,
      fileDescriptors: readdirSync('/proc/self/fd').length,
    };
  }
}
