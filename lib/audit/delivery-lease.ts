import { randomUUID } from 'node:crypto';
import type { Clock } from '../util/clock.js';
import { isJsonObject } from '../util/json.js';
import type { AuditRecord } from './audit-record.js';
import type { SharedValues } from './shared-values.js';

/** How long an instance may deliver without a sign of life, before another one does. */
const LEASE_MS = 30_000;
const KEPT_MS = 10 * 365 * 86_400_000;

/** A record that is not delivered yet. */
export interface WaitingRecord {
  readonly record: AuditRecord;
  readonly attempts: number;
  /** Milliseconds since the epoch. */
  readonly notBeforeMs: number;
}

/** How far a delivery is. */
export interface DeliveryState {
  /** The position in the trail behind which all is new; undefined at the beginning. */
  readonly position: string | undefined;
  /** Records in front of it that wait for another attempt, and those of the same sessions behind them. */
  readonly waiting: readonly WaitingRecord[];
}

/** The state of one delivery, which one instance at a time may change. */
export class DeliveryLease {
  private readonly holder = randomUUID();
  private text: string | undefined;
  private heldUntilMs = 0;

  constructor(
    private readonly name: string,
    private readonly values: SharedValues,
    private readonly clock: Clock,
  ) {}

  /** Takes or keeps the lease. @returns the state; undefined while another instance has it */
  async take(): Promise<DeliveryState | undefined> {
    const now = this.clock.now();
    const text = await this.values.read(this.key, now);
    const { holder, heldUntilMs, ...state } = parseState(text);
    if (holder !== this.holder && heldUntilMs > now) return undefined;
    this.text = text;
    return (await this.save(state)) ? state : undefined;
  }

  /** How long another instance still leaves the delivery to this one, milliseconds. */
  get leftMs(): number {
    return this.heldUntilMs - this.clock.now();
  }

  /** Whether the lease holds for long enough that it need not be taken again. */
  get isFresh(): boolean {
    const { leftMs } = this;
    return leftMs > LEASE_MS / 2 && leftMs <= LEASE_MS; // neither after a clock was set back
  }

  /** Keeps a new state. @returns false if another instance has taken the lease meanwhile */
  async save(state: DeliveryState): Promise<boolean> {
    return this.write(state, this.clock.now() + LEASE_MS);
  }

  /** Lets another instance go on at once. */
  async release(state: DeliveryState): Promise<void> {
    await this.write(state, 0);
  }

  private async write({ position, waiting }: DeliveryState, heldUntilMs: number): Promise<boolean> {
    const now = this.clock.now();
    const text = JSON.stringify({ holder: this.holder, heldUntilMs, position, waiting, n: randomUUID() });
    const isSaved = await this.values.replace(this.key, this.text, { text, untilMs: now + KEPT_MS }, now);
    if (isSaved) this.text = text;
    this.heldUntilMs = isSaved ? heldUntilMs : 0;
    return isSaved;
  }

  private get key(): string {
    return `delivery_${this.name}`;
  }
}

function parseState(text: string | undefined): DeliveryState & { holder: string; heldUntilMs: number } {
  const value: unknown = text === undefined ? {} : JSON.parse(text);
  const { holder, heldUntilMs, position, waiting } = isJsonObject(value) ? value : {};
  return {
    holder: typeof holder === 'string' ? holder : '',
    heldUntilMs: typeof heldUntilMs === 'number' ? heldUntilMs : 0,
    position: typeof position === 'string' ? position : undefined,
    waiting: Array.isArray(waiting) ? (waiting as unknown as WaitingRecord[]) : [],
  };
}
