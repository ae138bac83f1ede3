// A guarded route over HTTP beside the same route without a guard, on both adapters, by cookie and by header.
import { median } from '../measure.mjs';
import { microseconds, printTable, versioned, withSpread } from '../report.mjs';
import { guardedRequest, TRANSFER_METHODS } from '../subjects/browser-requests.mjs';
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

/** The subjects that are measured, with their files. */
const SUBJECTS = [
  { name: FLOOR, file: 'http-unguarded.mjs' },
  { name: 'a guard that does nothing', file: 'http-idle-guard.mjs' },
  { name: 'nest-sessions', file: 'http-nest-sessions.mjs' },
  { name: versioned('@nestjs/jwt'), file: 'http-nestjs-jwt.mjs' },
  { name: versioned('passport-jwt'), file: 'http-passport-jwt.mjs' },
  { name: versioned('supertokens-node'), file: 'http-supertokens-node.mjs' },
  {
    name: `${versioned('express-session')}, memory`,
    file: 'http-express-session.mjs',
    only: { part: 'same', adapter: 'express', by: 'cookie' },
  },
];

/**
 * @param {{ quick: boolean, part?: string, by?: string, adapter?: string }} options
 * @returns {Promise<{ figures: Record<string, number> }>} as cost-table.mjs reads them
 */
export async function run({ quick, part, by, adapter }) {
  const effort = quick ? QUICK : FULL;
  const settings = chosen('adapter', ADAPTERS, adapter).flatMap((adapter) =>
    chosen('part', PARTS, part).flatMap((part) =>
      chosen('by', TRANSFER_METHODS, by).map((by) => ({ adapter, part, by })),
    ),
  );
  const source = await openTokenSource();
  const figures = {};
  try {
    for (const setting of settings) Object.assign(figures, await compare(setting, source, effort));
  } finally {
    await source.close();
  }
  return { figures };
}

function chosen(option, all, asked) {
  const some = asked === undefined ? all : all.filter((name) => asked.split(',').includes(name));
  if (some.length === 0) throw new TypeError(`--${option} takes some of ${all.join()}`);
  return some;
}

async function compare(setting, source, { rounds, same, fresh }) {
  const isSame = setting.part === 'same';
  const requests = isSame ? same : fresh;
  const tokens = source.tokens(isSame ? CLIENTS : requests * (rounds + 1));
  const subjects = SUBJECTS.filter(({ only = {} }) =>
    Object.entries(only).every(([name, value]) => setting[name] === value),
  );
  const opened = [];
  try {
    for (const { file } of subjects) opened.push(await openSubject(file, setting, source, tokens));
    for (const subject of opened) await measureRound(subject, requests); // warm-up
    const results = opened.map(() => []);
    for (let round = 0; round < rounds; round++) {
      for (let i = 0; i < opened.length; i++) {
        const index = (round + i) % opened.length;
        results[index].push(await measureRound(opened[index], requests));
      }
    }
    return print(setting, subjects, results);
  } finally {
    for (const { close } of opened) await close();
  }
}

/** A server in a process of its own, with as many connections as there are clients. */
async function openSubject(file, { adapter, by }, { setting }, tokens) {
  const server = await serveApart(file, { adapter, by, ...setting });
  const clients = Array.from({ length: CLIENTS }, () => new KeepAliveClient(server.port));
  const cookies = file === 'http-express-session.mjs' ? await Promise.all(clients.map(cookieFor)) : undefined;
  let sent = 0;
  return {
    clients,
    cpuMs: () => server.cpuMs(),
    nextHeaders: (client) => {
      const token = tokens.length === CLIENTS ? tokens[client] : tokens[sent++ % tokens.length];
      const headers = guardedRequest(by, token);
      return cookies === undefined
        ? headers
        : { ...headers, Cookie: `${headers.Cookie}; ${cookies[client]}` };
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
      if (status !== 200 || !body.startsWith('{"userId"')) throw new Error(`Got ${status} ${body}`);
    }
  };
  await Promise.all(clients.map(work));
  const perSecond = (requests / (performance.now() - began)) * 1000;
  return { perSecond, cpuMs: ((await cpuMs()) - cpuBefore) / requests };
}

function print({ adapter, part, by }, subjects, results) {
  const floor = results[subjects.findIndex(({ name }) => name === FLOOR)];
  // Of each round by itself: what else the machine does then meets both.
  const ofFloor = (rounds, compareTo) => rounds.map((round, n) => compareTo(round, floor[n]));
  const tokens = part === 'same' ? `the same ${CLIENTS} sessions` : 'every token new';
  printTable(
    `${adapter}, ${tokens}, by ${by}: ${CLIENTS} connections, each sends one request after the other`,
    ['', 'per second', 'of no guard', 'us CPU', 'us CPU over no guard'],
    results.map((rounds, i) => [
      subjects[i].name,
      median(rounds.map(({ perSecond }) => perSecond)).toFixed(0),
      withSpread(
        ofFloor(rounds, (round, bare) => round.perSecond / bare.perSecond),
        (ratio) => ratio.toFixed(2),
      ),
      microseconds(median(rounds.map(({ cpuMs }) => cpuMs))),
      withSpread(
        ofFloor(rounds, (round, bare) => round.cpuMs - bare.cpuMs),
        microseconds,
      ),
    ]),
  );
  const name = `${adapter} ${part} ${by}`;
  return Object.fromEntries(
    results.flatMap((rounds, i) => {
      const ratio = median(ofFloor(rounds, (round, bare) => round.perSecond / bare.perSecond));
      const over = median(ofFloor(rounds, (round, bare) => (round.cpuMs - bare.cpuMs) * 1000));
      const subject = subjects[i].name;
      return [
        [`${name}: ratio: ${subject}`, Number(ratio.toFixed(3))],
        [`${name}: us over: ${subject}`, Number(over.toFixed(1))],
      ];
    }),
  );
}
