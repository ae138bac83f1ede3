import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { changeValue, type SharedValues } from '../audit/shared-values.js';
import type { Clock } from '../util/clock.js';
import { isJsonObject, parseJsonObject } from '../util/json.js';
import { KeyedMutex } from '../util/keyed-mutex.js';
import { Repeat } from '../util/repeat.js';
import type { Series } from './activity.js';

const REPORT_EVERY_MS = 5000;
/** An instance that has not reported for so long is gone. */
const GONE_AFTER_MS = 20_000;
const LIST = 'dashboard_instances';
const LIST_KEPT_MS = 86_400_000;
const MAX_INSTANCES = 100;

/** The state of one instance of the application. */
export interface InstanceReport {
  readonly id: string;
  /** Host, process, and the beginning of the id. */
  readonly name: string;
  /** Milliseconds since the epoch, as the other times. */
  readonly startedAtMs: number;
  readonly reportedAtMs: number;
  /** Whether the last call to the core got a response; absent before the first. */
  readonly isResponding?: boolean;
  /** How it learns of sessions that ended in others; absent without the option `revocationFeed`. */
  readonly feed?: {
    readonly state: string;
    readonly description: string;
    /** It knows of everything that ended before. Absent before the first read, and where there is no feed. */
    readonly knownUntilMs?: number;
    /** Ended sessions and cut-offs that it keeps. */
    readonly kept: number;
  };
  readonly hour: Series;
  readonly day: Series;
}

/** The part of a report that the dashboard of an instance knows. */
export type OwnReport = Omit<InstanceReport, 'id' | 'name' | 'startedAtMs' | 'reportedAtMs'>;

/**
 * The instances that mount the dashboard: each writes a small report to the place that instances on a core share, every five seconds. If
 * the core has no such place, each instance knows itself alone.
 */
export class InstanceReports {
  private readonly id = randomUUID();
  private readonly name = `${hostname()} ${process.pid} (${this.id.slice(0, 4)})`;
  private readonly startedAtMs: number;
  private readonly repeat = new Repeat(async () => this.publish(), { pauseMs: () => REPORT_EVERY_MS });
  private readonly turns = new KeyedMutex();
  private written: string | undefined;

  constructor(
    private readonly values: SharedValues | undefined,
    private readonly clock: Clock,
    private readonly describe: () => OwnReport,
  ) {
    this.startedAtMs = clock.now();
  }

  /** Whether instances know of each other. */
  get isShared(): boolean {
    return this.values !== undefined;
  }

  start(): void {
    if (this.values === undefined) return;
    void this.publish().catch(() => undefined); // the next one tries again
    this.repeat.start();
  }

  /** Takes this instance from the list of the others, if the store responds. */
  async stop(): Promise<void> {
    if (this.values === undefined) return;
    await this.repeat.stop();
    await this.write('{}', 0).catch(() => undefined);
  }

  /** Reports this instance to the others. */
  async publish(): Promise<void> {
    if (this.values === undefined) return;
    await this.write(JSON.stringify(this.own()), this.clock.now() + GONE_AFTER_MS);
    await this.join(this.values);
  }

  /** The report of this instance, and then those of the others. @throws {CoreUnavailableError} the store does not respond */
  async all(): Promise<readonly InstanceReport[]> {
    const own = this.own();
    if (this.values === undefined) return [own];
    const ids = readIds(await this.values.read(LIST, this.clock.now()));
    const others = await Promise.all(ids.filter((id) => id !== this.id).map(async (id) => this.read(id)));
    return [own, ...others.filter((report) => report !== undefined)];
  }

  /** The report of this instance. */
  own(): InstanceReport {
    const { id, name, startedAtMs } = this;
    return { id, name, startedAtMs, reportedAtMs: this.clock.now(), ...this.describe() };
  }

  private async read(id: string): Promise<InstanceReport | undefined> {
    const text = await this.values?.read(valueName(id), this.clock.now());
    const report = parseJsonObject(text ?? '');
    const isReport = isJsonObject(report?.['hour']) && isJsonObject(report['day']) && report['id'] === id;
    return isReport ? (report as unknown as InstanceReport) : undefined;
  }

  private async write(text: string, untilMs: number): Promise<void> {
    const now = this.clock.now();
    const name = valueName(this.id);
    if (await this.values?.replace(name, this.written, { text, untilMs }, now)) {
      this.written = text;
      return;
    }
    // It was kept for too short a time, because this process or the store was busy for long.
    this.written = await this.values?.read(name, now);
    if (await this.values?.replace(name, this.written, { text, untilMs }, now)) this.written = text;
  }

  /** Adds this instance to the list, and takes those out that are gone. */
  private async join(values: SharedValues): Promise<void> {
    const { clock, turns } = this;
    await changeValue(values, LIST, { clock, turns }, async (text) => {
      const ids = readIds(text);
      if (ids.includes(this.id)) return undefined;
      const reports = await Promise.all(ids.map(async (id) => this.read(id)));
      const present = ids.filter((_, index) => reports[index] !== undefined);
      const next = JSON.stringify([...present, this.id].slice(-MAX_INSTANCES));
      return { text: next, untilMs: clock.now() + LIST_KEPT_MS };
    });
  }
}

function readIds(text = '[]'): readonly string[] {
  const ids: unknown = JSON.parse(text);
  return Array.isArray(ids) ? ids.filter((id) => typeof id === 'string') : [];
}

function valueName(id: string): string {
  return `dashboard_instance_${id}`;
}
