import { memoryStore, postgresStore, sqliteStore } from 'nest-sessions';
import type { SessionStore } from 'nest-sessions/core';
import type { StoreSetting } from './settings.js';

/** The store, and the function that closes its connections after the application. */
export interface OpenedStore {
  readonly store: SessionStore;
  close(): Promise<void>;
}

/** Opens the store of the settings. The PostgreSQL driver is loaded only when needed. */
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
