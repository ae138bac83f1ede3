import { drizzle } from 'drizzle-orm/node-postgres';
import { postgresStore } from 'nest-sessions';
import { Pool } from 'pg';

export function openDatabase(connectionString: string) {
  const pool = new Pool({ connectionString });
  return { pool, db: drizzle(pool), sessionStore: postgresStore(pool) };
}
