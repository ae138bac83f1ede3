/** The member of Node's `process` that is used where there is one; Bun and Deno have it, browsers and some workers do not. */
interface WarningProcess {
  emitWarning?(message: string, options: WarningOptions): void;
}

interface WarningOptions {
  readonly type?: string;
  readonly code?: string;
  readonly detail?: string;
}

/** Warns the operator of the process: by `process.emitWarning`, or on the console of a runtime that has no such process. */
export function warnProcess(message: string, options: WarningOptions): void {
  const { process } = globalThis as { process?: WarningProcess };
  if (typeof process?.emitWarning === 'function') process.emitWarning(message, options);
  // oxlint-disable-next-line no-console -- there is no other place where an operator looks
  else console.warn(message);
}
