// A guarded route over HTTP beside the same route without a guard, on both adapters.
import { median } from '../measure.mjs';
import { microseconds, printTable } from '../report.mjs';
import { headerOf, KeepAliveClient } from '../subjects/keep-alive-client.mjs';
import { serveApart } from '../subjects/server-process.mjs';
import { openTokenSource } from '../subjects/verify-subject.mjs';

const FULL = { rounds: 15, same: 3200, fresh: 640 };
const QUICK = { rounds: 1, same: 320, fresh: 64 };
const PARTS = ['same', 'new'];
const ADAPTERS = ['express', 'fastify'];
/** As many connections, and sessions of the same people. */
const CLIENTS = 32;
const FLOOR = 'no guard';

/** What is measured; the file of the subject. */
const SUBJECTS = [
  { name: FLOOR, file: 'http-unguarded.mjs' },
  { name: 'a guard that does nothing', file: 'http-idle-guard.mjs' },
  { name: 'nest-sessions', file: 'http-nest-sessions.mjs' },
  { name: '@nestjs/jwt', file: 'http-nestjs-jwt.mjs' },
  { name: 'passport-jwt', file: 'http-passport-jwt.mjs' },
  { name: 'supertokens-node', file: 'http-supertokens-node.mjs' },
  {
    name: 'express-session, memory',
    file: 'http-express-session.mjs',
    only: { part: 'same', adapter: 'express' },
  },
];

/** @param {{ quick: boolean, part?: string }} options */
export async function run({ quick, part }) {
  const effort = quick ? QUICK : FULL;
  const parts = part === undefined ? PARTS : PARTS.filter((name) => part.split(',').includes(name));
  if (parts.length === 0) throw new TypeError(`--part takes some of ${PARTS.join()}`);
  const source = await openTokenSource();
  try {
    for (const adapter of ADAPTERS) for (const name of parts) await compare(adapter, name, source, effort);
  } finally {
    await source.close();
  }
}

async function compare(adapter, part, source, { rounds, same, fresh }) {
  const requests = part === 'same' ? same : fresh;
  const tokens = source.tokens(part === 'same' ? CLIENTS : requests * (rounds + 1));
  const subjects = SUBJECTS.filter(({ only }) => !only || (only.part === part && only.adapter === adapter));
  const opened = [];
  try {
    for (const { file } of subjects) opened.push(await openSubject(file, adapter, source, tokens));
    for (const subject of opened) await measureRound(subject, requests); // warm-up
    const results = opened.map(() => []);
    for (let round = 0; round < rounds; round++) {
      for (let i = 0; i < opened.length; i++) {
        const index = (round + i) % opened.length;
        results[index].push(await measureRound(opened[index], requests));
      }
    }
    print(adapter, part, subjects, results);
  } finally {
    for (const { close } of opened) await close();
  }
}

/** A server in a process of its own, with as many connections as there are clients. */
async function openSubject(file, adapter, { setting }, tokens) {
  const server = await serveApart(file, { adapter, ...setting });
  const clients = Array.from({ length: CLIENTS }, () => new KeepAliveClient(server.port));
  const cookies = file === 'http-express-session.mjs' ? await Promise.all(clients.map(cookieFor)) : undefined;
  let sent = 0;
  return {
    clients,
    cpuMs: () => server.cpuMs(),
    nextHeaders: (client) => {
      if (cookies !== undefined) return { Cookie: cookies[client] };
      const token = tokens.length === CLIENTS ? tokens[client] : tokens[sent++ % tokens.length];
      return { Authorization: `Bearer ${token}` };
    },
    close: async () => {
      for (const client of clients) client.close();
      await server.close();
    },
  };
}

async function cookieFor(client) {
  const { head } = await client.send('POST', '/login');
  return headerOf(head, 'set-cookie')?.split(';')[0];
}

async function measureRound({ clients, cpuMs, nextHeaders }, requests) {
  const [cpuBefore, began] = [await cpuMs(), performance.now()];
  let left = requests;
  const work = async (client, index) => {
    while (left-- > 0) {
      const { status, body } = await client.send('GET', '/', nextHeaders(index));
      if (status !== 200 || !body.startsWith('{"userId"')) throw new Error(`Answered ${status} ${body}`);
    }
  };
  await Promise.all(clients.map(work));
  const perSecond = (requests / (performance.now() - began)) * 1000;
  return { perSecond, cpuMs: ((await cpuMs()) - cpuBefore) / requests };
}

function print(adapter, part, subjects, results) {
  const floor = results[subjects.findIndex(({ name }) => name === FLOOR)];
  // Of each round by itself: what else the machine does then meets both.
  const ofFloor = (rounds, compareTo) => median(rounds.map((round, n) => compareTo(round, floor[n])));
  const tokens = part === 'same' ? `the same ${CLIENTS} sessions` : 'every token new';
  printTable(
    `${adapter}, ${tokens}: ${CLIENTS} connections, each sends one request after the other`,
    ['', 'per second', 'of no guard', 'us CPU', 'us CPU over no guard'],
    results.map((rounds, i) => [
      subjects[i].name,
      median(rounds.map(({ perSecond }) => perSecond)).toFixed(0),
      ofFloor(rounds, (round, bare) => round.perSecond / bare.perSecond).toFixed(2),
      microseconds(median(rounds.map(({ cpuMs }) => cpuMs))),
      microseconds(ofFloor(rounds, (round, bare) => round.cpuMs - bare.cpuMs)),
    ]),
  );
}
