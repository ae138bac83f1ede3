import type { Clock } from '../../util/clock.js';
import { readHostname, normaliseDomain, normalisePath } from '../../options/domains.js';
import { isThisMachine } from '../../util/hosts.js';

/** A host that failed is looked at again at most this often, besides the calls that have no other host. */
const PROBE_INTERVAL_MS = 1000;
/** After so many timeouts in a row nobody waits for a host any more until a probe finds it alive. */
const TIMEOUTS_UNTIL_BLOCKED = 5;

/** The health of a host of the core. */
export interface CoreHostHealth {
  /** Scheme, name and port, then the base path. */
  readonly host: string;
  /**
   * `UP`: its last call got an answer. `DOWN`: its last call got none; it is asked after all others. `BLOCKED`: five
   * calls in a row ran into the timeout; it is not asked until it answers a probe.
   */
  readonly state: 'UP' | 'DOWN' | 'BLOCKED';
  /** Calls in a row that got no answer. */
  readonly consecutiveFailures: number;
}

interface HostState {
  readonly host: CoreHost;
  failures: number;
  timeouts: number;
  lastFailureMs: number;
  isProbing: boolean;
}

/**
 * The hosts of the core: whose turn it is, and which ones are better left alone (a circuit breaker for each).
 *
 * No call of the application serves as a guinea pig: a host that failed is tried in the background.
 */
export class HostPool {
  private readonly states: readonly HostState[];
  private turn = 0;

  /**
   * @param probe asks a host for anything; true when it is alive. Must not throw
   */
  constructor(
    hosts: readonly CoreHost[],
    private readonly clock: Clock,
    private readonly probe: (host: CoreHost) => Promise<boolean>,
  ) {
    this.states = hosts.map((host) => ({
      host,
      failures: 0,
      timeouts: 0,
      lastFailureMs: 0,
      isProbing: false,
    }));
  }

  /** Whom a call asks, in this order: hosts that are up by turns, then those that failed but answer or refuse quickly. */
  candidates(): CoreHost[] {
    const first = this.turn++ % this.states.length;
    const byTurns = [...this.states.slice(first), ...this.states.slice(0, first)];
    for (const state of byTurns) if (this.isProbeDue(state)) void this.probeInBackground(state);
    return [
      ...byTurns.filter(({ failures }) => failures === 0),
      ...byTurns.filter((state) => state.failures > 0 && !isBlocked(state)),
    ].map(({ host }) => host);
  }

  /** The host answered, whatever it said. */
  answered(host: CoreHost): void {
    const state = this.hostState(host);
    state.failures = 0;
    state.timeouts = 0;
  }

  /** The host did not answer. */
  failed(host: CoreHost, { isTimeout }: { isTimeout: boolean }): void {
    const state = this.hostState(host);
    state.failures += 1;
    state.timeouts = isTimeout ? state.timeouts + 1 : 0;
    state.lastFailureMs = this.clock.now();
  }

  get health(): CoreHostHealth[] {
    return this.states.map((state) => ({
      host: state.host.origin + state.host.basePath,
      state: isBlocked(state) ? 'BLOCKED' : state.failures > 0 ? 'DOWN' : 'UP',
      consecutiveFailures: state.failures,
    }));
  }

  private hostState(host: CoreHost): HostState {
    const state = this.states.find((candidate) => candidate.host === host);
    if (state === undefined) throw new TypeError(`${host.origin} is no host of this pool`);
    return state;
  }

  private isProbeDue({ failures, isProbing, lastFailureMs }: HostState): boolean {
    const sinceMs = this.clock.now() - lastFailureMs;
    // A clock that was set back must not postpone the probe by as much.
    return failures > 0 && !isProbing && (sinceMs >= PROBE_INTERVAL_MS || sinceMs < 0);
  }

  private async probeInBackground(state: HostState): Promise<void> {
    state.isProbing = true;
    const isAlive = await this.probe(state.host);
    state.isProbing = false;
    if (isAlive) this.answered(state.host);
    else state.lastFailureMs = this.clock.now();
  }
}

function isBlocked({ timeouts }: HostState): boolean {
  return timeouts >= TIMEOUTS_UNTIL_BLOCKED;
}

/** One address of the core. */
export interface CoreHost {
  /** Scheme, name and port, `https://core-1.example.com:3567` for example. */
  readonly origin: string;
  /** What stands in front of every path: empty, `/base`, `/appid-x` or both. */
  readonly basePath: string;
}

const SCHEME = /^[a-z][a-z0-9+.-]*:\/\//i;

/**
 * The addresses in a connection URI: separated by `;`, each with an optional base path; empty parts do not count.
 *
 * @throws {Error} saying which part cannot be an address; credentials in it are not repeated
 * @see docs/protocol/core.md A7
 */
export function parseConnectionUri(text: string): CoreHost[] {
  const parts = text
    .split(';')
    .map((part) => part.trim())
    .filter((part) => part !== '');
  if (parts.length === 0) throw new Error('it names no host');
  return parts.map(parseHost);
}

/** True where nobody on the network can listen: TLS, or an address of this machine. */
export function isPrivateConnection({ origin }: CoreHost): boolean {
  return origin.startsWith('https:') || isThisMachine(readHostname(origin));
}

function parseHost(part: string): CoreHost {
  if (part.includes('@')) throw new Error('credentials do not belong into it: use apiKey');
  const origin = normaliseDomain(part);
  if (!/^https?:/.test(origin)) throw new Error(`"${part}" is neither http nor https`);
  // With a scheme in front, the path is read the same way for every kind of host name.
  return { origin, basePath: normalisePath(SCHEME.test(part) ? part : `http://${part}`) };
}
