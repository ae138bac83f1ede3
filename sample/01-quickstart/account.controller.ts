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

/** The routes of a signed-in user. The guard refuses requests without a session. */
@Controller('demo')
@UseGuards(SessionGuard)
export class AccountController {
  /** Checks the database too, so that a session that another device revoked is refused at once. */
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

  /** The ordinary case: the access token is verified in memory, without the database. */
  @Get('guarded')
  guarded(@Session('userId') userId: string): JsonObject {
    return { message: `hello ${userId}` };
  }

  /** For admins. Other users get a 403 that names the claim. */
  @Get('admin')
  @RequireClaims(IsAdminClaim.validators.isTrue())
  admin(): JsonObject {
    return { message: 'the admins keep the biscuits in the second drawer' };
  }

  /** Changes the role in the application's table, then fetches it into the session; the browser gets a new token. */
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
