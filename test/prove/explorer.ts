import { cpuUsage } from 'node:process';
import { choices } from './choices.js';
import type { Scenario } from './scenarios.js';
import type { Choice, State, Violation } from './state.js';
import { World } from './world.js';

export interface Limits {
  readonly maxDepth: number;
  readonly maxStates: number;
  readonly maxMs: number;
}

/** The result of an exploration. */
export interface Explored<Step = Choice> {
  readonly scenario: string;
  readonly states: number;
  readonly steps: number;
  /** The longest schedules whose every step was tried. */
  readonly depth: number;
  /** Whether no schedule goes on beyond what was tried. */
  readonly isComplete: boolean;
  readonly engineRuns: number;
  readonly ms: number;
  /** Time of the processor, which does not depend on what else the machine does. */
  readonly cpuMs: number;
  readonly fault: Fault<Step> | undefined;
}

export interface Fault<Step = Choice> {
  readonly violation: Violation;
  readonly schedule: readonly Step[];
}

/** How a state was reached. */
interface Origin {
  readonly from: Origin | undefined;
  readonly choice: Choice;
}

/** Tries every schedule of a model, the shortest first, and ends at the first property that does not hold. */
export async function explore(
  scenario: Scenario,
  limits: Limits,
  onDepth: (depth: number, states: number, ms: number) => void = () => undefined,
): Promise<Explored> {
  const began = performance.now();
  const cpuBefore = cpuUsage();
  const world = await World.of(scenario);
  const seen = new Set<number>([shortKey(world, world.first)]);
  let frontier: { readonly state: State; readonly origin: Origin | undefined }[] = [
    { state: world.first, origin: undefined },
  ];
  let steps = 0;
  let depth = 0;
  const result = (isComplete: boolean, fault?: Fault): Explored => ({
    scenario: scenario.name,
    states: seen.size,
    steps,
    depth,
    isComplete,
    engineRuns: world.engine.runs,
    ms: Math.round(performance.now() - began),
    cpuMs: Math.round(cpuUsage(cpuBefore).user / 1000),
    fault,
  });
  while (frontier.length > 0 && depth < limits.maxDepth) {
    const next: typeof frontier = [];
    for (const { state, origin } of frontier) {
      for (const choice of choices(state, scenario, world.engine)) {
        steps++;
        const { state: after, violation } = await world.step(state, choice);
        const reached = { from: origin, choice };
        if (violation !== undefined) return result(false, { violation, schedule: scheduleOf(reached) });
        const key = shortKey(world, after);
        if (seen.has(key)) continue;
        seen.add(key);
        next.push({ state: after, origin: reached });
      }
      if (seen.size > limits.maxStates || performance.now() - began > limits.maxMs) return result(false);
    }
    frontier = next;
    depth++;
    onDepth(depth, seen.size, performance.now() - began);
  }
  return result(frontier.length === 0);
}

/**
 * Returns 53 bits for a state. Two different states share them with a probability of one in 9 * 10^15 for each pair: about one in two
 * thousand for any pair among three million states.
 */
function shortKey(world: World, state: State): number {
  const text = world.key(state);
  let high = 0xdeadbeef;
  let low = 0x41c6ce57;
  for (let n = 0; n < text.length; n++) {
    const code = text.charCodeAt(n);
    high = Math.imul(high ^ code, 2654435761);
    low = Math.imul(low ^ code, 1597334677);
  }
  high = Math.imul(high ^ (high >>> 16), 2246822507) ^ Math.imul(low ^ (low >>> 13), 3266489909);
  low = Math.imul(low ^ (low >>> 16), 2246822507) ^ Math.imul(high ^ (high >>> 13), 3266489909);
  return 4294967296 * (2097151 & low) + (high >>> 0);
}

function scheduleOf(last: Origin): readonly Choice[] {
  const schedule: Choice[] = [];
  for (let origin: Origin | undefined = last; origin !== undefined; origin = origin.from)
    schedule.unshift(origin.choice);
  return schedule;
}
