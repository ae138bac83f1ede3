import { StoreSetupError } from './session-store.js';
import type { SqlQuery, SqlSteps } from './sql-client.js';
import { assertStoreOptions } from './store-options.js';
import { postgresDialect, sqliteDialect, type SqlDialect, type SqlTable } from './sql-dialect.js';

/**
 * Where the tables are.
 *
 * @publicApi
 */
export interface SchemaOptions {
  /**
   * PostgreSQL schema, lower case; made if it is missing. Default: what the connection's `search_path` says, usually
   * `public`; where sessions are found further down that path, no table is made that would hide them. A Core calls it
   * `postgresql_table_schema`.
   */
  schema?: string;
  /**
   * Goes before each table name, with an underscore: `st` makes `st_session_info`. Lower case. Default none. A Core
   * calls it `postgresql_table_names_prefix`.
   */
  tablePrefix?: string;
}

/** The tables of a store. */
export interface SessionTables {
  /** undefined: the connection's own. */
  readonly schema: string | undefined;
  readonly sessions: SqlTable;
  readonly dynamicKeys: SqlTable;
  readonly staticKeys: SqlTable;
  readonly keyValue: SqlTable;
  /** Ours alone: which version of the schema is in place. */
  readonly migrations: SqlTable;
  readonly userIndex: string;
}

/** Raised with each addition to the schema. Additions only, so that older versions of this library keep working on it. */
const SCHEMA_VERSION = 1;

/** Columns of CDI 5.6, which the tables of a Core before 12.1 lack. */
const ADDED_COLUMNS = ['prev_refresh_token_hash_2 VARCHAR(128)', 'refresh_token_rotated_at BIGINT'];

const REQUIRED_COLUMNS = [
  'app_id',
  'tenant_id',
  'session_handle',
  'user_id',
  'refresh_token_hash_2',
  'session_data',
  'expires_at',
  'created_at_time',
  'jwt_user_payload',
  'use_static_key',
];

/** What else the stores are told, which the statements do not depend on. */
const OPTIONS_WITHOUT_TABLES = ['migrate', 'preparedStatements', 'synchronous', 'busyTimeoutMs'];

const IDENTIFIER = /^[a-z_][a-z0-9_]*$/;
/** PostgreSQL cuts longer names short, silently. */
const MAX_IDENTIFIER_LENGTH = 63;
const LONGEST_NAME = 'session_access_token_signing_keys';

/**
 * The statements that make the tables, for those who run migrations themselves (`migrate: false`). The names, columns
 * and formats are those of a SuperTokens Core, so either can take over the other's tables.
 *
 * On PostgreSQL the script also brings older tables up to date and may be run again; on SQLite it makes new ones. The
 * options that the store gets may be given as they are: what says nothing about tables is not read.
 *
 * @param engine which SQL to write
 * @returns statements that end in a semicolon and a line break each
 * @throws {TypeError} another engine or option, or a name is not made of lower-case letters, digits and underscores
 * @see docs/protocol/core.md C
 * @publicApi
 */
export function schemaSql(engine: 'sqlite' | 'postgres', options: SchemaOptions = {}): string {
  if (engine !== 'sqlite' && engine !== 'postgres') {
    throw new TypeError(`schemaSql: the engine must be 'sqlite' or 'postgres', not ${String(engine)}`);
  }
  assertStoreOptions('schemaSql', options, ['schema', 'tablePrefix', ...OPTIONS_WITHOUT_TABLES]);
  const dialect = engine === 'sqlite' ? sqliteDialect : postgresDialect;
  const tables = sessionTables(engine === 'sqlite' ? withoutSchema(options) : options);
  const statements = [
    ...(tables.schema === undefined ? [] : [`CREATE SCHEMA IF NOT EXISTS ${quoted(tables.schema)}`]),
    ...createTables(dialect, tables),
    ...ADDED_COLUMNS.map((column) => dialect.addColumnIfMissing(tables.sessions, column)),
    createUserIndex(tables),
    `INSERT INTO ${tables.migrations.sql} (version) VALUES (${SCHEMA_VERSION}) ON CONFLICT DO NOTHING`,
  ];
  return statements
    .filter((text) => text !== undefined)
    .map((text) => `${text};\n`)
    .join('');
}

