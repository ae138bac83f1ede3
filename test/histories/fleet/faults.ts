import { setTimeout as delay } from 'node:timers/promises';
import type { Database } from './databases.js';
import type { InstanceProcess } from './instance-process.js';

/** The farthest that the clock of an instance is set ahead or back, milliseconds. */
export const LARGEST_STEP_MS = 20_000;

/** The fewest calls between two faults of a kind. */
const CALLS_BETWEEN = 60;

export interface FaultCounts {
  instanceKills: number;
  instanceFreezes: number;
  clockSteps: number;
  databaseKills: number;
  databaseFreezes: number;
}

/** Makes instances and the database fail, one fault of each kind at a time, until it is stopped. */
export class Faults {
  readonly counts: FaultCounts = {
    instanceKills: 0,
    instanceFreezes: 0,
    clockSteps: 0,
    databaseKills: 0,
    databaseFreezes: 0,
  };
  private isOver = false;
  private running: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly instances: readonly InstanceProcess[],
    private readonly database: Database,
    private readonly random: () => number,
    /** The number of calls so far: on a busy machine the next fault waits for some. */
    private readonly calls: () => number,
  ) {}

  start(): void {
    this.running = Promise.all([
      this.repeat(300, 2000, async () => this.failInstance()),
      this.repeat(3000, 12_000, async () => this.failDatabase()),
    ]);
  }

  /** Makes no further fault. */
  end(): void {
    this.isOver = true;
  }

  /** Ends when everything is up again. */
  async stop(): Promise<void> {
    this.end();
    await this.running;
  }

  private async repeat(leastMs: number, mostMs: number, fail: () => Promise<void>): Promise<void> {
    while (!this.isOver) {
      const before = this.calls();
      await delay(leastMs + this.random() * (mostMs - leastMs));
      while (!this.isOver && this.calls() < before + CALLS_BETWEEN) await delay(100);
      if (!this.isOver) await fail();
    }
  }

  private async failInstance(): Promise<void> {
    const instance = this.instances[Math.floor(this.random() * this.instances.length)];
    if (instance === undefined) return;
    const dice = this.random();
    if (dice < 0.25) {
      this.counts.instanceKills++;
      await instance.kill();
      await delay(this.random() * 500);
      await instance.start(this.step());
    } else if (dice < 0.6) {
      this.counts.instanceFreezes++;
      instance.freeze();
      await delay(this.random() ** 2 * 4000);
      instance.thaw();
    } else {
      this.counts.clockSteps++;
      await instance.setClock(this.step()).catch(() => undefined);
    }
  }

  private async failDatabase(): Promise<void> {
    const { crash, freeze } = this.database;
    const pause = async (): Promise<void> => delay(this.random() ** 2 * 3000);
    if (this.random() < 0.5 && crash !== undefined) {
      this.counts.databaseKills++;
      await crash(pause);
    } else if (freeze !== undefined) {
      this.counts.databaseFreezes++;
      await freeze(pause);
    }
  }

  private step(): number {
    return Math.round((this.random() * 2 - 1) * LARGEST_STEP_MS);
  }
}
