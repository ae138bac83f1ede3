import { AsyncLocalStorage } from 'node:async_hooks';
import { choices, withToken } from './choices.js';
import { Instance, SetClock } from './instance.js';
import { hasResponse, type Operation, type Point, type StoreCall } from './operations.js';
import { applyToRow } from './parked-store.js';
import { nowOf, type Choice, type State } from './state.js';
import type { World } from './world.js';

/** An operation of an engine that runs beside others. */
interface Running {
  point: Promise<Point>;
  /** Tells of its next call, or of its end. */
  arrive: (point: Point) => void;
  /** Ends the call that it waits for. */
  settle: (outcome: { readonly value: unknown } | undefined) => void;
}

/**
 * Runs a schedule on engines whose operations run side by side, as in a process, and compares each of their steps with what the
 * explorer took it for: it runs each operation alone.
 */
export class LiveReplay {
  private readonly clock = new SetClock();
  private readonly current = new AsyncLocalStorage<Running>();
  private readonly running = new Map<number, Running>();
  private instances: Instance[] = [];

  private constructor(private readonly world: World) {}

  static async of(world: World): Promise<LiveReplay> {
    const live = new LiveReplay(world);
    live.instances = await Promise.all(world.scenario.antiCsrf.map((antiCsrf) => live.start(antiCsrf)));
    return live;
  }

  private async start(antiCsrf: 'VIA_TOKEN' | 'NONE'): Promise<Instance> {
    const park = (call: StoreCall): Promise<unknown> => this.park(call);
    return Instance.start(this.world.engine.keys, this.world.scenario, antiCsrf, { clock: this.clock, park });
  }

  /** Makes one step. @returns how it differs from the state that the explorer has after it; undefined: not at all */
  async step(before: State, choice: Choice, after: State): Promise<string | undefined> {
    this.clock.nowMs = nowOf(after);
    const moved =
      choice.do === 'begin' ? before.begun : 'open' in choice ? before.open[choice.open]?.id : undefined;
    if (choice.do === 'begin') await this.begin(before, choice.operation, choice.instance);
    else if (choice.do === 'reply' || choice.do === 'lose' || choice.do === 'fail')
      await this.settle(before, choice);
    else if (choice.do === 'crash')
      for (const { id, instance } of before.open) if (instance === choice.instance) this.running.delete(id);
    return moved === undefined ? undefined : this.compare(moved, after);
  }

  private async begin(before: State, operation: Operation, instance: number): Promise<void> {
    const id = before.begun;
    const real = this.instances[instance];
    if (real === undefined) throw new Error(`There is no instance ${instance}`);
    const running = nextPoint({} as Running);
    this.running.set(id, running);
    const opened = this.world.engine.tokens.open(withToken(operation, before));
    void this.current.run(running, async () => {
      const response = await real.run(opened, this.world.first.row?.sessionHandle ?? '');
      running.arrive({ response: this.world.engine.named(response) });
    });
    await running.point;
  }

  private async park(call: StoreCall): Promise<unknown> {
    const running = this.current.getStore();
    if (running === undefined) throw new Error('A call of no operation');
    return new Promise((resolve, reject) => {
      running.settle = (outcome) => {
        if (outcome === undefined) reject(new Error('connection terminated unexpectedly'));
        else resolve(outcome.value);
      };
      running.arrive({ call });
    });
  }

  private async settle(before: State, choice: Extract<Choice, { open: number }>): Promise<void> {
    const open = before.open[choice.open];
    const running = open && this.running.get(open.id);
    if (running === undefined) throw new Error('There is no such operation');
    const point = await running.point;
    if (hasResponse(point)) throw new Error('The operation has ended');
    const applied = choice.do === 'fail' ? undefined : await applyToRow(before.row, point.call);
    const { settle } = nextPoint(running);
    settle(choice.do === 'reply' ? applied : undefined);
    await running.point;
  }

  private async compare(id: number, after: State): Promise<string | undefined> {
    const open = after.open.find((each) => each.id === id);
    const running = this.running.get(id);
    if (open === undefined || running === undefined) return undefined;
    const [real, explored] = [await running.point, this.world.engine.point(open.place)].map(text);
    return real === explored
      ? undefined
      : `an engine beside others did ${real}, the explorer saw ${explored}`;
  }
}

function nextPoint(running: Running): Running {
  running.point = new Promise((resolve) => (running.arrive = resolve));
  return running;
}

function text(point: Point): string {
  return JSON.stringify(hasResponse(point) ? { ...point.response, message: undefined } : point.call);
}

/** Walks through a model at random, and compares each walk. @returns the first difference */
export async function compareWalks(
  world: World,
  walks: number,
  random: () => number,
): Promise<{ readonly steps: number; readonly difference: string | undefined }> {
  let steps = 0;
  for (let walk = 0; walk < walks; walk++) {
    const live = await LiveReplay.of(world);
    let state = world.first;
    for (;;) {
      const possible = choices(state, world.scenario, world.engine);
      const choice = possible[Math.floor(random() * possible.length)];
      if (choice === undefined) break;
      const { state: after } = await world.step(state, choice);
      const difference = await live.step(state, choice, after);
      steps++;
      if (difference !== undefined) return { steps, difference };
      state = after;
    }
  }
  return { steps, difference: undefined };
}
