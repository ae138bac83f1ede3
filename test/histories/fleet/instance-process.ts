import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { Agent } from 'node:http';
import { execPath } from 'node:process';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import type { InstanceSettings } from '../application/settings.js';
import { monotonicMs } from '../application/stepped-clock.js';
import type { Span } from '../checker/history.js';
import { sendCall, type HttpCall, type HttpResponse } from './http-call.js';

/** A time of the monotonic clock at which an instance's clock may have been ahead by so much. */
interface Offset {
  readonly offsetMs: number;
  readonly fromMs: number;
  untilMs: number;
}

/** One instance of the application, which can be killed, frozen and started again, and whose clock can be set. */
export class InstanceProcess {
  /** How often it was started. */
  starts = 0;
  isUp = false;
  private child: ChildProcess | undefined;
  private port = 0;
  private agent = new Agent();
  private offsets: Offset[] = [];

  constructor(
    readonly number: number,
    private readonly program: string,
    private readonly settings: Omit<InstanceSettings, 'offsetMs'>,
  ) {}

  /** Its name in histories: its number and how often it was started. */
  get name(): string {
    return `${this.number}.${this.starts}`;
  }

  /** Starts it, again and again until the database lets it. @param offsetMs how far its clock is ahead */
  async start(offsetMs = 0, attempts = 60): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      if (await this.launch(offsetMs)) return;
      if (attempt === attempts) throw new Error(`Instance ${this.number} does not start`);
      await delay(200);
    }
  }

  private async launch(offsetMs: number): Promise<boolean> {
    const settings: InstanceSettings = { ...this.settings, offsetMs };
    const child = spawn(execPath, ['--expose-gc', this.program, JSON.stringify(settings)], {
      stdio: ['pipe', 'pipe', process.env['HISTORIES_DEBUG'] ? 'inherit' : 'ignore'],
    });
    this.child = child;
    this.noteOffset(offsetMs, monotonicMs());
    const exited = once(child, 'exit').then(() => undefined);
    const line = new Promise<string>((resolve) => createInterface(child.stdout).once('line', resolve));
    const port = await Promise.race([exited, line]);
    if (port === undefined) return false;
    this.port = Number(port);
    this.agent = new Agent({ keepAlive: true, maxSockets: 256 });
    this.starts++;
    this.isUp = true;
    return true;
  }

  async send(call: Omit<HttpCall, 'port' | 'agent'>): Promise<HttpResponse> {
    return sendCall({ ...call, port: this.port, agent: this.agent });
  }

  /** Kills it at once, with all that it is doing. */
  async kill(): Promise<void> {
    this.isUp = false;
    const { child } = this;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, 'exit');
    child.kill('SIGKILL');
    await exit;
    this.agent.destroy();
  }

  freeze(): void {
    this.child?.kill('SIGSTOP');
  }

  thaw(): void {
    this.child?.kill('SIGCONT');
  }

  /** Sets its clock. While the order is under way, either offset may count. */
  async setClock(offsetMs: number): Promise<void> {
    const beganMs = monotonicMs();
    const before = this.offsets.filter(({ untilMs }) => untilMs === Number.POSITIVE_INFINITY);
    this.offsets.push({ offsetMs, fromMs: beganMs, untilMs: Number.POSITIVE_INFINITY });
    await this.send({ method: 'POST', path: '/clock', body: { offsetMs } });
    for (const each of before) each.untilMs = monotonicMs();
  }

  /** Returns the times of its clock between two times of the monotonic one. */
  clockBetween(beganMs: number, endedMs: number): Span {
    const counted = this.offsets.filter(({ fromMs, untilMs }) => fromMs <= endedMs && untilMs >= beganMs);
    const offsets = counted.map(({ offsetMs }) => offsetMs);
    const { epochMs } = this.settings;
    return {
      earliest: Math.floor(epochMs + beganMs + Math.min(...offsets)),
      latest: Math.ceil(epochMs + endedMs + Math.max(...offsets)),
    };
  }

  private noteOffset(offsetMs: number, fromMs: number): void {
    for (const each of this.offsets) each.untilMs = Math.min(each.untilMs, fromMs);
    this.offsets.push({ offsetMs, fromMs, untilMs: Number.POSITIVE_INFINITY });
  }
}
