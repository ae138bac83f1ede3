import { Module, type DynamicModule, type NestApplicationOptions } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { embeddedCore, SessionModule } from 'nest-sessions';
import { AccountController } from './account.controller.js';
import { ChatGateway } from './chat.gateway.js';
import { PageController } from './page.controller.js';
import type { Settings } from './settings.js';

@Module({})
class AppModule {
  static for({ origin, accessTokenSeconds }: Settings): DynamicModule {
    return {
      module: AppModule,
      imports: [
        SessionModule.forRoot({
          appInfo: { appName: 'Chat', apiDomain: origin, websiteDomain: origin },
          core: embeddedCore({ accessTokenValiditySec: accessTokenSeconds, accessTokenValidityJitter: 0 }),
        }),
      ],
      controllers: [PageController, AccountController],
      providers: [ChatGateway],
    };
  }
}

/** Starts the sample. */
export async function startChat(settings: Settings): Promise<{ close(): Promise<void> }> {
  const options: NestApplicationOptions = { logger: ['warn', 'error', 'fatal'] };
  const module = AppModule.for(settings);
  const app =
    settings.adapter === 'fastify'
      ? await NestFactory.create(module, new FastifyAdapter(), options)
      : await NestFactory.create(module, options);
  app.enableShutdownHooks();
  // Loopback only, because users sign in without a password.
  await app.listen(settings.port, '127.0.0.1');
  return app;
}
