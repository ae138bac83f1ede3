import { afterAll, expect, it } from '@jest/globals';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { embeddedCore, postgresStore, redisStore } from 'nest-sessions';
import type { SessionStore } from 'nest-sessions/core';
import { SystemClock } from '../../lib/util/clock.js';
import { TestClock } from '../../lib/testing/test-clock.js';
import { seedSigningKeys } from '../support/embedded.js';
import { countFrom } from '../fixtures/fc-runs.js';
import type { ClientResponse } from '../support/http-client.js';
import type { SessionClient } from '../support/session-client.js';
import { startPostgres } from '../support/postgres.js';
import { closeClients, nodeRedis } from '../support/redis-clients.js';
import { startRedis } from '../support/redis.js';
import { type Adapter, TestApplication } from '../support/test-application.js';

/** How often the database is killed; each time costs some seconds. */
const KILLS = countFrom('CHAOS_KILLS', 2);
const CLIENTS = 24;
/** So few that most requests wait for one. */
const CONNECTIONS = 2;

const postgres = await startPostgres();
const redis = await startRedis();
afterAll(async () => {
  await closeClients();
  await Promise.all([postgres.stop(), redis.stop()]);
});

/** A database that can be killed, with stores for several instances. */
interface KilledDatabase {
  openStore(): Promise<SessionStore>;
  /** @param meanwhile runs while there is no server */
  crash(meanwhile: () => Promise<void>): Promise<void>;
}

postgres.describeKilled('two instances under load on a PostgreSQL that is killed', () => {
  survivesKills(async () => {
    const schema = postgres.freshSchema();
    return {
      openStore: async () =>
        postgresStore(postgres.pool({ max: CONNECTIONS, connectionTimeoutMillis: 500 }), { schema }),
      crash: async (meanwhile) => postgres.crash(meanwhile),
    };
  });
});

redis.describeKilled('two instances under load on a Redis with an append-only file that is killed', () => {
  survivesKills(async () => {
    const server = await redis.another('--appendonly', 'yes');
    const { connect } = await nodeRedis();
    return {
      openStore: async () => redisStore(await connect(server.url), { commandTimeoutMs: 500 }),
      crash: async (meanwhile) => {
        await server.kill();
        await meanwhile();
        await server.restart();
      },
    };
  });
});

function survivesKills(open: () => Promise<KilledDatabase>): void {
  it(
    'treat nobody wrongly: a session is served or asked to wait, one that was signed out refused (S090 S096 S116)',
    async () => {
      const database = await open();
      await seedSigningKeys(await database.openStore());
      const clock = new TestClock(new SystemClock().now());
      const instance = async (adapter: Adapter): Promise<TestApplication> => {
        const core = embeddedCore({ store: await database.openStore() });
        return TestApplication.on(adapter).clock(clock).with({ core }).start();
      };
      const [one, other] = [await instance('express'), await instance('fastify')];
      const clients = await Promise.all(
        Array.from({ length: CLIENTS }, async (_, n) =>
          (n % 2 === 0 ? one : other).signedIn('header', `user-${n}`),
        ),
      );
      const counts = { served: 0, askedToWait: 0, wrong: 0 };
      const wrong: string[] = [];
      const load = { isOver: false };
      let isDown = false;
      let downSince: number | undefined;
      const outagesMs: number[] = [];
      const note = ({ status, text }: ClientResponse): void => {
        if (status === 200 || status === 201) counts.served++;
        else if (status === 503) counts.askedToWait++;
        else wrong.push(`${status} ${text}`);
        if (status === 503) downSince ??= performance.now();
        if (status === 200 && downSince !== undefined && !isDown) {
          outagesMs.push(Math.round(performance.now() - downSince));
          downSince = undefined;
        }
      };
      const untilServed = async (ask: () => Promise<ClientResponse>): Promise<void> => {
        for (let status = 503; status === 503;) {
          const response = await ask();
          note(response);
          ({ status } = response);
        }
      };
      /** Tokens of sessions whose end was acknowledged. */
      const ended: SessionClient[] = [];
      const working = clients.map(async (client, n) => {
        for (let step = 1; !load.isOver; step++) {
          if (step % 20 === 0) {
            const kept = client.copy();
            await untilServed(() => client.signOut());
            ended.push(kept);
            await untilServed(() => client.post('/login', { userId: `user-${n}` }));
          } else note(await (step % 3 === 0 ? client.refresh() : client.get('/checked')));
        }
      });
      const servedMore = async (count: number): Promise<void> => {
        const enough = counts.served + count;
        while (counts.served < enough && wrong.length === 0) await nextTurn();
      };
      await servedMore(200);
      for (let kill = 0; kill < KILLS; kill++) {
        await database.crash(async () => {
          isDown = true;
          const waiting = counts.askedToWait + 50;
          while (counts.askedToWait < waiting && wrong.length === 0) await nextTurn();
        });
        isDown = false;
        await servedMore(200);
      }
      load.isOver = true;
      await Promise.all(working);
      counts.wrong = wrong.length;
      process.stdout.write(
        `\nchaos: ${KILLS} kills, ${ended.length} sign-outs, ${JSON.stringify(counts)}, unavailable for ${outagesMs.join(', ')} ms\n`,
      );
      expect(wrong).toEqual([]);
      for (const client of clients) expect((await client.get('/checked')).status).toBe(200);
      expect(ended.length).toBeGreaterThan(0);
      for (const thief of ended) {
        expect((await thief.get('/checked')).status).toBe(401);
        expect((await thief.refresh()).status).toBe(401);
      }
      await Promise.all([one.close(), other.close()]);
    },
    60_000 + KILLS * 20_000,
  );
}
