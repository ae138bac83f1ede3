import { memoryStore } from 'nest-sessions';
import { filler } from './filler.mjs';

/** @type {import('./store-subject.mjs').OpenStores} */
export async function open() {
  return {
    serverCpuMs: () => 0,
    table: async () => {
      const store = memoryStore({ maxSessions: 10_000_000 });
      return {
        store,
        fill: async (from, count) => {
          for (let i = from; i < from + count; i++) await store.insertSession(filler.row(i));
        },
        settle: async () => {},
      };
    },
    close: async () => {},
  };
}
