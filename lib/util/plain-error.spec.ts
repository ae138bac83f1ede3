import { inspect } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { CoreUnavailableError } from '../errors.js';
import { CoreAttemptError } from '../core/remote/core-call-errors.js';
import { errorReason } from '../events/printable.js';
import { StoreSetupError } from '../stores/session-store.js';
import { plainError } from './plain-error.js';

const CANARY = 'CANARY-of-a-row';

/** Members that drivers put on their errors, beside those of a real error of each. */
const MEMBERS = [
  ...[
    'detail',
    'hint',
    'where',
    'internalQuery',
    'position',
    'internalPosition',
    'schema',
    'table',
    'column',
  ],
  ...['dataType', 'constraint', 'file', 'line', 'routine', 'severity', 'length'], // pg
  ...['parameters', 'params', 'args', 'query', 'sql', 'bindings', 'values', 'command', 'row', 'rawPacket'],
  ...['errcode', 'errstr', 'rawCode', 'extendedCode', 'libsqlError'],
];

function withCanaries<E extends Error>(error: E): E {
  const own = Object.getOwnPropertyNames(error).filter(
    (name) => !['message', 'stack', 'name', 'code', 'cause', 'errors'].includes(name),
  );
  for (const name of [...own, ...MEMBERS]) Object.assign(error, { [name]: CANARY });
  return Object.assign(error, { nested: { deep: [CANARY] }, code: '23505' });
}

/** Jest does not know the module. */
const sqlite = process.getBuiltinModule('node:sqlite' as 'node:fs') as unknown as
  { DatabaseSync: new (path: string) => { exec(sql: string): void } } | undefined;

function sqliteError(): Error {
  if (sqlite === undefined) return Object.assign(new Error('no such table: nowhere'), { errcode: 1 });
  try {
    new sqlite.DatabaseSync(':memory:').exec('SELECT nothing FROM nowhere');
  } catch (error) {
    return error as Error;
  }
  throw new Error('no error');
}

const DRIVERS: [string, () => Error][] = [
  ['pg', () => new pg.DatabaseError('duplicate key value violates unique constraint', 10, 'error')],
  ['node:sqlite', sqliteError],
  ['libsql', () => Object.assign(new Error('SQLITE_CONSTRAINT'), { name: 'SqliteError', rawCode: 19 })],
  ['a pool around them', () => new Error('Failed query', { cause: withCanaries(new Error('inner')) })],
  ['a connection', () => new AggregateError([withCanaries(new Error('connect ECONNREFUSED'))], '')],
];

describe.each(DRIVERS)('the cause of an error with the error of %s', (_driver, make) => {
  it.each([
    ['CoreUnavailableError', (cause: unknown) => new CoreUnavailableError('The store failed', { cause })],
    ['StoreSetupError', (cause: unknown) => new StoreSetupError('The tables do not fit', { cause })],
    [
      'CoreAttemptError',
      (cause: unknown) => new CoreAttemptError({ method: 'GET', host: 'h', path: '/' }, 'why', { cause }),
    ],
  ])('of the class %s shows what failed and nothing of a row, however it is logged (S103)', (_name, wrap) => {
    const driver = withCanaries(make());
    const error = wrap(driver);
    const outer = new Error('of the application', { cause: error });
    const shown = [error, outer].flatMap((each) => [
      inspect(each, { depth: 20, showHidden: true }),
      JSON.stringify(each, Object.getOwnPropertyNames(each)),
      each.stack,
      errorReason(each),
    ]);
    expect(shown.join('\n')).not.toContain(CANARY);
    expect((error.cause as { code?: string }).code).toBe('23505');
    expect(errorReason(error)).toContain(driver.message || 'connect ECONNREFUSED');
  });
});

describe('an error that is a cause', () => {
  it('stays the same object where it has harmless members only', () => {
    const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED', port: 5432 });
    expect(plainError(refused)).toBe(refused);
    const setup = new StoreSetupError('no table', { cause: refused });
    expect(plainError(setup)).toBe(setup);
  });

  it('is left out where it is an object without a class of errors', () => {
    expect(plainError({ detail: CANARY })).toBeUndefined();
    expect(plainError('text')).toBe('text');
  });

  it('ends where causes form a circle', () => {
    const one = withCanaries(new Error('one'));
    const two = new Error('two', { cause: one });
    one.cause = two;
    expect(inspect(plainError(one), { depth: 20 })).not.toContain(CANARY);
  });
});
