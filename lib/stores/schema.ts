import { createDeletionTrigger } from './cut-offs.js';
import { StoreSetupError } from './session-store.js';
import { quoted, sessionTables, type SessionTables, type TableNames } from './session-tables.js';
import {
  postgresDialect,
  sqliteDialect,
  type SqlDialect,
  type SqlQuery,
  type SqlSteps,
  type SqlTable,
} from './sql-client.js';
import { OURS } from './sql-rows.js';
import { readStoreOptions, SCHEMA_OPTIONS, type SchemaOptions } from './store-options.js';
import { createSchema, OWN_SCHEMA, placeTables, refuseSecondTables, refuseToHide } from './table-place.js';

/** Increased with each addition to the schema. There are additions only, so that older versions of this library keep working. */
const SCHEMA_VERSION = 4;

/** A table of 256 MB, some 800,000 sessions with a small payload, is indexed within about a second. */
const LARGEST_INDEXED_BYTES = 268_435_456;

/** Columns of CDI 5.6, which the tables of a Core before 12.1 lack. */
const ADDED_COLUMNS = ['prev_refresh_token_hash_2 VARCHAR(128)', 'refresh_token_rotated_at BIGINT'];

/** The columns of a session that the tables of every Core have. */
export const REQUIRED_COLUMNS: readonly string[] = [
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

/** The options of the stores that do not change the statements. */
const OPTIONS_WITHOUT_TABLES = ['migrate', 'preparedStatements', 'listen', 'synchronous', 'busyTimeoutMs'];

/**
 * Returns the statements that make the tables, for applications that run migrations themselves (`migrate: false`). The
 * names, columns and formats are those of a SuperTokens Core, so each can take over the other's tables.
 *
 * On PostgreSQL the script also brings older tables up to date and may be run again; on SQLite it makes new ones. The
 * options of the store may be given unchanged: those that do not concern tables are ignored. Without `schema` the tables are in
 * `nest_sessions`, and the script fails where the connection finds some in another schema: then give both that schema.
 *
 * @param engine which SQL to write
 * @returns statements that end in a semicolon and a line break each
 * @throws {TypeError} the engine or an option is unknown, or a name has other characters than lower-case letters, digits
 *   and underscores
 * @see docs/protocol/core.md C
 * @publicApi
 */
export function schemaSql(engine: 'sqlite' | 'postgres', options: SchemaOptions = {}): string {
  if (engine !== 'sqlite' && engine !== 'postgres') {
    throw new TypeError(`schemaSql: the engine must be 'sqlite' or 'postgres', not ${String(engine)}`);
  }
  const { deletionTrigger, ...names } = readStoreOptions(
    'schemaSql',
    SCHEMA_OPTIONS,
    options,
    OPTIONS_WITHOUT_TABLES,
  );
  if (engine === 'sqlite' && deletionTrigger !== false)
    throw new TypeError('deletionTrigger: PostgreSQL only');
  const dialect = engine === 'sqlite' ? sqliteDialect : postgresDialect;
  const tables = sessionTables(
    engine === 'sqlite' ? withoutSchema(names) : { ...names, schema: names.schema ?? OWN_SCHEMA },
  );
  const statements = [
    ...(engine === 'postgres' && names.schema === undefined ? [refuseSecondTables(tables.sessions)] : []),
    ...(tables.schema === undefined ? [] : [`CREATE SCHEMA IF NOT EXISTS ${quoted(tables.schema)}`]),
    ...createTables(dialect, tables),
    ...ADDED_COLUMNS.map((column) => dialect.addColumnIfMissing(tables.sessions, column)),
    createUserIndex(tables),
    ...createSearchIndexes(tables),
    `INSERT INTO ${tables.migrations.sql} (version) VALUES (${SCHEMA_VERSION}) ON CONFLICT DO NOTHING`,
    ...(deletionTrigger === false ? [] : createDeletionTrigger(tables, deletionTrigger)),
  ];
  return statements
    .filter((text) => text !== undefined)
    .map((text) => `${text};\n`)
    .join('');
}

/**
 * Makes the missing tables, columns and index, and leaves a Core's own tables as they are. Their place is looked for here, because
 * another instance may have made them since the last look.
 *
 * @returns the tables
 */
export function* migrate(dialect: SqlDialect, names: TableNames): SqlSteps<SessionTables> {
  const tables = yield* placeTables(dialect, names);
  if (yield* isUpToDate(dialect, tables)) return tables;
  yield* createSchema(tables);
  yield* refuseToHide(dialect, tables);
  for (const text of createTables(dialect, tables)) yield statement(text);
  yield* completeSessionColumns(dialect, tables);
  yield statement(createUserIndex(tables));
  yield* indexSearches(dialect, tables);
  yield {
    text: `INSERT INTO ${tables.migrations.sql} (version) VALUES ($1) ON CONFLICT DO NOTHING`,
    values: [SCHEMA_VERSION],
  };
  return tables;
}

/** Returns whether this version or a later one is in place, so that an ordinary start only reads. */
export function* isUpToDate(dialect: SqlDialect, tables: SessionTables): SqlSteps<boolean> {
  // One of the two alone may be in another schema of the search_path.
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

function* completeSessionColumns(dialect: SqlDialect, { sessions }: SessionTables): SqlSteps<void> {
  const columns = new Set((yield dialect.listColumns(sessions)).map((row) => String(row['name'])));
  if (columns.size === 0) return; // a plan has only noted the statement that makes the table
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

const APP_ID = `app_id VARCHAR(64) NOT NULL DEFAULT 'public'`;
const TENANT_ID = `tenant_id VARCHAR(64) NOT NULL DEFAULT 'public'`;

function createTables(dialect: SqlDialect, tables: SessionTables): string[] {
  return [
    createSessionTable(dialect, tables),
    ...createKeyTables(tables),
    `CREATE TABLE IF NOT EXISTS ${tables.migrations.sql} (
  version INTEGER PRIMARY KEY
)`,
    ...createRevocationTable(dialect, tables),
    ...createAuditTable(dialect, tables.audit),
  ];
}

/** On PostgreSQL a reader goes by the transaction of a record, because records are not committed in the order of their numbers. */
function createRevocationTable(dialect: SqlDialect, { revocations }: SessionTables): string[] {
  return [
    `CREATE TABLE IF NOT EXISTS ${revocations.sql} (
  ${dialect.recordPosition},
  kind VARCHAR(8) NOT NULL,
  subject VARCHAR(255) NOT NULL,
  tenant_id VARCHAR(64),
  not_before BIGINT NOT NULL,
  ends_at BIGINT NOT NULL,
  reason TEXT,
  initiator TEXT
)`,
    ...(dialect.name === 'postgres'
      ? [
          `CREATE INDEX IF NOT EXISTS ${quoted(`${revocations.name}_written_by`)} ON ${revocations.sql} (written_by)`,
        ]
      : []),
  ];
}

function createSessionTable(dialect: SqlDialect, { sessions }: SessionTables): string {
  return `CREATE TABLE IF NOT EXISTS ${sessions.sql} (
  ${APP_ID},
  ${TENANT_ID},
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
)${dialect.sessionTableOptions}`;
}

function createKeyTables({ dynamicKeys, staticKeys, keyValue }: SessionTables): string[] {
  return [
    `CREATE TABLE IF NOT EXISTS ${dynamicKeys.sql} (
  ${APP_ID},
  created_at_time BIGINT NOT NULL,
  value TEXT,
  PRIMARY KEY (app_id, created_at_time)
)`,
    `CREATE TABLE IF NOT EXISTS ${staticKeys.sql} (
  ${APP_ID},
  key_id VARCHAR(255) NOT NULL,
  key_string TEXT NOT NULL,
  algorithm VARCHAR(10) NOT NULL,
  created_at BIGINT,
  PRIMARY KEY (app_id, key_id)
)`,
    `CREATE TABLE IF NOT EXISTS ${keyValue.sql} (
  ${APP_ID},
  ${TENANT_ID},
  name VARCHAR(128) NOT NULL,
  value TEXT,
  created_at_time BIGINT,
  PRIMARY KEY (app_id, tenant_id, name)
)`,
  ];
}

function createUserIndex({ userIndex, sessions }: SessionTables): string {
  return `CREATE INDEX IF NOT EXISTS ${userIndex} ON ${sessions.sql} (user_id, app_id)`;
}

/**
 * The order of lists of everybody's sessions. A second index for the default tenant would double the cost where it is the only one:
 * its lists use the first.
 */
export function createSearchIndexes({
  sessions,
  creationIndex,
  tenantCreationIndex,
}: SessionTables): string[] {
  const create = ({ name }: SqlTable, columns: string, rows: string): string =>
    `CREATE INDEX IF NOT EXISTS ${quoted(name)} ON ${sessions.sql} (${columns}) WHERE ${OURS}${rows}`;
  return [
    create(creationIndex, 'created_at_time, session_handle', ''),
    create(tenantCreationIndex, 'tenant_id, created_at_time, session_handle', ` AND tenant_id <> 'public'`),
  ];
}

/** Leaves large tables of PostgreSQL alone, where nobody could sign in meanwhile: they are indexed by hand, `CONCURRENTLY`. */
function* indexSearches(dialect: SqlDialect, tables: SessionTables): SqlSteps<void> {
  if (dialect.name === 'postgres') {
    const [table] = yield {
      text: 'SELECT pg_relation_size(to_regclass($1)) AS bytes',
      values: [tables.sessions.sql],
    };
    if (Number(table?.['bytes']) > LARGEST_INDEXED_BYTES) return;
  }
  for (const text of createSearchIndexes(tables)) yield statement(text);
}

function statement(text: string): SqlQuery {
  return { text, values: [] };
}

function withoutSchema({ schema, ...options }: TableNames): TableNames {
  if (schema !== undefined) throw new TypeError('schema: SQLite has none; use tablePrefix');
  return options;
}

/** Returns the statements of the audit trail's table. As for the revocations, a reader goes by the transaction of a record; within one session also by its number. */
function createAuditTable(dialect: SqlDialect, audit: SqlTable): string[] {
  const index = (ending: string, columns: string): string =>
    `CREATE INDEX IF NOT EXISTS "${audit.name}_${ending}" ON ${audit.sql} (${columns})`;
  return [
    `CREATE TABLE IF NOT EXISTS ${audit.sql} (
  ${dialect.recordPosition},
  kind VARCHAR(32) NOT NULL,
  noted_at BIGINT NOT NULL,
  keep_until BIGINT NOT NULL,
  session_handle VARCHAR(255),
  tenant_id VARCHAR(64),
  user_id VARCHAR(128),
  created_at BIGINT,
  expires_at BIGINT,
  details TEXT
)`,
    ...(dialect.name === 'postgres' ? [index('written_by', 'written_by')] : []),
    index('session', 'session_handle, position'),
    index('user', 'user_id, position'),
    index('keep', 'keep_until'),
  ];
}
