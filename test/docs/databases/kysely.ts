import { Kysely, PostgresDialect } from 'kysely';
import { postgresStore, type SessionStore } from 'nest-sessions';
import { Pool } from 'pg';

export interface Database {
  users: { id: string; name: string };
}

export function openDatabase(connectionString: string) {
  const pool = new Pool({ connectionString });
  const db = new Kysely<Database>({ dialect: new PostgresDialect({ pool }) });
  const sessionStore: SessionStore = postgresStore(pool);
  return { pool, db, sessionStore };
}
