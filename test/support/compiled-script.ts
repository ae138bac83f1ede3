import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { basename } from 'node:path';
import { build } from 'esbuild';

const FOLDER = fileURLToPath(new URL('../../node_modules/.cache/nest-sessions', import.meta.url));

/**
 * Compiles a program of a test for a process of its own: plain JavaScript within reach of `node_modules`, where it finds the drivers.
 *
 * @returns the file, which the caller removes
 */
export async function compiledScript(program: URL): Promise<string> {
  const entry = fileURLToPath(program);
  const outfile = `${FOLDER}/${basename(entry, '.ts')}-${process.pid}.mjs`;
  mkdirSync(FOLDER, { recursive: true });
  await build({
    entryPoints: [entry],
    outfile,
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    target: 'node20',
    logLevel: 'error',
  });
  return outfile;
}
