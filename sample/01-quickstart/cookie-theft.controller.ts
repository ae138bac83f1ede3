import { Controller, Get, Headers, NotFoundException, Post, UseGuards } from '@nestjs/common';
import { Session, SessionContainer, SessionGuard, VerifySession, type JsonObject } from 'nest-sessions';
import { CookieThief, type UseOfCopy } from './cookie-thief.js';
import { boundCookieSeconds } from './settings.js';

/** DEMO ONLY: plays malware that copied every cookie which the browser sends. It steals the caller's own session only. */
@Controller('demo/copied-cookies')
@UseGuards(SessionGuard)
@VerifySession({ checkDatabase: true })
export class CookieTheftController {
  constructor(private readonly thief: CookieThief) {}

  /** Copies the cookies of this request: the access token, and the bound cookie if the browser binds sessions. */
  @Post()
  copy(@Session() session: SessionContainer, @Headers('cookie') cookie = ''): JsonObject {
    this.thief.copy(session.getHandle(), cookie);
    return { isBound: 'cnf' in session.getAccessTokenPayload(), boundCookieSeconds };
  }

  /** Uses the copy once, from the server's side: without the browser, and without the key that it keeps. */
  @Get()
  async use(@Session('sessionHandle') sessionHandle: string): Promise<UseOfCopy> {
    const use = await this.thief.use(sessionHandle);
    if (use === undefined) throw new NotFoundException('copy the cookies first');
    return use;
  }
}
