import 'reflect-metadata';
import { Controller, Get, Module, UseGuards } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';

/**
 * A Nest application with one route. A file of a subject exports `serve` (see server-process.mjs), which gets
 *
 * @typedef {object} HttpOptions
 * @property {'express' | 'fastify'} adapter
 * @property {import('./browser-requests.mjs').TransferMethod} by how access tokens come
 * @property {import('node:crypto').JsonWebKey} jwk the public key of all tokens
 * @property {string} coreUrl a core that knows nothing but this key
 */

/** The application of a subject: `GET /` returns `{ userId }`. */
export async function serveApp(
  { adapter },
  { guard, param, handler, imports = [], providers = [], prepare = () => {} },
) {
  class AppController {
    read(found) {
      return handler(found);
    }
  }
  Controller()(AppController);
  Get()(AppController.prototype, 'read', Object.getOwnPropertyDescriptor(AppController.prototype, 'read'));
  if (guard !== undefined) UseGuards(guard)(AppController);
  if (param !== undefined) param(AppController.prototype, 'read', 0);
  class AppModule {}
  Module({ imports, providers, controllers: [AppController] })(AppModule);
  const app = await NestFactory.create(AppModule, await adapterOf(adapter), { logger: false });
  prepare(app);
  await app.listen(0, '127.0.0.1');
  return { port: app.getHttpServer().address().port, close: () => app.close() };
}

export async function adapterOf(name) {
  if (name === 'fastify') {
    const { FastifyAdapter } = await import('@nestjs/platform-fastify');
    return new FastifyAdapter();
  }
  const { ExpressAdapter } = await import('@nestjs/platform-express');
  return new ExpressAdapter();
}
