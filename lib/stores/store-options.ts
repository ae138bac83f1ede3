import type { ConfigProblem } from '../options/config-error.js';
import type { PostgresListener } from './postgres-announcements.js';
import { oneOf, trueOrFalse, wholeNumber } from '../options/option-checks.js';
import {
  isOptionsObject,
  option,
  readOptions,
  show,
  type Check,
  type OptionTable,
  type OptionsOf,
  type Readings,
} from '../options/option-table.js';

const IDENTIFIER = /^[a-z_][a-z0-9_]*$/;
/** PostgreSQL truncates longer names silently. */
const MAX_IDENTIFIER_LENGTH = 63;
/** The longest table name without a prefix. */
export const LONGEST_NAME = 'session_access_token_signing_keys';

function identifier(maxLength: number): Check<string> {
  return (value) => {
    if (typeof value === 'string' && IDENTIFIER.test(value) && value.length <= maxLength) return value;
    throw new Error(
      `1 to ${maxLength} lower-case letters, digits or underscores are expected, with no digit at the beginning`,
    );
  };
}

const schemaRow = {
  /**
   * PostgreSQL schema, lower case; made if it is missing. All instances must have the same. A Core calls this option
   * `postgresql_table_schema`.
   *
   * By default new tables are in `nest_sessions`, because tools that compare a database with an application's models drop foreign tables
   * from `public`. Tables that the connection's `search_path` finds stay in use: those of earlier versions and of a Core are in `public`.
   * A `search_path` that begins with another schema than `public` chooses that one. If two of these places have sessions, the start
   * fails and asks for this option.
   * @defaultValue `nest_sessions`, or where the connection finds the tables
   */
  schema: option(identifier(MAX_IDENTIFIER_LENGTH)),
};

const tablePrefixRow = {
  /**
   * A prefix of each table name, followed by an underscore: `st` makes `st_session_info`. Lower case. A Core calls this option
   * `postgresql_table_names_prefix`.
   * @defaultValue none
   */
  tablePrefix: option(identifier(MAX_IDENTIFIER_LENGTH - LONGEST_NAME.length - 1)),
};

/** A brace would choose the slot of the keys, and a space makes them hard to handle. */
const keyPrefix: Check<string> = (value) => {
  if (typeof value === 'string' && /^[\w.:/-]{1,100}$/.test(value)) return value;
  throw new Error('1 to 100 letters, digits and characters of ._:/- are expected');
};

const migrate: Check<boolean> = Object.assign(
  (value: unknown): boolean => {
    if (typeof value === 'boolean') return value;
    throw new Error(`must be true or false, not ${JSON.stringify(value)}`);
  },
  { hasOwnMessage: true },
);

const migrateRow = {
  /**
   * Makes and completes the tables before the first statement. With false the store uses the tables as they are; `schemaSql`
   * returns the statements that make them.
   * @defaultValue true
   */
  migrate: option(migrate, true),
};

const deletionTrigger: Check<boolean | number> = (value) => {
  if (typeof value === 'boolean' || (Number.isInteger(value) && (value as number) > 0))
    return value as boolean | number;
  throw new Error('true, false or a number of seconds is expected');
};

/** The options of the names of tables. */
export const SCHEMA_OPTIONS = {
  ...schemaRow,
  ...tablePrefixRow,
  /**
   * Adds a trigger that records the sessions which other programs delete, a SuperTokens Core or `psql`, so that `revocationFeed`
   * tells of them, too. PostgreSQL only. The records are kept for a day, or longer where access tokens live longer: give
   * their life in seconds then.
   * @defaultValue false
   */
  deletionTrigger: option(deletionTrigger, false),
};

/** The options of `memoryStore`. */
export const MEMORY_STORE_OPTIONS = {
  /**
   * The largest number of sessions. Beyond it a new session is refused, because making room would sign a user out. The
   * default takes about 700 MB with small payloads.
   * @defaultValue 1,000,000
   */
  maxSessions: option(wholeNumber(1, Number.MAX_SAFE_INTEGER), 1_000_000),
};

/** The options of `sqliteStore`. */
export const SQLITE_STORE_OPTIONS = {
  /**
   * When a write is complete. `FULL`: when the disk has it, so that no acknowledged write is ever lost. With `NORMAL` a crash
   * of the process still loses no write, but a power cut may undo the last moments: sessions that were just created are then
   * gone, and sessions that were just revoked are back. `NORMAL` is about ten times faster.
   * @defaultValue `FULL`
   */
  synchronous: option(oneOf('FULL', 'NORMAL'), 'FULL'),
  /**
   * The wait of one attempt for another process that is writing, milliseconds. It blocks this process with all its requests. Without
   * it writes are tried again for about five seconds, with pauses that do not block, and then fail as the store being
   * unavailable. Reads do not wait for a writer.
   * @defaultValue 0
   */
  busyTimeoutMs: option(wholeNumber(0, 2 ** 31 - 1), 0),
  ...migrateRow,
  ...tablePrefixRow,
};

/** The ways to listen; a text is a connection string. */
export type ListenOption = false | string | (() => PostgresListener);

