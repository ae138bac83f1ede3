// npm run mutation: small changes of the code, one at a time, each of which a test has to find. docs/proof.md says what that shows.
//   npm run mutation                       all groups of groups.mjs, one after the other
//   npm run mutation -- http tokens        these groups
//   npm run mutation -- --budget 20000     CPU time for the tests of one mutant, milliseconds
// Results of an earlier run are used again while neither the code nor its tests have changed (build/mutation/).
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { chdir, env, exit, stdout } from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { runNode } from '../support/run-node.mjs';
import { GROUPS } from './groups.mjs';
import { explanationOf } from './survivors.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
chdir(root);
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { budget: { type: 'string', default: '5000' }, report: { type: 'boolean', default: false } },
});
const rows = [];
const unexplained = [];
for (const group of positionals.length === 0 ? Object.keys(GROUPS) : positionals) {
  const began = performance.now();
  if (!values.report && (await stryker(group)) !== 0) exit(1);
  const file = `build/mutation/${group}.json`;
  if (existsSync(file)) tell(group, JSON.parse(readFileSync(file, 'utf8')), performance.now() - began);
}
stdout.write(
  '| group | mutants | found | not found | of these explained | score | without the explained | left out | minutes |\n',
);
stdout.write(`| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n${rows.join('\n')}\n`);
if (unexplained.length > 0) stdout.write(`\nNot found and not explained:\n${unexplained.join('\n')}\n`);
exit(unexplained.length === 0 ? 0 : 1);

function stryker(group) {
  return runNode(
    ['node_modules/@stryker-mutator/core/bin/stryker.js', 'run', 'test/mutation/stryker.config.mjs'],
    { env: { ...env, MUTATION_GROUP: group, MUTATION_BUDGET_MS: values.budget } },
  );
}

/** Adds a row for a group, and the lines of what nothing finds and survivors.mjs does not explain. */
function tell(group, { files }, ms) {
  const count = { found: 0, missed: 0, explained: 0, leftOut: 0 };
  for (const [file, { source, mutants }] of Object.entries(files)) {
    const lines = source.split('\n');
    for (const mutant of mutants) {
      if (['Killed', 'Timeout'].includes(mutant.status)) count.found += 1;
      else if (!['Survived', 'NoCoverage'].includes(mutant.status)) count.leftOut += 1;
      else {
        count.missed += 1;
        const { line, column } = mutant.location.start;
        const code = lines[line - 1].trim();
        if (explanationOf(file, code, mutant) !== undefined) count.explained += 1;
        else
          unexplained.push(
            `${file}:${line}:${column} ${mutant.mutatorName}: ${code} => ${mutant.replacement}`,
          );
      }
    }
  }
  const { found, missed, explained, leftOut } = count;
  const share = (of) => `${((100 * found) / Math.max(1, of)).toFixed(1)} %`;
  const minutes = values.report ? '' : (ms / 60_000).toFixed(1);
  const cells = [
    group,
    found + missed,
    found,
    missed,
    explained,
    share(found + missed),
    share(found + missed - explained),
    leftOut,
    minutes,
  ];
  rows.push(`| ${cells.join(' | ')} |`);
}
