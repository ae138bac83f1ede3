import type { SessionStore } from '../../lib/stores/session-store.js';

/** Gets every call of a store and decides when, and whether, it happens. */
export type AroundCall = (name: string, call: () => Promise<unknown>) => Promise<unknown>;

/** The same store with something around each of its calls. */
export function interceptedStore<S extends SessionStore>(store: S, around: AroundCall): S {
  return new Proxy(store, {
    get(target, name): unknown {
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== 'function') return member;
      return (...args: unknown[]) =>
        around(String(name), async () => Reflect.apply(member, target, args) as Promise<unknown>);
    },
  });
}
