// How long the records of an audit trail take to be read again by cursor, and by a webhook whose sender is killed half-way.
import { fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { median } from '../measure.mjs';
import { printTable } from '../report.mjs';
import { openTrailStore } from '../subjects/audited-instance.mjs';
import * as postgres from '../subjects/postgres-store.mjs';

const FULL = 100_000;
const QUICK = 2000;
const PARTS = ['read', 'webhook'];
const KINDS = ['session.created', 'session.data-changed', 'session.promoted', 'session.revoked'];
/** Conditions of the readings; that on the tenant fits each record, that on the kind one of four. */
const READINGS = [
  ['all', 100, {}],
  ['all', 1000, {}],
  ['of a tenant', 100, { tenantId: 'public' }],
  ['of a tenant', 1000, { tenantId: 'public' }],
  ['of a kind', 100, { kinds: ['session.revoked'] }],
];
/** Sessions whose records are written together. */
const TOGETHER = 125;
const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
const instance = fileURLToPath(new URL('../subjects/audited-instance.mjs', import.meta.url));

/** @param {{ quick: boolean, rows?: string, part?: string, store?: string }} options */
export async function run({ quick, rows, part, store }) {
  const count = rows === undefined ? (quick ? QUICK : FULL) : Number(rows);
  const parts = part === undefined ? PARTS : part.split(',');
  for (const name of store === undefined ? ['sqlite', 'postgres'] : store.split(',')) {
    const { place, close } = await openPlace(name);
    const { store: trail, disconnect } = openTrailStore(place);
    try {
      await fill(trail, count);
      if (parts.includes('read')) await measureReading(name, trail, count);
      if (parts.includes('webhook')) await measureWebhook(name, place, count);
    } finally {
      await trail.close();
      await disconnect();
      await close();
    }
  }
}

async function openPlace(name) {
  if (name === 'postgres') {
    const { url, close } = await postgres.openServer();
    return { place: { url, schema: `audit_${process.pid}` }, close };
  }
  const folder = mkdtempSync(join(tmpdir(), 'nest-sessions-audit-'));
  return {
    place: { file: join(folder, 'sessions.db') },
    close: async () => rmSync(folder, { recursive: true }),
  };
}

/** Four records of each session. */
async function fill({ audit }, count) {
  const [timeMs, keepUntilMs] = [Date.now(), Date.now() + 86_400_000];
  for (let written = 0; written < count; written += TOGETHER * KINDS.length) {
    const subjects = Array.from({ length: Math.min(TOGETHER, (count - written) / KINDS.length) }, () => ({
      sessionHandle: randomUUID(),
      tenantId: 'public',
      recipeUserId: randomUUID(),
      sessionCreatedAtMs: timeMs,
      sessionExpiresAtMs: keepUntilMs,
    }));
    const details = { reason: 'password changed', ip: '192.0.2.0/24', userAgent: 'Firefox on Linux' };
    const entries = KINDS.map((kind) => ({ kind, timeMs, keepUntilMs, details }));
    await audit.append(entries.flatMap((entry) => subjects.map((subject) => ({ ...entry, subject }))));
  }
}

async function measureReading(name, { audit }, count) {
  const rows = [];
  for (const [title, limit, condition] of READINGS) {
    const pages = [];
    const ids = new Set();
    const began = performance.now();
    for (let page = { mayHaveMore: true }; page.mayHaveMore;) {
      const asked = performance.now();
      page = await audit.read({ newestFirst: false, after: page.next, limit, ...condition });
      pages.push(performance.now() - asked);
      for (const { id } of page.records) ids.add(id);
    }
    const seconds = (performance.now() - began) / 1000;
    assertAll(ids, condition.kinds === undefined ? count : count / KINDS.length);
    rows.push([
      title,
      limit,
      pages.length,
      seconds.toFixed(2),
      median(pages).toFixed(1),
      Math.max(...pages).toFixed(1),
    ]);
  }
  printTable(
    `${name}: ${count} records by cursor`,
    ['', 'records a page', 'pages', 'seconds', 'ms a page', 'ms the longest'],
    rows,
  );
}

async function measureWebhook(name, place, count) {
  const receiver = await openReceiver();
  const setting = JSON.stringify({ place, hook: receiver.url, secret: SECRET });
  const began = performance.now();
  await whileDelivering(setting, async () => receiver.until(count / 2));
  const killed = performance.now();
  let [resumed, ended] = [killed, killed];
  await whileDelivering(setting, async () => {
    await receiver.untilNext();
    resumed = performance.now();
    await receiver.until(count);
    ended = performance.now();
  });
  await receiver.close();
  assertAll(receiver.ids, count);
  assertOrder(receiver.kindsOf);
  const seconds = (killed - began + (ended - resumed)) / 1000;
  printTable(
    `${name}: ${count} records by a webhook, whose sender is killed half-way; another one goes on`,
    ['', 'records', 'seconds', 'records/s', 'pause after the kill, s', 'sent twice', 'lost', 'out of order'],
    [
      [
        'delivered',
        count,
        seconds.toFixed(1),
        (receiver.count() / seconds).toFixed(0),
        ((resumed - killed) / 1000).toFixed(1),
        receiver.count() - receiver.ids.size,
        0,
        0,
      ],
    ],
  );
}

/** Works while an instance delivers, and kills that. @throws {Error} it has ended before */
async function whileDelivering(setting, work) {
  const sender = fork(instance, ['deliver', setting], { stdio: 'inherit' });
  const ended = once(sender, 'exit');
  const early = ended.then(([code]) => {
    throw new Error(`The instance ended with ${code} while it delivered`);
  });
  try {
    await Promise.race([early, work()]);
  } finally {
    sender.kill('SIGKILL');
    await ended;
  }
}

/** A receiver that counts. */
async function openReceiver() {
  const ids = new Set();
  const kindsOf = new Map();
  let received = 0;
  let waiting = { for: () => false, resolve: () => {} };
  const wait = async (condition) =>
    new Promise((resolve) => {
      waiting = { for: condition, resolve };
      if (condition()) resolve();
    });
  const server = createServer((request, response) => {
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      const { id, sessionHandle, kind } = JSON.parse(Buffer.concat(chunks).toString()).data;
      received += 1;
      if (!ids.has(id)) kindsOf.set(sessionHandle, [...(kindsOf.get(sessionHandle) ?? []), kind]);
      ids.add(id);
      response.writeHead(204).end();
      if (waiting.for()) waiting.resolve();
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${server.address().port}/`,
    ids,
    kindsOf,
    count: () => received,
    until: async (count) => wait(() => ids.size >= count),
    untilNext: async () => {
      const now = received;
      await wait(() => received > now);
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function assertAll(ids, count) {
  if (ids.size !== count) throw new Error(`${ids.size} records instead of ${count}`);
}

function assertOrder(kindsOf) {
  for (const kinds of kindsOf.values())
    if (kinds.join() !== KINDS.join()) throw new Error(`A session's records came as ${kinds.join()}`);
}
