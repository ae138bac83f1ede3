import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '../../util/clock.js';
import type { UserContext } from '../../util/user-context.js';
import type { CdiRequest } from './cdi-requests.js';
import { attemptError, errorOfStatus, senseless, unavailable } from './core-call-errors.js';
import type { CoreAttemptError } from './core-attempt-error.js';
import type { CoreHost } from './core-host.js';
import { HostPool, type CoreHostHealth } from './host-pool.js';
import { HttpTransport, WireFailure, type WireAnswer, type WireRequest } from './http-transport.js';
import { toHttpRequest } from './network-interceptor.js';
import type { RemoteCoreConfig } from './remote-core-config.js';
import {
  isGatewayTrouble,
  isTemporary,
  nextStep,
  rateLimitDelayMs,
  type AttemptOutcome,
} from './retry-policy.js';
import type { HostAnswer } from './understand-answer.js';

/** Waits; ends early, by a rejection, when the signal does. */
export type Sleep = (ms: number, signal: AbortSignal) => Promise<void>;

/** Everything of a call but the host. */
export interface PreparedCall {
  readonly request: CdiRequest;
  readonly headers: Readonly<Record<string, string>>;
  readonly userContext: UserContext;
}

/** Outcome of one attempt: an answer, or why there is none. */
type Attempted =
  | { readonly host: CoreHost; readonly answer: WireAnswer }
  | { readonly host: CoreHost; readonly failure: WireFailure };

/** Brings a call to one of the hosts: order, failover, repeats. Knows neither versions nor what answers mean. */
export class HostExchange {
  private readonly transport: HttpTransport;
  private readonly pool: HostPool;
  private readonly closing = new AbortController();

  /** @param probe the call that a host is tried with after it failed */
  constructor(
    private readonly config: RemoteCoreConfig,
    clock: Clock,
    private readonly probe: () => PreparedCall,
    private readonly sleep: Sleep = async (ms, signal) => delay(ms, undefined, { signal }),
  ) {
    const { requestTimeoutMs, maxResponseBytes } = config;
    this.transport = new HttpTransport({ timeoutMs: requestTimeoutMs, maxResponseBytes });
    this.pool = new HostPool(config.hosts, clock, async (host) => this.isAlive(host));
  }

  get health(): CoreHostHealth[] {
    return this.pool.health;
  }

  /**
   * @returns an answer with status 200
   * @throws {CoreUnavailableError} no host answered, or the hosts cannot for now (status 429, 502, 503, 504)
   * @throws {CoreBadInputError} status 400
   * @throws {CoreResponseError} any other status, no HTTP, or too much of it
   */
  async send(call: PreparedCall): Promise<HostAnswer> {
    const { request } = call;
    const failures: CoreAttemptError[] = [];
    const rateLimitRepeats = new Map<CoreHost, number>();
    const onNewConnection = new Set<CoreHost>();
    const queue = this.pool.candidates();
    for (let host = queue.shift(); host !== undefined && !this.isClosed; host = queue.shift()) {
      const attempted = await this.attempt(host, call, onNewConnection.has(host));
      const repeats = rateLimitRepeats.get(host) ?? 0;
      const step = nextStep(attemptOutcome(attempted), {
        isRepeatable: request.isRepeatable,
        rateLimitRepeats: repeats,
        isOnNewConnection: onNewConnection.has(host),
      });
      if (step === 'TAKE') return this.take(request, attempted, failures);
      failures.push(toAttemptError(request, attempted));
      if (step === 'ASK_AGAIN_ON_NEW_CONNECTION') {
        onNewConnection.add(host);
        queue.unshift(host);
      } else if (step === 'WAIT_AND_ASK_AGAIN') {
        rateLimitRepeats.set(host, repeats + 1);
        queue.push(host);
        await this.pause(rateLimitDelayMs(repeats));
      }
    }
    throw unavailable(request, failures, this.isClosed ? 'the client is closed' : 'all hosts hang');
  }

  /** Ends what is under way; later calls find nobody. */
  close(): void {
    this.closing.abort();
    this.transport.close();
  }

  private get isClosed(): boolean {
    return this.closing.signal.aborted;
  }

  private async attempt(host: CoreHost, call: PreparedCall, isNewConnection: boolean): Promise<Attempted> {
    const wire = this.wireRequest(host, call);
    try {
      const answer = await this.transport.send(wire, { isNewConnection });
      if (isGatewayTrouble(answer.status)) this.pool.failed(host, { isTimeout: false });
      else this.pool.answered(host);
      return { host, answer };
    } catch (failure) {
      if (!(failure instanceof WireFailure)) throw failure;
      // That a kept connection was closed says nothing about the host.
      if (!failure.isStaleConnection) this.pool.failed(host, { isTimeout: failure.kind === 'TIMEOUT' });
      return { host, failure };
    }
  }

  /** The attempt decides the call. */
  private take(request: CdiRequest, attempted: Attempted, earlier: readonly CoreAttemptError[]): HostAnswer {
    const { host } = attempted;
    if ('answer' in attempted && attempted.answer.status === 200) return { ...attempted.answer, host };
    if ('answer' in attempted && !isTemporary(attempted.answer.status)) {
      throw errorOfStatus(request, host, attempted.answer, [this.config.apiKey]);
    }
    const failure = toAttemptError(request, attempted);
    throw isNonsense(attempted) ? senseless(failure) : unavailable(request, [...earlier, failure]);
  }

  private async isAlive(host: CoreHost): Promise<boolean> {
    try {
      const { status } = await this.transport.send(this.wireRequest(host, this.probe()));
      return !isGatewayTrouble(status);
    } catch {
      return false; // why it is not alive makes no difference
    }
  }

  private wireRequest(host: CoreHost, { request, headers, userContext }: PreparedCall): WireRequest {
    const { networkInterceptor: interceptor } = this.config;
    return toHttpRequest(host, request, headers, { interceptor, userContext });
  }

  private async pause(ms: number): Promise<void> {
    try {
      await this.sleep(ms, this.closing.signal);
    } catch (error) {
      if (!this.isClosed) throw error;
    }
  }
}

function attemptOutcome(attempted: Attempted): AttemptOutcome {
  if ('answer' in attempted) return { kind: 'ANSWER', status: attempted.answer.status };
  if (isNonsense(attempted)) return { kind: 'NONSENSE' };
  const { mayHaveBeenReceived, isStaleConnection } = attempted.failure;
  return { kind: 'NO_ANSWER', mayHaveBeenReceived, isStaleConnection };
}

function isNonsense(attempted: Attempted): boolean {
  return 'failure' in attempted && ['NOT_HTTP', 'TOO_LARGE'].includes(attempted.failure.kind);
}

function toAttemptError(request: CdiRequest, attempted: Attempted): CoreAttemptError {
  if ('failure' in attempted) {
    const { message, cause } = attempted.failure;
    return attemptError(request, attempted.host, message, cause instanceof Error ? { cause } : {});
  }
  const { status } = attempted.answer;
  return attemptError(request, attempted.host, `status ${status}`, { status });
}
