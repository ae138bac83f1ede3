// A Nest application with a sign-in and one route, which is guarded if the module is there. It is imported, started and
// asked once while the process reports what that took.
import { request } from 'node:http';

/** @param {{ adapter: 'express' | 'fastify', hasSessions: boolean, signingAlgorithm?: string, file?: string, providers?: number }} options */
export async function serve({ adapter, hasSessions, signingAlgorithm, file, providers = 0 }) {
  const cpuBefore = cpuMs();
  const began = performance.now();
  await import('reflect-metadata');
  const nest = await import('@nestjs/common');
  const { NestFactory } = await import('@nestjs/core');
  const AppModule = hasSessions
    ? await guardedModule(nest, { signingAlgorithm, file, providers })
    : moduleOf(nest, { login: () => ({}), me: () => ({}) }, { providers });
  const app = await NestFactory.create(AppModule, await adapterOf(adapter), { logger: false });
  await app.listen(0, '127.0.0.1');
  const { port } = app.getHttpServer().address();
  const login = await ask(port, 'POST', '/login', {});
  const token = login.headers['st-access-token'];
  const me = await ask(port, 'GET', '/me', token === undefined ? {} : { authorization: `Bearer ${token}` });
  if (me.statusCode !== 200) throw new Error(`The first request returned ${me.statusCode}`);
  const took = {
    cpuMs: cpuMs() - cpuBefore,
    wallMs: performance.now() - began,
    rss: process.memoryUsage().rss,
  };
  return { port, close: () => app.close(), answers: { took: () => took } };
}

function cpuMs() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

async function guardedModule(nest, { signingAlgorithm, file, providers }) {
  const sessions = await import('nest-sessions');
  const { embeddedCore, SessionGuard, SessionModule, SessionService, sqliteStore } = sessions;
  const appInfo = { appName: 'b', apiDomain: 'http://localhost:1', websiteDomain: 'http://localhost:1' };
  const core = embeddedCore({
    ...(signingAlgorithm === undefined ? {} : { signingAlgorithm }),
    ...(file === undefined ? {} : { store: sqliteStore(file) }),
  });
  const handlers = {
    async login(req, res) {
      await this.service.createNewSession(req, res, { userId: 'user-1' });
      return {};
    },
    me: () => ({}),
  };
  return moduleOf(nest, handlers, {
    imports: [SessionModule.forRoot({ appInfo, core })],
    service: SessionService,
    guard: SessionGuard,
    providers,
  });
}

function moduleOf(nest, handlers, { imports = [], service, guard, providers }) {
  const { Controller, Get, Module, Post, Req, Res, UseGuards } = nest;
  class AppController {
    constructor(service) {
      this.service = service;
    }
  }
  for (const [name, handler] of Object.entries(handlers)) AppController.prototype[name] = handler;
  const described = (name) => Object.getOwnPropertyDescriptor(AppController.prototype, name);
  Controller()(AppController);
  Post('login')(AppController.prototype, 'login', described('login'));
  Get('me')(AppController.prototype, 'me', described('me'));
  if (guard) {
    Reflect.defineMetadata('design:paramtypes', [service], AppController);
    Req()(AppController.prototype, 'login', 0);
    Res({ passthrough: true })(AppController.prototype, 'login', 1);
    UseGuards(guard)(AppController.prototype, 'me', described('me'));
  }
  class AppModule {}
  const services = Array.from({ length: providers }, () => serviceOf(nest));
  Module({ imports, controllers: [AppController], providers: services })(AppModule);
  return AppModule;
}

const METHODS_OF_A_SERVICE = 20;

/** A provider of the size that services of an application have. */
function serviceOf({ Injectable }) {
  const Service = class {};
  for (let n = 0; n < METHODS_OF_A_SERVICE; n++) Service.prototype[`method${n}`] = () => n;
  Injectable()(Service);
  return Service;
}

async function adapterOf(name) {
  if (name === 'fastify') return new (await import('@nestjs/platform-fastify')).FastifyAdapter();
  return new (await import('@nestjs/platform-express')).ExpressAdapter();
}

function ask(port, method, path, headers) {
  return new Promise((resolve, reject) => {
    const sent = request({
      port,
      host: '127.0.0.1',
      method,
      path,
      headers: { ...headers, 'st-auth-mode': 'header' },
    });
    sent.on('response', (response) => response.resume().on('end', () => resolve(response)));
    sent.on('error', reject);
    sent.end();
  });
}
