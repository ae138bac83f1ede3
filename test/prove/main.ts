// Explores the models. run.mjs bundles and starts this file.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { exit, stdout } from 'node:process';
import { parseArgs } from 'node:util';
import { explore, type Explored, type Limits } from './explorer.js';
import { exploreFeed, replayFeed, type FeedChoice } from './feed-explorer.js';
import { FeedBasis } from './feed-world.js';
import { compareWalks } from './live-replay.js';
import { seededRandom } from './random.js';
import { scenario, SCENARIOS, type Scenario } from './scenarios.js';
import { tell, type FaultFile } from './story.js';
import type { Choice, Violation } from './state.js';
import { World } from './world.js';

const FAULTS = 'build/prove/faults';
const FEED = 'feed';
/** The feed is explored more slowly, since each of its schedules runs from its start. */
const DEPTH_OF_FEED = 5;
/** Longer than any schedule of a bounded model. */
const WHOLE_DEPTH = 100;

const { values } = parseArgs({
  options: {
    model: { type: 'string' },
    depth: { type: 'string' },
    seconds: { type: 'string', default: '120' },
    walks: { type: 'string', default: '200' },
    seed: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
    replay: { type: 'string' },
    names: { type: 'boolean', default: false },
  },
});

if (values.names) {
  stdout.write(JSON.stringify([...SCENARIOS.map(({ name }) => name), FEED]));
  exit(0);
}
exit(values.replay === undefined ? await exploreAll() : await replay(values.replay));

async function exploreAll(): Promise<number> {
  const { model } = values;
  let faults = 0;
  for (const each of model === undefined ? SCENARIOS : model === FEED ? [] : [scenario(model)])
    faults += await exploreOne(each);
  if (model === undefined || model === FEED) faults += await exploreTheFeed();
  return faults > 0 ? 1 : 0;
}

function limits(depth = WHOLE_DEPTH): Limits {
  return {
    maxDepth: Number(values.depth ?? depth),
    maxStates: 6_000_000,
    maxMs: Number(values.seconds) * 1000,
  };
}

async function exploreOne(each: Scenario): Promise<number> {
  if (!values.json) stdout.write(`\n${each.name}: ${each.title}\n`);
  const used = limits(each.depth);
  const result = await explore(each, used);
  report(result, used);
  if (result.fault === undefined) return values.json ? 0 : walk(each);
  const { story, violation } = await tell(await World.of(each), result.fault.schedule);
  keep(each.name, violation ?? result.fault.violation, story, result.fault.schedule);
  return 1;
}

async function exploreTheFeed(): Promise<number> {
  if (!values.json)
    stdout.write(
      '\nfeed: requests, a revocation and reads of the feed on two instances, which remember tokens\n',
    );
  const used = limits(DEPTH_OF_FEED);
  const result = await exploreFeed(used);
  report(result, used);
  if (result.fault === undefined) return 0;
  keep(FEED, result.fault.violation, result.fault.schedule.map(feedSentence), result.fault.schedule);
  return 1;
}

function report(result: Explored<unknown>, used: Limits): void {
  stdout.write(values.json ? `${JSON.stringify(result)}\n` : `  ${summary(result, used)}\n`);
}

function feedSentence(choice: FeedChoice): string {
  return JSON.stringify(choice);
}

function summary(result: Explored<unknown>, { maxDepth }: Limits): string {
  const { states, steps, depth, isComplete, engineRuns, ms, cpuMs } = result;
  const end = isComplete
    ? `complete: no schedule is longer than ${depth - 1} steps`
    : `every schedule of ${depth} steps${depth < maxDepth ? ', and some longer ones' : ''}`;
  return `${states} states, ${steps} steps, ${end}; ${engineRuns} runs of the engine, ${(ms / 1000).toFixed(1)} s (${(cpuMs / 1000).toFixed(1)} s of CPU)`;
}

/** Compares with engines whose operations run side by side. */
async function walk(each: Scenario): Promise<number> {
  const seed = Number(values.seed);
  const { steps, difference } = await compareWalks(
    await World.of(each),
    Number(values.walks),
    seededRandom(seed),
  );
  stdout.write(
    `  ${values.walks} random schedules (seed ${seed}) beside each other in one engine, ${steps} steps: `,
  );
  stdout.write(difference === undefined ? 'the same\n' : `${difference}\n`);
  return difference === undefined ? 0 : 1;
}

/** Writes a fault to a file, and tells it. */
function keep(
  model: string,
  { property, message }: Violation,
  story: readonly string[],
  schedule: FaultFile['schedule'],
): void {
  const file = join(FAULTS, `${model}.json`);
  const fault: FaultFile = { model, property, message, story, schedule };
  mkdirSync(FAULTS, { recursive: true });
  writeFileSync(file, `${JSON.stringify(fault, undefined, 2)}\n`);
  if (values.json) return;
  stdout.write(story.map((line, n) => `  ${n + 1}. ${line}\n`).join(''));
  stdout.write(`  ${property}: ${message}\n  To see it again: npm run prove -- --replay ${file}\n`);
}

async function replay(file: string): Promise<number> {
  const { model, schedule } = JSON.parse(readFileSync(file, 'utf8')) as FaultFile;
  const { story, message } =
    model === FEED ? await replayOfFeed(schedule as readonly FeedChoice[]) : await replayOf(model, schedule);
  stdout.write(story.map((line, n) => `${n + 1}. ${line}\n`).join(''));
  stdout.write(`${message ?? 'Every property holds.'}\n`);
  return message === undefined ? 0 : 1;
}

interface Replayed {
  readonly story: readonly string[];
  readonly message: string | undefined;
}

async function replayOf(model: string, schedule: FaultFile['schedule']): Promise<Replayed> {
  const { story, violation } = await tell(await World.of(scenario(model)), schedule as readonly Choice[]);
  return { story, message: violation && `${violation.property}: ${violation.message}` };
}

async function replayOfFeed(schedule: readonly FeedChoice[]): Promise<Replayed> {
  const { message } = await replayFeed(await FeedBasis.start(), schedule);
  return { story: schedule.map(feedSentence), message };
}
