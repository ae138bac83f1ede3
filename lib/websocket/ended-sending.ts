/** The members of a connection that put messages on their way. */
type Sender<Name extends string> = Partial<Record<Name, (...input: never[]) => unknown>>;

const ORIGINAL = Symbol('nest-sessions:sending');

/**
 * Drops every message that the application sends on a connection from now on.
 *
 * @param method the method through which all of them go
 */
export function endSending<Name extends string>(connection: Sender<Name>, method: Name): void {
  const original = connection[method] as { [ORIGINAL]?: unknown } | undefined;
  if (typeof original !== 'function' || original[ORIGINAL] !== undefined) return;
  const drop = (...input: unknown[]): void => {
    const done = input.at(-1);
    if (typeof done === 'function') (done as () => void)(); // a sender may wait for it
  };
  Reflect.set(connection, method, Object.assign(drop, { [ORIGINAL]: original }));
}

/** Sends a message of the library itself, although those of the application may be dropped. */
export function sendPastEnd<Name extends string>(
  connection: Sender<Name>,
  method: Name,
  send: () => unknown,
): void {
  const current = connection[method] as { [ORIGINAL]?: unknown } | undefined;
  const original = current?.[ORIGINAL];
  if (original === undefined) return void send();
  Reflect.set(connection, method, original);
  try {
    send();
  } finally {
    Reflect.set(connection, method, current);
  }
}
