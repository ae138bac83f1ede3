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

/** A store whose next change of a row waits, once the test has asked for it. */
export function storeWithHeldUpdate<S extends SessionStore>(inner: S) {
  let held: { readonly reach: () => void; readonly released: Promise<void> } | undefined;
  const store = interceptedStore(inner, async (name, call) => {
    if (held !== undefined && name.startsWith('update')) {
      const { reach, released } = held;
      held = undefined;
      reach();
      await released;
    }
    return call();
  });
  /** Returns a promise that the change has been reached, and a function that lets it go on. */
  const holdNext = () => {
    let release = (): void => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    const reached = new Promise<void>((resolve) => {
      held = { reach: resolve, released };
    });
    return { reached, release };
  };
  return { store, holdNext };
}
