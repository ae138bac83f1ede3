// Records histories of real processes and checks them: see docs/proof.md.
//   node test/histories/run.mjs --store sqlite --seconds 20 --seed 7
//   node test/histories/run.mjs --replay FILE
import { dirname, join } from 'node:path';
import { argv, exit } from 'node:process';
import { fileURLToPath } from 'node:url';
import { bundleProgram, decorators } from '../support/bundle.mjs';
import { runNode } from '../support/run-node.mjs';

/**
 * Runs the histories of a checkout.
 *
 * @param {string} root folder of the checkout
 * @param {readonly string[]} options
 * @returns {Promise<number>} exit code
 */
export async function runHistories(root, options) {
  const [program, main] = await Promise.all(
    ['application/instance.ts', 'main.ts'].map((name) =>
      bundleProgram(root, `test/histories/${name}`, [decorators]),
    ),
  );
  return runNode([main, '--program', program, ...options], { cwd: root });
}

if (argv[1] === fileURLToPath(import.meta.url))
  exit(await runHistories(join(dirname(argv[1]), '../..'), argv.slice(2)));
