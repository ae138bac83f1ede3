/** Makes a `switch` over a union exhaustive at compile time, and throws at run time. */
export function assertNever(value: never): never {
  throw new TypeError(`Unhandled case: ${JSON.stringify(value)}`);
}
