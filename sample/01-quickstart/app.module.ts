import { Module } from '@nestjs/common';
import { SessionModule, embeddedCore } from 'nest-sessions';
import { AccountController } from './account.controller.js';
import { CookieTheftController } from './cookie-theft.controller.js';
import { CookieThief } from './cookie-thief.js';
import { EventsController } from './events.controller.js';
import { EventLog } from './event-log.js';
import { IsAdminClaim } from './is-admin.claim.js';
import { PageController } from './page.controller.js';
import { SessionsController } from './sessions.controller.js';
import { accessTokenSeconds, boundCookieSeconds, origin, tls } from './settings.js';
import { SignInController } from './sign-in.controller.js';
import { TheftController } from './theft.controller.js';
import { Thief } from './thief.js';

/** The whole application: one module brings the sessions, the rest is the demo. */
@Module({
  imports: [
    SessionModule.forRoot({
      appInfo: { appName: 'Quickstart', apiDomain: origin, websiteDomain: origin },
      core: embeddedCore({ accessTokenValiditySec: accessTokenSeconds, accessTokenValidityJitter: 0 }),
      antiCsrf: 'VIA_TOKEN',
      claims: [IsAdminClaim],
      // Browsers bind sessions with https only.
      deviceBound: tls !== undefined && { dbsc: { cookieLifeSec: boundCookieSeconds } },
    }),
  ],
  controllers: [
    PageController,
    SignInController,
    AccountController,
    SessionsController,
    TheftController,
    ...(tls === undefined ? [] : [CookieTheftController]),
    EventsController,
  ],
  providers: [EventLog, Thief, CookieThief],
})
export class AppModule {}
