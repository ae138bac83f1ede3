import { join } from 'node:path';
import { transformFile } from '@swc/core';
import { build } from 'esbuild';

export const decorators = {
  name: 'decorators',
  setup: ({ onLoad }) => {
    onLoad({ filter: /\.ts$/ }, async ({ path }) => ({
      contents: (await transformFile(path)).code,
      loader: 'js',
    }));
  },
};

export async function bundle(entry, outfile, plugins = []) {
  await build({
    entryPoints: [entry],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    packages: 'external',
    plugins,
    keepNames: true,
    logLevel: 'warning',
  });
  return outfile;
}

export function bundleProgram(root, program, plugins = []) {
  return bundle(join(root, program), join(root, 'build', program.replace(/\.ts$/, '.mjs')), plugins);
}
