import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, describe, expect, it } from '@jest/globals';
import type { AuditRecord } from '../../lib/audit/audit-record.js';
import { Deliverer } from '../../lib/audit/deliverer.js';
import { webhook } from '../../lib/signals/webhook.js';
import { postgresStore } from '../../lib/stores/postgres.store.js';
import { redisStore } from '../../lib/stores/redis/redis.store.js';
import type { SessionStore } from '../../lib/stores/session-store.js';
import { sqliteStore } from '../../lib/stores/sqlite.store.js';
import { TestClock } from '../../lib/testing/test-clock.js';
import { closeAfterTest } from '../support/close-after-test.js';
import { compiledScript } from '../support/compiled-script.js';
import { startPostgres } from '../support/postgres.js';
import { closeClients, nodeRedis } from '../support/redis-clients.js';
import { startRedis } from '../support/redis.js';

const [postgres, redis] = [await startPostgres(), await startRedis()];
const folder = mkdtempSync(join(tmpdir(), 'audit-deliveries-'));
afterAll(async () => {
  await closeClients();
  await Promise.all([postgres.stop(), redis.stop()]);
  rmSync(folder, { recursive: true });
});

/** The stores, with the part of each that is a test's own. */
const STORES = [
  {
    kind: 'PostgreSQL',
    suite: postgres.describe,
    url: postgres.url,
    freshPlace: () => postgres.freshSchema(),
    open: async (place: string) => postgresStore(postgres.pool({ max: 3 }), { schema: place }),
  },
  {
    kind: 'SQLite',
    suite: describe,
    url: '',
    freshPlace: () => join(folder, 'sessions.db'),
    open: async (place: string) => sqliteStore(place),
  },
  {
    kind: 'Redis',
    suite: redis.describe,
    url: redis.url,
    freshPlace: () => redis.freshPrefix(),
    open: async (place: string) =>
      redisStore(await (await nodeRedis()).connect(redis.url), { keyPrefix: place }),
  },
];

const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
const LIFE = ['session.created', 'session.data-changed', 'session.revoked'];

/** A receiver that is told of records. */
async function receiver() {
  const received: AuditRecord[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      received.push((JSON.parse(Buffer.concat(chunks).toString()) as { data: AuditRecord }).data);
      response.writeHead(204).end();
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  closeAfterTest(async () => {
    server.closeAllConnections();
    server.close();
  });
  return { received, hook: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` };
}

/** Lets a process work until it has acknowledged some changes and the receiver has got some records, and kills it at once. */
async function killedProcess(
  script: string,
  target: object,
  { changes, isReceived }: { readonly changes: number; isReceived(): boolean },
): Promise<string[]> {
  const child = spawn(process.execPath, [script, JSON.stringify(target)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    if (/^\S+ session\.[a-z-]+$/.test(line)) lines.push(line);
    if (lines.length >= changes && isReceived()) child.kill('SIGKILL');
  }
  return lines;
}

async function readAll({ audit }: SessionStore): Promise<AuditRecord[]> {
  const records: AuditRecord[] = [];
  for (let after: string | undefined; ;) {
    const page = await audit?.read({ newestFirst: false, after, limit: 1000 });
    records.push(...(page?.records ?? []));
    after = page?.next;
    if (page?.mayHaveMore !== true) return records;
  }
}

describe.each(STORES)('on $kind', ({ kind, suite, url, freshPlace, open }) => {
  suite('an instance that is killed between changes and their delivery', () => {
    it('loses no record, and each is delivered at least once, in the order of its session', async () => {
      const { received, hook } = await receiver();
      const place = freshPlace();
      const script = await compiledScript(new URL('../support/audited-process.ts', import.meta.url));
      const target = { kind, url, place, hook, secret: SECRET };
      const acknowledged: string[] = [];
      for (let kill = 1; kill <= 3; kill++) {
        const before = received.length;
        // The second and the third begin while the lease of the one before still stands, so they deliver nothing.
        const isReceived = (): boolean => kill > 1 || received.length > before + 20;
        acknowledged.push(...(await killedProcess(script, target, { changes: 100, isReceived })));
      }
      rmSync(script);

      const store = await open(place);
      closeAfterTest(async () => store.close());
      const records = await readAll(store);

      const kept = new Set(records.map(({ sessionHandle, kind }) => `${sessionHandle} ${kind}`));
      expect(acknowledged.length).toBeGreaterThanOrEqual(300);
      expect(acknowledged.filter((line) => !kept.has(line))).toEqual([]);

      // Another instance, whose clock says that the lease is over.
      const [trail, values] = [store.audit, store.sharedValues];
      if (trail === undefined || values === undefined) throw new Error('The store keeps no audit trail');
      const clock = new TestClock(Date.now() + 60_000);
      const delivery = webhook({ url: hook, secret: SECRET });
      const heir = new Deliverer({ delivery, trail, values, clock, keepMs: 86_400_000 });
      const ids = new Set(records.map(({ id }) => id));
      while (received.filter(({ id }) => ids.delete(id)).length > 0 || ids.size > 0) {
        await heir.run();
        await delay(1);
      }
      const orders = new Map<string, string[]>();
      for (const { sessionHandle = '', kind } of received) {
        const order = orders.get(sessionHandle) ?? [];
        if (!order.includes(kind)) order.push(kind); // a first delivery
        orders.set(sessionHandle, order);
      }
      for (const order of orders.values()) expect(order).toEqual(LIFE.slice(0, order.length));
      expect(received.length).toBeGreaterThanOrEqual(records.length);
    }, 240_000);
  });
});
