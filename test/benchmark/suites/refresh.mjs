// Refreshes over HTTP and in process, beside what a refresh cannot do without and beside express-session.
import { embeddedCore, memoryStore } from 'nest-sessions';
import { coreContext } from '../subjects/core-context.mjs';
import { interleaved, median, rateOf } from '../measure.mjs';
import { ms, printTable, versioned, withSpread } from '../report.mjs';
import { KeepAliveClient } from '../subjects/keep-alive-client.mjs';
import { openServer } from '../subjects/postgres-store.mjs';
import { serveApart } from '../subjects/server-process.mjs';

const FULL = { rounds: 9, seconds: 2, times: 200 };
const QUICK = { rounds: 1, seconds: 0.2, times: 10 };
const CLIENTS = 16;
const PARTS = ['http', 'process'];

/** The subjects that are measured over HTTP: the file of each, the options of its server, and the sketch that it is compared with. */
const SUBJECTS = [
  sketch('bare node:http', { adapter: 'node' }),
  sketch('Express', { adapter: 'express' }),
  {
    name: `${versioned('express-session')}, memory, regenerate`,
    file: 'refresh-express-session.mjs',
    ofSketch: 'sketch, RS256, Express',
  },
  ours('memory, RS256, Express', { store: 'memory', adapter: 'express' }),
  ours('memory, RS256, Express, two instances', { store: 'memory', adapter: 'express', instances: 2 }),
  sketch('Fastify', { adapter: 'fastify' }),
  ours('memory, RS256, Fastify', { store: 'memory', adapter: 'fastify' }),
  ours('memory, RS256, Fastify, two instances', { store: 'memory', adapter: 'fastify', instances: 2 }),
  sketch('Fastify', { adapter: 'fastify', signingAlgorithm: 'ES256' }),
  ours('memory, ES256, Fastify', { store: 'memory', adapter: 'fastify', signingAlgorithm: 'ES256' }),
  ours('SQLite, RS256, Fastify', { store: 'sqlite', adapter: 'fastify' }),
  ours('PostgreSQL, RS256, Fastify', { store: 'postgres', adapter: 'fastify' }),
  ours('PostgreSQL, ES256, Fastify', { store: 'postgres', adapter: 'fastify', signingAlgorithm: 'ES256' }),
  ours('remote core in memory, RS256, Fastify', { store: 'remote', adapter: 'fastify' }),
];

/** @param {{ quick: boolean, store?: string, part?: string, by?: string }} options */
export async function run({ quick, store, part, by = 'cookie' }) {
  const effort = quick ? QUICK : FULL;
  const parts = part === undefined ? PARTS : part.split(',');
  const stores = store?.split(',');
  const subjects = SUBJECTS.filter(
    ({ options }) => stores === undefined || options?.store === undefined || stores.includes(options.store),
  );
  if (parts.includes('http')) await measureHttp(subjects, by, effort);
  if (parts.includes('process')) await measureInProcess(effort);
  return {};
}

function sketch(name, options) {
  const own = `sketch, ${options.signingAlgorithm ?? 'RS256'}, ${name}`;
  return { name: own, file: 'refresh-sketch.mjs', options, ofSketch: own };
}

function ours(name, options) {
  const { adapter, signingAlgorithm = 'RS256' } = options;
  const ofSketch = `sketch, ${signingAlgorithm}, ${adapter === 'express' ? 'Express' : 'Fastify'}`;
  return { name: `nest-sessions, ${name}`, file: 'refresh-nest-sessions.mjs', options, ofSketch };
}

async function measureHttp(subjects, by, { rounds, seconds }) {
  const opened = [];
  try {
    for (const subject of subjects) opened.push(await openSubject(subject, by, opened.length));
    const results = opened.map(() => []);
    for (const each of opened) await measureRound(each, seconds / 2);
    for (let round = 0; round < rounds; round++) {
      for (let i = 0; i < opened.length; i++) {
        const index = (round + i) % opened.length;
        results[index].push(await measureRound(opened[index], seconds));
      }
    }
    printHttp(opened, by, results);
  } finally {
    for (const { close } of opened) await close();
  }
}

/** The servers of one subject, with as many clients as there are, each of which has signed in. */
async function openSubject({ name, file, options, ofSketch }, by, number) {
  const { login, refresh } = await import(new URL(`../subjects/${file}`, import.meta.url).href);
  const behind = await openBehind(options?.store, number);
  const server = await serveApart(file, { ...options, ...behind.options });
  const clients = [];
  for (let i = 0; i < CLIENTS; i++) {
    const connections = server.ports.map((port) => new KeepAliveClient(port));
    clients.push({ connections, step: i, token: await login(connections[0], by) });
  }
  return {
    name,
    ofSketch,
    // Each of several instances opens what another one has sealed.
    step: async (caller) => {
      const client = caller.connections[caller.step++ % caller.connections.length];
      caller.token = await refresh(client, caller.token, by);
    },
    clients,
    cpuMs: () => server.cpuMs(),
    behindCpuMs: behind.cpuMs,
    close: async () => {
      for (const { connections } of clients) for (const client of connections) client.close();
      await server.close();
      await behind.close();
    },
  };
}

