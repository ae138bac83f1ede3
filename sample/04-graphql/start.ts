import { ApolloDriver, type ApolloDriverConfig } from '@nestjs/apollo';
import { Module, type DynamicModule, type NestApplicationOptions } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { GraphQLModule } from '@nestjs/graphql';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { SessionModule } from 'nest-sessions';
import { NotesResolver } from './notes.resolver.js';
import { Notes } from './notes.js';
import type { Settings } from './settings.js';

@Module({})
class AppModule {
  static for({ origin }: Settings): DynamicModule {
    return {
      module: AppModule,
      imports: [
        SessionModule.forRoot({ appInfo: { appName: 'Notes', apiDomain: origin, websiteDomain: origin } }),
        GraphQLModule.forRoot<ApolloDriverConfig>({
          driver: ApolloDriver,
          autoSchemaFile: true,
          subscriptions: { 'graphql-ws': true },
          // Responds with 401 without a session; the browser client then refreshes automatically.
          preserveHttpStatusForExecutionErrors: false,
          context: contextOf,
        }),
      ],
      providers: [Notes, NotesResolver],
    };
  }
}

/** Express passes one object with both, Fastify passes two arguments; a subscription has a connection instead. */
function contextOf(first: { req?: unknown; res?: unknown }, reply: unknown): object {
  return 'connectionParams' in first ? { req: first } : { req: first.req ?? first, res: first.res ?? reply };
}

/** Starts the sample. */
export async function startGraphql(settings: Settings): Promise<{ close(): Promise<void> }> {
  const options: NestApplicationOptions = { logger: ['warn', 'error', 'fatal'] };
  const module = AppModule.for(settings);
  const app =
    settings.adapter === 'fastify'
      ? await NestFactory.create(module, new FastifyAdapter(), options)
      : await NestFactory.create(module, options);
  app.enableShutdownHooks();
  // Loopback only, because users sign in without a password.
  await app.listen(settings.port, 'localhost');
  return app;
}
