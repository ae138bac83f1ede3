import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { memoryStore, postgresStore, schemaSql } from 'nest-sessions/standalone';
import { loadDriver } from '../../lib/stores/sqlite.store.js';
import { startPostgres } from '../support/postgres.js';
import { shell } from '../support/shell.js';
import { parsed, shopOnFile } from '../support/shop-file.js';

const postgres = await startPostgres();
afterAll(() => postgres.stop());

const place = shopOnFile();
const run = shell();

describe('nest-sessions migrate', () => {
  it('says that nothing is to do where the tables are up to date', async () => {
    const { code, stdout } = await run('migrate', '--store', place.store);
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'The tables are up to date.\n' });
  });

  it('shows the statements and changes nothing, until --apply runs them', async () => {
    const file = join(place.folder, 'new.db');
    writeFileSync(file, '');
    const store = `sqlite:${file}`;
    const before = await run('stats', '--store', store);
    expect(before.code).toBe(2);
    expect(before.stderr).toContain('npx nest-sessions migrate shows the statements');
    const planned = await run('migrate', '--store', store);
    expect(planned.stdout).toMatch(/^CREATE TABLE IF NOT EXISTS "?session_info/m);
    expect(planned.stdout).toContain('-- No table was changed');
    expect((await run('stats', '--store', store)).code).toBe(2);
    expect((await run('migrate', '--apply', '--store', store)).stdout).toContain(
      'The tables are up to date now.',
    );
    expect((await run('stats', '--store', store)).code).toBe(0);
  });

  it('shows statements that a database takes as they are', async () => {
    const file = join(place.folder, 'by-hand.db');
    writeFileSync(file, '');
    const { stdout } = await run('migrate', '--store', `sqlite:${file}`);
    const Database = await loadDriver();
    const database = new Database(file);
    database.exec(stdout);
    database.close();
    expect((await run('migrate', '--store', `sqlite:${file}`)).stdout).toBe('The tables are up to date.\n');
  });

  it('has nothing to do for a store without tables', async () => {
    const config = join(place.folder, 'memory.config.mjs');
    writeFileSync(config, 'export default () => globalThis.memoryUnderTest;\n');
    (globalThis as { memoryUnderTest?: unknown }).memoryUnderTest = { store: memoryStore() };
    expect((await run('migrate', '--config', config)).stdout).toBe(
      'This store has no tables, so there is nothing to migrate.\n',
    );
  });
});

postgres.describe('nest-sessions on PostgreSQL', () => {
  it('adds what older tables lack, in the schema that is named, and what it shows is what runs', async () => {
    const schema = postgres.freshSchema();
    const pool = postgres.pool({ max: 1 });
    await pool.query(schemaSql('postgres', { schema }));
    await pool.query(
      `DROP TABLE ${schema}.nest_sessions_audit; DELETE FROM ${schema}.nest_sessions_migrations`,
    );
    const options = ['--store', postgres.url, '--schema', schema, '--json'];
    const planned = parsed((await run('migrate', ...options)).stdout);
    expect(planned).toMatchObject({ isApplied: false });
    expect((planned['statements'] as string[]).join('\n')).toContain('nest_sessions_audit');
    expect(parsed((await run('migrate', '--apply', ...options)).stdout)).toEqual({
      ...planned,
      isApplied: true,
    });
    expect(parsed((await run('migrate', ...options)).stdout)).toMatchObject({ statements: [] });
  });

  it('lists, ends and audits sessions there, and leaves the store alone', async () => {
    const schema = postgres.freshSchema();
    const options = ['--store', postgres.url, '--schema', schema];
    await run('migrate', '--apply', ...options);
    const store = postgresStore(postgres.pool({ max: 2 }), { schema, listen: false });
    const now = Date.now();
    for (const name of ['a', 'b'])
      await store.insertSession({
        sessionHandle: `handle-${name}`,
        tenantId: 'public',
        userId: 'ada',
        refreshTokenHash2: `hash-${name}`,
        prevRefreshTokenHash2: undefined,
        rotatedAtMs: undefined,
        sessionData: '{}',
        accessTokenPayload: '{}',
        createdAtMs: now - 1000,
        expiresAtMs: now + 3_600_000,
        useStaticKey: false,
      });
    const listed = await run('sessions', 'list', '--user', 'ada', ...options);
    expect(listed.stdout).toMatch(/handle-b[^]*handle-a/);
    const ended = await run(
      'sessions',
      'end',
      '--user',
      'ada',
      '--yes',
      '--reason',
      'ticket 4711',
      ...options,
    );
    expect(ended).toEqual({ code: 0, stdout: 'Ended 2 sessions of ada.\n', stderr: '' });
    expect((await run('audit', '--user', 'ada', ...options)).stdout).toMatch(
      /session\.revoked .*reason: ticket 4711, by: shell:support/,
    );
    const { records } = (await store.revocations?.read(undefined)) ?? { records: [] };
    expect(records).toHaveLength(2);
    await store.close();
  });
});

it('names a store that is not there as one that does not respond', async () => {
  const { code, stderr } = await run('migrate', '--store', 'postgres://ada:hunter2@127.0.0.1:1/shop');
  expect(code).toBe(3);
  expect(stderr).not.toContain('hunter2');
});
