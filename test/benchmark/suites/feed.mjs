// How long it takes until other instances refuse a session that one has ended, and what the feed costs a cached verification, a
// sign-in and a refresh.
import 'reflect-metadata';
import { fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import pg from 'pg';
import {
  embeddedCore,
  postgresStore,
  RecipeDependencies,
  redisStore,
  SessionEvents,
  SessionModule,
  SessionService,
} from 'nest-sessions';
import { MemoryFeed, SystemClock } from 'nest-sessions/core';
import { costOf, median, rateOf } from '../measure.mjs';
import { ms, printTable } from '../report.mjs';
import { openInstance, sharedNow } from '../subjects/feed-instance.mjs';
import * as postgres from '../subjects/postgres-store.mjs';
import * as redis from '../subjects/redis-store.mjs';

const FULL = {
  revocations: 10_000,
  polled: 2000,
  live: 100_000,
  first: 900_000,
  rounds: 40,
  times: 20_000,
  seconds: 1.5,
  passes: 21,
};
const QUICK = {
  revocations: 100,
  polled: 20,
  live: 1000,
  first: 25_000,
  rounds: 3,
  times: 200,
  seconds: 0.3,
  passes: 1,
};
const CALLERS = 8;
const WRITERS = 16;
/** The engines, with the name of their way to announce, and a pool or client for the rates. */
const redisConnection = (url) => {
  const client = redis.makeClient(url);
  return { open: (schema) => redisStore(client, { keyPrefix: `${schema}:` }), drop: async () => {} };
};
const STORES = {
  postgres: {
    name: 'PostgreSQL',
    push: 'LISTEN',
    openServer: postgres.openServer,
    connect: (url) => {
      const pool = new pg.Pool({ connectionString: url, max: WRITERS });
      return {
        open: (schema) => postgresStore(pool, { schema }),
        // As autovacuum does within a minute.
        analyse: async (schema) => pool.query(`ANALYZE ${schema}.nest_sessions_revocations`),
        drop: async (schema) => {
          await pool.query(`DROP SCHEMA ${schema} CASCADE`);
          await pool.end();
        },
      };
    },
  },
  redis: {
    name: 'Redis',
    push: 'pub/sub',
    openServer: redis.openServer,
    connect: redisConnection,
  },
  'redis-cluster': {
    name: 'a Redis cluster of three',
    push: 'pub/sub',
    openServer: redis.openCluster,
    connect: redisConnection,
  },
};
const PARTS = ['delay', 'verify', 'rate', 'first'];
const appInfo = { appName: 'b', apiDomain: 'http://localhost:1', websiteDomain: 'http://localhost:1' };
const observer = fileURLToPath(new URL('../subjects/feed-instance.mjs', import.meta.url));

/** @param {{ quick: boolean, part?: string, store?: 'postgres' | 'redis' | 'redis-cluster' }} options */
export async function run({ quick, part, store: storeName = 'postgres' }) {
  const store = STORES[storeName];
  const parts = part === undefined ? PARTS : PARTS.filter((name) => part.split(',').includes(name));
  const effort = quick ? QUICK : FULL;
  if (parts.includes('verify')) await measureVerification(effort);
  if (parts.every((name) => name === 'verify')) return;
  const server = await store.openServer();
  try {
    if (parts.includes('delay')) {
      const rows = [
        await measureDelay(store, server.url, { isListening: true, count: effort.revocations }),
        await measureDelay(store, server.url, { isListening: false, count: effort.polled }),
      ];
      printTable(
        `From the call that revokes in A to the refusal of a remembered token in B and C, ${store.name}, milliseconds`,
        ['feed', 'revocations', 'per second', 'p50', 'p99', 'max'],
        rows.flat(),
      );
    }
    if (parts.includes('rate')) await measureRate(store, server.url, effort);
    if (parts.includes('first')) await measureFirstRead(store, server.url, effort);
  } finally {
    await server.close();
  }
}

/** How long an instance that starts is stale, when the feed holds many records that still matter. */
async function measureFirstRead(store, url, { first }) {
  const schema = `feed_${process.pid}_first`;
  const connection = store.connect(url);
  const filled = connection.open(schema);
  const times = { notBeforeMs: Date.now(), untilMs: Date.now() + 3_600_000 };
  const record = () => ({ kind: 'session', id: randomUUID(), tenantId: 'public', ...times });
  for (let written = 0; written < first; written += 1000)
    await filled.revocations.publish(Array.from({ length: 1000 }, record));
  await connection.analyse?.(schema);
  const began = performance.now();
  const instance = await openInstance({ url, schema, isListening: true });
  while (instance.state() === 'stale') await new Promise((resolve) => setTimeout(resolve, 10));
  const seconds = (performance.now() - began) / 1000;
  const pages = [];
  let page = {};
  do {
    const asked = performance.now();
    page = await filled.revocations.read(page.position);
    pages.push(performance.now() - asked);
  } while (page.mayHaveMore === true);
  printTable(
    `The first read of an instance, ${store.name}`,
    ['records', 'seconds until it is live', 'pages', 'ms a page', 'ms the longest'],
    [[first, seconds.toFixed(2), pages.length, median(pages).toFixed(1), Math.max(...pages).toFixed(1)]],
  );
  await instance.close();
  await filled.close();
  await connection.drop(schema);
}

async function measureDelay(store, url, { isListening, count }) {
  const schema = `feed_${process.pid}_${isListening ? 'listen' : 'poll'}`;
  const setting = { url, schema, isListening };
  const a = await openInstance(setting);
  const observers = await Promise.all([0, 1].map(async () => openObserver(setting)));
  try {
    if (isListening) for (const each of observers) await each.untilLive();
    const delays = observers.map(() => []);
    let left = count;
    const began = performance.now();
    const caller = async () => {
      while (left-- > 0) {
        const session = await a.sessions.createNewSessionWithoutRequestResponse({ userId: randomUUID() });
        const { accessToken } = session.getAllSessionTokensDangerously();
        const id = session.getHandle();
        await Promise.all(observers.map((each) => each.know(id, accessToken)));
        const revokedMs = sharedNow();
        const refusals = observers.map((each) => each.refusal(id));
        await a.sessions.revokeSession(id);
        (await Promise.all(refusals)).forEach((atMs, i) => delays[i].push(atMs - revokedMs));
      }
    };
    // A poll waits for up to a second, so more callers are needed for the same load.
    await Promise.all(Array.from({ length: isListening ? CALLERS : CALLERS * 8 }, caller));
    const perSecond = (count / (performance.now() - began)) * 1000;
    return delays.map((each, i) => {
      const sorted = each.toSorted((x, y) => x - y);
      const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
      const name = `${isListening ? store.push : 'polling'}, ${'BC'[i]}`;
      return [name, count, perSecond.toFixed(0), at(0.5).toFixed(1), at(0.99).toFixed(1), at(1).toFixed(1)];
    });
  } finally {
    for (const each of observers) await each.close();
    await a.close();
    await store.connect(url).drop(schema);
  }
}

async function openObserver(setting) {
  const child = fork(observer, ['observe', JSON.stringify(setting)]);
  const waiting = new Map();
  const on = (key) => new Promise((resolve) => waiting.set(key, resolve));
  child.on('message', (message) => {
    const key = `${message.kind} ${message.id ?? ''}`;
    waiting.get(key)?.(message);
    waiting.delete(key);
  });
  await on('ready ');
  return {
    know: async (id, token) => {
      const known = on(`known ${id}`);
      child.send({ kind: 'know', id, token });
      await known;
    },
    refusal: async (id) => (await on(`refused ${id}`)).atMs,
    untilLive: async () => {
      for (;;) {
        const response = on('state ');
        child.send({ kind: 'state' });
        if ((await response).state === 'live') return;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
    close: async () => {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.send({ kind: 'end' });
      await ended;
    },
  };
}

async function measureVerification({ live, rounds, times }) {
  const untilMs = Date.now() + 3_600_000;
  const full = new MemoryFeed();
  await full.publish(
    Array.from({ length: live }, () => ({
      kind: 'session',
      id: randomUUID(),
      tenantId: 'public',
      notBeforeMs: Date.now(),
      untilMs,
    })),
  );
  const subjects = [];
  for (const revocationFeed of [false, { feed: new MemoryFeed() }, { feed: full }]) {
    class AppModule {}
    Module({ imports: [SessionModule.forRoot({ appInfo, revocationFeed })] })(AppModule);
    const app = await NestFactory.createApplicationContext(AppModule, { logger: false });
    const sessions = app.get(SessionService);
    const tokens = [];
    for (let n = 0; n < 1000; n++) {
      const session = await sessions.createNewSessionWithoutRequestResponse({ userId: `user-${n}` });
      tokens.push(session.getAllSessionTokensDangerously().accessToken);
    }
    const { revocations } = app.get(RecipeDependencies, { strict: false });
    let n = 0;
    const verify = async () =>
      sessions.getSessionWithoutRequestResponse({ accessToken: tokens[n++ % 1000], antiCsrfCheck: false });
    subjects.push({ app, verify, revocations });
  }
  const costs = await leastCosts(
    subjects.map(({ verify }) => verify),
    { rounds, times },
  );
  const steps = subjects.map(({ revocations }) => (revocations === undefined ? 0 : costOfStep(revocations)));
  printTable(
    'A verification of a remembered token, 1000 sessions in turn, microseconds of CPU (least of the rounds)',
    ['feed', 'ended sessions kept', 'whole', 'more than without', 'the added step alone'],
    costs.map((cost, i) => [
      ['off', 'on, empty', 'on, full'][i],
      subjects[i].revocations?.size ?? 0,
      cost.toFixed(3),
      (cost - costs[0]).toFixed(3),
      steps[i].toFixed(3),
    ]),
  );
  for (const { app } of subjects) await app.close();
}

/** Other work of the machine only adds to a round, so the least of many is nearest to the cost; microseconds. */
async function leastCosts(cases, { rounds, times }) {
  const least = cases.map(() => Number.POSITIVE_INFINITY);
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < cases.length; i++) {
      const index = (round + i) % cases.length;
      const { cpuMs } = await costOf(cases[index], times);
      least[index] = Math.min(least[index], cpuMs * 1000);
    }
  }
  return least;
}

/** The part of a verification that is for the feed; microseconds. */
function costOfStep(revocations) {
  const times = 200_000;
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 50; round++) {
    const began = performance.now();
    for (let n = 0; n < times; n++) revocations.judgeRemembered();
    least = Math.min(least, ((performance.now() - began) / times) * 1000);
  }
  return least;
}

