import { afterAll, expect } from '@jest/globals';

const hooks: (() => void)[] = [];

/** Files that share this module registry, see test/together/environment.mjs. */
const { specFiles } = globalThis as unknown as {
  specFiles: { readonly running?: string; atTop(addHooks: () => void): void };
};

/** Adds hooks to the spec file that is loading, and to each that is loaded after it into the same module registry. */
export function inEachFile(addHooks: () => void): void {
  addHooks();
  hooks.push(addHooks);
}

/** Adds the hooks that modules asked for which are loaded already. */
export function addHooksOfFile(): void {
  for (const addHooks of hooks) addHooks();
}

/** Runs `close` after the tests of the last file in this module registry. */
export function afterLastFile(close: () => Promise<void>): void {
  specFiles.atTop(() => afterAll(close));
}

/** The path of the spec file whose tests run. */
export function runningFile(): string {
  return specFiles.running ?? expect.getState().testPath ?? '';
}
