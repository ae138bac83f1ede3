import type { Clock } from '../util/clock.js';
import { Repeat } from '../util/repeat.js';
import type { AuditRecord, AuditSubject } from './audit-record.js';
import type { AuditTrail } from './audit-trail.js';
import { DeliveryError, type AuditDelivery } from './delivery.js';
import { DeliveryLease, type DeliveryState, type WaitingRecord } from './delivery-lease.js';
import type { SharedValues } from './shared-values.js';

const POLL_MS = 1000;
/** Records that are read together. */
const PAGE = 100;
/** Records that may wait for another attempt; with more the delivery reads no further until some are through. */
const MAX_WAITING = 200;
/** Sessions whose records are delivered at the same time. */
const AT_ONCE = 8;
const ATTEMPT_TIMEOUT_MS = 10_000;
/** After this time no attempt begins before the state is saved, so that a crash repeats few. */
const ROUND_MS = 10_000;
const MAX_ATTEMPTS = 10;
const FIRST_RETRY_MS = 1000;
const LONGEST_RETRY_MS = 600_000;
const MAX_REASON_LENGTH = 256;

/** The surroundings of a delivery. */
export interface DelivererParts {
  readonly delivery: AuditDelivery;
  readonly trail: AuditTrail;
  readonly values: SharedValues;
  readonly clock: Clock;
  /** How long the record of a failed delivery is kept, milliseconds. */
  readonly keepMs: number;
}

/**
 * Delivers the records of the trail, from the oldest on: at least once, those of one session in their order. The state is saved after each
 * round, so what was delivered since is delivered again after a crash. A record that fails holds up those of its session only.
 */
export class Deliverer {
  private readonly lease: DeliveryLease;
  private readonly timer: Repeat;
  private stopping = new AbortController();
  private state: DeliveryState | undefined;

  constructor(private readonly parts: DelivererParts) {
    this.lease = new DeliveryLease(parts.delivery.name, parts.values, parts.clock);
    this.timer = new Repeat(async () => this.run(), { pauseMs: () => POLL_MS });
  }

  start(): void {
    this.stopping = new AbortController();
    this.timer.start();
  }

  /** Ends attempts under way, and lets another instance go on at once. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.timer.stop();
    const { state } = this;
    this.state = undefined;
    if (state !== undefined) await this.lease.release(state).catch(() => undefined);
  }

  /** Delivers all that is there, unless another instance does. */
  async run(): Promise<void> {
    const { signal } = this.stopping;
    if (this.state === undefined || !this.lease.isFresh) this.state = await this.lease.take();
    while (this.state !== undefined && !signal.aborted) {
      const { next, isNews, goesOn } = await this.round(this.state);
      this.state = !isNews || (await this.lease.save(next)) ? next : undefined;
      if (!goesOn) return;
    }
  }

  private async round({ position, waiting }: DeliveryState) {
    const { trail, delivery } = this.parts;
    const hasRoom = waiting.length < MAX_WAITING;
    const page = hasRoom ? await trail.read({ newestFirst: false, after: position, limit: PAGE }) : undefined;
    const fresh = (page?.records ?? [])
      .filter((record) => record.kind !== 'delivery.failed' && delivery.wants(record))
      .map((record) => ({ record, attempts: 0, notBeforeMs: 0 }));
    const { left, isDue } = await this.deliverAll([...waiting, ...fresh]);
    const goesOn = isDue || (page?.mayHaveMore === true && left.length < MAX_WAITING);
    const isNews = fresh.length + waiting.length + (page?.records.length ?? 0) > 0;
    return { next: { position: page?.next ?? position, waiting: left }, isNews, goesOn };
  }

  /** @returns those that are left, and whether the first of a session among them could be tried at once */
  private async deliverAll(records: readonly WaitingRecord[]) {
    const endMs = performance.now() + ROUND_MS;
    const groups = bySession(records);
    const left: WaitingRecord[][] = groups.map(() => []);
    const work = groups.map((group, n) => async () => {
      left[n] = await this.deliverGroup(group, endMs);
    });
    const worker = async (): Promise<void> => {
      for (let next = work.shift(); next !== undefined; next = work.shift()) await next();
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    const now = this.parts.clock.now();
    const isDue = left.some(([first]) => first !== undefined && first.notBeforeMs <= now);
    return { left: left.flat(), isDue };
  }

  /** Delivers the records of one session, up to the first that has to wait. */
  private async deliverGroup(group: readonly WaitingRecord[], endMs: number): Promise<WaitingRecord[]> {
    for (const [n, waiting] of group.entries()) {
      const mustWait =
        waiting.notBeforeMs > this.parts.clock.now() ||
        performance.now() > endMs ||
        this.lease.leftMs <= ATTEMPT_TIMEOUT_MS || // it has to outlive each attempt; saving the state renews it
        this.stopping.signal.aborted;
      const failed = mustWait ? waiting : await this.attempt(waiting);
      if (failed !== undefined) return [failed, ...group.slice(n + 1)];
    }
    return [];
  }

  /** @returns undefined if the record is delivered or given up; else as it has to wait */
  private async attempt({ record, ...waiting }: WaitingRecord): Promise<WaitingRecord | undefined> {
    const { delivery, clock } = this.parts;
    try {
      const signal = AbortSignal.any([this.stopping.signal, AbortSignal.timeout(ATTEMPT_TIMEOUT_MS)]);
      await delivery.deliver(record, signal);
      return undefined;
    } catch (error) {
      if (this.stopping.signal.aborted) return { record, ...waiting };
      const attempts = waiting.attempts + 1;
      const { isFinal = false, retryAfterMs = retryPauseMs(attempts) } =
        error instanceof DeliveryError ? error : {};
      if (!isFinal && attempts < (delivery.maxAttempts ?? MAX_ATTEMPTS))
        return { record, attempts, notBeforeMs: clock.now() + retryAfterMs };
      await this.giveUp(record, attempts, error);
      return undefined;
    }
  }

  /** Keeps the record among those of failed deliveries. */
  private async giveUp(record: AuditRecord, attempts: number, error: unknown): Promise<void> {
    const { trail, delivery, clock, keepMs } = this.parts;
    const reason = (error instanceof Error ? error.message : String(error)).slice(0, MAX_REASON_LENGTH);
    const timeMs = clock.now();
    const details = { delivery: delivery.name, attempts, reason, record };
    const entry = { kind: 'delivery.failed', timeMs, keepUntilMs: timeMs + keepMs, details } as const;
    await trail.append([{ ...entry, subject: subjectOf(record) }]);
  }
}

function bySession(records: readonly WaitingRecord[]): WaitingRecord[][] {
  const groups = new Map<string, WaitingRecord[]>();
  for (const each of records) {
    const key = each.record.sessionHandle ?? '';
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [each]);
    else group.push(each);
  }
  return [...groups.values()];
}

function retryPauseMs(attempts: number): number {
  return Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 4 ** (attempts - 1));
}

function subjectOf({ sessionHandle, tenantId, recipeUserId }: AuditRecord): AuditSubject {
  return {
    ...(sessionHandle === undefined ? {} : { sessionHandle }),
    ...(tenantId === undefined ? {} : { tenantId }),
    ...(recipeUserId === undefined ? {} : { recipeUserId }),
  };
}
