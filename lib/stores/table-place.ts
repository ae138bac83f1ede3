import { StoreSetupError } from './session-store.js';
import type { SqlDialect, SqlSteps, SqlTable } from './sql-client.js';
import { quoted, sessionTables, type SessionTables, type TableNames } from './session-tables.js';

/**
 * The schema of the tables where no option says another. It is not `public`, because tools that compare a database with an
 * application's own models (`drizzle-kit push`, `prisma db push`) drop what they find beside these.
 */
export const OWN_SCHEMA = 'nest_sessions';

/** The schemas that a connection's `search_path` leads to. */
interface SearchPath {
  /** The schema in which `CREATE TABLE` makes a table; undefined if there is none. */
  readonly own: string | undefined;
  /** The schema in which statements find the table of the sessions; undefined if there is none. */
  readonly found: string | undefined;
  /** Whether {@link OWN_SCHEMA} has a table of the sessions. */
  readonly isApart: boolean;
}

/**
 * Returns the tables of a store. Without the option `schema` those that the connection finds stay in use, because earlier versions and
 * a SuperTokens Core put them into `public`. New ones are made in a schema of their own, unless the connection's `search_path` leads to
 * another schema than `public`: then somebody has chosen that one.
 *
 * @throws {StoreSetupError} there are two tables of sessions
 */
export function* placeTables(dialect: SqlDialect, names: TableNames): SqlSteps<SessionTables> {
  const tables = sessionTables(names);
  if (names.schema !== undefined) return tables;
  const path = yield* readSearchPath(dialect, tables.sessions);
  if (path === undefined) return tables;
  const { own = 'public', found, isApart } = path;
  const isUnchosen = own === 'public' && found === undefined;
  if (isUnchosen || (found ?? own) === OWN_SCHEMA) return sessionTables({ ...names, schema: OWN_SCHEMA });
  if (own === 'public' && isApart) throw twoTables(tables.sessions, found ?? own);
  return tables;
}

/** @returns undefined for a database without schemas */
function* readSearchPath(dialect: SqlDialect, sessions: SqlTable): SqlSteps<SearchPath | undefined> {
  const query = dialect.readSearchPath(sessions, OWN_SCHEMA);
  if (query === undefined) return undefined;
  const [row = {}] = yield query;
  const name = (column: string): string | undefined => {
    const value = row[column];
    return typeof value === 'string' ? value : undefined;
  };
  return { own: name('own'), found: name('found'), isApart: row['is_apart'] === true };
}

/**
 * Two tables come about where an earlier version, or a SuperTokens Core, started beside or after this one. To choose one silently would
 * bring revoked sessions back, or end all others.
 */
function twoTables({ name }: SqlTable, other: string): StoreSetupError {
  return new StoreSetupError(
    `There are two tables ${name}, in the schemas ${OWN_SCHEMA} and ${other}. Say with the option schema which of them is ` +
      `meant, in all instances: schema: '${OWN_SCHEMA}', which this version makes, or schema: '${other}', where an ` +
      'earlier version or a SuperTokens Core makes them. Drop the other one if nothing uses it',
  );
}

/** Makes the schema. Looks for it first, because `IF NOT EXISTS` needs the right to make schemas even if it is there. */
export function* createSchema({ schema }: SessionTables): SqlSteps<void> {
  if (schema === undefined) return;
  const found = yield { text: 'SELECT nspname FROM pg_namespace WHERE nspname = $1', values: [schema] };
  if (found.length > 0) return;
  const [rights = {}] = yield {
    text: `SELECT CAST(current_user AS TEXT) AS account, CAST(current_database() AS TEXT) AS database,
      has_database_privilege(current_database(), 'CREATE') AS may_create`,
    values: [],
  };
  if (rights['may_create'] === false) {
    const [account, database] = [String(rights['account']), String(rights['database'])];
    throw new StoreSetupError(
      `the account ${account} may not make the schema ${schema} in the database ${database}. Let an administrator run ` +
        `CREATE SCHEMA ${schema} AUTHORIZATION "${account}", or name a schema in which this account may make tables, ` +
        `with the option schema of postgresStore, for example schema: 'public'`,
    );
  }
  yield { text: `CREATE SCHEMA ${quoted(schema)}`, values: [] };
}

/**
 * Refuses to hide existing sessions. With `search_path = app, core`, new tables in `app` would hide the ones in `core`, and
 * no statement would fail. Only the table of the sessions is looked for, because the other names may belong to any program.
 */
export function* refuseToHide(dialect: SqlDialect, { schema, sessions }: SessionTables): SqlSteps<void> {
  if (schema !== undefined) return;
  const path = yield* readSearchPath(dialect, sessions);
  if (path?.found === undefined || path.own === undefined || path.found === path.own) return;
  const { own, found } = path;
  throw new StoreSetupError(
    `There is a table ${sessions.name} in the schema ${found} of the search_path, and a new one in ${own}, which comes before ` +
      `it, would hide that. Say with the option schema which of them is meant: schema: '${found}' to use the sessions ` +
      `that are there, schema: '${own}' to have tables of one's own`,
  );
}

/**
 * Returns the statement at the head of a script for {@link OWN_SCHEMA}. It fails where the sessions are in another schema, because the
 * script would make empty tables beside them.
 */
export function refuseSecondTables(sessions: SqlTable): string {
  const bare = quoted(sessions.name);
  return `DO $$ DECLARE found TEXT;
BEGIN
  SELECT nspname INTO found FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE pg_class.oid = to_regclass('${bare}') AND nspname <> '${OWN_SCHEMA}';
  IF found IS NOT NULL THEN
    RAISE EXCEPTION 'There is a table ${sessions.name} in the schema % already: give schemaSql and postgresStore the option schema', found;
  END IF;
END $$`;
}
