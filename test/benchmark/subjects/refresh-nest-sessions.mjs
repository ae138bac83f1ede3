import 'reflect-metadata';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Controller, Module, Post, Req, Res } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  embeddedCore,
  memoryStore,
  postgresStore,
  remoteCore,
  SessionModule,
  SessionService,
  sqliteStore,
} from 'nest-sessions';
import { cookieSetIn, refreshRequest } from './browser-requests.mjs';
import { adapterOf } from './http-subject.mjs';
import { headerOf } from './keep-alive-client.mjs';
import { expectOk } from './refresh-subject.mjs';

const appInfo = { appName: 'b', apiDomain: 'http://localhost:1', websiteDomain: 'http://localhost:1' };

/**
 * @param {{ adapter: string, store: string, signingAlgorithm?: string, url?: string, schema?: string, instances?: number }} options
 *   `instances`: applications on one store in memory, as there are behind a load balancer; `ports` names theirs
 */
export async function serve({ adapter, instances = 1, ...options }) {
  const opened = [];
  const shared = options.store === 'memory' ? { memory: memoryStore() } : {};
  for (let i = 0; i < instances; i++) {
    const { core, close } = await coreOf({ ...options, ...shared });
    const app = await NestFactory.create(appModule(core), await adapterOf(adapter), { logger: false });
    await app.listen(0, '127.0.0.1');
    opened.push({ port: app.getHttpServer().address().port, close: () => app.close().then(close) });
  }
  return {
    port: opened[0].port,
    ports: opened.map(({ port }) => port),
    close: async () => {
      for (const { close } of opened) await close();
    },
  };
}

export async function login(client, by) {
  return tokensOf(await client.send('POST', '/login', { rid: 'session', 'st-auth-mode': by }), by);
}

export async function refresh(client, tokens, by) {
  return tokensOf(await client.send('POST', '/auth/session/refresh', refreshRequest(by, tokens)), by);
}

function tokensOf(response, by) {
  const { head } = response;
  const [access, refreshToken] =
    by === 'cookie'
      ? [cookieSetIn(head, 'sAccessToken'), cookieSetIn(head, 'sRefreshToken')]
      : [headerOf(head, 'st-access-token'), headerOf(head, 'st-refresh-token')];
  expectOk(response, refreshToken);
  return { access, refresh: refreshToken };
}

/** @returns what the option `core` takes, and how to close what the module does not */
async function coreOf({ store, signingAlgorithm, url, schema, memory }) {
  const nothing = async () => {};
  const algorithm = signingAlgorithm === undefined ? {} : { signingAlgorithm };
  if (store === 'remote') return { core: remoteCore({ connectionURI: url }), close: nothing };
  if (store === 'memory') return { core: embeddedCore({ ...algorithm, store: memory }), close: nothing };
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
