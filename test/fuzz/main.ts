import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { failureOf, fuzz, type FuzzResult } from './fuzzer.js';
import { wellFormed } from './target.js';
import { FUZZ_TARGETS } from './targets.js';

/** The file that the bundler writes beside the bundle. */
interface Places {
  readonly counters: readonly { readonly file: string; readonly kind: string }[];
  /** Short texts in the source of the library, of which inputs are made. */
  readonly words: readonly string[];
}

/** The longest corpus and the longest input in it that are kept in the repository. */
const MAX_KEPT = 60;
const MAX_KEPT_LENGTH = 1500;

const { values } = parseArgs({
  options: {
    target: { type: 'string', default: '' },
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: '1' },
    replay: { type: 'string' },
    keep: { type: 'boolean', default: false },
  },
});
const target = FUZZ_TARGETS.find(({ name }) => name === values.target);
if (target === undefined)
  throw new Error(`There is no target ${values.target}: ${FUZZ_TARGETS.map(({ name }) => name).join(', ')}`);
const places = JSON.parse(readFileSync('build/fuzz/places.json', 'utf8')) as Places;
const corpusFile = `test/fuzz/corpus/${target.name}.json`;

if (values.replay !== undefined) {
  const error = await failureOf(target, readFileSync(values.replay, 'utf8'));
  if (error !== undefined) throw error;
  process.stdout.write('Every property holds for this input\n');
} else {
  const corpus = existsSync(corpusFile) ? (JSON.parse(readFileSync(corpusFile, 'utf8')) as string[]) : [];
  const limits = { seconds: Number(values.seconds), seed: Number(values.seed) };
  const result = await fuzz(target, {
    ...limits,
    corpus,
    words: places.words,
    counters: places.counters.length,
  });
  report(result, places);
  if (values.keep)
    writeFileSync(corpusFile, `${JSON.stringify(kept(result.corpus.slice(target.seeds.length)), null, 2)}\n`);
  process.exitCode = result.fault === undefined ? 0 : 1;
}

/** The shortest inputs of the corpus, which the search orders by what they added. */
function kept(corpus: readonly string[]): string[] {
  const all = new Set(
    corpus.filter((input) => input.length <= MAX_KEPT_LENGTH && input === wellFormed(input)),
  );
  return [...all].slice(-MAX_KEPT).sort((a, b) => a.length - b.length);
}

function report(
  { target: name, executions, seconds, coverage, corpus, fault }: FuzzResult,
  { counters }: Places,
): void {
  const files = new Set(counters.filter((_, i) => coverage.has(i)).map(({ file }) => file));
  const inFiles = counters.filter(({ file }) => files.has(file)).length;
  const found = [executions, Math.round(executions / seconds), corpus.length, coverage.places, inFiles];
  process.stdout.write(
    `| ${[name, ...found.map((each) => each.toLocaleString('en'))].join(' | ')} | ${fault === undefined ? 'none' : '**yes**'} |\n`,
  );
  if (fault === undefined) return;
  mkdirSync('build/fuzz', { recursive: true });
  const file = `build/fuzz/${name}-${createHash('sha256').update(fault.input).digest('hex').slice(0, 8)}.txt`;
  writeFileSync(file, fault.input);
  const error =
    fault.error instanceof Error ? (fault.error.stack ?? fault.error.message) : String(fault.error);
  process.stdout.write(
    `${name}: ${error}\ninput, also in ${file}: ${JSON.stringify(fault.input.slice(0, 2000))}\n`,
  );
}
