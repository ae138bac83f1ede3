import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundle, decorators } from './bundle.mjs';

const FOLDER = fileURLToPath(new URL('../../node_modules/.cache/nest-sessions', import.meta.url));

/**
 * Compiles a program of a test for a process of its own: plain JavaScript within reach of `node_modules`, where it finds the drivers.
 *
 * @param options isDecorated: Nest needs the metadata of its decorators; false
 * @returns the file, which the caller removes
 */
export async function compiledScript(program: URL, { isDecorated = false } = {}): Promise<string> {
  const entry = fileURLToPath(program);
  const outfile = `${FOLDER}/${basename(entry, '.ts')}-${process.pid}.mjs`;
  return bundle(entry, outfile, isDecorated ? [decorators] : []);
}
