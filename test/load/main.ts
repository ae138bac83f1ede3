// Load on three instances. run.mjs bundles and starts this file.
import { readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg } from 'node:os';
import { argv, exit, stdout, version } from 'node:process';
import { parseArgs } from 'node:util';
import { format, resolveConfig } from 'prettier';
import type { StoreKind } from '../histories/fleet/databases.js';
import { drawCurves, type Curve } from './chart.js';
import { bestRate, grows, isOver, slopePerHour, type Series, type Step } from './figures.js';
import { runAtRate } from './open-loop.js';
import { KINDS, Shop, type Kind } from './shop.js';

const { values } = parseArgs({
  args: argv.slice(2),
  options: {
    program: { type: 'string', default: '' },
    store: { type: 'string', default: 'postgres' },
    quick: { type: 'boolean', default: false },
    soak: { type: 'string' },
    rate: { type: 'string', default: '100' },
    chart: { type: 'string', default: 'docs/load.svg' },
    page: { type: 'string', default: 'docs/proof.md' },
  },
});

const CLIENTS = values.quick ? 20 : 300;
const STEP_SECONDS = values.quick ? 1 : 8;
const MOST_STEPS = values.quick ? 2 : 40;
const FIRST_RATE = 20;
const GROWTH = 1.25;
/** The marks around the table of the page. */
const [BEGIN, END] = ['<!-- load: begin -->', '<!-- load: end -->'];

exit(values.soak === undefined ? await ramp() : await soak(Number(values.soak)));

async function ramp(): Promise<number> {
  const curves: Curve[] = [];
  splitPage(); // fails before the work if there is no place for the table
  const loadBefore = loadavg()[0] ?? 0;
  for (const kind of KINDS) curves.push({ name: kind, steps: await rampOf(kind) });
  const [processor] = cpus();
  const machine = `${availableParallelism()} cores (${processor?.model.trim() ?? 'unknown'}), Node ${version.slice(1)}, load before the run ${loadBefore.toFixed(1)}`;
  writeFileSync(values.chart, drawCurves(curves, '99th percentile of the time of a call, three instances'));
  await writeTable(curves, machine);
  stdout.write(`\nwritten: ${values.chart}, ${values.page}\n`);
  return 0;
}

async function rampOf(kind: Kind): Promise<readonly Step[]> {
  stdout.write(`\n${kind}\n`);
  const shop = await Shop.open(values.store as StoreKind, values.program, CLIENTS);
  const steps: Step[] = [];
  try {
    await runAtRate(FIRST_RATE, STEP_SECONDS, async () => shop.call(kind)); // warms up
    for (let rate = FIRST_RATE; steps.length < MOST_STEPS && !isOver(steps); rate *= GROWTH) {
      const step = await runAtRate(Math.round(rate), STEP_SECONDS, async () => shop.call(kind));
      steps.push(step);
      stdout.write(
        `  ${step.rate} per second: p50 ${step.p50Ms} ms, p99 ${step.p99Ms} ms, ${step.failures} failures\n`,
      );
    }
  } finally {
    await shop.close();
  }
  stdout.write(`  highest rate with a p99 below 50 ms: ${bestRate(steps)}\n`);
  return steps;
}

/** Writes the figures between two comments of the page. */
async function writeTable(curves: readonly Curve[], machine: string): Promise<void> {
  const { before, after } = splitPage();
  const rows = curves.map(({ name, steps }) => {
    const best = steps.findLast(({ rate }) => rate === bestRate(steps));
    return `| ${name} | ${bestRate(steps)} | ${best?.p50Ms ?? '-'} | ${best?.p99Ms ?? '-'} |`;
  });
  const day = new Date().toISOString().slice(0, 10);
  const table = [
    `Measured on ${day}: ${machine}, ${values.store}; clients, instances and database share the machine.`,
    '',
    '| call | highest rate, per second | p50 there, ms | p99 there, ms |',
    '| --- | ---: | ---: | ---: |',
    ...rows,
  ].join('\n');
  const text = `${before}${BEGIN}\n\n${table}\n\n${END}${after}`;
  const config = await resolveConfig(values.page);
  writeFileSync(values.page, await format(text, { ...config, parser: 'markdown' }));
}

/** @throws {Error} the page has no place for the table */
function splitPage(): { readonly before: string; readonly after: string } {
  const [before, rest] = readFileSync(values.page, 'utf8').split(BEGIN);
  const after = rest?.split(END)[1];
  if (before === undefined || after === undefined) throw new Error(`${values.page} has no ${BEGIN} … ${END}`);
  return { before, after };
}

/** Works at one rate for some minutes, and looks whether what the instances use grows. */
async function soak(minutes: number): Promise<number> {
  const shop = await Shop.open(values.store as StoreKind, values.program, CLIENTS);
  const usage: Record<'heap, MB' | 'handles' | 'file descriptors', (readonly [number, number])[]> = {
    'heap, MB': [],
    handles: [],
    'file descriptors': [],
  };
  let failures = 0;
  const samples = 30;
  try {
    for (let n = 1; n <= samples; n++) {
      const pick = (): Kind => KINDS[Math.random() < 0.85 ? 0 : Math.random() < 0.8 ? 1 : 2] ?? 'guarded';
      const step = await runAtRate(Number(values.rate), (minutes * 60) / samples, async () =>
        shop.call(pick()),
      );
      failures += step.failures;
      const minute = (n * minutes) / samples;
      const total = (
        of: 'heapBytes' | 'handles' | 'fileDescriptors',
        all: Awaited<ReturnType<Shop['usages']>>,
      ) => all.reduce((sum, each) => sum + each[of], 0);
      const usages = await shop.usages();
      usage['heap, MB'].push([minute, total('heapBytes', usages) / 1e6]);
      usage.handles.push([minute, total('handles', usages)]);
      usage['file descriptors'].push([minute, total('fileDescriptors', usages)]);
      stdout.write(
        `  minute ${minute.toFixed(1)}: p99 ${step.p99Ms} ms, heap ${(total('heapBytes', usages) / 1e6).toFixed(1)} MB, ${total('handles', usages)} handles, ${total('fileDescriptors', usages)} file descriptors\n`,
      );
    }
  } finally {
    await shop.close();
  }
  const least = { 'heap, MB': 6, handles: 10, 'file descriptors': 10 };
  const growing = (Object.entries(usage) as [keyof typeof least, Series][]).filter(([name, series]) => {
    stdout.write(`${name}: ${slopePerHour(series.slice(samples / 3)).toFixed(2)} more per hour\n`);
    return grows(series, least[name]);
  });
  for (const [name] of growing) stdout.write(`${name} grow\n`);
  if (failures > 0) stdout.write(`${failures} calls failed\n`);
  return growing.length + failures === 0 ? 0 : 1;
}
