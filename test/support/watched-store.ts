import type { SessionStore } from 'nest-sessions';
import { seededMemoryStore } from './embedded.js';

/** A memory store that notes what is asked of it, and fails on demand. */
export interface WatchedStore {
  readonly store: SessionStore;
  /** Names of the methods that were called, in their order; a test may empty it. */
  readonly calls: string[];
  /** Names of the methods that fail from now on. */
  readonly failing: Set<string>;
  /** Sessions held now. */
  readonly size: number;
}

export async function watchedStore(): Promise<WatchedStore> {
  const inner = await seededMemoryStore();
  const calls: string[] = [];
  const failing = new Set<string>();
  const store = new Proxy(inner, {
    get(target, name): unknown {
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== 'function' || typeof name === 'symbol') return member;
      return async (...args: unknown[]): Promise<unknown> => {
        calls.push(name);
        if (failing.has(name)) throw new Error('connection terminated unexpectedly');
        return Reflect.apply(member, target, args) as Promise<unknown>;
      };
    },
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
