/** A value, or a promise of it where something has to be waited for. */
export type MaybePromise<T> = Promise<T> | T;

/** Does some work with a value: at once if the value is there, otherwise as soon as its promise is fulfilled. */
export function chain<T, R>(value: MaybePromise<T>, work: (value: T) => MaybePromise<R>): MaybePromise<R> {
  return value instanceof Promise ? value.then(work) : work(value);
}
