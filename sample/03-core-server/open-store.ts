import { memoryStore, postgresStore, sqliteStore } from 'nest-sessions';
import type { SessionStore } from 'nest-sessions/core';
import type { StoreSetting } from './settings.js';

/** The store, and what is left to close when the application has ended. */
export interface OpenedStore {
  readonly store: SessionStore;
  close(): Promise<void>;
}

/** Opens nothing that is not asked for: the driver of PostgreSQL is loaded only when it is needed. */
export async function openStore(setting: StoreSetting): Promise<OpenedStore> {
  switch (setting.kind) {
    case 'memory':
      return { store: memoryStore(), close: async () => undefined };
    case 'sqlite':
      return { store: sqliteStore(setting.file), close: async () => undefined };
    case 'postgresql': {
      const { default: pg } = await import('pg');
      const pool = new pg.Pool({ connectionString: setting.url });
      pool.on('error', (error) => console.error(`PostgreSQL: ${error.message}`));
      return { store: postgresStore(pool), close: async () => pool.end() };
    }
  }
}
