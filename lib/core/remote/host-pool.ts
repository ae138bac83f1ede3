import type { Clock } from '../../util/clock.js';
import { readHostname, normaliseDomain, normalisePath } from '../../options/domains.js';
import { isThisMachine } from '../../util/hosts.js';

/** A failed host is probed at most this often; calls that have no other host still reach it. */
const PROBE_INTERVAL_MS = 1000;
/** After so many timeouts in a row no call waits for a host until a probe succeeds. */
const TIMEOUTS_UNTIL_BLOCKED = 5;

/** The health of a host of the core. */
export interface CoreHostHealth {
  /** Scheme, name and port, then the base path. */
  readonly host: string;
  /**
   * `UP`: its last call got a response. `DOWN`: its last call got none; it is called after all others. `BLOCKED`:
   * five calls in a row ran into the timeout; it is not called until a probe succeeds.
   */
  readonly state: 'UP' | 'DOWN' | 'BLOCKED';
  /** Calls in a row that got no response. */
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
 * The hosts of the core, taken in turns, with a circuit breaker for each.
 *
 * A failed host is probed in the background, so that no call of the application has to try it.
 */
export class HostPool {
  private readonly states: readonly HostState[];
  private turn = 0;

  /**
   * @param probe calls a host; resolves with true when it responds. Must not reject
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

  /**
   * Returns the hosts for a call, in order: hosts that are up by turns, then failed hosts that do not run into
   * timeouts.
   */
  candidates(): CoreHost[] {
    const first = this.turn++ % this.states.length;
    const byTurns = [...this.states.slice(first), ...this.states.slice(0, first)];
    for (const state of byTurns) if (this.isProbeDue(state)) void this.probeInBackground(state);
    return [
      ...byTurns.filter(({ failures }) => failures === 0),
      ...byTurns.filter((state) => state.failures > 0 && !isBlocked(state)),
    ].map(({ host }) => host);
  }

  /** Notes that a host responded, with any status. */
  responded(host: CoreHost): void {
    const state = this.hostState(host);
    state.failures = 0;
    state.timeouts = 0;
  }

  /** Notes that a host did not respond. */
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
    if (isAlive) this.responded(state.host);
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
  /** The prefix of every path: empty, `/base`, `/appid-x` or both. */
  readonly basePath: string;
}

const SCHEME = /^[a-z][a-z0-9+.-]*:\/\//i;

/**
 * Returns the addresses in a connection URI: separated by `;`, each with an optional base path; empty parts do not count.
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

/** True for a connection without eavesdroppers: TLS, or an address of this machine. */
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