/** Checks the names and puts the prefix before them. @throws {TypeError} a name cannot be used */
export function sessionTables({ schema, tablePrefix }: SchemaOptions): SessionTables {
  if (schema !== undefined) assertIdentifier('schema', schema, MAX_IDENTIFIER_LENGTH);
  if (tablePrefix !== undefined) {
    assertIdentifier('tablePrefix', tablePrefix, MAX_IDENTIFIER_LENGTH - LONGEST_NAME.length - 1);
  }
  const prefix = tablePrefix === undefined ? '' : `${tablePrefix}_`;
  const table = (ending: string): SqlTable => {
    const name = `${prefix}${ending}`;
    return { name, sql: schema === undefined ? quoted(name) : `${quoted(schema)}.${quoted(name)}` };
  };
  return {
    schema,
    sessions: table('session_info'),
    dynamicKeys: table(LONGEST_NAME),
    staticKeys: table('jwt_signing_keys'),
    keyValue: table('key_value'),
    migrations: table('nest_sessions_migrations'),
    userIndex: quoted(`${prefix}session_info_user_id_app_id_index`),
  };
}

/** Makes what is missing and touches nothing else; a Core's own tables are taken as they are. */
export function* migrate(dialect: SqlDialect, tables: SessionTables): SqlSteps<void> {
  if (yield* isUpToDate(dialect, tables)) return;
  yield* createSchema(tables);
  if (tables.schema === undefined) yield* refuseToHide(dialect, tables);
  for (const text of createTables(dialect, tables)) yield statement(text);
  yield* completeSessionColumns(dialect, tables);
  yield statement(createUserIndex(tables));
  yield {
    text: `INSERT INTO ${tables.migrations.sql} (version) VALUES ($1) ON CONFLICT DO NOTHING`,
    values: [SCHEMA_VERSION],
  };
}

/** True when this version, or a later one, is in place: reading is all that an ordinary start costs. */
export function* isUpToDate(dialect: SqlDialect, tables: SessionTables): SqlSteps<boolean> {
  // The one alone may stand elsewhere on the search_path.
  for (const table of [tables.migrations, tables.sessions]) {
    const columns = yield dialect.listColumns(table);
    if (columns.length === 0) return false;
  }
  const versions = yield {
    text: `SELECT version FROM ${tables.migrations.sql} WHERE version >= $1`,
    values: [SCHEMA_VERSION],
  };
  return versions.length > 0;
}

/** Asked first: `IF NOT EXISTS` alone wants the right to make schemas even when there is nothing to make. */
function* createSchema({ schema }: SessionTables): SqlSteps<void> {
  if (schema === undefined) return;
  const found = yield { text: 'SELECT nspname FROM pg_namespace WHERE nspname = $1', values: [schema] };
  if (found.length === 0) yield statement(`CREATE SCHEMA ${quoted(schema)}`);
}

/**
 * With `search_path = app, core` new tables in the one would hide those of the other, with all sessions in them, and
 * nothing would fail. Only the table of the sessions tells: the names of others may be anybody's.
 */
function* refuseToHide(dialect: SqlDialect, tables: SessionTables): SqlSteps<void> {
  const asking = dialect.tableElsewhere(tables.sessions);
  if (asking === undefined) return;
  const [hidden] = yield asking;
  if (hidden === undefined) return;
  const [name, schema, own] = [String(hidden['name']), String(hidden['schema']), String(hidden['own'])];
  throw new StoreSetupError(
    `There is a table ${name} in the schema ${schema} of the search_path, and a new one in ${own}, which comes before ` +
      `it, would hide that. Say with the option schema which of them is meant: schema: '${schema}' to use the sessions ` +
      `that are there, schema: '${own}' to have tables of one's own`,
  );
}

