import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from '@jest/globals';
import { sql as drizzleSql } from 'drizzle-orm';
import { sql as kyselySql } from 'kysely';
import { embeddedCore, schemaSql } from 'nest-sessions';
import type { SessionStore } from 'nest-sessions/core';
import type pg from 'pg';
import { DataSource } from 'typeorm';
import { startPostgres } from '../support/postgres.js';
import { TestApplication } from '../support/test-application.js';
import { codeBlocks } from './documents.js';
import { openDatabase as openDrizzle } from './databases/drizzle.js';
import { openDatabase as openKysely } from './databases/kysely.js';
import { openDatabase as openMikroOrm } from './databases/mikroorm.js';
import { poolOf, sessionStore } from './databases/typeorm.js';

const DRIZZLE_KIT = 'node_modules/drizzle-kit/bin.cjs';
const GUIDE = 'docs/guides/databases.md';
const postgres = await startPostgres();
afterAll(() => postgres.stop());

/** A database that an application opened with its own tool. */
interface Opened {
  readonly pool: pg.Pool;
  readonly store: SessionStore;
  /** Runs statements in one transaction of the tool. */
  transaction(statements: readonly string[]): Promise<void>;
  close(): Promise<void>;
}

const TOOLS: Readonly<Record<string, (url: string) => Promise<Opened>>> = {
  TypeORM: async (url) => {
    const dataSource = await new DataSource({ type: 'postgres', url }).initialize();
    return {
      pool: poolOf(dataSource),
      store: sessionStore(dataSource),
      transaction: async (statements) =>
        dataSource.transaction(async (manager) => {
          for (const each of statements) await manager.query(each);
        }),
      close: async () => dataSource.destroy(),
    };
  },
  Drizzle: async (url) => {
    const { pool, db, sessionStore: store } = openDrizzle(url);
    return {
      pool,
      store,
      transaction: async (statements) =>
        db.transaction(async (transaction) => {
          for (const each of statements) await transaction.execute(drizzleSql.raw(each));
        }),
      close: async () => pool.end(),
    };
  },
  Kysely: async (url) => {
    const { pool, db, sessionStore: store } = openKysely(url);
    return {
      pool,
      store,
      transaction: async (statements) =>
        db.transaction().execute(async (transaction) => {
          for (const each of statements) await kyselySql.raw(each).execute(transaction);
        }),
      close: async () => db.destroy(),
    };
  },
  MikroORM: async (url) => {
    const { orm, pool, sessionStore: store } = await openMikroOrm(url);
    return {
      pool,
      store,
      transaction: async (statements) =>
        orm.em.fork().transactional(async (manager) => {
          for (const each of statements) await manager.execute(each);
        }),
      close: async () => orm.close(),
    };
  },
};

const END_SESSIONS = `DELETE FROM nest_sessions.session_info WHERE user_id = 'ada'`;

describe('the guide about databases', () => {
  it.each(['typeorm', 'drizzle', 'kysely', 'mikroorm'])('shows the tested file: %s', (name) => {
    const shown = codeBlocks(GUIDE).map(({ code }) => code);
    expect(shown).toContain(readFileSync(`test/docs/databases/${name}.ts`, 'utf8'));
  });

  it('shows the tested statement', () => {
    expect(readFileSync(GUIDE, 'utf8')).toContain(END_SESSIONS.replace(`'ada'`, '$1'));
  });
});

