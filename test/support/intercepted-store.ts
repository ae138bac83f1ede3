import type { SessionStore } from '../../lib/stores/session-store.js';

/** Returns a call's name: the method, and for an update the first column that it sets, such as `update sessionData`. */
export function nameCall(method: string, args: readonly unknown[]): string {
  const change = args[2];
  return method === 'update' && typeof change === 'object' && change !== null
    ? `update ${Object.keys(change)[0]}`
    : method;
}

/** Gets every call of a store by its name ({@link nameCall}) and decides when, and whether, it happens. */
export type AroundCall = (name: string, call: () => Promise<unknown>) => Promise<unknown>;

/** The same store with something around each of its calls. */
export function interceptedStore<S extends SessionStore>(store: S, around: AroundCall): S {
  return new Proxy(store, {
    get(target, name): unknown {
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== 'function') return member;
      return (...args: unknown[]) =>
        around(
          nameCall(String(name), args),
          async () => Reflect.apply(member, target, args) as Promise<unknown>,
        );
    },
  });
}
