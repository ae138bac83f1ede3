import { afterAll, expect, it } from '@jest/globals';
import { embeddedCore, postgresStore, type EmbeddedCoreOptions } from 'nest-sessions';
import { StoreSetupError } from 'nest-sessions/core';
import { SystemClock } from '../../lib/util/clock.js';
import { TestClock } from '../../lib/testing/test-clock.js';
import { seedSigningKeys } from '../support/embedded.js';
import { startPostgres } from '../support/postgres.js';
import { ADAPTERS, TestApplication } from '../support/test-application.js';

const postgres = await startPostgres();
afterAll(() => postgres.stop());

async function start(
  adapter: (typeof ADAPTERS)[number],
  schema: string,
  options: EmbeddedCoreOptions = {},
): Promise<TestApplication> {
  const store = postgresStore(postgres.pool(), { schema });
  const clock = new TestClock(new SystemClock().now());
  return TestApplication.on(adapter)
    .clock(clock)
    .with({ core: embeddedCore({ ...options, store }) })
    .start();
}

/** A schema with keys, so that nobody waits for the making of one. */
async function preparedSchema(): Promise<string> {
  const schema = postgres.freshSchema();
  await seedSigningKeys(postgresStore(postgres.pool(), { schema }));
  return schema;
}

postgres.describeKilled('an application that starts before its database', () => {
  it.each(ADAPTERS)(
    'responds with 503 and Retry-After until that is there, and then serves (on %s) (S096)',
    async (adapter) => {
      const schema = await preparedSchema();
      let application: TestApplication | undefined;
      await postgres.crash(async () => {
        application = await start(adapter, schema);
        const client = application.client();
        const login = await client.post('/login', { userId: 'user-1' });
        expect([login.status, login.header('retry-after')]).toEqual([503, '1']);
        const keys = await application.send({ path: '/auth/jwt/jwks.json' });
        expect([keys.status, keys.header('retry-after')]).toEqual([503, '1']);
        // Routes without a session need no store.
        expect((await application.send({ path: '/me' })).status).toBe(401);
      });
      if (application === undefined) throw new Error('The application was not started');
      const client = await application.signedIn();
      expect((await client.get('/checked')).status).toBe(200);
      expect((await client.refresh()).status).toBe(200);
      await application.close();
    },
    60_000,
  );

  it('is refused where that is asked for (S096)', async () => {
    const schema = await preparedSchema();
    await postgres.crash(async () => {
      await expect(start('express', schema, { startWithoutStore: false })).rejects.toThrow(
        /session store failed/,
      );
    });
  }, 60_000);
});

postgres.describe('an application that starts', () => {
  it('on tables that are others is refused with the reason', async () => {
    const schema = postgres.freshSchema();
    const pool = postgres.pool({ max: 1 });
    await pool.query(`CREATE SCHEMA ${schema}`);
    await pool.query(`CREATE TABLE ${schema}.session_info (id INTEGER)`);
    const failure = await start('fastify', schema).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(StoreSetupError);
    expect(failure).toMatchObject({ message: expect.stringContaining('lacks app_id, tenant_id') });
  });

  it('with migrate: false and no tables is refused with the reason', async () => {
    const store = postgresStore(postgres.pool(), { schema: postgres.freshSchema(), migrate: false });
    const failure = await TestApplication.on('express')
      .with({ core: embeddedCore({ store }) })
      .start()
      .catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(StoreSetupError);
    expect(failure).toMatchObject({ message: expect.stringContaining('does not exist') });
  });
});
