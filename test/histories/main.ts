// Records what clients of real processes see, and checks it. run.mjs bundles and starts this file.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { argv, env, exit, stdout } from 'node:process';
import { parseArgs } from 'node:util';
import { checkHistory } from './checker/check-history.js';
import { shrink } from './checker/shrink.js';
import { tellHistory, type HistoryFile } from './checker/story.js';
import { STORES, type StoreKind } from './fleet/databases.js';
import { recordHistories, type Recorded } from './record-histories.js';

const FAULTS = 'build/prove/faults';

const { values } = parseArgs({
  args: argv.slice(2),
  options: {
    program: { type: 'string' },
    store: { type: 'string', multiple: true },
    minutes: { type: 'string', default: '1' },
    seconds: { type: 'string' },
    calls: { type: 'string' },
    groups: { type: 'string', default: '14' },
    seed: { type: 'string' },
    json: { type: 'boolean', default: false },
    replay: { type: 'string' },
  },
});

exit(values.replay === undefined ? await recordAll() : replay(values.replay));

async function recordAll(): Promise<number> {
  let faults = 0;
  const seed = Number(values.seed ?? Math.floor(Math.random() * 1e9));
  for (const store of (values.store ?? STORES) as readonly StoreKind[]) faults += await recordOn(store, seed);
  return faults === 0 ? 0 : 1;
}

async function recordOn(store: StoreKind, seed: number): Promise<number> {
  const seconds = Number(values.seconds ?? Number(values.minutes) * 60);
  if (!values.json) stdout.write(`\nhistories on ${store}, seed ${seed}: `);
  const recorded = await recordHistories({
    store,
    seed,
    program: values.program ?? '',
    longestMs: seconds * 1000,
    mostCalls: Number(values.calls ?? Number.POSITIVE_INFINITY),
    groups: Number(values.groups),
    onMinute: (calls, sessions) => {
      if (!values.json) stdout.write(`\n  ${calls} calls, ${sessions} sessions checked so far`);
    },
  }).catch((error: unknown) => {
    if (!isMissingServer(error)) throw error;
    stdout.write(`skipped, because ${String(error)}\n`);
    return undefined;
  });
  if (recorded === undefined) return env['REDIS_REQUIRED'] === '1' || store !== 'redis' ? 1 : 0;
  return values.json ? printJson(recorded) : report(recorded, store, seed);
}

function isMissingServer(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('There is no redis-server');
}

function printJson({ failing, unexpected, ...figures }: Recorded): number {
  const violation = failing[0] && checkHistory(failing[0]);
  stdout.write(`${JSON.stringify({ ...figures, violation, unexpected: unexpected.slice(0, 3) })}\n`);
  return failing.length + unexpected.length > 0 ? 1 : 0;
}

function report(recorded: Recorded, store: StoreKind, seed: number): number {
  const { calls, sessions, ms, counts, faults, unexpected, failing, longestSearch } = recorded;
  stdout.write(`\n  ${calls} calls, ${sessions} sessions, ${Math.round(ms / 1000)} s\n`);
  stdout.write(
    `  ${list(counts)}\n  ${list(Object.entries(faults))}; longest search ${longestSearch} states\n`,
  );
  for (const text of unexpected.slice(0, 5)) stdout.write(`  unexpected response: ${text}\n`);
  for (const [n, history] of failing.slice(0, 3).entries())
    keep(history, `${store}-${seed}-${n}`, store, seed);
  stdout.write(
    `  ${failing.length === 0 ? 'every history has a legal order' : `${failing.length} histories fail`}\n`,
  );
  return failing.length + unexpected.length;
}

function list(counts: readonly (readonly [string, number])[]): string {
  return counts.map(([name, count]) => `${name}: ${count}`).join(', ');
}

/** Writes a history that fails to a file, and tells it. */
function keep(whole: Recorded['failing'][number], name: string, store: string, seed: number): void {
  const violation = checkHistory(whole);
  if (violation === undefined) return;
  const history = shrink(whole, violation);
  const story = tellHistory(history);
  const kept: HistoryFile = {
    kind: 'history',
    store,
    seed,
    violation: checkHistory(history) ?? violation,
    story,
    history,
    whole,
  };
  const file = join(FAULTS, `history-${name}.json`);
  mkdirSync(FAULTS, { recursive: true });
  writeFileSync(file, `${JSON.stringify(kept, undefined, 1)}\n`);
  stdout.write(story.map((line) => `  ${line}\n`).join(''));
  stdout.write(`  ${kept.violation.property}: ${kept.violation.message}\n`);
  stdout.write(`  To see it again: npm run prove -- --replay ${file}\n`);
}

function replay(file: string): number {
  const { history, whole } = JSON.parse(readFileSync(file, 'utf8')) as HistoryFile;
  for (const line of tellHistory(history)) stdout.write(`${line}\n`);
  const violation = checkHistory(history);
  stdout.write(
    violation === undefined ? 'Every property holds.\n' : `${violation.property}: ${violation.message}\n`,
  );
  const first = checkHistory(whole);
  if (first !== undefined) stdout.write(`All that was recorded: ${first.property}: ${first.message}\n`);
  return violation === undefined && first === undefined ? 0 : 1;
}
