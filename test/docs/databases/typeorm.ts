import { postgresStore, type SessionStore } from 'nest-sessions';
import type { Pool } from 'pg';
import type { DataSource } from 'typeorm';

/** The pool that TypeORM has opened; its own types do not say what it is. */
export function poolOf(dataSource: DataSource): Pool {
  const { master } = dataSource.driver as unknown as { master?: Pool };
  if (master === undefined)
    throw new Error('Initialize the DataSource first, and give it the type "postgres"');
  return master;
}

export const sessionStore = (dataSource: DataSource): SessionStore => postgresStore(poolOf(dataSource));