async function measureRate(store, url, { seconds, passes }) {
  const connection = store.connect(url);
  const schema = `feed_${process.pid}_rate`;
  const cores = [false, true].map((recordsRevocations) =>
    embeddedCore({ store: connection.open(schema), signingAlgorithm: 'ES256' }).create({
      clock: new SystemClock(),
      events: new SessionEvents(),
      apiDomain: appInfo.apiDomain,
      jwksRefreshIntervalSec: 60,
      recordsRevocations,
    }),
  );
  for (const core of cores) await core.start();
  const input = {
    tenantId: 'public',
    userDataInJWT: {},
    userDataInDatabase: {},
    useDynamicSigningKey: true,
    enableAntiCsrf: false,
  };
  const create = async (core) => core.createSession({ ...input, recipeUserId: randomUUID() }, {});
  const held = await Promise.all(
    cores.map(async (core) => Promise.all(Array.from({ length: WRITERS }, () => create(core)))),
  );
  const refresh = async (which, caller) => {
    const { token } = held[which][caller].refreshToken;
    const question = {
      refreshToken: token,
      antiCsrfToken: undefined,
      enableAntiCsrf: false,
      useDynamicSigningKey: true,
    };
    const result = await cores[which].refreshSession(question, {});
    if (result.status !== 'OK') throw new Error(result.status);
    held[which][caller] = result;
  };
  const rates = { create: [[], []], refresh: [[], []] };
  const effort = { callers: WRITERS, seconds, serverCpuMs: () => 0 };
  for (let pass = 0; pass < passes; pass++) {
    for (const which of pass % 2 === 0 ? [0, 1] : [1, 0]) {
      rates.create[which].push((await rateOf(async () => create(cores[which]), effort)).perSecond);
      rates.refresh[which].push((await rateOf(async (caller) => refresh(which, caller), effort)).perSecond);
    }
  }
  printTable(
    `${store.name}, ${WRITERS} callers, per second (medians of ${passes} passes, and of their ratios)`,
    ['operation', 'feed off', 'feed on', 'ratio'],
    Object.entries(rates).map(([name, [off, on]]) => [
      name,
      median(off).toFixed(0),
      median(on).toFixed(0),
      ms(median(on.map((rate, pass) => rate / off[pass]))),
    ]),
  );
  for (const core of cores) await core.close();
  await connection.drop(schema);
}
