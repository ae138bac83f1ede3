import { channels, type SessionRefusedMessage } from '../events/channels.js';
import type { EventSource, SessionEvent } from '../events/session-event.js';
import type { SessionEventHub } from '../events/session-event-hub.js';
import { refusalReason } from '../events/telemetry.js';
import { DEVICE_OPTIONS, type DeviceSettings } from '../options/feature-options.js';
import { defaultsOf } from '../options/option-table.js';
import { addressToKeep, userAgentToKeep } from '../sessions/devices.js';
import type { Clock } from '../util/clock.js';

const MINUTE_MS = 60_000;
/** A day, and as much as its first quarter of an hour may have begun earlier. */
const KEPT_MINUTES = 24 * 60 + 15;
const RECENT = 200;

/** The events that are counted, and the names of their counters. */
const COUNTERS: { readonly [Type in SessionEvent['type']]?: string } = {
  'session.created': 'signIns',
  'session.refreshed': 'refreshes',
  'session.revoked': 'ended',
  'sessions.ended-before': 'cutOffs',
  'session.theft-detected': 'thefts',
};

/** Counters in steps of equal length; `refused:` and a reason name those of refusals. */
export interface Series {
  /** The beginning of the first step, milliseconds since the epoch. */
  readonly startMs: number;
  readonly stepMs: number;
  readonly steps: number;
  /** One number for each step, the last of which is not over yet. */
  readonly counts: Readonly<Record<string, readonly number[]>>;
}

/** Lengths of the curves, with the number of their steps. */
export const CURVES = {
  hour: { stepMs: MINUTE_MS, steps: 60 },
  day: { stepMs: 15 * MINUTE_MS, steps: 96 },
} as const;

/** An event with its number in this process. */
export type NumberedEvent = SessionEvent & { readonly number: number };

/**
 * The counters and the last events of this process, in buckets of a minute: at most a day of them. It listens while the dashboard is
 * mounted: an event or a refusal costs an addition, and an event a place in the list of the last ones.
 */
export class Activity {
  private readonly minutes = new Map<number, Map<string, number>>();
  private readonly listeners = new Set<(event: NumberedEvent) => void>();
  private readonly unsubscribers: (() => void)[] = [];
  private events: NumberedEvent[] = [];
  private number = 0;

  constructor(
    private readonly source: SessionEventHub,
    private readonly clock: Pick<Clock, 'now'>,
    private readonly devices: DeviceSettings = defaultsOf(DEVICE_OPTIONS),
  ) {}

  start(): void {
    const countRefusal = (message: unknown): void => {
      const refused = message as SessionRefusedMessage;
      if (refused.source === this.source) this.count(`refused:${refusalReason(refused)}`);
    };
    channels.sessionRefused.subscribe(countRefusal);
    this.unsubscribers.push(
      this.source.atOnce.add({ next: ({ type }) => this.count(COUNTERS[type]) }),
      this.source.listen((event) => this.keep(event)),
      () => channels.sessionRefused.unsubscribe(countRefusal),
    );
  }

  stop(): void {
    for (const unsubscribe of this.unsubscribers.splice(0)) unsubscribe();
  }

  /** The last events, oldest first. */
  get recent(): readonly NumberedEvent[] {
    return this.events;
  }

  /** Calls a function with each event from now on. @returns a function that ends that */
  listen(listener: (event: NumberedEvent) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  series({ stepMs, steps }: { readonly stepMs: number; readonly steps: number }): Series {
    const startMs = (Math.floor(this.clock.now() / stepMs) - steps + 1) * stepMs;
    const counts: Record<string, number[]> = {};
    for (const [minute, counters] of this.minutes) {
      const step = Math.floor((minute * MINUTE_MS - startMs) / stepMs);
      if (step < 0 || step >= steps) continue;
      for (const [name, count] of counters) {
        const ofName = (counts[name] ??= Array.from({ length: steps }, () => 0));
        ofName[step] = (ofName[step] ?? 0) + count;
      }
    }
    return { startMs, stepMs, steps, counts };
  }

  private count(name: string | undefined): void {
    if (name === undefined) return;
    const minute = Math.floor(this.clock.now() / MINUTE_MS);
    const counters = this.minutes.get(minute) ?? this.begin(minute);
    counters.set(name, (counters.get(name) ?? 0) + 1);
  }

  private begin(minute: number): Map<string, number> {
    const counters = new Map<string, number>();
    this.minutes.set(minute, counters);
    for (const each of this.minutes.keys()) if (each <= minute - KEPT_MINUTES) this.minutes.delete(each);
    return counters;
  }

  private keep(event: SessionEvent): void {
    const numbered = { ...this.withoutExcess(event), number: ++this.number };
    this.events = [...this.events, numbered].slice(-RECENT);
    for (const listener of this.listeners) listener(numbered);
  }

  /** Operators see as much of a client as the option `devices` keeps, which is what records have, too. */
  private withoutExcess(event: SessionEvent): SessionEvent {
    const { ip, userAgent, ...rest } = event as SessionEvent & EventSource;
    const kept = {
      ip: addressToKeep(ip, this.devices),
      userAgent: userAgentToKeep(userAgent, this.devices),
    };
    return {
      ...(rest as SessionEvent),
      ...(kept.ip === undefined ? {} : { ip: kept.ip }),
      ...(kept.userAgent === undefined ? {} : { userAgent: kept.userAgent }),
    };
  }
}

/** Adds up the curves of several processes, whose steps are aligned to the clock. @param frame the curve whose steps the sum has */
export function sumSeries(all: readonly Series[], frame: Series): Series {
  const { startMs, stepMs, steps } = frame;
  const counts: Record<string, number[]> = {};
  for (const each of all) {
    const shift = Math.round((each.startMs - startMs) / stepMs);
    for (const [name, numbers] of Object.entries(each.counts)) {
      const sum = (counts[name] ??= Array.from({ length: steps }, () => 0));
      for (const [step, count] of numbers.entries()) {
        const at = step + shift;
        if (at >= 0 && at < steps) sum[at] = (sum[at] ?? 0) + count;
      }
    }
  }
  return { startMs, stepMs, steps, counts };
}
