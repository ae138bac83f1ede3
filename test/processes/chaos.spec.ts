import { afterAll, expect, it } from '@jest/globals';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { embeddedCore, postgresStore } from 'nest-sessions';
import { SystemClock } from '../../lib/shared/clock.js';
import { TestClock } from '../../lib/testing/test-clock.js';
import { seedSigningKeys } from '../support/embedded.js';
import type { Answer } from '../support/http-client.js';
import { startPostgres } from '../support/postgres.js';
import { startApplication, type Adapter, type TestApplication } from '../support/test-application.js';

/** How often the database is killed; each time costs some seconds. */
const KILLS = Number(process.env['CHAOS_KILLS'] ?? 2);
const CLIENTS = 24;
/** So few that most requests wait for one. */
const CONNECTIONS = 2;

const postgres = await startPostgres();
afterAll(() => postgres.stop());

postgres.describe('two instances under load on a database that is killed', () => {
  it(
    'S096 S116 answer nobody wrongly: a session that nobody ended is served or asked to wait',
    async () => {
      const schema = postgres.freshSchema();
      await seedSigningKeys(postgresStore(postgres.pool(), { schema }));
      const clock = new TestClock(new SystemClock().now());
      const instance = async (adapter: Adapter): Promise<TestApplication> => {
        const pool = postgres.pool({ max: CONNECTIONS, connectionTimeoutMillis: 500 });
        const core = embeddedCore({ store: postgresStore(pool, { schema }) });
        return startApplication({ adapter, clock, options: { core } });
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
      const note = ({ status, text }: Answer): void => {
        if (status === 200) counts.served++;
        else if (status === 503) counts.askedToWait++;
        else wrong.push(`${status} ${text}`);
        if (status === 503) downSince ??= performance.now();
        if (status === 200 && downSince !== undefined && !isDown) {
          outagesMs.push(Math.round(performance.now() - downSince));
          downSince = undefined;
        }
      };
      const working = clients.map(async (client) => {
        for (let step = 0; !load.isOver; step++) {
          const answer = await (step % 3 === 0 ? client.refresh() : client.get('/checked'));
          note(answer);
        }
      });
      const servedMore = async (count: number): Promise<void> => {
        const enough = counts.served + count;
        while (counts.served < enough && wrong.length === 0) await nextTurn();
      };
      await servedMore(200);
      for (let kill = 0; kill < KILLS; kill++) {
        await postgres.crash?.(async () => {
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
        `\nchaos: ${KILLS} kills, ${JSON.stringify(counts)}, unavailable for ${outagesMs.join(', ')} ms\n`,
      );
      expect(wrong).toEqual([]);
      for (const client of clients) expect((await client.get('/checked')).status).toBe(200);
      await Promise.all([one.close(), other.close()]);
    },
    60_000 + KILLS * 20_000,
  );
});
