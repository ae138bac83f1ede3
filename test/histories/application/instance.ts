// An instance of a Nest application, as a process: its settings come as JSON in the first argument, and it prints its port.
import 'reflect-metadata';
import { argv, exit, stdout } from 'node:process';
import { Module } from '@nestjs/common';
import { NestFactory, type AbstractHttpAdapter } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Clock, embeddedCore, SessionModule } from 'nest-sessions';
import { AccountController } from './account.controller.js';
import { openStore } from './open-store.js';
import type { InstanceSettings } from './settings.js';
import { SteppedClock } from './stepped-clock.js';

const settings = JSON.parse(argv[2] ?? '') as InstanceSettings;
const store = await openStore(settings);

@Module({})
class InstanceModule {}

const clock = new SteppedClock(settings.epochMs, settings.offsetMs);
const sessions = SessionModule.forRoot({
  appInfo: { appName: 'Histories', apiDomain: 'http://127.0.0.1', websiteDomain: 'http://127.0.0.1' },
  core: embeddedCore({
    store,
    accessTokenValiditySec: settings.accessValiditySec,
    refreshTokenValiditySec: settings.refreshValiditySec,
    accessTokenValidityJitter: 0,
    signingAlgorithm: settings.signingAlgorithm,
  }),
  antiCsrf: settings.antiCsrf,
  lifetime: {},
  revocationFeed: { pollMs: settings.pollMs },
});
const adapter: AbstractHttpAdapter =
  settings.framework === 'express' ? new ExpressAdapter() : new FastifyAdapter();
const app = await NestFactory.create(
  {
    module: InstanceModule,
    imports: [sessions],
    controllers: [AccountController],
    providers: [{ provide: SteppedClock, useValue: clock }],
  },
  adapter,
  { logger: ['error', 'fatal'], abortOnError: false },
);
// Before the start of the module, so that it never sees the system's clock.
app.get(Clock, { strict: false }).now = () => clock.now();
app.enableShutdownHooks();
await app.listen(0, '127.0.0.1');
stdout.write(`${new URL(await app.getUrl()).port}\n`);
// The process that started this one has ended.
process.stdin.on('end', () => exit(0)).resume();
