// npm run fuzz: inputs for every parser of what comes from outside, led by the code that they reach. docs/proof.md says what that shows.
//   npm run fuzz                                     every target, a minute of CPU each, as many at a time as there are cores
//   npm run fuzz -- --seconds 300 --target cookies   one target, longer; --seed N
//   npm run fuzz -- --target cookies --replay FILE   an input from a file
//   npm run fuzz -- --keep                           writes what was found to test/fuzz/corpus/
import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { chdir, exit, stdout } from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { runNode } from '../support/run-node.mjs';
import { bundleFuzzer } from './bundle.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
chdir(root);
const { values } = parseArgs({
  options: {
    target: { type: 'string' },
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: '1' },
    workers: { type: 'string', default: String(availableParallelism()) },
    replay: { type: 'string' },
    keep: { type: 'boolean', default: false },
  },
});
const began = performance.now();
const { file } = await bundleFuzzer(root);
const waiting = values.target === undefined ? targetNames() : [values.target];
const { length } = waiting;
const failed = [];
stdout.write(
  '| target | runs | runs a second | inputs kept | places reached | places in these files | fault |\n',
);
stdout.write('| --- | ---: | ---: | ---: | ---: | ---: | --- |\n');
await Promise.all(Array.from({ length: Number(values.workers) }, work));
const seconds = Math.round((performance.now() - began) / 1000);
stdout.write(
  `\n${length} targets, ${failed.length === 0 ? 'no fault' : `faults: ${failed.join(', ')}`}; ${seconds} s\n`,
);
exit(failed.length === 0 ? 0 : 1);

function targetNames() {
  const source = readdirSync('test/fuzz/targets').map((name) =>
    readFileSync(join('test/fuzz/targets', name), 'utf8'),
  );
  return source
    .flatMap((text) => [...text.matchAll(/^ {4}name: '([\w-]+)',\n {4}seeds:/gm)].map(([, name]) => name))
    .sort();
}

async function work() {
  for (let target = waiting.shift(); target !== undefined; target = waiting.shift()) {
    const options = ['--target', target, '--seconds', values.seconds, '--seed', values.seed];
    if (values.replay !== undefined) options.push('--replay', values.replay);
    if (values.keep) options.push('--keep');
    if ((await runNode(['--no-warnings', file, ...options])) !== 0) failed.push(target);
  }
}
