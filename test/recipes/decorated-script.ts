import { mkdirSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { transformFile } from '@swc/core';
import { build, type Plugin } from 'esbuild';

const FOLDER = resolve('node_modules/.cache/nest-sessions');

/** As Jest's transform: Nest injects by the metadata of decorators, which esbuild does not write. */
const decorators: Plugin = {
  name: 'decorators',
  setup({ onLoad, onResolve }) {
    onResolve({ filter: /^nest-sessions(\/|$)/ }, ({ path }) => ({
      path: resolve(`lib${path.slice('nest-sessions'.length)}/index.ts`),
    }));
    onLoad({ filter: /\.ts$/ }, async ({ path }) => {
      const { code } = await transformFile(path, {
        swcrc: false,
        configFile: false,
        jsc: {
          target: 'es2022',
          parser: { syntax: 'typescript', decorators: true },
          transform: { legacyDecorator: true, decoratorMetadata: true, useDefineForClassFields: false },
          keepClassNames: true,
        },
        module: { type: 'es6' },
      });
      return { contents: code, loader: 'js' };
    });
  },
};

/**
 * Compiles a program with decorators for a process of its own.
 *
 * @returns the file, which the caller removes
 */
export async function decoratedScript(entry: string): Promise<string> {
  const outfile = `${FOLDER}/${basename(entry, '.ts')}-${process.pid}.mjs`;
  mkdirSync(FOLDER, { recursive: true });
  await build({
    entryPoints: [entry],
    outfile,
    bundle: true,
    plugins: [decorators],
    external: ['./*.node'],
    packages: 'external',
    platform: 'node',
    format: 'esm',
    target: 'node20',
    keepNames: true,
    logLevel: 'error',
  });
  return outfile;
}
