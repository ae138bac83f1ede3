import { inspect } from 'node:util';
import { afterAll, expect, it, jest } from '@jest/globals';
import { Logger as NestLogger, type LoggerService } from '@nestjs/common';
import { postgresStore, SessionEvents } from 'nest-sessions';
import { seedSigningKeys } from '../support/embedded.js';
import { startPostgres } from '../support/postgres.js';
import { withServedCore } from '../support/served-core.js';
import { TestApplication } from '../support/test-application.js';

const CANARIES = ['CANARY-of-the-payload', 'CANARY-of-the-data', 'CANARY-of-the-user'] as const;
const [PAYLOAD, DATA, USER] = CANARIES;
/** A hash of a refresh token, in hexadecimal. */
const HASH = /\b[0-9a-f]{64}\b/;

/** A trigger that refuses each row, and says so with the row in every field that it can set. */
const trigger = (table: string): string => `
  CREATE FUNCTION ${table}_refuse() RETURNS trigger AS $$ BEGIN
    RAISE EXCEPTION 'refused' USING DETAIL = NEW::text, HINT = NEW.session_data, CONSTRAINT = NEW.user_id,
      TABLE = NEW.refresh_token_hash_2, COLUMN = NEW.user_id, DATATYPE = NEW.user_id, SCHEMA = NEW.user_id;
  END $$ LANGUAGE plpgsql;
  CREATE TRIGGER refuse BEFORE INSERT ON ${table} FOR EACH ROW EXECUTE FUNCTION ${table}_refuse()`;
const reference = (table: string): string => `
  CREATE TABLE ${table}_users (id VARCHAR(128) PRIMARY KEY);
  ALTER TABLE ${table} ADD FOREIGN KEY (user_id) REFERENCES ${table}_users (id)`;

/** Failures of a statement of ours in a database: their SQLSTATE, and whether a session is there before. */
const FAULTS: [string, string, (table: string) => string, boolean][] = [
  ['23502', 'another column', (table) => `ALTER TABLE ${table} ADD COLUMN note INT NOT NULL`, false],
  ['23514', 'a check', (table) => `ALTER TABLE ${table} ADD CHECK (user_id LIKE 'x%')`, false],
  ['23505', 'an index', (table) => `CREATE UNIQUE INDEX ON ${table} (user_id, session_data)`, true],
  ['23503', 'a foreign key', reference, false],
  ['22001', 'too short a column', (table) => `ALTER TABLE ${table} ALTER user_id TYPE VARCHAR(5)`, false],
  ['42804', 'another type', (table) => `ALTER TABLE ${table} ALTER session_data TYPE INT USING 0`, false],
  ['P0001', 'a trigger', trigger, false],
  ['42703', 'a column that is gone', (table) => `ALTER TABLE ${table} DROP session_data`, false],
  ['42P01', 'a table that is gone', (table) => `ALTER TABLE ${table} RENAME TO gone`, false],
];

const postgres = await startPostgres();
afterAll(() => postgres.stop());

/** A store on tables of its own, which can be made to refuse the next session. */
async function fragileStore() {
  const schema = postgres.freshSchema();
  // The server adds the parameters of a statement to the field `where` then.
  const pool = postgres.pool({ options: '-c log_parameter_max_length_on_error=-1' });
  const store = postgresStore(pool, { schema });
  await seedSigningKeys(store);
  const table = `${schema}.session_info`;
  const breakWith = async (fault: (table: string) => string, keepsRows: boolean): Promise<void> => {
    if (!keepsRows) await pool.query(`DELETE FROM ${table}`);
    await pool.query(fault(table));
  };
  return { store, breakWith };
}

/** Keeps everything that is logged, with all members of what is logged, as a logger of JSON prints them. */
function everything() {
  const written: string[] = [];
  const note = (...given: unknown[]): void => {
    written.push(inspect(given, { depth: 12, showHidden: true, maxStringLength: Infinity }));
  };
  return {
    written,
    logger: { log: note, warn: note, error: note, debug: note, verbose: note } as LoggerService,
    note,
  };
}

function leaks(written: readonly string[]): string[] {
  const text = written.join('\n');
  return [...CANARIES.filter((canary) => text.includes(canary)), ...(HASH.test(text) ? ['a hash'] : [])];
}

postgres.describe('the words of PostgreSQL about a row that it refuses', () => {
  it.each(FAULTS)(
    'reaches no log line, event or error, but for the code %s: %s (S103)',
    async (code, _what, fault, keepsRows) => {
      const { store, breakWith } = await fragileStore();
      const { written, logger, note } = everything();
      const starter = TestApplication.on('express').store(store).logger(logger);
      const { app, sessions, get } = await starter.start();
      const input = { userId: USER, accessTokenPayload: { p: PAYLOAD }, sessionDataInDatabase: { d: DATA } };
      const signIn = async () => sessions.createNewSessionWithoutRequestResponse(input);
      await signIn();
      get(SessionEvents).stream.subscribe((event) => {
        if (event.type === 'core.unavailable') note(event);
      });
      await breakWith(fault, keepsRows);
      const failure: unknown = await signIn().catch((error: unknown) => error);
      note(failure, JSON.stringify(failure));
      await get(SessionEvents).delivered();
      expect(inspect(failure)).toContain(`code: '${code}'`);
      expect(leaks(written)).toEqual([]);
      await app.close();
    },
  );

  it.each(FAULTS)(
    'reaches no log line and no response of a served core: %s, %s (S103)',
    async (code, _what, fault, keepsRows) => {
      const { store, breakWith } = await fragileStore();
      const { written, note } = everything();
      const methods = (['error', 'warn', 'log', 'debug'] as const).map((level) =>
        jest.spyOn(NestLogger.prototype, level).mockImplementation(note),
      );
      try {
        await withServedCore({ adapter: 'express', coreOptions: { store } }, async (core) => {
          const body = {
            userId: USER,
            enableAntiCsrf: false,
            userDataInJWT: { p: PAYLOAD },
            userDataInDatabase: { d: DATA },
          };
          expect((await core.post('/recipe/session', body)).status).toBe(200);
          await breakWith(fault, keepsRows);
          const { status, text } = await core.post('/recipe/session', body);
          note(text);
          expect(status).toBe(code === '23503' ? 400 : 503); // a Core has foreign keys to tenants
        });
        expect(written.join().includes('insertSession')).toBe(code !== '23503');
        expect(leaks(written)).toEqual([]);
      } finally {
        for (const method of methods) method.mockRestore();
      }
    },
  );
});
