import { Controller, Get, HttpCode, NotFoundException, Param, Post, UseGuards } from '@nestjs/common';
import {
  Session,
  SessionGuard,
  SessionService,
  VerifySession,
  type JsonObject,
  type SessionInformation,
} from 'nest-sessions';

/** Lists the sessions of the user, and ends one of them. */
@Controller('demo/sessions')
@UseGuards(SessionGuard)
@VerifySession({ checkDatabase: true })
export class SessionsController {
  constructor(private readonly sessions: SessionService) {}

  @Get()
  async list(
    @Session('userId') userId: string,
    @Session('sessionHandle') current: string,
  ): Promise<JsonObject[]> {
    const handles = await this.sessions.getAllSessionHandlesForUser({ userId });
    const found = await Promise.all(handles.map((handle) => this.sessions.getSessionInformation(handle)));
    return found
      .filter((session): session is SessionInformation => session !== undefined)
      .sort((a, b) => b.timeCreated - a.timeCreated)
      .map(({ sessionHandle, timeCreated, expiry, deviceBound, sessionDataInDatabase }) => ({
        sessionHandle,
        timeCreated,
        expiry,
        browser: sessionDataInDatabase['browser'] ?? 'unknown',
        isThisOne: sessionHandle === current,
        isBound: deviceBound !== undefined,
      }));
  }

  @Post(':handle/revoke')
  @HttpCode(200)
  async revoke(
    @Session('userId') userId: string,
    @Param('handle') sessionHandle: string,
  ): Promise<JsonObject> {
    const session = await this.sessions.getSessionInformation(sessionHandle);
    // A handle is no secret: check the owner, and respond with 404 for the sessions of others, too.
    if (session?.userId !== userId) throw new NotFoundException('no such session');
    return { wasRevoked: await this.sessions.revokeSession(sessionHandle) };
  }
}
