import { join } from 'node:path';
import { build } from 'esbuild';

/**
 * Bundles the explorer with the library of a checkout.
 *
 * @param {string} root folder of the checkout
 * @returns {Promise<string>} the file to run
 */
export async function bundleExplorer(root) {
  const outfile = join(root, 'build/prove/explorer.mjs');
  await build({
    absWorkingDir: root,
    entryPoints: [join(root, 'test/prove/main.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    packages: 'external',
    keepNames: true,
    logLevel: 'warning',
  });
  return outfile;
}
