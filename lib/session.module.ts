import { Module } from '@nestjs/common';
import { CoreClient } from './core/core-client.js';
import { SessionEvents } from './events/session-events.js';
import { SharedSessions } from './graphql/shared-sessions.js';
import { SessionExceptionFilter } from './session.filter.js';
import { SessionSockets } from './websocket/session-sockets.js';
import { SessionStreams } from './sse/session-streams.js';
import { SessionConfigurableModule } from './session.module-definition.js';
import { SessionGuard } from './session.guard.js';
import { SESSION_PROVIDERS } from './session.providers.js';
import { SessionService } from './session.service.js';
import { SESSION_RUNTIME } from './session.constants.js';
import { Clock } from './util/clock.js';

/**
 * Sessions for a Nest application: brings `SessionService`, `SessionGuard`, the routes below `apiBasePath` (refresh,
 * sign-out, keys, discovery) and the filter that answers session errors.
 *
 * @example
 * SessionModule.forRoot({ appInfo: { appName: 'Shop', apiDomain: 'http://localhost:3000', websiteDomain: 'http://localhost:3000' } })
 * @publicApi
 */
@Module({
  providers: SESSION_PROVIDERS,
  exports: [
    SessionService,
    SessionSockets,
    SessionStreams,
    SharedSessions,
    SessionGuard,
    SessionExceptionFilter,
    SessionEvents,
    CoreClient,
    Clock,
    SESSION_RUNTIME,
  ],
})
export class SessionModule extends SessionConfigurableModule {}
