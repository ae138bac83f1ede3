import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { transform } from '@swc/core';
import { build } from 'esbuild';

/** As jest.config.ts has it: Nest injects by the metadata that esbuild does not write. */
const SWC = {
  jsc: {
    target: 'es2022',
    parser: { syntax: 'typescript', decorators: true },
    transform: { legacyDecorator: true, decoratorMetadata: true, useDefineForClassFields: false },
    keepClassNames: true,
  },
  module: { type: 'es6' },
  sourceMaps: false,
};

/** @type {import('esbuild').Plugin} */
const decorators = {
  name: 'decorators',
  setup: ({ onLoad }) => {
    onLoad({ filter: /\.ts$/ }, async ({ path }) => {
      const { code } = await transform(await readFile(path, 'utf8'), { ...SWC, filename: path });
      return { contents: code, loader: 'js' };
    });
  },
};

/**
 * Bundles a program of a checkout with the library of that checkout.
 *
 * @param {string} root folder of the checkout
 * @param {string} program its path from there
 * @returns {Promise<string>} the file to run
 */
export async function bundleProgram(root, program) {
  const outfile = join(root, 'build', program.replace(/\.ts$/, '.mjs'));
  await build({
    absWorkingDir: root,
    entryPoints: [join(root, program)],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    packages: 'external',
    alias: {
      'nest-sessions': join(root, 'lib/index.ts'),
      'nest-sessions/core': join(root, 'lib/core/index.ts'),
    },
    plugins: [decorators],
    keepNames: true,
    logLevel: 'warning',
  });
  return outfile;
}
