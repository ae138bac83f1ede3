import { drizzle } from 'drizzle-orm/node-postgres';
import { postgresStore } from 'nest-sessions';
import type { SessionStore } from 'nest-sessions/core';
import { Pool } from 'pg';

export function openDatabase(connectionString: string) {
  const pool = new Pool({ connectionString });
  const sessionStore: SessionStore = postgresStore(pool);
  return { pool, db: drizzle(pool), sessionStore };
}
