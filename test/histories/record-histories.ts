import type { InstanceSettings } from './application/settings.js';
import { monotonicMs } from './application/stepped-clock.js';
import { checkHistory } from './checker/check-history.js';
import { findLegalOrder } from './checker/legal-order.js';
import type { History, Rules } from './checker/history.js';
import { startDatabase, type Database, type StoreKind } from './fleet/databases.js';
import { Faults, type FaultCounts } from './fleet/faults.js';
import { InstanceProcess } from './fleet/instance-process.js';
import { seededRandom } from '../prove/random.js';
import { FleetClient } from './workload/fleet-client.js';
import { SessionGroup } from './workload/session-group.js';

export interface Recording {
  readonly store: StoreKind;
  readonly seed: number;
  /** The bundled instance. */
  readonly program: string;
  readonly longestMs: number;
  readonly mostCalls: number;
  /** Number of groups of sessions at a time. */
  readonly groups: number;
  /** Hears each minute how far the run has come. */
  onMinute(calls: number, sessions: number): void;
}

export interface Recorded {
  readonly store: StoreKind;
  readonly seed: number;
  readonly calls: number;
  readonly sessions: number;
  readonly ms: number;
  /** Number of responses of each kind. */
  readonly counts: readonly (readonly [string, number])[];
  readonly faults: FaultCounts;
  /** The most states that the search for a legal order looked at. */
  readonly longestSearch: number;
  readonly unexpected: readonly string[];
  readonly failing: readonly History[];
}

const INSTANCES = 3;
const POLL_MS = 500;
const ACCESS_VALIDITY_SEC = 30;
const REFRESH_VALIDITY_SEC = 50;
/** One group in so many rests until things expire. */
const SLOW_ONE_IN = 4;
/** The run ends after so many histories that fail. */
const MOST_FAILURES = 3;

const RULES: Rules = {
  accessValidityMs: ACCESS_VALIDITY_SEC * 1000,
  refreshValidityMs: REFRESH_VALIDITY_SEC * 1000,
  // Twice the interval, and as much again: a clock that is set back a little makes what an instance knows look younger than it is.
  feedBoundMs: 4 * POLL_MS,
};

/** Runs sessions against real instances on a database, with faults, and checks the history of each. */
export async function recordHistories(recording: Recording): Promise<Recorded> {
  const database = await startDatabase(recording.store);
  const epochMs = Date.now() - monotonicMs();
  const instances = Array.from(
    { length: INSTANCES },
    (_, n) => new InstanceProcess(n + 1, recording.program, settings(database, epochMs, n)),
  );
  try {
    for (const instance of instances) await instance.start();
    return await record(recording, database, instances, epochMs);
  } finally {
    await Promise.all(instances.map(async (instance) => instance.kill()));
    await database.stop();
  }
}

function settings({ place }: Database, epochMs: number, n: number): Omit<InstanceSettings, 'offsetMs'> {
  return {
    store: place,
    epochMs,
    framework: n === 0 ? 'express' : 'fastify',
    // As during a rolling deployment.
    antiCsrf: n === 2 ? 'VIA_TOKEN' : 'NONE',
    accessValiditySec: ACCESS_VALIDITY_SEC,
    refreshValiditySec: REFRESH_VALIDITY_SEC,
    signingAlgorithm: 'ES256',
    pollMs: POLL_MS,
    connections: 8,
    patienceMs: 2500,
  };
}

async function record(
  { store, seed, longestMs, mostCalls, groups, onMinute }: Recording,
  database: Database,
  instances: readonly InstanceProcess[],
  epochMs: number,
): Promise<Recorded> {
  const client = new FleetClient(instances, seededRandom(seed + 1), epochMs);
  const faults = new Faults(instances, database, seededRandom(seed), () => client.calls);
  const failing: History[] = [];
  let [sessions, longestSearch, started] = [0, 0, 0];
  const began = performance.now();
  const isOver = (): boolean =>
    performance.now() - began >= longestMs ||
    client.calls >= mostCalls ||
    failing.length >= MOST_FAILURES ||
    client.unexpected.length > 0;
  const lane = async (number: number): Promise<void> => {
    const random = seededRandom(seed + 1000 * (number + 1));
    while (!isOver()) {
      const group = { tenantId: `t${started++}`, rules: RULES, isSlow: number % SLOW_ONE_IN === 0 };
      const histories = await new SessionGroup(client, group, random, isOver).run();
      for (const history of histories) {
        sessions++;
        if (checkHistory(history) !== undefined) failing.push(history);
        const order = findLegalOrder(history);
        if (order.kind === 'legal') longestSearch = Math.max(longestSearch, order.states);
      }
    }
  };
  const progress = setInterval(() => onMinute(client.calls, sessions), 60_000);
  const ending = setInterval(() => isOver() && faults.end(), 200);
  faults.start();
  await Promise.all(Array.from({ length: groups }, async (_, number) => lane(number)));
  await faults.stop();
  for (const timer of [progress, ending]) clearInterval(timer);
  const counts = [...client.counts].sort(([a], [b]) => (a < b ? -1 : 1));
  const { calls, unexpected } = client;
  const ms = performance.now() - began;
  return {
    store,
    seed,
    calls,
    sessions,
    ms,
    counts,
    faults: faults.counts,
    longestSearch,
    unexpected,
    failing,
  };
}
