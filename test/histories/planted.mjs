// Plants bugs of test/mutants on a copy and records histories there: which of them does the checker find? See docs/proof.md.
//   node test/histories/planted.mjs [--seconds 60] [name ...]
import { spawn } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { argv, execPath, exit, stdout } from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { filesOf, mutated, MUTANTS } from '../mutants/list.mjs';
import { copyOfCheckout } from '../mutants/run.mjs';

/** Bugs that show in what clients see, and the store on which each is looked for. */
const LOOKED_FOR = {
  'at-renewal': 'sqlite',
  'two-successors': 'sqlite',
  'no-hash-in-where': 'postgres',
  'sql-no-hash-in-where': 'sqlite',
  'theft-without-end': 'sqlite',
  'first-use-not-confirmed': 'sqlite',
  'merge-without-compare': 'postgres',
  'rotation-at-refresh': 'sqlite',
  'revocation-not-awaited': 'postgres',
};

const { values, positionals } = parseArgs({
  args: argv.slice(2),
  allowPositionals: true,
  options: { seconds: { type: 'string', default: '60' } },
});
process.chdir(join(fileURLToPath(import.meta.url), '../../..'));
const copy = copyOfCheckout();
let survivors = 0;
try {
  for (const [name, store] of Object.entries(LOOKED_FOR)) {
    if (positionals.length > 0 && !positionals.includes(name)) continue;
    const mutant = MUTANTS.find((each) => each.name === name);
    if (mutant === undefined) throw new Error(`There is no planted bug ${name}`);
    const originals = filesOf(mutant).map((file) => [file, readFileSync(join(copy, file), 'utf8')]);
    for (const [file, source] of originals) writeFileSync(join(copy, file), mutated(mutant, file, source));
    const { violation, calls, ms } = await record(store);
    for (const [file, source] of originals) writeFileSync(join(copy, file), source);
    if (violation === undefined) survivors++;
    const found = violation === undefined ? '**nothing**' : `${violation.property}: ${violation.message}`;
    stdout.write(`| ${name} | ${store} | ${found} | ${calls} | ${(ms / 1000).toFixed(0)} |\n`);
  }
} finally {
  rmSync(copy, { recursive: true, force: true });
}
exit(survivors === 0 ? 0 : 1);

async function record(store) {
  const options = ['--json', '--store', store, '--seconds', values.seconds];
  const child = spawn(execPath, ['test/histories/run.mjs', ...options], { cwd: copy });
  let output = '';
  child.stdout.on('data', (part) => (output += part));
  child.stderr.on('data', (part) => (output += part));
  await new Promise((resolve) => child.on('close', resolve));
  const line = output.split('\n').find((each) => each.startsWith('{'));
  if (line === undefined) throw new Error(`The histories do not run: ${output.slice(-2000)}`);
  return JSON.parse(line);
}
