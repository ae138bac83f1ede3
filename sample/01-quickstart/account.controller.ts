import { Controller, Get, HttpCode, Post, UseGuards } from '@nestjs/common';
import {
  RequireClaims,
  Session,
  SessionContainer,
  SessionGuard,
  VerifySession,
  type JsonObject,
} from 'nest-sessions';
import { IsAdminClaim } from './is-admin.claim.js';
import { admins } from './users.js';

/** What a signed-in user can do. The guard lets nobody else in. */
@Controller('demo')
@UseGuards(SessionGuard)
export class AccountController {
  /** Asks the database too, so that a session which was ended elsewhere is noticed at once. */
  @Get('me')
  @VerifySession({ checkDatabase: true })
  async me(@Session() session: SessionContainer): Promise<JsonObject> {
    return {
      userId: session.getUserId(),
      sessionHandle: session.getHandle(),
      accessTokenPayload: session.getAccessTokenPayload(),
      sessionDataInDatabase: await session.getSessionDataFromDatabase(),
    };
  }

  /** The ordinary case: the access token is verified in memory, nothing is asked. */
  @Get('guarded')
  guarded(@Session('userId') userId: string): JsonObject {
    return { message: `hello ${userId}` };
  }

  /** For admins. Anybody else gets a 403 that names the claim. */
  @Get('admin')
  @RequireClaims(IsAdminClaim.validators.isTrue())
  admin(): JsonObject {
    return { message: 'the admins keep the biscuits in the second drawer' };
  }

  /** A role changes in the application's table first; then the session fetches it, and the browser gets a new token. */
  @Post('become-admin')
  @HttpCode(200)
  async becomeAdmin(@Session() session: SessionContainer): Promise<JsonObject> {
    admins.add(session.getUserId());
    await session.fetchAndSetClaim(IsAdminClaim);
    return { isAdmin: true };
  }

  @Post('step-down')
  @HttpCode(200)
  async stepDown(@Session() session: SessionContainer): Promise<JsonObject> {
    admins.delete(session.getUserId());
    await session.fetchAndSetClaim(IsAdminClaim);
    return { isAdmin: false };
  }
}
