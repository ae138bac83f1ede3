/**
 * A store that is measured. Each number of rows gets a table of its own, and all of them are open at once, so that they
 * can be measured in turns.
 *
 * @typedef {() => Promise<StoreSubject>} OpenStores
 *
 * @typedef {object} StoreSubject
 * @property {(name: string) => Promise<Table>} table makes an empty table
 * @property {() => number} serverCpuMs CPU time of the database server so far; 0 where the work is done in this process
 * @property {() => Promise<void>} close
 *
 * @typedef {object} Table
 * @property {import('nest-sessions/core').SessionStore} store
 * @property {(from: number, count: number) => Promise<void>} fill adds rows in bulk, numbered from `from`
 * @property {() => Promise<void>} settle what a database does by itself soon after so many rows have come
 * @property {() => Promise<number>} [dropSearchIndexes] drops the indexes for lists of everybody's sessions; returns their size
 * @property {() => Promise<number>} [serverBytes] memory of the table in a server that keeps all in memory
 */

const MODULES = {
  memory: ['./memory-store.mjs', 'open'],
  sqlite: ['./sqlite-store.mjs', 'open'],
  postgres: ['./postgres-store.mjs', 'open'],
  redis: ['./redis-store.mjs', 'open'],
  'redis-synced': ['./redis-store.mjs', 'openSynced'],
};

/** Names of the stores. The memory store comes last: its heap would make the collector slow for the others. */
export const STORES = ['postgres', 'redis', 'redis-synced', 'sqlite', 'memory'];

/** @returns {Promise<StoreSubject>} */
export async function openStores(name) {
  const [module, open] = MODULES[name];
  return (await import(new URL(module, import.meta.url).href))[open]();
}

/** The indexes in SQL that only lists of everybody's sessions need. */
export const SEARCH_INDEXES = ['session_info_created_index', 'session_info_tenant_created_index'];
