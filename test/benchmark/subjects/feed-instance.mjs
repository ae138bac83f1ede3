// One instance of an application on PostgreSQL or Redis, as a process of its own: it is told of tokens by its parent, verifies each, and
// tells when it began to refuse one.
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import pg from 'pg';
import {
  embeddedCore,
  postgresStore,
  RecipeDependencies,
  redisStore,
  SessionModule,
  SessionService,
} from 'nest-sessions';
import { makeClient } from './redis-store.mjs';

const appInfo = { appName: 'b', apiDomain: 'http://localhost:1', websiteDomain: 'http://localhost:1' };

/** @param {{ url: string, schema: string, isListening: boolean }} setting a URL of PostgreSQL or Redis; the schema is the beginning of keys there */
export async function openInstance(setting) {
  const { store, disconnect } = setting.url.startsWith('redis') ? openRedis(setting) : openPostgres(setting);
  class AppModule {}
  const options = { appInfo, core: embeddedCore({ store }), revocationFeed: true };
  Module({ imports: [SessionModule.forRoot(options)] })(AppModule);
  const app = await NestFactory.createApplicationContext(AppModule, { logger: false });
  const sessions = app.get(SessionService);
  const { revocations } = app.get(RecipeDependencies, { strict: false });
  const accepts = async (accessToken) => {
    try {
      await sessions.getSessionWithoutRequestResponse({ accessToken, antiCsrfCheck: false });
      return true;
    } catch (error) {
      if (error.type !== 'UNAUTHORISED') throw error;
      return false;
    }
  };
  return {
    sessions,
    accepts,
    state: () => revocations.state,
    close: async () => {
      await app.close();
      await disconnect();
    },
  };
}

function openPostgres({ url, schema, isListening }) {
  const pool = new pg.Pool({ connectionString: url, max: 8 });
  pool.on('error', () => {});
  const store = postgresStore(pool, { schema, ...(isListening ? {} : { listen: false }) });
  return { store, disconnect: async () => pool.end() };
}

function openRedis({ url, schema, isListening }) {
  const client = makeClient(url);
  // The store asks the client whether it can subscribe.
  if (!isListening) client.subscribe = undefined;
  return { store: redisStore(client, { keyPrefix: `${schema}:` }), disconnect: async () => {} };
}

/** Milliseconds on a clock that the processes of one machine share, with fractions. */
export function sharedNow() {
  return performance.timeOrigin + performance.now();
}

if (process.argv[2] === 'observe' && process.send !== undefined) {
  const instance = await openInstance(JSON.parse(process.argv[3]));
  const pending = new Map();
  const obey = async (message) => {
    if (message.kind === 'state') {
      process.send({ kind: 'state', state: instance.state() });
      return;
    }
    if (message.kind === 'end') {
      await instance.close();
      process.exit(0);
    }
    if (!(await instance.accepts(message.token))) throw new Error('The token is refused too early');
    await instance.accepts(message.token); // it is remembered now
    pending.set(message.id, message.token);
    process.send({ kind: 'known', id: message.id });
  };
  process.on('message', (message) => void obey(message));
  const look = async () => {
    for (const [id, token] of pending) {
      if (await instance.accepts(token)) continue;
      pending.delete(id);
      process.send({ kind: 'refused', id, atMs: sharedNow() });
    }
    setTimeout(() => void look(), 1);
  };
  void look();
  process.send({ kind: 'ready' });
}
