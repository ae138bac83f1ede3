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
 */

const MODULES = {
  memory: './memory-store.mjs',
  sqlite: './sqlite-store.mjs',
  postgres: './postgres-store.mjs',
};

/** Names of the stores. The memory store comes last: its heap would make the collector slow for the others. */
export const STORES = ['postgres', 'sqlite', 'memory'];

/** @returns {Promise<StoreSubject>} */
export async function openStores(name) {
  const { open } = await import(new URL(MODULES[name], import.meta.url).href);
  return open();
}
