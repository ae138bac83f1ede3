// Records histories of real processes and checks them: see docs/proof.md.
//   node test/histories/run.mjs --store sqlite --seconds 20 --seed 7
//   node test/histories/run.mjs --replay FILE
import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { argv, execPath, exit } from 'node:process';
import { fileURLToPath } from 'node:url';
import { bundleProgram, decorators } from '../support/bundle.mjs';

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
  return new Promise((resolve, reject) => {
    const child = spawn(execPath, [main, '--program', program, ...options], { cwd: root, stdio: 'inherit' });
    child.on('error', reject);
    child.on('close', (status) => resolve(status ?? 1));
  });
}

if (argv[1] === fileURLToPath(import.meta.url))
  exit(await runHistories(join(dirname(argv[1]), '../..'), argv.slice(2)));
