import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Module, VersioningType, type INestApplication } from '@nestjs/common';
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

/** Express itself says that this one is mounted at `/api/`. */
const subApplicationWithSlash: Mount = async (place, warned) => {
  const [outer, inner] = [express(), express()];
  const app = await createApp(new ExpressAdapter(inner), place, warned);
  await app.init();
  outer.use('/api/', inner);
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

/** Middleware of the outer application, before the one of Nest. */
const strippingInFront: Mount = async (place, warned) => {
  const [outer, inner] = [express(), express()];
  const app = await createApp(new ExpressAdapter(inner), place, warned);
  await app.init();
  outer.use((req, _res, next) => {
    req.url = strip(req.url);
    next();
  });
  outer.use(inner);
  return { app, port: await listen(createServer(outer)) };
};

/** A server that leaves no trace of the prefix. */
const strippingServer =
  (adapter: () => ExpressAdapter | FastifyAdapter): Mount =>
  async (place, warned) => {
    const app = await createApp(adapter(), place, warned);
    await app.init();
    const instance = app.getHttpAdapter().getInstance() as {
      ready?(): Promise<void>;
      routing?(req: object, res: object): void;
    };
    await instance.ready?.();
    const handle = (instance.routing ?? instance) as (req: object, res: object) => void;
    const server = createServer((req, res) => {
      req.url = strip(req.url ?? '');
      handle(req, res);
    });
    return { app, port: await listen(server) };
  };

/** The application has a prefix of its own for its controllers. */
const subApplicationWithPrefix: Mount = async (place, warned) => {
  const [outer, inner] = [express(), express()];
  const app = await createApp(new ExpressAdapter(inner), place, warned);
  app.setGlobalPrefix('v1', { exclude: ['login'] });
  await app.init();
  outer.use('/api', inner);
  return { app, port: await listen(createServer(outer)) };
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

/** Its clients expect our routes below the prefix of its controllers. */
const prefixed =
  (adapter: () => ExpressAdapter | FastifyAdapter): Mount =>
  async (place, warned) => {
    const app = await createApp(adapter(), place, warned);
    app.setGlobalPrefix('api');
    return listenItself(app);
  };

function strictExpress(): ExpressAdapter {
  const application = express();
  application.enable('case sensitive routing');
  application.enable('strict routing');
  return new ExpressAdapter(application);
}

const onExpress = (): ExpressAdapter => new ExpressAdapter();
const onFastify = (): FastifyAdapter => new FastifyAdapter();
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
    ['an Express application at a path with a slash, by apiGatewayPath', subApplicationWithSlash, gateway],
    ['an Express application at a path with a slash, by apiBasePath', subApplicationWithSlash, fullPath],
    ['middleware that strips a prefix, by apiGatewayPath', strippingMiddleware, gateway],
    ['middleware that strips a prefix, by apiBasePath', strippingMiddleware, fullPath],
    ['middleware in front that strips a prefix, by apiGatewayPath', strippingInFront, gateway],
    ['middleware in front that strips a prefix, by apiBasePath', strippingInFront, fullPath],
    ['a server in front of Express that strips a prefix', strippingServer(onExpress), gateway],
    ['a server in front of Fastify that strips a prefix', strippingServer(onFastify), gateway],
    ['a mounted application with a global prefix, by apiGatewayPath', subApplicationWithPrefix, gateway],
    ['a mounted application with a global prefix, by apiBasePath', subApplicationWithPrefix, fullPath],
    ['rewriteUrl of Fastify, by apiGatewayPath', rewriteUrl, gateway],
    ['rewriteUrl of Fastify, by apiBasePath', rewriteUrl, fullPath],
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

  it('take every body behind rewriteUrl, too (B2)', async () => {
    const { app, port } = await rewriteUrl(fullPath, []);
    const http = new HttpClient(port);
    closeAfterTest(async () => http.close());
    const client = new SessionClient(http, 'cookie', '/api/auth');
    const sessions = testSessions(app, { useConfiguredCoreDangerously: true });
    for (const type of ['application/json', 'application/xml', 'multipart/form-data', 'nonsense']) {
      client.take(await sessions.createTestSession());
      const path = '/api/auth/session/refresh';
      const headers = { ...client.requestHeaders(path), 'content-type': type };
      const response = await fetch(`http://127.0.0.1:${port}${path}`, { method: 'POST', headers, body: '{' });
      expect([type, response.status]).toEqual([type, 200]);
    }
    const unknown = await fetch(`http://127.0.0.1:${port}/api/unknown`, { method: 'POST' });
    expect([unknown.status, await unknown.json()]).toMatchObject([
      404,
      { message: expect.stringContaining('Cannot POST') },
    ]);
  });

  it.each([
    [
      'a server in front of Express strips a prefix',
      strippingServer(onExpress),
      fullPath,
      "takes /api off: set appInfo.apiBasePath: '/auth' and appInfo.apiGatewayPath: '/api'",
    ],
    [
      'a server in front of Fastify strips a prefix',
      strippingServer(onFastify),
      fullPath,
      "takes /api off: set appInfo.apiBasePath: '/auth' and appInfo.apiGatewayPath: '/api'",
    ],
    ['Express has a global prefix', prefixed(onExpress), {}, "set appInfo.apiBasePath: '/api/auth'"],
    ['Fastify has a global prefix', prefixed(onFastify), {}, "set appInfo.apiBasePath: '/api/auth'"],
  ])('say at the first 404 which option to set: %s', async (_case, mount, place, advice) => {
    const warned: string[] = [];
    const { port } = await mount(place, warned);
    const http = new HttpClient(port);
    closeAfterTest(async () => http.close());
    for (const _each of [1, 2])
      expect((await http.send({ method: 'POST', path: '/api/auth/session/refresh' })).status).toBe(404);
    expect((await http.send({ method: 'POST', path: '/api/elsewhere' })).status).toBe(404);
    expect([...warned, ...warnings.take()]).toEqual([expect.stringContaining(advice)]);
  });

  it.each([
    ['Express', onExpress],
    ['Express that tells letter cases apart', (): ExpressAdapter => strictExpress()],
    ['Fastify', onFastify],
    [
      'Fastify without letter cases and trailing slashes',
      (): FastifyAdapter =>
        new FastifyAdapter({ routerOptions: { caseSensitive: false, ignoreTrailingSlash: true } }),
    ],
  ])(
    'are where apiBasePath says on %s, whatever prefixes and versions the controllers have',
    async (_case, adapter) => {
      const app = await createApp(adapter(), { apiBasePath: '/api/auth' }, []);
      app.setGlobalPrefix('api', { exclude: ['login'] });
      app.enableVersioning({ type: VersioningType.URI, defaultVersion: '1' });
      const { port } = await listenItself(app);
      const http = new HttpClient(port);
      closeAfterTest(async () => http.close());
      const client = new SessionClient(http, 'cookie', '/api/auth');
      const sessions = testSessions(app, { useConfiguredCoreDangerously: true });
      for (const slash of ['', '/']) {
        client.take(await sessions.createTestSession());
        for (const [method, path] of ROUTES)
          expect([path, (await client.send({ method, path: path + slash })).status]).toEqual([path, 200]);
      }
      expect((await http.send({ path: '/api/v1/me' })).status).toBe(401);
      expect(warnings.take()).toEqual([]);
      expect((await http.send({ path: '/API/auth/jwt/jwks.json' })).status).toBe(404);
    },
  );

  it.each([
    ['when it is mounted', subApplication],
    ['when it is mounted at a path with a slash', subApplicationWithSlash],
    ['at the start', registeredWithPrefix],
    ['at the first request', strippingInFront],
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
