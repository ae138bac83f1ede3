import type { SqlTable } from './sql-client.js';
import { LONGEST_NAME } from './store-options.js';

/** The checked options that place and name the tables. */
export interface TableNames {
  readonly schema?: string | undefined;
  readonly tablePrefix?: string | undefined;
}

/** The tables of a store. */
export interface SessionTables {
  /** undefined: they are found by the connection's `search_path`. */
  readonly schema: string | undefined;
  readonly sessions: SqlTable;
  readonly dynamicKeys: SqlTable;
  readonly staticKeys: SqlTable;
  readonly keyValue: SqlTable;
  /** The version of the schema; a Core does not have this table. */
  readonly migrations: SqlTable;
  /** Records of ended sessions; a Core does not have this table either. */
  readonly revocations: SqlTable;
  /** The audit trail; nor this one. */
  readonly audit: SqlTable;
  /** A table that every Core makes, and this library never. */
  readonly coreUsers: SqlTable;
  readonly userIndex: string;
  /** All sessions by creation, and those of other tenants than the default one by tenant. */
  readonly creationIndex: SqlTable;
  readonly tenantCreationIndex: SqlTable;
}

/** Returns the names of the tables, with the prefix. */
export function sessionTables({ schema, tablePrefix }: TableNames): SessionTables {
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
    revocations: table('nest_sessions_revocations'),
    audit: table('nest_sessions_audit'),
    coreUsers: table('app_id_to_user_id'),
    userIndex: quoted(`${prefix}session_info_user_id_app_id_index`),
    creationIndex: table('session_info_created_index'),
    tenantCreationIndex: table('session_info_tenant_created_index'),
  };
}

/** Returns an identifier as it stands in statements. */
export function quoted(identifier: string): string {
  return `"${identifier}"`;
}
