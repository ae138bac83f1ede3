import 'reflect-metadata';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Controller, Module, Post, Req, Res } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  embeddedCore,
  postgresStore,
  remoteCore,
  SessionModule,
  SessionService,
  sqliteStore,
} from 'nest-sessions';
import { headerOf } from './keep-alive-client.mjs';
import { expectOk } from './refresh-subject.mjs';

const appInfo = { appName: 'b', apiDomain: 'http://localhost:1', websiteDomain: 'http://localhost:1' };
const HEADER_MODE = { 'st-auth-mode': 'header' };

/** @param {{ adapter: string, store: string, signingAlgorithm?: string, url?: string, schema?: string }} options */
export async function serve({ adapter, ...options }) {
  const { core, close } = await coreOf(options);
  const app = await NestFactory.create(appModule(core), await adapterOf(adapter), { logger: false });
  await app.listen(0, '127.0.0.1');
  return {
    port: app.getHttpServer().address().port,
    close: async () => {
      await app.close();
      await close();
    },
  };
}

export async function login(client) {
  const { head } = await client.send('POST', '/login', HEADER_MODE);
  return headerOf(head, 'st-refresh-token');
}

export async function refresh(client, token) {
  const answer = await client.send('POST', '/auth/session/refresh', {
    ...HEADER_MODE,
    Authorization: `Bearer ${token}`,
  });
  return expectOk(answer, headerOf(answer.head, 'st-refresh-token'));
}

/** @returns what the option `core` takes, and how to close what the module does not */
async function coreOf({ store, signingAlgorithm, url, schema }) {
  const nothing = async () => {};
  const algorithm = signingAlgorithm === undefined ? {} : { signingAlgorithm };
  if (store === 'remote') return { core: remoteCore({ connectionURI: url }), close: nothing };
  if (store === 'memory') return { core: embeddedCore(algorithm), close: nothing };
  if (store === 'sqlite') {
    const folder = mkdtempSync(join(tmpdir(), 'nest-sessions-benchmark-'));
    const core = embeddedCore({ ...algorithm, store: sqliteStore(join(folder, 'sessions.db')) });
    return { core, close: async () => rmSync(folder, { recursive: true }) };
  }
  const { default: pg } = await import('pg');
  const pool = new pg.Pool({ connectionString: url, max: 16 });
  const core = embeddedCore({ ...algorithm, store: postgresStore(pool, { schema }) });
  return { core, close: () => pool.end() };
}

function appModule(core) {
  class LoginController {
    constructor(sessions) {
      this.sessions = sessions;
    }

    async login(req, res) {
      await this.sessions.createNewSession(req, res, { userId: 'user-1' });
      return {};
    }
  }
  Controller()(LoginController);
  Reflect.defineMetadata('design:paramtypes', [SessionService], LoginController);
  Post('login')(
    LoginController.prototype,
    'login',
    Object.getOwnPropertyDescriptor(LoginController.prototype, 'login'),
  );
  Req()(LoginController.prototype, 'login', 0);
  Res({ passthrough: true })(LoginController.prototype, 'login', 1);
  class AppModule {}
  Module({ imports: [SessionModule.forRoot({ appInfo, core })], controllers: [LoginController] })(AppModule);
  return AppModule;
}

async function adapterOf(name) {
  if (name === 'fastify') {
    const { FastifyAdapter } = await import('@nestjs/platform-fastify');
    return new FastifyAdapter();
  }
  const { ExpressAdapter } = await import('@nestjs/platform-express');
  return new ExpressAdapter();
}
