import type { NestApplicationOptions } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { AppModule } from './app.module.js';
import { adapter, origin, port, tls } from './settings.js';

const options: NestApplicationOptions = { logger: ['warn', 'error', 'fatal'] };

const app =
  adapter === 'fastify'
    ? await NestFactory.create(AppModule, new FastifyAdapter(tls && { https: tls }), options)
    : await NestFactory.create(AppModule, tls ? { ...options, httpsOptions: tls } : options);

app.enableShutdownHooks();
// Loopback only, because the page signs users in without a password.
await app.listen(port, 'localhost');
console.log(`nest-sessions sample: ${origin}`);
