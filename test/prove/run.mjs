// npm run prove: every schedule of the bounded models, and the planted bugs. docs/proof.md says what that shows.
//   npm run prove                                 all of it, in less than 15 minutes on two cores
//   npm run prove -- --model theft --seconds 600  one model, for longer; --depth N, --walks N, --seed N
//   npm run prove -- --replay FILE                a schedule from a file
//   npm run prove -- --no-mutants                 the models alone
import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { argv, chdir, execPath, exit, stdout } from 'node:process';
import { fileURLToPath } from 'node:url';
import { runMutants } from '../mutants/run.mjs';
import { bundleExplorer } from './bundle.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
chdir(root);
const given = argv.slice(2);
const options = given.filter((option) => option !== '--no-mutants');
const isWhole = given.length === 0;

const held = [];
let isExploring = true;
/** The table of the bugs waits until the models are done, which use the other core. */
const write = (text) => (isExploring ? held.push(text) : stdout.write(text));
const began = performance.now();
const [status, mutants] = await Promise.all([
  explore(),
  isWhole ? runMutants({ workers: 1, write }) : { survivors: [] },
]);
if (isWhole) stdout.write(`npm run prove took ${Math.round((performance.now() - began) / 1000)} s\n`);
if (mutants.survivors.length > 0) stdout.write(`Found by nothing: ${mutants.survivors.join(', ')}\n`);
exit(status === 0 && mutants.survivors.length === 0 ? 0 : 1);

async function explore() {
  const explorer = await bundleExplorer(root);
  const code = await new Promise((resolve, reject) => {
    const child = spawn(execPath, [explorer, ...options], { stdio: 'inherit' });
    child.on('error', reject);
    child.on('close', (status) => resolve(status ?? 1));
  });
  isExploring = false;
  for (const text of held.splice(0)) stdout.write(text);
  return code;
}
