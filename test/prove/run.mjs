// npm run prove: every schedule of the bounded models, histories of real processes, and the planted bugs. docs/proof.md says what
// that shows.
//   npm run prove                                 all of it, in less than 15 minutes on two cores
//   npm run prove -- --model theft --seconds 600  one model, for longer; --depth N, --walks N, --seed N
//   npm run prove -- --minutes 10                 the histories alone, for so long on each store; --store NAME, --seed N, --calls N
//   npm run prove -- --replay FILE                a schedule, or a history, from a file
//   npm run prove -- --no-mutants                 the models and the histories, without the planted bugs
import { execFileSync, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { argv, chdir, execPath, exit, stdout } from 'node:process';
import { fileURLToPath } from 'node:url';
import { runHistories } from '../histories/run.mjs';
import { runMutants } from '../mutants/run.mjs';
import { bundleProgram } from '../support/bundle.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
chdir(root);
const given = argv.slice(2);
const options = given.filter((option) => option !== '--no-mutants');
const isWhole = options.length === 0;
const isAboutHistories =
  given.some((option) => ['--minutes', '--store', '--calls'].includes(option)) || isReplayOfHistory();
if (isAboutHistories) exit(await runHistories(root, given));

const held = [];
let isExploring = true;
/** The table of the bugs waits until the models are done, which use the other core. */
const write = (text) => (isExploring ? held.push(text) : stdout.write(text));
const began = performance.now();
const [status, mutants] = await Promise.all([
  inTurn(explore, async () => (isWhole ? runHistories(root, ['--minutes', '1']) : 0)).then(release),
  given.length === 0 ? runMutants({ workers: 1, write }) : { survivors: [] },
]);
if (isWhole) stdout.write(`npm run prove took ${Math.round((performance.now() - began) / 1000)} s\n`);
if (mutants.survivors.length > 0) stdout.write(`Found by nothing: ${mutants.survivors.join(', ')}\n`);
exit(status === 0 && mutants.survivors.length === 0 ? 0 : 1);

/** Runs parts one after the other, because they use one core. @returns the first exit code that is no success */
async function inTurn(...parts) {
  let worst = 0;
  for (const part of parts) worst ||= await part();
  return worst;
}

/** Writes what waited for the models and the histories. */
function release(status) {
  isExploring = false;
  for (const text of held.splice(0)) stdout.write(text);
  return status;
}

function isReplayOfHistory() {
  const file = given[given.indexOf('--replay') + 1];
  return given.includes('--replay') && JSON.parse(readFileSync(file, 'utf8')).kind === 'history';
}

async function explore() {
  const explorer = await bundleProgram(root, 'test/prove/main.ts');
  if (options.includes('--model') || options.includes('--replay')) return spawned(explorer, options);
  const models = JSON.parse(execFileSync(execPath, [explorer, '--names'], { encoding: 'utf8' }));
  // Each model has a process of its own, because what a large one leaves behind makes the next ones ten times slower.
  return inTurn(...models.map((model) => () => spawned(explorer, [...options, '--model', model])));
}

function spawned(explorer, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(execPath, [explorer, ...args], { stdio: 'inherit' });
    child.on('error', reject);
    child.on('close', (status) => resolve(status ?? 1));
  });
}