/** The needs of a store beside the server. */
async function openBehind(store, number) {
  if (store === 'postgres') {
    const { url, cpuMs, close } = await openServer();
    return {
      options: { url, schema: `benchmark_${process.pid}_${number}` },
      cpuMs: async () => cpuMs(),
      close,
    };
  }
  if (store === 'remote') {
    const core = await serveApart('served-core.mjs');
    return {
      options: { url: `http://127.0.0.1:${core.port}` },
      cpuMs: () => core.cpuMs(),
      close: () => core.close(),
    };
  }
  return { options: {}, cpuMs: async () => 0, close: async () => {} };
}

async function measureRound({ step, clients, cpuMs, behindCpuMs }, seconds) {
  const [cpuBefore, behindBefore, began] = [await cpuMs(), await behindCpuMs(), performance.now()];
  let done = 0;
  const waits = [];
  await Promise.all(
    clients.map(async (caller) => {
      while (performance.now() - began < seconds * 1000) {
        const asked = performance.now();
        await step(caller);
        waits.push(performance.now() - asked);
        done++;
      }
    }),
  );
  const perSecond = (done / (performance.now() - began)) * 1000;
  const sorted = waits.toSorted((a, b) => a - b);
  return {
    perSecond,
    cpu: ((await cpuMs()) - cpuBefore) / done,
    behindCpu: ((await behindCpuMs()) - behindBefore) / done,
    p50: sorted[Math.floor(sorted.length / 2)],
    p99: sorted[Math.floor(sorted.length * 0.99)],
  };
}

function printHttp(opened, by, results) {
  const of = (rounds, key) => median(rounds.map((round) => round[key]));
  const ratio = (value) => value.toFixed(2);
  // Of each round by itself: what else the machine does then meets both.
  const ofSketch = (i, key) => {
    const rounds = results[opened.findIndex(({ name }) => name === opened[i].ofSketch)];
    return results[i].map((round, n) => round[key] / rounds[n][key]);
  };
  printTable(
    `Refreshes over HTTP by ${by}, ${CLIENTS} clients, each presents the token that it got before`,
    ['', 'per second', 'of the sketch', 'CPU ms', 'of the sketch', 'CPU ms behind it', 'p50 ms', 'p99 ms'],
    opened.map(({ name }, i) => [
      name,
      of(results[i], 'perSecond').toFixed(0),
      withSpread(ofSketch(i, 'perSecond'), ratio),
      ms(of(results[i], 'cpu')),
      withSpread(ofSketch(i, 'cpu'), ratio),
      ms(of(results[i], 'behindCpu')),
      ms(of(results[i], 'p50')),
      ms(of(results[i], 'p99')),
    ]),
  );
}

/** Without HTTP: what the algorithm does, and what it is worth to have sealed a token oneself. */
async function measureInProcess({ rounds, seconds, times }) {
  const algorithms = ['RS256', 'ES256'];
  const engines = [];
  for (const algorithm of algorithms) engines.push(await enginesOf(algorithm));
  const cases = engines.flatMap(({ one, other }) => [chainOf([one]), chainOf([one, other])]);
  const names = algorithms.flatMap((name) => [
    `${name}, sealed by this engine`,
    `${name}, sealed by another`,
  ]);
  const costs = await interleaved(cases, { rounds, times });
  const rates = cases.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (const [index, { one, other }] of engines.entries()) {
      for (const [i, pair] of [[one], [one, other]].entries()) {
        const chains = Array.from({ length: CLIENTS }, () => chainOf(pair));
        const setting = { callers: CLIENTS, seconds: seconds / 2, serverCpuMs: () => 0 };
        rates[index * 2 + i].push(await rateOf((caller) => chains[caller](), setting));
      }
    }
  }
  const rate = (i, key) => median(rates[i].map((round) => round[key]));
  printTable(
    `Refreshes in process, memory store: one after the other, and ${CLIENTS} at once`,
    ['', 'ms wall', 'ms CPU', 'at once, per second', 'ms CPU', 'of RS256'],
    names.map((name, i) => [
      name,
      ms(costs[i].wallMs),
      ms(costs[i].cpuMs),
      rate(i, 'perSecond').toFixed(0),
      ms(rate(i, 'clientCpuMs')),
      (rate(i, 'perSecond') / rate(i % 2, 'perSecond')).toFixed(2),
    ]),
  );
  for (const { one, other } of engines) await Promise.all([one.close(), other.close()]);
}

/** Two engines on one store, as two instances of an application are. */
async function enginesOf(signingAlgorithm) {
  const store = memoryStore();
  const context = coreContext();
  const made = () =>
    embeddedCore({ store, ...(signingAlgorithm === 'RS256' ? {} : { signingAlgorithm }) }).create(context);
  const [one, other] = [made(), made()];
  await one.start();
  await other.start();
  return { one, other };
}

/** Presents the newest token of a session, to each of the engines in turn. */
function chainOf(engines) {
  let token;
  let step = 0;
  return async () => {
    const core = engines[step++ % engines.length];
    token ??= (await create(core)).refreshToken.token;
    const input = {
      refreshToken: token,
      antiCsrfToken: undefined,
      enableAntiCsrf: false,
      useDynamicSigningKey: true,
    };
    const result = await core.refreshSession(input, {});
    if (result.status !== 'OK') throw new Error(`A refresh returned ${result.status}`);
    token = result.refreshToken.token;
  };
}

function create(core) {
  const input = {
    tenantId: 'public',
    recipeUserId: 'user-1',
    userDataInJWT: { role: 'admin' },
    userDataInDatabase: {},
    useDynamicSigningKey: true,
    enableAntiCsrf: false,
  };
  return core.createSession(input, {});
}