/** The message never shows the value, because a connection string holds a password. */
const listenOption: Check<ListenOption> = Object.assign(
  (value: unknown): ListenOption => {
    if (value === false || (typeof value === 'string' && value !== '') || typeof value === 'function')
      return value as ListenOption;
    throw new Error('a connection string, a function that makes a Client of pg, or false is expected');
  },
  { hasOwnMessage: true },
);

/** The options of `postgresStore`. */
export const POSTGRES_STORE_OPTIONS = {
  /**
   * Whether each connection keeps its prepared statements, under names that begin with `nest_sessions_`. That saves
   * PostgreSQL the parsing and planning of each statement, about half of its work.
   *
   * A pooler that uses another connection for each statement (pgbouncer in transaction mode, unless its
   * `max_prepared_statements` is set) loses the names. The first time that happens, the store repeats the statement without
   * a name and stops using names; false saves that attempt.
   * @defaultValue true with a `Pool` of `pg`; false with any other pool, which may not know `pg`'s notation for it
   */
  preparedStatements: option(trueOrFalse),
  /**
   * How the option `revocationFeed` hears of sessions that end in other instances. By default a connection beside those of the
   * pool listens. Behind a pooler in transaction mode, which passes on no notification, give the connection string of the
   * server itself, or a function that makes a `Client` of `pg`; with `false` the store does not listen. Without notifications the table is
   * read at the feed's interval.
   * @defaultValue a connection with the options of the pool, if that is a `Pool` of `pg`; otherwise none
   */
  listen: option(listenOption),
  ...migrateRow,
  ...schemaRow,
  ...tablePrefixRow,
};

/** The options of `redisStore`. */
export const REDIS_STORE_OPTIONS = {
  /**
   * The beginning of the name of each key. Applications that share a server need different ones.
   * @defaultValue `nest-sessions:`
   */
  keyPrefix: option(keyPrefix, 'nest-sessions:'),
  /**
   * Whether the keys are spread over 256 hash tags, so that the nodes of a cluster share them. True on a single server prepares
   * its data for a later move into a cluster. The value must stay the same as long as the data do.
   * @defaultValue true with a client of a cluster; else false
   */
  clusterKeys: option(trueOrFalse),
  /**
   * The longest wait for a response of the server, milliseconds; then the call fails as the store being unavailable.
   * @defaultValue 5000
   */
  commandTimeoutMs: option(wholeNumber(1, 60_000), 5000),
  /**
   * The number of replicas that must have received the end of a session, or a new signing key, before the call is complete. Replicas receive
   * writes late, so a fail-over may otherwise bring an ended session back. Without as many replicas such calls fail as
   * the store being unavailable. 0 does not wait.
   * @defaultValue 1 if a server has a replica when the store is first used; else 0
   */
  waitForReplicas: option(wholeNumber(0, 100)),
  /**
   * Whether the disks of the server and of those replicas must have it, too. It needs Redis 7.2 or newer, or Valkey, and
   * `appendonly yes`.
   * @defaultValue false
   */
  waitForDisk: option(trueOrFalse, false),
  /**
   * The longest wait for replicas and disks, milliseconds. After it the call fails as the store being unavailable, and may be
   * repeated.
   * @defaultValue 1000
   */
  waitTimeoutMs: option(wholeNumber(1, 60_000), 1000),
};

/**
 * The place and the names of the tables.
 *
 * @publicApi
 */
export interface SchemaOptions extends OptionsOf<typeof SCHEMA_OPTIONS> {}

/**
 * Options of `memoryStore`.
 *
 * @publicApi
 */
export interface MemoryStoreOptions extends OptionsOf<typeof MEMORY_STORE_OPTIONS> {}

/**
 * Options of `sqliteStore`.
 *
 * @publicApi
 */
export interface SqliteStoreOptions extends OptionsOf<typeof SQLITE_STORE_OPTIONS> {}

/**
 * Options of `postgresStore`.
 *
 * @publicApi
 */
export interface PostgresStoreOptions extends OptionsOf<typeof POSTGRES_STORE_OPTIONS> {}

/**
 * Options of `redisStore`.
 *
 * @publicApi
 */
export interface RedisStoreOptions extends OptionsOf<typeof REDIS_STORE_OPTIONS> {}

/**
 * Checks a store's options and fills in the defaults.
 *
 * @param of the function that received the options, for the message
 * @param ignored names of options that are accepted and not read
 * @throws {TypeError} this is no object, or options are unknown or wrong; the message lists all problems
 */
export function readStoreOptions<Table extends OptionTable>(
  of: string,
  table: Table,
  options: unknown,
  ignored: readonly string[] = [],
): Readings<Table> {
  if (!isOptionsObject(options)) {
    throw new TypeError(`${of} was given ${show(options)} as options; an object is expected`);
  }
  const problems: ConfigProblem[] = [];
  const known = Object.fromEntries(Object.entries(options).filter(([name]) => !ignored.includes(name)));
  const read = readOptions(table, known, problems);
  if (problems.length === 0) return read;
  throw new TypeError(`${of}: ${problems.map(({ path, message }) => `${path}: ${message}`).join('; ')}`);
}
