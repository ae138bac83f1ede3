import { cpuUsage } from 'node:process';
import { Coverage } from './coverage.js';
import { mutated, pumped, span } from './mutations.js';
import { Random } from './random.js';
import { BrokenProperty, type FuzzTarget } from './target.js';

/** How a search went. */
export interface FuzzResult {
  readonly target: string;
  readonly executions: number;
  /** CPU time. */
  readonly seconds: number;
  readonly coverage: Coverage;
  /** Inputs, each of which reaches something that those before it do not. */
  readonly corpus: readonly string[];
  readonly fault: Fault | undefined;
}

export interface Fault {
  readonly input: string;
  readonly error: unknown;
}

export interface FuzzOptions {
  /** CPU time. */
  readonly seconds: number;
  readonly seed: number;
  readonly corpus: readonly string[];
  readonly words: readonly string[];
  /** Runs between two looks at long inputs. Default 1000. */
  readonly runsBetweenPumps?: number;
  /** The number of places that count. */
  readonly counters: number;
}

/** No single run may take longer, milliseconds of CPU. */
const LONGEST_RUN_MS = 50;
/** Lengths of inputs that repeat a part of themselves; eight times the length may take `MAX_GROWTH` times as long. */
const PUMPED_LENGTHS = [8192, 65_536] as const;
const MAX_GROWTH = 32;
const RUNS_BETWEEN_PUMPS = 1000;

/** Searches for inputs that reach new places in the library, and for one that breaks a property. */
export async function fuzz(target: FuzzTarget, options: FuzzOptions): Promise<FuzzResult> {
  const search = new Search(target, options);
  const began = cpuSeconds();
  const fault = await search.run(began + options.seconds);
  const { executions, coverage, corpus } = search;
  const seconds = cpuSeconds() - began;
  return { target: target.name, executions, seconds, coverage, corpus, fault };
}

/** The time that this process has had, so that other work on the machine does not shorten a search. */
function cpuSeconds(): number {
  const { user, system } = cpuUsage();
  return (user + system) / 1e6;
}

class Search {
  readonly corpus: string[] = [];
  readonly coverage: Coverage;
  executions = 0;
  private readonly random: Random;

  constructor(
    private readonly target: FuzzTarget,
    private readonly options: FuzzOptions,
  ) {
    this.random = new Random(options.seed);
    this.coverage = new Coverage(options.counters);
  }

  async run(untilSec: number): Promise<Fault | undefined> {
    this.coverage.begin();
    for (const input of [...this.target.seeds, ...this.options.corpus]) {
      const fault = await this.tryInput(input, true);
      if (fault !== undefined) return fault;
    }
    while (cpuSeconds() < untilSec) {
      const input = mutated(this.parent(), this.random, this.options.words, this.corpus);
      const fault = (await this.tryInput(input)) ?? (await this.tryLength(input));
      if (fault !== undefined) return fault;
    }
    return undefined;
  }

  /** The latest finds are tried more often. */
  private parent(): string {
    const { random, corpus } = this;
    const newest = Math.max(0, corpus.length - 16);
    return random.below(2) === 0 ? random.pick(corpus) : random.pick(corpus.slice(newest));
  }

  private async tryInput(input: string, isKept = false): Promise<Fault | undefined> {
    const error = await this.failure(input);
    if (error !== undefined) return { input: await this.shrunk(input, error), error };
    if (this.coverage.note() || isKept) this.corpus.push(input);
    return undefined;
  }

  private async failure(input: string): Promise<unknown> {
    this.executions++;
    const began = performance.now();
    const error = await failureOf(this.target, input);
    if (error !== undefined || performance.now() - began < LONGEST_RUN_MS) return error;
    const ms = await this.cpuMs(input);
    return ms > LONGEST_RUN_MS ? new BrokenProperty(`a run takes ${ms.toFixed(0)} ms`) : undefined;
  }

  /** Now and then: eight times the length must not take much more than eight times as long. */
  private async tryLength(input: string): Promise<Fault | undefined> {
    if (this.executions % (this.options.runsBetweenPumps ?? RUNS_BETWEEN_PUMPS) !== 0) return undefined;
    const part = span(input, this.random);
    const [short, long] = PUMPED_LENGTHS.map((length) => pumped(input, part, length));
    const [shortMs, longMs] = [await this.cpuMs(short ?? ''), await this.cpuMs(long ?? '')];
    this.coverage.note();
    if (longMs < LONGEST_RUN_MS || longMs < MAX_GROWTH * shortMs) return undefined;
    const property = `the time grows with the length: ${shortMs.toFixed(1)} ms, eight times as long ${longMs.toFixed(1)} ms`;
    return { input: long ?? '', error: new BrokenProperty(property) };
  }

  /** The least CPU time of three runs, because other work disturbs them. */
  private async cpuMs(input: string): Promise<number> {
    let least = Number.POSITIVE_INFINITY;
    for (let i = 0; i < 3; i++) {
      const before = process.cpuUsage();
      const error = await failureOf(this.target, input);
      if (error !== undefined) throw error;
      least = Math.min(least, process.cpuUsage(before).user / 1000);
    }
    return least;
  }

  /** Leaves parts out as long as the same error comes. */
  private async shrunk(input: string, error: unknown): Promise<string> {
    let shortest = input;
    for (let size = Math.ceil(input.length / 2); size >= 1; size = Math.floor(size / 2)) {
      for (let at = 0; at < shortest.length;) {
        const shorter = shortest.slice(0, at) + shortest.slice(at + size);
        const other = await failureOf(this.target, shorter);
        if (other !== undefined && kindOf(other) === kindOf(error)) shortest = shorter;
        else at += size;
      }
    }
    return shortest;
  }
}

function kindOf(error: unknown): string {
  return error instanceof Error ? `${error.name} ${error.message.slice(0, 20)}` : typeof error;
}

const PROTOTYPES: readonly object[] = [
  Object.prototype,
  Array.prototype,
  Function.prototype,
  String.prototype,
];
const namesOfPrototypes = (): number =>
  PROTOTYPES.reduce<number>((sum, each) => sum + Reflect.ownKeys(each).length, 0);
const NAMES_AT_START = namesOfPrototypes();

/** Runs a target once. @returns what it threw, or the broken property that holds for all of them */
export async function failureOf(target: FuzzTarget, input: string): Promise<unknown> {
  try {
    const running = target.run(input);
    if (running !== undefined) await running;
    if (namesOfPrototypes() !== NAMES_AT_START) throw new BrokenProperty('no input changes a prototype');
    return undefined;
  } catch (error) {
    return error ?? new Error('Something was thrown');
  }
}
