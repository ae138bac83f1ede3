// Plants bugs on a copy of the library, one at a time (list.mjs), and says what finds each: an exploration of the model, a test, or
// nothing, which is a failure.
//   node test/mutants/run.mjs [part of a name] [--workers 2] [--all]
// With --all every layer is tried; without it the first that finds the bug is enough.
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { argv, cwd, env, execPath, exit, stdout } from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { bundleProgram } from '../support/bundle.mjs';
import { filesOf, mutated, MUTANTS } from './list.mjs';

/** The longest search for a bug in one model, seconds. */
const MODEL_SECONDS = 60;
const LONGEST_SPEC_MS = 240_000;

/**
 * Tries every mutant whose name contains a text.
 *
 * @returns {Promise<{ found: number, survivors: string[] }>}
 */
export async function runMutants({
  wanted = '',
  workers = availableParallelism(),
  isThorough = false,
  write = (text) => stdout.write(text),
} = {}) {
  const waiting = MUTANTS.filter(({ name }) => name.includes(wanted));
  const rows = [];
  const began = performance.now();
  write(
    `\n| planted bug | ${['what it does', 'found by', 'seconds'].join(' | ')} |\n| --- | --- | --- | ---: |\n`,
  );
  const work = async () => {
    const copy = copyOfCheckout();
    try {
      for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
        const row = await tryMutant(copy, mutant, isThorough);
        rows.push(row);
        const found = row.found.length === 0 ? '**nothing**' : row.found.join('; ');
        write(`| ${mutant.name} | ${mutant.bug} | ${found} | ${(row.ms / 1000).toFixed(1)} |\n`);
      }
    } finally {
      rmSync(copy, { recursive: true, force: true });
    }
  };
  await Promise.all(Array.from({ length: Math.min(workers, waiting.length) }, work));
  const survivors = rows.filter(({ found }) => found.length === 0).map(({ name }) => name);
  const byModel = rows.filter(({ found }) => found[0]?.startsWith('model')).length;
  write(
    `\n${rows.length} planted bugs: ${byModel} found by the model, ${rows.length - byModel - survivors.length} by tests, ` +
      `${survivors.length} by nothing; ${Math.round((performance.now() - began) / 1000)} s\n`,
  );
  return { found: rows.length - survivors.length, survivors };
}

/** Returns a folder with the files of the checkout, for the caller to change and to remove. */
export function copyOfCheckout() {
  const copy = mkdtempSync(join(tmpdir(), 'nest-sessions-mutants-'));
  const listed = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
    encoding: 'utf8',
  });
  const files = listed.split('\n').filter((name) => name !== '' && existsSync(name));
  const archive = execFileSync('tar', ['c', '--files-from=-'], {
    input: files.join('\n'),
    maxBuffer: 2 ** 30,
  });
  execFileSync('tar', ['x', '-C', copy], { input: archive });
  symlinkSync(join(cwd(), 'node_modules'), join(copy, 'node_modules'));
  return copy;
}

/** @returns {Promise<{ name: string, found: string[], ms: number }>} */
async function tryMutant(copy, mutant, isThorough) {
  const began = performance.now();
  const originals = filesOf(mutant).map((file) => [file, readFileSync(join(copy, file), 'utf8')]);
  for (const [file, source] of originals) writeFileSync(join(copy, file), mutated(mutant, file, source));
  const found = [];
  try {
    for (const layer of layersOf(copy, mutant)) {
      const finding = await layer();
      if (finding !== undefined) found.push(finding);
      if (finding !== undefined && !isThorough) break;
    }
  } finally {
    for (const [file, source] of originals) writeFileSync(join(copy, file), source);
  }
  return { name: mutant.name, found, ms: performance.now() - began };
}

function layersOf(copy, { models, specs, tests }) {
  return [
    ...models.map((model) => async () => exploreWith(copy, model)),
    ...(specs.length === 0 ? [] : [async () => testWith(copy, specs, tests)]),
  ];
}

async function exploreWith(copy, model) {
  const explorer = await bundleProgram(copy, 'test/prove/main.ts');
  const options = ['--model', model, '--seconds', String(MODEL_SECONDS), '--json'];
  const { status, output } = await run(execPath, [explorer, ...options], copy, (MODEL_SECONDS + 60) * 1000);
  if (status === 0) return undefined;
  const line = output.split('\n').findLast((each) => each.startsWith('{"scenario"'));
  if (line === undefined) throw new Error(`The model ${model} does not run: ${output.slice(-2000)}`);
  const { fault, states } = JSON.parse(line);
  return `model ${model}: ${fault.violation.property}, ${fault.schedule.length} steps, ${states} states`;
}

async function testWith(copy, specs, tests) {
  const jest = ['--experimental-vm-modules', '--no-warnings', 'node_modules/jest/bin/jest.js', ...specs];
  if (tests !== undefined) jest.push('-t', tests);
  const { status, output } = await run(
    execPath,
    [...jest, '-i', '--bail', '--silent'],
    copy,
    LONGEST_SPEC_MS,
  );
  if (/No tests found/.test(output)) throw new Error(`There is no test in ${specs.join(', ')}`);
  if (status === 0) return undefined;
  const [, test = 'it does not end'] = /^ +● (.*)$/m.exec(output) ?? [];
  if (/● Test suite failed to run/.test(output))
    throw new Error(`${specs.join(', ')} does not start: ${output.slice(0, 3000)}`);
  const [, file = specs[0]] = /^FAIL (\S+)/m.exec(output) ?? [];
  return `${file}: ${test.split(' › ').at(-1)}`;
}

/** @returns {Promise<{ status: number, output: string }>} */
function run(command, args, folder, timeoutMs) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: folder, env: { ...env, CI: 'true' }, timeout: timeoutMs });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (part) => (output += part));
    child.on('error', reject);
    child.on('close', (status) => resolve({ status: status ?? 1, output }));
  });
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  process.chdir(join(dirname(argv[1]), '../..'));
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { workers: { type: 'string' }, all: { type: 'boolean' } },
  });
  const workers = values.workers === undefined ? undefined : Number(values.workers);
  const { survivors } = await runMutants({ wanted: positionals[0], workers, isThorough: values.all });
  if (survivors.length > 0) stdout.write(`Found by nothing: ${survivors.join(', ')}\n`);
  exit(survivors.length > 0 ? 1 : 0);
}