function* completeSessionColumns(dialect: SqlDialect, { sessions }: SessionTables): SqlSteps<void> {
  const columns = new Set((yield dialect.listColumns(sessions)).map((row) => String(row['name'])));
  const missing = REQUIRED_COLUMNS.filter((column) => !columns.has(column));
  if (missing.length > 0) {
    throw new StoreSetupError(
      `The table ${sessions.name} is there but lacks ${missing.join(', ')}. If a SuperTokens Core made it, let a ` +
        'current Core bring it up to date first; otherwise choose another schema or tablePrefix',
    );
  }
  for (const column of ADDED_COLUMNS) {
    const [name = ''] = column.split(' ');
    if (!columns.has(name)) yield statement(`ALTER TABLE ${sessions.sql} ADD COLUMN ${column}`);
  }
}

function createTables(dialect: SqlDialect, tables: SessionTables): string[] {
  const app = `app_id VARCHAR(64) NOT NULL DEFAULT 'public'`;
  const tenant = `tenant_id VARCHAR(64) NOT NULL DEFAULT 'public'`;
  return [
    `CREATE TABLE IF NOT EXISTS ${tables.sessions.sql} (
  ${app},
  ${tenant},
  session_handle VARCHAR(255) NOT NULL,
  user_id VARCHAR(128) NOT NULL,
  refresh_token_hash_2 VARCHAR(128) NOT NULL,
  session_data TEXT,
  expires_at BIGINT NOT NULL,
  created_at_time BIGINT NOT NULL,
  jwt_user_payload TEXT,
  use_static_key BOOLEAN NOT NULL,
  ${ADDED_COLUMNS.join(',\n  ')},
  PRIMARY KEY (app_id, tenant_id, session_handle)
)${dialect.sessionTableOptions}`,
    `CREATE TABLE IF NOT EXISTS ${tables.dynamicKeys.sql} (
  ${app},
  created_at_time BIGINT NOT NULL,
  value TEXT,
  PRIMARY KEY (app_id, created_at_time)
)`,
    `CREATE TABLE IF NOT EXISTS ${tables.staticKeys.sql} (
  ${app},
  key_id VARCHAR(255) NOT NULL,
  key_string TEXT NOT NULL,
  algorithm VARCHAR(10) NOT NULL,
  created_at BIGINT,
  PRIMARY KEY (app_id, key_id)
)`,
    `CREATE TABLE IF NOT EXISTS ${tables.keyValue.sql} (
  ${app},
  ${tenant},
  name VARCHAR(128) NOT NULL,
  value TEXT,
  created_at_time BIGINT,
  PRIMARY KEY (app_id, tenant_id, name)
)`,
    `CREATE TABLE IF NOT EXISTS ${tables.migrations.sql} (
  version INTEGER PRIMARY KEY
)`,
  ];
}

function createUserIndex({ userIndex, sessions }: SessionTables): string {
  return `CREATE INDEX IF NOT EXISTS ${userIndex} ON ${sessions.sql} (user_id, app_id)`;
}

function statement(text: string): SqlQuery {
  return { text, values: [] };
}

function quoted(identifier: string): string {
  return `"${identifier}"`;
}

function withoutSchema({ schema, ...options }: SchemaOptions): SchemaOptions {
  if (schema !== undefined) throw new TypeError('schema: SQLite has none; use tablePrefix');
  return options;
}

function assertIdentifier(option: string, name: unknown, maxLength: number): void {
  if (typeof name !== 'string' || !IDENTIFIER.test(name) || name.length > maxLength) {
    throw new TypeError(
      `${option}: must be 1 to ${maxLength} lower-case letters, digits or underscores and not begin with a digit, ` +
        `not ${JSON.stringify(name)}`,
    );
  }
}
