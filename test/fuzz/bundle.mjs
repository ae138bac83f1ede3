import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { transform } from 'esbuild';
import { createInstrumenter } from 'istanbul-lib-instrument';
import { bundleProgram } from '../support/bundle.mjs';

/**
 * Bundles the fuzzer with the library of a checkout, in which every statement, function and branch of `lib/` counts how often it ran.
 *
 * @param {string} root folder of the checkout
 * @returns {Promise<{ file: string, counters: number }>} the file to run, and how many places count
 */
export async function bundleFuzzer(root) {
  /** @type {{ file: string, kind: string }[]} */
  const counters = [];
  /** @type {Set<string>} */
  const words = new Set();
  const file = await bundleProgram(root, 'test/fuzz/main.ts', [counting(root, counters, words)]);
  await mkdir(join(root, 'build/fuzz'), { recursive: true });
  await writeFile(join(root, 'build/fuzz/places.json'), JSON.stringify({ counters, words: [...words] }));
  return { file, counters: counters.length };
}

/** Replaces the counters of Istanbul by elements of one typed array, which are quick to read after every run. */
function counting(root, counters, words) {
  return {
    name: 'counting',
    setup({ onLoad }) {
      onLoad({ filter: /\/lib\/.*\.ts$/ }, async ({ path }) => {
        const source = await readFile(path, 'utf8');
        for (const [, word] of source.matchAll(/'([^'\n]{1,40})'/g)) words.add(word);
        const { code } = await transform(source, {
          loader: 'ts',
          format: 'esm',
          target: 'node20',
          tsconfigRaw: { compilerOptions: { experimentalDecorators: true, useDefineForClassFields: false } },
        });
        const instrumenter = createInstrumenter({ esModules: true, compact: false });
        const file = relative(root, path);
        const contents = instrumenter
          .instrumentSync(code, path)
          .replaceAll(/\bcov_\w+\(\)\.([sfb])((?:\[\d+\])+)\+\+/g, (_, kind) => {
            counters.push({ file, kind });
            return `globalThis.__fuzzHits[${counters.length - 1}]++`;
          });
        return { contents, loader: 'js' };
      });
    },
  };
}
