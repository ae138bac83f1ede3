import { drizzle } from 'drizzle-orm/node-postgres';
import { postgresStore, type SessionStore } from 'nest-sessions';
import { Pool } from 'pg';

export function openDatabase(connectionString: string) {
  const pool = new Pool({ connectionString });
  const sessionStore: SessionStore = postgresStore(pool);
  return { pool, db: drizzle(pool), sessionStore };
}
