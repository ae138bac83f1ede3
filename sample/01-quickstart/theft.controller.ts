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

/** DEMO ONLY: replays a refresh token as a thief would who copied it from the browser. */
@Controller('demo')
@UseGuards(SessionGuard)
export class TheftController {
  constructor(
    private readonly sessions: SessionService,
    private readonly thief: Thief,
  ) {}

  /**
   * Steals the caller's own session only. Responds with 409 until the browser has refreshed, because until then the copied
   * token is the current one. This call is the first use of the new tokens, after which the copy counts as theft.
   */
  @Post('steal')
  @HttpCode(200)
  @VerifySession({ checkDatabase: true })
  async steal(@Session('sessionHandle') sessionHandle: string): Promise<JsonObject> {
    const refreshToken = this.thief.retiredToken(sessionHandle);
    if (refreshToken === undefined) throw new ConflictException('refresh once, then there is an old token');
    try {
      // A thief sends tokens in headers, which need no anti-CSRF.
      await this.sessions.refreshSessionWithoutRequestResponse({ refreshToken, disableAntiCsrf: true });
      return { thief: 'got in', status: 200 };
    } catch (error) {
      if (!(error instanceof TokenTheftDetectedError)) throw error;
      // The refresh route does this automatically, and responds with 401.
      await this.sessions.revokeSession(error.sessionHandle);
      return { thief: 'thrown out', why: error.message, status: 401 };
    }
  }
}
