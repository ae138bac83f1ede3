// The size of a session in the memory store, whether refreshes slow down with their number, and what an idle application
// takes that has the module.
import { median } from '../measure.mjs';
import { ms, printTable } from '../report.mjs';
import { serveApart } from '../subjects/server-process.mjs';

const FULL = { sessions: [10_000, 100_000, 1_000_000], rounds: 20, starts: 5 };
const QUICK = { sessions: [1000, 4000], rounds: 1, starts: 1 };
const PARTS = ['sessions', 'idle'];
const MAX_BYTES = 1000;
const MEBIBYTE = 1024 * 1024;
const SESSIONS_OF_USER = [1, 5];

/** @param {{ quick: boolean, part?: string }} options */
export async function run({ quick, part }) {
  const effort = quick ? QUICK : FULL;
  const parts = part === undefined ? PARTS : part.split(',');
  if (parts.includes('sessions')) await measureSessions(effort);
  if (parts.includes('idle')) await measureIdle(effort);
}

async function measureSessions({ sessions, rounds }) {
  const rows = [];
  for (const sessionsOfUser of SESSIONS_OF_USER) {
    const bytes = [];
    for (const count of sessions) {
      const server = await serveApart('filled-memory.mjs', { sessions: count, sessionsOfUser });
      bytes.push((await server.ask('bytesPerSession')).toFixed(0));
      await server.close();
    }
    rows.push([`${sessionsOfUser} of a user`, ...bytes]);
  }
  const counts = sessions.map((count) => `${count} sessions`);
  printTable(`Memory store: bytes a session, at most ${MAX_BYTES}`, ['', ...counts], rows);

  const servers = [];
  for (const count of sessions) {
    servers.push(await serveApart('filled-memory.mjs', { sessions: count, sessionsOfUser: 1 }));
  }
  const times = servers.map(() => []);
  for (const server of servers) await server.ask('refresh');
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < servers.length; i++) {
      const index = (round + i) % servers.length;
      times[index].push((await servers[index].ask('refresh')).toSorted((a, b) => a - b));
    }
  }
  const at = (share) =>
    times.map((perRound) => median(perRound.map((each) => each[Math.floor(each.length * share)])));
  const line = (title, values) => [title, ...values.map(ms), (values.at(-1) / values[0]).toFixed(2)];
  printTable(
    'Refresh in process, 16 at once, RS256: milliseconds, medians of the rounds',
    ['', ...counts, 'most to fewest'],
    [line('p50', at(0.5)), line('p99', at(0.99))],
  );
  for (const server of servers) await server.close();
}

/** Fresh processes that have served one request, after a collection of garbage. */
async function measureIdle({ starts }) {
  const cases = ['express', 'fastify'].flatMap((adapter) =>
    [false, true].map((hasSessions) => ({ adapter, hasSessions })),
  );
  const found = cases.map(() => []);
  for (let start = 0; start < starts; start++) {
    for (const [index, options] of cases.entries()) {
      const server = await serveApart('cold-start-app.mjs', options);
      found[index].push(await server.memory());
      await server.close();
    }
  }
  const of = (index, key) => median(found[index].map((usage) => usage[key])) / MEBIBYTE;
  printTable(
    'An idle application, MiB',
    ['', 'resident', 'over bare Nest', 'heap', 'over bare Nest'],
    cases.map(({ adapter, hasSessions }, i) => [
      hasSessions ? `${adapter}, with SessionModule` : `${adapter}, bare Nest`,
      of(i, 'rss').toFixed(1),
      hasSessions ? (of(i, 'rss') - of(i - 1, 'rss')).toFixed(1) : '',
      of(i, 'heapUsed').toFixed(1),
      hasSessions ? (of(i, 'heapUsed') - of(i - 1, 'heapUsed')).toFixed(1) : '',
    ]),
  );
}
