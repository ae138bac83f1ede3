import { Module } from '@nestjs/common';
import { SessionCoreConfigurableModule } from './session-core.module-definition.js';
import { SESSION_CORE_PROVIDERS } from './session-core.providers.js';

/**
 * Serves a core over HTTP in a SuperTokens Core's place (CDI 5.0 to 5.4), for services in other languages, other SDKs
 * and other instances. It belongs into an application of its own, or below a base path of its own: it answers before
 * the application's middleware, guards and filters.
 *
 * @example
 * SessionCoreModule.forRoot({ apiKeys: [process.env['API_KEY']!] }) // app.listen(3567, '127.0.0.1')
 * @publicApi
 */
@Module({ providers: SESSION_CORE_PROVIDERS })
export class SessionCoreModule extends SessionCoreConfigurableModule {}
