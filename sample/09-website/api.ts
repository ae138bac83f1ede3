import { Module, type DynamicModule } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { embeddedCore, sessionCorsOptions, SessionModule } from 'nest-sessions';
import { AccountController, HasPaidClaim } from './account.controller.js';
import type { Settings } from './settings.js';

@Module({})
class AppModule {
  static for({ apiDomain, websiteDomain, accessTokenSeconds }: Settings): DynamicModule {
    return {
      module: AppModule,
      imports: [
        SessionModule.forRoot({
          appInfo: { appName: 'Website', apiDomain, websiteDomain },
          core: embeddedCore({ accessTokenValiditySec: accessTokenSeconds, accessTokenValidityJitter: 0 }),
          claims: [HasPaidClaim],
        }),
      ],
      controllers: [AccountController],
    };
  }
}

/** Starts the API, which allows the website's origin. */
export async function startApi(settings: Settings): Promise<{ close(): Promise<void> }> {
  const app = await NestFactory.create(AppModule.for(settings), { logger: ['warn', 'error', 'fatal'] });
  app.enableCors(sessionCorsOptions({ origins: [settings.websiteDomain] }));
  app.enableShutdownHooks();
  // Loopback only, because users sign in without a password.
  await app.listen(settings.apiPort, 'localhost');
  return app;
}
