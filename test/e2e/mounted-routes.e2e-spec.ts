import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Module, type INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { testSessions } from 'nest-sessions/testing';
import express from 'express';
import { fastify } from 'fastify';
import { closeAfterTest } from '../support/close-after-test.js';
import { DemoController, HANDLERS } from '../support/demo.controller.js';
import { HttpClient } from '../support/http-client.js';
import { ProcessWarnings } from '../support/process-warnings.js';
import { SessionClient } from '../support/session-client.js';
import { sessionModule, SHOP } from '../support/test-application.js';

interface Place {
  readonly apiBasePath?: string;
  readonly apiGatewayPath?: string;
}
/** Starts an application whose clients find it below `/api`; returns the server that listens. */
type Mount = (place: Place, warned: string[]) => Promise<{ app: INestApplication; port: number }>;

async function createApp(
  adapter: ExpressAdapter | FastifyAdapter,
  place: Place,
  warned: string[],
): Promise<INestApplication> {
  @Module({
    imports: [await sessionModule({ options: { appInfo: { ...SHOP, ...place } } })],
    controllers: [DemoController],
    providers: [{ provide: HANDLERS, useValue: {} }],
  })
  class App {}
  const note = (message: unknown): void => void warned.push(String(message));
  const logger = { log: () => {}, error: () => {}, warn: note };
  const app = await NestFactory.create(App, adapter, { logger });
  closeAfterTest(() => app.close());
  return app;
}

async function listen(server: Server): Promise<number> {
  closeAfterTest(async () => void server.close());
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

async function listenItself(app: INestApplication): Promise<{ app: INestApplication; port: number }> {
  await app.listen(0, '127.0.0.1');
  return { app, port: (app.getHttpServer() as { address(): { port: number } }).address().port };
}

const strip = (url: string): string => url.replace(/^\/api(?=\/)/, '');

const subApplication: Mount = async (place, warned) => {
  const [outer, inner] = [express(), express()];
  const app = await createApp(new ExpressAdapter(inner), place, warned);
  await app.init();
  outer.use('/api', inner);
  return { app, port: await listen(createServer(outer)) };
};

const strippingMiddleware: Mount = async (place, warned) => {
  const app = await createApp(new ExpressAdapter(), place, warned);
  app.use((req: { url: string }, _res: unknown, next: () => void) => {
    req.url = strip(req.url);
    next();
  });
  return listenItself(app);
};

const rewriteUrl: Mount = async (place, warned) => {
  const adapter = new FastifyAdapter({ rewriteUrl: ({ url = '' }) => strip(url) });
  return listenItself(await createApp(adapter, place, warned));
};

const registeredWithPrefix: Mount = async (place, warned) => {
  const root = fastify();
  closeAfterTest(() => root.close());
  let app: INestApplication | undefined;
  root.register(
    async (child) => {
      app = await createApp(new FastifyAdapter(child as never), place, warned);
      await app.init();
    },
    { prefix: '/api' },
  );
  await root.listen({ port: 0, host: '127.0.0.1' });
  return { app: app!, port: (root.server.address() as AddressInfo).port };
};

const gateway = { apiGatewayPath: '/api' };
const fullPath = { apiBasePath: '/api/auth' };
const ROUTES = [
  ['POST', '/api/auth/session/refresh'],
  ['GET', '/api/auth/jwt/jwks.json'],
  ['POST', '/api/auth/signout'],
] as const;

describe('the routes of the module below a path that never reaches them', () => {
  let warnings: ProcessWarnings;
  beforeEach(() => void (warnings = new ProcessWarnings()));
  afterEach(() => warnings.restore());

  it.each([
    ['an Express application in another one, by apiGatewayPath', subApplication, gateway],
    ['an Express application in another one, by apiBasePath', subApplication, fullPath],
    ['middleware that strips a prefix, by apiGatewayPath', strippingMiddleware, gateway],
    ['middleware that strips a prefix, by apiBasePath', strippingMiddleware, fullPath],
    ['rewriteUrl of Fastify, by apiGatewayPath', rewriteUrl, gateway],
    ['a plugin of Fastify with a prefix, by apiGatewayPath', registeredWithPrefix, gateway],
    ['a plugin of Fastify with a prefix, by apiBasePath', registeredWithPrefix, fullPath],
  ])('are found with cookies that reach them: %s', async (_case, mount, place) => {
    const warned: string[] = [];
    const { app, port } = await mount(place, warned);
    const http = new HttpClient(port);
    closeAfterTest(async () => http.close());
    const client = new SessionClient(http, 'cookie', '/api/auth');
    client.take(await testSessions(app, { useConfiguredCoreDangerously: true }).createTestSession());
    for (const [method, path] of ROUTES) {
      expect([path, (await client.send({ method, path })).status]).toEqual([path, 200]);
    }
    expect([...warned, ...warnings.take()]).toEqual([]);
    for (const path of ['/api/auth/Signout', '/api/auth//signout', '/api/auth/sign%6fut']) {
      expect((await client.post(path)).status).toBe(404);
    }
  });

  it.each([
    ['when it is mounted', subApplication],
    ['at the start', registeredWithPrefix],
    ['at the first request', strippingMiddleware],
    ['at the first request', rewriteUrl],
  ])('name the option that is missing %s', async (_case, mount) => {
    const warned: string[] = [];
    const { port } = await mount({}, warned);
    const http = new HttpClient(port);
    closeAfterTest(async () => http.close());
    expect((await http.send({ method: 'POST', path: '/api/auth/session/refresh' })).status).toBe(401);
    expect([...warned, ...warnings.take()].join('\n')).toContain("Set appInfo.apiGatewayPath: '/api'");
  });
});