postgres.describe('the database of an application', () => {
  let url: string;
  beforeEach(async () => {
    url = await postgres.freshDatabase();
  });

  it.each(Object.keys(TOOLS))(
    '%s lends its pool, and a transaction of it ends sessions with what else it does, or neither',
    async (tool) => {
      const opened = await TOOLS[tool]!(url);
      await opened.pool.query(schemaSql('postgres', { deletionTrigger: true }));
      await opened.pool.query('CREATE TABLE users (id TEXT PRIMARY KEY)');
      const core = embeddedCore({ store: opened.store });
      await TestApplication.on('express')
        .with({ core, revocationFeed: true })
        .run(async ({ sessions }) => {
          const session = await sessions.createNewSessionWithoutRequestResponse({ userId: 'ada' });
          const isThere = async (): Promise<boolean> =>
            (await sessions.getSessionInformation(session.getHandle())) !== undefined;
          // The server's clock is not the test's.
          await opened.pool.query('UPDATE nest_sessions.session_info SET expires_at = 4102444800000');
          await expect(opened.transaction([END_SESSIONS, 'SELECT 1 / 0'])).rejects.toThrow(
            /division by zero|Failed query/,
          );
          expect(await isThere()).toBe(true);
          await opened.transaction([END_SESSIONS, `INSERT INTO users VALUES ('ada')`]);
          expect(await isThere()).toBe(false);
          expect((await opened.store.revocations?.read(undefined))?.records).toMatchObject([
            { kind: 'session', id: session.getHandle(), reason: 'deleted' },
          ]);
        });
      await opened.close();
    },
  );

  const tablesOf = async (pool: pg.Pool): Promise<string[]> => {
    const { rows } = await pool.query<{ name: string }>(
      `SELECT schemaname || '.' || tablename AS name FROM pg_tables WHERE schemaname IN ('public', 'nest_sessions')`,
    );
    return rows.map(({ name }) => name);
  };

  it('TypeORM drops everything in public before it synchronizes, and leaves the sessions alone', async () => {
    const dataSource = await new DataSource({ type: 'postgres', url }).initialize();
    const pool = poolOf(dataSource);
    await sessionStore(dataSource).findStaticKeys();
    await pool.query('CREATE TABLE public.session_info_of_others (id INTEGER)');
    await dataSource.synchronize(true);
    const names = await tablesOf(pool);
    expect(names.filter((name) => name.startsWith('public.'))).toEqual([]);
    expect(names).toHaveLength(7);
    await dataSource.destroy();
  });

  it('MikroORM drops what it does not know of every schema, and leaves the sessions alone where they are ignored', async () => {
    const { orm, pool, sessionStore: store } = await openMikroOrm(url);
    await store.findStaticKeys();
    await orm.schema.update();
    const names = await tablesOf(pool);
    expect(names).toContain('public.users');
    expect(names).toHaveLength(8);
    orm.config.set('schemaGenerator', {});
    expect(await orm.schema.getUpdateSchemaSQL()).toContain('drop schema if exists "nest_sessions"');
    await orm.close();
  });

  it('drizzle-kit push drops a foreign table in public unless it is filtered, and leaves the sessions alone', async () => {
    const [, filter = ''] = /`tablesFilter: (\[.*?\])`/.exec(readFileSync(GUIDE, 'utf8')) ?? [];
    const { pool, sessionStore: store } = openDrizzle(url);
    await store.findStaticKeys();
    const folder = mkdtempSync(resolve('test/docs/databases/push-'));
    const [models, config] = [join(folder, 'models.ts'), join(folder, 'drizzle.config.json')];
    const push = (tablesFilter?: unknown): void => {
      const dbCredentials = { url };
      writeFileSync(
        config,
        JSON.stringify({ dialect: 'postgresql', schema: models, dbCredentials, tablesFilter }),
      );
      execFileSync(process.execPath, [DRIZZLE_KIT, 'push', '--force', '--config', config]);
    };
    try {
      writeFileSync(
        models,
        `import { pgTable, text } from 'drizzle-orm/pg-core';
         export const users = pgTable('users', { id: text('id').primaryKey() });`,
      );
      push();
      await pool.query('CREATE TABLE public.session_info (id INTEGER)');
      push(JSON.parse(filter.replaceAll(`'`, '"')));
      expect(await tablesOf(pool)).toEqual(expect.arrayContaining(['public.users', 'public.session_info']));
      push();
      const names = await tablesOf(pool);
      expect(names).toContain('public.users');
      expect(names).not.toContain('public.session_info');
      expect(names.filter((name) => name.startsWith('nest_sessions.'))).toHaveLength(7);
    } finally {
      rmSync(folder, { recursive: true, force: true });
      await pool.end();
    }
  }, 60_000);
});
