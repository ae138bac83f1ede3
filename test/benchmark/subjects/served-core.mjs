// An embedded core in memory, served over HTTP as a SuperTokens Core would be.
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { SessionCoreModule } from 'nest-sessions/core';

export async function serve() {
  class CoreModule {}
  Module({ imports: [SessionCoreModule.forRoot({})] })(CoreModule);
  const app = await NestFactory.create(CoreModule, new FastifyAdapter(), { logger: false });
  await app.listen(0, '127.0.0.1');
  return { port: app.getHttpServer().address().port, close: () => app.close() };
}
