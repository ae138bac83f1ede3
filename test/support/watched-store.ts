import type { SessionStore } from 'nest-sessions/core';
import { seededMemoryStore } from './embedded.js';
import { interceptedStore } from './intercepted-store.js';

/** A memory store that notes what is asked of it, and fails on demand. */
export interface WatchedStore {
  readonly store: SessionStore;
  /** Names of the calls, see `nameCall`, in their order; a test may empty it. */
  readonly calls: string[];
  /** Names of the calls, or of the methods, that fail from now on. */
  readonly failing: Set<string>;
  /** Sessions held now. */
  readonly size: number;
}

export async function watchedStore(): Promise<WatchedStore> {
  const inner = await seededMemoryStore();
  const calls: string[] = [];
  const failing = new Set<string>();
  const store = interceptedStore(inner, async (name, call) => {
    calls.push(name);
    if (failing.has(name) || failing.has(name.split(' ')[0] ?? ''))
      throw new Error('connection terminated unexpectedly');
    return call();
  });
  return {
    store,
    calls,
    failing,
    get size() {
      return inner.size;
    },
  };
}
