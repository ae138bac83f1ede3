import { ConflictException, Controller, HttpCode, Post, UseGuards } from '@nestjs/common';
import {
  Session,
  SessionGuard,
  SessionService,
  TokenTheftDetectedError,
  VerifySession,
  type JsonObject,
} from 'nest-sessions';
import { Thief } from './thief.js';

/** DEMO ONLY: plays the thief, who replays a refresh token that he copied from the browser. */
@Controller('demo')
@UseGuards(SessionGuard)
export class TheftController {
  constructor(
    private readonly sessions: SessionService,
    private readonly thief: Thief,
  ) {}

  /**
   * Only ever robs the session that asks for it. 409 as long as the browser has not refreshed: until then the copied
   * token is still the real one.
   */
  @Post('steal')
  @HttpCode(200)
  @VerifySession({ checkDatabase: true })
  async steal(@Session('sessionHandle') sessionHandle: string): Promise<JsonObject> {
    const refreshToken = this.thief.retiredToken(sessionHandle);
    if (refreshToken === undefined) throw new ConflictException('refresh once, then there is an old token');
    try {
      // A thief sends tokens by header, where there is no anti-CSRF.
      await this.sessions.refreshSessionWithoutRequestResponse({ refreshToken, disableAntiCsrf: true });
      return { thief: 'got in' };
    } catch (error) {
      if (!(error instanceof TokenTheftDetectedError)) throw error;
      // The refresh route does this by itself.
      await this.sessions.revokeSession(error.sessionHandle);
      return { thief: 'thrown out', why: error.message };
    }
  }
}
